"""Runs in the other environment, where bfcl-eval is: its own checker over cases, one line each in and out.

    python bfcl_official.py check DATA < cases > verdicts
    python bfcl_official.py time DATA REPEATS < cases
    python bfcl_official.py multi_turn DATA < conversations > verdicts
    python bfcl_official.py tables FOLDER < accuracies
    python bfcl_official.py read LANGUAGE < texts

Only the table of models is replaced, which imports every vendor's client: by two models, whose functions' names
keep their dots or have them replaced. No check or sum of ours is in here.
"""

import json
import sys
import time
import types
from pathlib import Path
from typing import Any

PLAIN, UNDERSCORED = "plain", "underscored"


class Handler:
    """Hands on calls that were parsed before; a case that was not parsed fails as the official decoders do."""

    def decode_ast(self, result: Any, language: Any = None, has_tool_call_tag: bool = False) -> Any:
        if result is None:
            raise ValueError("can't be parsed")
        return result

    def decode_execute(self, result: Any, has_tool_call_tag: bool = False) -> Any:
        return self.decode_ast(result)


def official() -> types.ModuleType:
    """The official runner."""
    about = {
        "display_name": "m",
        "url": "",
        "org": "",
        "license": "",
        "input_price": None,
        "output_price": None,
    }
    models = types.ModuleType("bfcl_eval.constants.model_config")
    models.MODEL_CONFIG_MAPPING = {  # type: ignore[attr-defined]
        name: types.SimpleNamespace(underscore_to_dot=name == UNDERSCORED, **about)
        for name in (PLAIN, UNDERSCORED)
    }
    sys.modules[models.__name__] = models
    import bfcl_eval.eval_checker.eval_runner as runner  # type: ignore[import-not-found]

    return runner  # type: ignore[no-any-return]


def judge(runner: Any, rows: dict[str, Any], case: dict[str, Any]) -> list[Any]:
    """[verdict, error type]; the verdict is None where the checker failed with an exception."""
    function, answers, group = rows[case["id"]]
    calls = None if case["unparsed"] else case["calls"]
    entry = {"id": case["id"], "function": function}
    model = UNDERSCORED if case["underscored"] else PLAIN
    try:
        if "relevance" in group:
            found = runner._evaluate_single_relevance_entry(Handler(), case["id"], calls, entry, model, group)
        else:
            language = (
                runner.Language.JAVASCRIPT
                if runner.is_js(group)
                else runner.Language.JAVA
                if runner.is_java(group)
                else runner.Language.PYTHON
            )
            found = runner._evaluate_single_ast_entry(
                Handler(), case["id"], calls, answers, entry, model, group, language, None
            )
    except Exception as error:
        return [None, f"{type(error).__name__}: {error}"]
    return [found["valid"], found.get("error_type", "")]


def read_rows(data: Path, groups: list[str]) -> dict[str, Any]:
    """Function documents, answers and group of every item."""
    rows = {}
    for group in groups:
        path = data / "possible_answer" / f"BFCL_v4_{group}.json"
        answers = {row["id"]: row["ground_truth"] for row in _lines(path)} if path.exists() else {}
        for row in _lines(data / f"BFCL_v4_{group}.json"):
            rows[row["id"]] = (row["function"], answers.get(row["id"]), group)
    return rows


def judge_conversation(
    runner: Any, rows: dict[str, Any], answers: dict[str, Any], case: dict[str, Any]
) -> list[Any]:
    """[verdict, error type] of a multi-turn conversation, in instances of its own."""
    import bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils as utils  # type: ignore[import-not-found]

    name, group = case["id"], case["group"]
    try:
        found = runner._evaluate_single_multi_turn_entry(
            Handler(), name, case["turns"], answers[name], dict(rows[name]), PLAIN, group
        )
    except Exception as error:
        return [None, f"{type(error).__name__}: {error}"]
    finally:
        for instance in [one for one in vars(utils) if one.endswith("_instance")]:
            delattr(utils, instance)
    return [found["valid"], found.get("error", {}).get("error_type", "")]


def judge_conversations(runner: Any, data: Path) -> None:
    """One line a conversation."""
    cases = [json.loads(line) for line in sys.stdin]
    rows: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    for group in sorted({case["group"] for case in cases}):
        file = f"BFCL_v4_{group}.json"
        rows |= {row["id"]: row for row in _lines(data / file)}
        answers |= {row["id"]: row["ground_truth"] for row in _lines(data / "possible_answer" / file)}
    for case in cases:
        print(json.dumps(judge_conversation(runner, rows, answers, case)))


def timed(runner: Any, data: Path, cases: list[dict[str, Any]]) -> tuple[float, float]:
    """Seconds of the processor for reading the rows, and for judging."""
    start = time.process_time()
    rows = read_rows(data, sorted({case["group"] for case in cases}))
    begun = time.process_time()
    for case in cases:
        judge(runner, rows, case)
    return begun - start, time.process_time() - begun


def read(language: str) -> None:
    """The value that the official reader finds in each [text, type, type of items], as `repr` shows it."""
    from bfcl_eval.eval_checker.ast_eval import ast_checker  # type: ignore[import-not-found]

    reader = {"java": ast_checker.java_type_converter, "js": ast_checker.js_type_converter}[language]
    for line in sys.stdin:
        try:
            print(json.dumps([repr(reader(*json.loads(line)))]))
        except Exception:
            print(json.dumps([None]))


def tables(runner: Any, folder: Path) -> list[list[str]]:
    """The official overall table for each given {group: [accuracy, items]}, as header and row."""
    from bfcl_eval.eval_checker.eval_runner_helper import generate_leaderboard_csv  # type: ignore[import-not-found]

    found = []
    for line in sys.stdin:
        scores = {group: {"accuracy": a, "total_count": n} for group, (a, n) in json.loads(line).items()}
        generate_leaderboard_csv({PLAIN: scores}, folder)
        text = (folder / "data_overall.csv").read_text(encoding="utf-8").splitlines()
        found.append([one.split(",") for one in text[:2]])
    return found


def main() -> None:
    """One JSON line a case; for `time` and `tables` one line in all."""
    runner, (job, place, *more) = official(), sys.argv[1:]
    if job == "read":
        read(place)
        return
    if job == "tables":
        print(json.dumps(tables(runner, Path(place))))
        return
    if job == "multi_turn":
        judge_conversations(runner, Path(place))
        return
    cases = [json.loads(line) for line in sys.stdin]
    if job == "time":
        print(json.dumps([timed(runner, Path(place), cases) for _ in range(int(more[0]))]))
        return
    rows = read_rows(Path(place), sorted({case["group"] for case in cases}))
    for case in cases:
        print(json.dumps(judge(runner, rows, case)))


def _lines(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
