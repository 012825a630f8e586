"""Evaluation on artifacts, with the real tools service; a scripted engine where what is said matters."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.contracts.artifacts import Artifact, open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.jsonl import read_records, write_records
from components.contracts.kinds import RESERVED_KINDS
from components.contracts.records import EvaluationItem, PolicyCard, Question, Trace
from components.evaluation.__main__ import main
from components.evaluation.judged import write_traces
from components.evaluation.questions import select_questions
from components.evaluation.run import run
from components.evaluation.settings import EvaluationSettings
from components.evaluation.summary import scalar_metrics, summarize
from components.policy.engine import Conversation
from components.rollout.loop import run_rollouts
from components.rollout.tools_client import ToolsClient
from components.scoring.tool_use import rates
from tests.scripted_engine import ScriptedEngine, last_text, turn_number
from tests.small_tools import free_port, small_tools
from tests.tiny_model import build_tiny_model
from tests.tools_process import ToolsProcess

SUMS = [
    Question(id=f"s{i}", text=f"What is {i}+1?", answers=(str(i + 1),), answer_type="number", kind="sum")
    for i in range(4)
]
GREETINGS = [
    Question(id=f"g{i}", text=f"Say hello {i}", answers=(f"hello {i}",), kind="no_tool") for i in range(2)
]
QUESTIONS = [*SUMS, *GREETINGS]
QUICK = json.dumps(
    {"max_new_tokens": 6, "max_steps": 2, "engine": {"call_format": "paper", "model": {"dtype": "float32"}}}
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def question_set(folder: Path, questions: list[Question]) -> Artifact:
    with write_artifact(folder, "questions/1") as writer:
        write_records(writer.folder / "train.jsonl", questions[:1])
        write_records(writer.folder / "held_out.jsonl", questions)
    return open_artifact(folder, "questions/1")


def evaluate(
    questions: Artifact,
    model: Path | str,
    url: str,
    output: Path,
    *,
    settings: str = QUICK,
    adapter: str = "",
) -> dict[str, Any]:
    """Run the stage; the metrics it logged."""
    metrics = dsl.Metrics(uri="metrics")
    run(
        dsl.Dataset(uri=str(questions.folder)),
        str(model),
        url,
        settings,
        "",
        dsl.Dataset(uri=str(output / "evaluation")),
        metrics,
        dsl.HTML(uri=str(output / "report.html")),
        dsl.Model(uri=adapter) if adapter else None,
    )
    return dict(metrics.metadata)


def script(conversation: Conversation) -> str:
    """Calls the calculator for sums (0 by a broken call), and says hello by itself."""
    text = last_text(conversation)
    if turn_number(conversation):
        return f"Answer: It is {text}" if "Error" not in text else "Answer: no idea"
    if text.startswith("Say"):
        return f"Answer: {text[4:]}"
    return f"Action: calculator[{text[8:-1]}{')' if '0+' in text else ''}]"


def test_the_defaults_are_greedy_and_the_presets_valid() -> None:
    found = EvaluationSettings.parse('{"preset": "self-training"}')
    assert found == EvaluationSettings.parse("")
    assert (found.temperature, found.split, found.variant, found.max_steps) == (
        0,
        "held_out",
        "multi_step",
        9,
    )
    for preset in EvaluationSettings.presets:
        parsed = EvaluationSettings.parse(json.dumps({"preset": preset}))
        assert EvaluationSettings.parse(parsed.canonical()) == parsed
    with pytest.raises(
        InputError, match=r"evaluation_settings: unknown key 'limit_per_kin'.*'limit_per_kind'"
    ):
        EvaluationSettings.parse('{"limit_per_kin": 3}')


def test_a_limit_draws_of_each_kind_by_the_seed_alone() -> None:
    many = [
        Question(id=f"{kind}{i}", text="?", answers=("1",), kind=kind) for kind in "ab" for i in range(20)
    ]
    chosen = select_questions(many, limit_per_kind=5, seed=1)
    assert [question.kind for question in chosen] == ["a"] * 5 + ["b"] * 5
    assert chosen == [question for question in many if question in chosen]
    assert set(chosen) == set(select_questions(many[::-1], limit_per_kind=5, seed=1))
    assert set(chosen) != set(select_questions(many, limit_per_kind=5, seed=2))
    assert select_questions(many, limit_per_kind=0, seed=1) == many


def test_questions_that_can_not_be_judged_are_refused() -> None:
    with pytest.raises(InputError, match="'s0' occurs twice"):
        select_questions([SUMS[0], SUMS[0]], limit_per_kind=0, seed=0)
    with pytest.raises(InputError, match="'s0' has no gold"):
        select_questions([SUMS[0].model_copy(update={"answers": ()})], limit_per_kind=0, seed=0)
    with pytest.raises(InputError, match="no question to judge"):
        select_questions([], limit_per_kind=0, seed=0)


def test_rates_of_a_scripted_policy_with_real_tools(service: ToolsProcess, tmp_path: Path) -> None:
    engine = ScriptedEngine(script, call_format="paper")
    settings = EvaluationSettings.parse("")
    with ToolsClient(service.url) as client:
        rollouts = run_rollouts(((q, 0) for q in QUESTIONS), engine, client, settings)
        items, tools = write_traces(tmp_path / "traces.jsonl", rollouts, len(QUESTIONS), "held_out")
    items = [item.model_copy(update={"seconds": 0.5}) for item in items]
    summary: Any = summarize(items, tools, no_tool_kinds=settings.no_tool_kinds)
    assert summary["questions"] == {"overall": 6, "needs_tool": 4, "no_tool": 2, "sum": 4}
    assert set(summary) - {"no_tool", "sum"} <= RESERVED_KINDS
    assert (
        summary["needs_tool"]
        == summary["sum"]
        == {
            "accuracy": 3 / 4,
            "exact_match": 0,
            "invoke_rate": 1,
            "called_share": 1,
            "pass_rate": 3 / 4,
            "answerable_rate": 3 / 4,
        }
    )
    assert summary["no_tool"] == {
        "accuracy": 1,
        "exact_match": 1,
        "invoke_rate": 0,
        "called_share": 0,
        "pass_rate": None,
        "answerable_rate": None,
    }
    assert summary["tools"]["calculator"]["accuracy"] == 3 / 4
    assert summary["tools"]["calculator"]["called_share"] == 4 / 6
    assert summary["tools"]["wikipedia_search"]["pass_rate"] is None
    assert sum(summary["errors"].values()) == 1
    assert summary["seconds"] == 0.5 * len(QUESTIONS)
    metrics = scalar_metrics(summary)
    assert metrics["accuracy"] == 5 / 6
    assert metrics["needs_tool_accuracy"] == 3 / 4
    assert "no_tool_pass_rate" not in metrics
    traces = list(read_records(tmp_path / "traces.jsonl", Trace))
    assert {trace.id: trace.outcome.correct for trace in traces} == {
        item.trace_id: item.correct for item in items
    }


def test_the_whole_stage_on_a_model(service: ToolsProcess, model: Path, tmp_path: Path) -> None:
    asked = question_set(tmp_path / "questions", QUESTIONS)
    metrics = evaluate(asked, model, service.url, tmp_path)
    opened = open_artifact(tmp_path / "evaluation", "evaluation/1")
    items = list(read_records(opened.path("items.jsonl"), EvaluationItem))
    assert [item.id for item in items] == [question.id for question in QUESTIONS]
    assert {trace.question.id for trace in read_records(opened.path("traces.jsonl"), Trace)} == {
        q.id for q in QUESTIONS
    }
    assert opened.manifest.lineage == {"question_set": asked.digest}
    assert opened.manifest.counts["items"] == 6
    assert opened.manifest.details["base_model"] == str(model)
    assert opened.manifest.details["settings"] == EvaluationSettings.parse(QUICK).model_dump(mode="json")
    summary = json.loads(opened.path("summary.json").read_text())
    assert metrics["accuracy"] == summary["overall"]["accuracy"] == rates(items).accuracy
    assert '"total":6' in (tmp_path / "report.html").read_text()


def test_a_report_that_can_t_be_written_is_one_line(
    service: ToolsProcess, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "report.html").symlink_to("/dev/full")
    asked = question_set(tmp_path / "questions", QUESTIONS[:1])
    with pytest.raises(InputError, match=r"report\.html: can't be written: No space left on device$"):
        evaluate(asked, model, service.url, tmp_path)


def adapter_of(folder: Path, base_model: str, template_hash: str, call_format: str) -> Path:
    """An `adapter/1` that has a card and no weights: it has to be refused before they are wanted."""
    card = PolicyCard(
        base_model=base_model,
        template_hash=template_hash,
        call_format=call_format,
        stop_ids=(2,),
        settings={},
        lineage={},
    )
    with write_artifact(folder, "adapter/1") as writer:
        (writer.folder / "policy.json").write_text(card.model_dump_json())
    return folder


@pytest.mark.parametrize(
    ("base_model", "template_hash", "call_format", "message"),
    [
        ("another", "", "paper", "base model 'another'"),
        ("", "other-template", "paper", "chat template 'other-template'"),
        ("", "", "hermes", "call format 'hermes'"),
    ],
)
def test_an_adapter_of_another_policy_is_refused(
    service: ToolsProcess,
    model: Path,
    tmp_path: Path,
    base_model: str,
    template_hash: str,
    call_format: str,
    message: str,
) -> None:
    from components.policy.load import open_chat

    known = open_chat(str(model), "paper").template_hash
    adapter = adapter_of(tmp_path / "adapter", base_model or str(model), template_hash or known, call_format)
    asked = question_set(tmp_path / "questions", QUESTIONS)
    with pytest.raises(InputError, match=f"adapter: it was trained with {message}"):
        evaluate(asked, model, service.url, tmp_path, adapter=str(adapter))
    assert not (tmp_path / "evaluation").exists()


def test_a_trained_adapter_changes_what_the_model_says(
    service: ToolsProcess, model: Path, tmp_path: Path
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from components.policy.card import make_card, write_card
    from components.policy.load import load_policy
    from components.policy.settings import ModelSettings

    policy = load_policy(str(model), settings=ModelSettings(dtype="float32"), call_format="paper")
    tuned = get_peft_model(
        policy.model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    )
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                weight.normal_(generator=torch.Generator().manual_seed(len(name)))
    with write_artifact(tmp_path / "adapter", "adapter/1") as writer:
        tuned.save_pretrained(str(writer.folder))
        write_card(make_card(policy.chat, str(model), settings={}, lineage={}), writer.folder)
    asked = question_set(tmp_path / "questions", QUESTIONS)
    evaluate(asked, model, service.url, tmp_path / "before")
    evaluate(asked, model, service.url, tmp_path / "after", adapter=str(tmp_path / "adapter"))
    before, after = (
        open_artifact(tmp_path / side / "evaluation", "evaluation/1") for side in ("before", "after")
    )
    assert after.manifest.lineage["adapter"] == open_artifact(tmp_path / "adapter", "adapter/1").digest
    said = [
        [trace.messages[2].content for trace in read_records(side.path("traces.jsonl"), Trace)]
        for side in (before, after)
    ]
    assert said[0] != said[1]


def test_an_unknown_tool_ends_the_stage_before_a_model_is_loaded(
    service: ToolsProcess, tmp_path: Path
) -> None:
    asked = question_set(tmp_path / "q", [SUMS[0].model_copy(update={"tools": ("oracle",)})])
    with pytest.raises(InputError, match=r"question 's0'.*'oracle'.*calculator"):
        evaluate(asked, "/no/such/model", service.url, tmp_path)
    assert not (tmp_path / "evaluation").exists()


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(InputError, match=url):
        evaluate(question_set(tmp_path / "q", QUESTIONS), "/no/such/model", url, tmp_path)


def test_from_a_shell_an_input_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = question_set(tmp_path / "q", QUESTIONS)
    arguments = [
        "--base-model",
        "/no/such/model",
        "--output",
        str(tmp_path / "out"),
        "--settings",
        '{"variant": "plain"}',
    ]
    assert main(["--question-set", str(asked.folder), *arguments]) == 2
    assert main(["--question-set", str(tmp_path), *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "/no/such/model" in lines[0]
    assert "manifest.json" in lines[1]
