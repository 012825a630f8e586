"""What a run was seen to do: tokens, turns, calls and bytes, by question. The base of a plan."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from components.contracts.errors import InputError
from components.contracts.nearest import nearest

TEXT_BYTES = 4.0  # of a token of text, about
SAMPLED_BYTES = TEXT_BYTES + 25.0  # of a sampled one: 25 for its id and log-probability, over a demo's traces


@dataclass(frozen=True)
class Measured:
    """The defaults are the demos' (SmolLM2-135M: short prompts and short turns; docs/scale.md).

    prompt: tokens of a first turn's prompt; shared: the share of it that all questions have alike. turns, calls: of a
    trace. turn: tokens sampled in a turn; reply: tokens of a tool's reply. examples: traced examples trained of a
    practised question. pairs: preference pairs of one. rollouts: turns of a trajectory that PPO answers again.
    expanded: share of a tree's simulations that sample new steps; step_pairs: pairs that come of a tree.
    *_bytes: of a question, a trace, a pair of preferences, a call over the network with its reply (an estimate).
    """

    prompt: float = 116.0
    shared: float = 0.82
    turns: float = 1.67
    turn: float = 12.3
    calls: float = 0.67
    reply: float = 24.0
    examples: float = 0.61
    pairs: float = 1.2
    rollouts: float = 1.0
    expanded: float = 0.13
    step_pairs: float = 1.05
    question_bytes: float = 250.0
    trace_bytes: float = 3200.0
    pair_bytes: float = 2900.0
    call_bytes: float = 1000.0

    @property
    def example(self) -> float:
        """Tokens of a whole conversation: prompt, turns and replies."""
        return self.prompt + self.turns * self.turn + self.calls * self.reply

    @property
    def sampled(self) -> float:
        """Tokens of a conversation that the policy samples."""
        return self.turns * self.turn

    def resized(self, default: "Measured") -> "Measured":
        """The same with traces and pairs as large as their tokens make them against `default`'s."""
        more = SAMPLED_BYTES * (self.sampled - default.sampled)
        more += TEXT_BYTES * (self.calls * self.reply - default.calls * default.reply)
        return replace(
            self,
            trace_bytes=max(1.0, self.trace_bytes + more),
            pair_bytes=max(1.0, self.pair_bytes + 2 * more),
        )

    def with_values(self, values: Mapping[str, float]) -> "Measured":
        """The same with other values.

        Raises:
            InputError: an unknown name, or a value that can't be.
        """
        known = [field.name for field in fields(self)]
        for name, value in values.items():
            if name not in known:
                raise InputError(f"measured.{name}: unknown{nearest(name, known)}; known: {', '.join(known)}")
            if not 0 <= value < float("inf") or (name in ("shared", "expanded") and value > 1):
                raise InputError(f"measured.{name}: expected a number that can be, got {value:g}")
        return replace(self, **values)


def read_measured(run: Path) -> dict[str, float]:
    """What the metrics and manifests of a local run say, by the names of `Measured`; what it did not do is left out.

    Raises:
        InputError: the folder is no run's.
    """
    if not (run / "plan.json").is_file():
        raise InputError(f"run: {run}: no plan.json; expected the folder of a run, such as runs/latest")
    metrics = list(_metrics(run / "pipeline"))
    practised = _sum(metrics, "trace-generation")
    trained, epochs = _sum(metrics, "sft"), _epochs(run)
    pairs, searched = _sum(metrics, "preferences"), _sum(metrics, "mcts")
    asked = max((given.get("train", 0.0) for stage, given in metrics if stage == "ingest"), default=0.0)
    labeled = max(
        (given.get("traces", 0.0) for stage, given in metrics if stage == "error-labeling"), default=0.0
    )
    answered = max(
        (given.get("trained_traces", 0.0) for stage, given in metrics if stage == "error-labeling"),
        default=0.0,
    )

    found: dict[str, float] = {}
    if practised.get("traces"):
        found["turns"] = practised["turns"] / practised["traces"]
        found["calls"] = practised["calls"] / practised["traces"]
        found["turn"] = practised["tokens"] / practised["turns"] if practised["turns"] else 0.0
        if asked and answered:
            found["examples"] = answered / asked
        if asked and pairs.get("pairs"):
            found["pairs"] = pairs["pairs"] / asked
    if trained.get("examples") and trained.get("tokens") and epochs:
        each = epochs * trained["examples"]
        context = (trained["tokens"] - trained["supervised_tokens"]) / each
        found["prompt"] = max(1.0, context - found.get("calls", 0.0) * Measured.reply)
        if "turn" not in found and labeled:
            turns = _sum(metrics, "error-labeling")["turns"] / labeled
            found |= {"turns": turns, "turn": trained["supervised_tokens"] / each / turns}
    if searched.get("simulations"):
        found["expanded"] = searched["expansions"] / searched["simulations"]
        found["step_pairs"] = searched["pairs"] / searched["trees"]
    return found | _sizes(run / "pipeline")


def _metrics(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """(stage, its numbers) of every finished task; of several of a stage KFP numbers those after the first."""
    for path in sorted(folder.rglob("executor_output.json")):
        stage = path.parent.name.rstrip("0123456789").rstrip("-")
        outputs = _read(path).get("artifacts", {})
        for one in outputs.get("metrics", {}).get("artifacts", []):
            numbers = one.get("metadata", {})
            yield (
                stage,
                {key: float(value) for key, value in numbers.items() if isinstance(value, int | float)},
            )


def _sum(metrics: list[tuple[str, dict[str, float]]], stage: str) -> dict[str, float]:
    """A stage's numbers, summed over its tasks; those that did nothing add nothing."""
    total: dict[str, float] = {}
    for name, numbers in metrics:
        for key, value in numbers.items() if name == stage else ():
            total[key] = total.get(key, 0.0) + value
    return total


def _epochs(run: Path) -> float:
    settings = _read(run / "plan.json").get("parameters", {}).get("sft_settings")
    try:
        return float(json.loads(settings)["epochs"]) if settings else 0.0
    except (ValueError, KeyError, TypeError):
        return 0.0


_SIZES = {  # name of Measured -> schema, file, and which count of the manifest it is by
    "trace_bytes": ("traces/1", "traces.jsonl", "traces"),
    "pair_bytes": ("preference_pairs/1", "pairs.jsonl", "pairs"),
    "question_bytes": ("questions/1", "train.jsonl", "train"),
}


def _sizes(folder: Path) -> dict[str, float]:
    manifests = [_read(path) for path in sorted(folder.rglob("manifest.json"))]
    found: dict[str, float] = {}
    for name, (schema, file, count) in _SIZES.items():
        chosen = [one for one in manifests if one.get("schema_tag") == schema and one["counts"].get(count)]
        size = sum(each["size"] for one in chosen for each in one["files"] if each["path"] == file)
        if size:
            found[name] = size / sum(one["counts"][count] for one in chosen)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"run: {path}: can't be read: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"run: {path}: expected a JSON object, got {type(content).__name__}")
    return content
