"""PPO: labeled traces and a policy in, a better policy out."""

import time
from collections.abc import Iterator
from typing import Any

from components.contracts.jsonl import write_records
from components.contracts.methods import is_on
from components.contracts.pages import write_page
from components.contracts.policy_card import read_card
from components.contracts.records import LabeledTrace
from components.policy.architecture import context_length
from components.policy.card import check_card, make_card, write_card
from components.policy.checkpoints import open_checkpoints
from components.policy.distance import effective_weights, moved
from components.policy.distributed import (
    is_first_process,
    missing_processes,
    run_in_processes,
    take_own_device,
)
from components.policy.hand_on import hand_adapter_on
from components.policy.load import Policy
from components.ppo.report import CURVES, TITLE, render_report
from components.ppo.rewards import tool_reward
from components.ppo.roles import load_roles, save_actor
from components.ppo.samples import PromptSet, read_samples
from components.ppo.settings import PPOSettings
from components.ppo.summary import category_shares, first_and_last, summarize
from components.ppo.training import Training
from components.rollout.shown import call_format_of, peek_call_format
from components.storage import open_input, write_output


def run(
    labeled: Any,
    base_model: str,
    settings: str,
    artifact_store: str,
    checkpoint_root: str,
    adapter: Any,
    metrics: Any,
    report: Any,
    initial: Any = None,
    method: str = "",
) -> None:
    """Train the policy on the golds of `labeled_traces/1` and write `adapter/1`.

    labeled, adapter, metrics, report, initial: KFP artifacts. method: where ppo is not in it, `initial` is
    handed on (see `contracts.methods`).

    Raises:
        InputError: settings, artifacts or model can't be used; no turn can serve as a prompt.
        NonFiniteError: a reward, loss or gradient was NaN or infinite; checkpoints before it stay.
    """
    parsed = PPOSettings.parse(settings)
    if not is_on("ppo", method):
        given = open_input(labeled.path, "labeled_traces/1", artifact_store)
        form = call_format_of(given, "traces.jsonl", LabeledTrace)
        outputs = (adapter, metrics, report)
        hand_adapter_on(TITLE, parsed, base_model, artifact_store, *outputs, initial, call_format=form)
        return
    if processes := missing_processes():
        options = {
            "labeled": labeled.path,
            "base-model": base_model,
            "settings": settings,
            "artifact-store": artifact_store,
            "checkpoint-root": checkpoint_root,
            "adapter": adapter.path,
            "report": report.path,
            "initial": initial.path if initial is not None else "",
        }
        for name, value in run_in_processes("components.ppo", processes, options).items():
            metrics.log_metric(name, value)
        return
    take_own_device()
    traces = open_input(labeled.path, "labeled_traces/1", artifact_store)
    start = open_input(initial.path, "adapter/1", artifact_store) if initial is not None else None
    came_in = start.folder if start else None
    call_format, records = peek_call_format(traces, "a call that is right")
    roles = load_roles(base_model, parsed, call_format, came_in)
    policy = roles.policy
    if came_in is not None:
        check_card(read_card(came_in), policy.chat, base_model)
    found = find_samples(records, policy, parsed)

    lineage = {"labeled": traces.digest, **({"initial": start.digest} if start else {})}
    checkpoints = open_checkpoints(checkpoint_root, parsed, base_model, lineage)
    before = effective_weights(policy.model) if is_first_process() else None
    began = time.monotonic()
    training = Training(roles, found.samples, parsed, tool_reward(call_format), checkpoints)
    result = training.run()
    if before is None:
        return
    seconds = time.monotonic() - began
    figures = summarize(found, result, distance=moved(policy.model, before), seconds=seconds)

    with write_output(adapter.path, "adapter/1", artifact_store) as writer:
        save_actor(roles, parsed, writer.folder, base_model, came_in)
        card = make_card(policy.chat, base_model, settings=parsed.model_dump(mode="json"), lineage=lineage)
        write_card(card, writer.folder)
        write_records(writer.folder / "training_log.jsonl", result.log)
        writer.counts.update(examples=len(found.samples), steps=len(result.log))
        writer.details.update(moved=figures["moved"], quarantined=dict(found.quarantined))
        writer.lineage.update(lineage)
    first, last = first_and_last(result.log)
    page = render_report(
        {name: [getattr(row, name) for row in result.log] for name in CURVES},
        (category_shares(first), category_shares(last)),
        {reason: [str(count), *found.named[reason]] for reason, count in found.quarantined.most_common()},
        figures,
        parsed.model_dump(),
    )
    write_page(report.path, page)
    if checkpoints is not None:
        checkpoints.clear()
    for name, value in figures.items():
        metrics.log_metric(name, float(value))


def find_samples(records: Iterator[LabeledTrace], policy: Policy, settings: PPOSettings) -> PromptSet:
    """The prompts to answer; what can't be one is counted, and said in the log."""
    context = context_length(policy.model)
    found = read_samples(
        records,
        policy.chat,
        max_prompt_tokens=min(settings.max_prompt_tokens, context - settings.max_new_tokens),
        max_new_tokens=settings.max_new_tokens,
        max_samples=settings.max_samples,
        seed=settings.seed,
    )
    if is_first_process():
        for reason, count in found.quarantined.most_common():
            print(f"[ppo] {count} turns are no prompt: {reason} ({found.named[reason][0]})", flush=True)
    return found
