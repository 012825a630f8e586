"""`whetstone evaluate`: real stages over a tiny model, a server or an adapter, without a pipeline."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.contracts.artifacts import open_artifact, write_artifact
from components.contracts.errors import InputError
from components.contracts.records import PolicyCard
from components.policy.load import load_policy
from components.policy.settings import ModelSettings
from components.scoring.bfcl.scores import GROUP_SIZES, bfcl_scores
from pipelines.evaluate.folder import is_judged, open_folder
from pipelines.evaluate.model import asked_alike, read_model
from pipelines.evaluate.run import Request, evaluate, read_request
from pipelines.evaluate.tables import bfcl_lines
from tests.judged_bfcl import judged_items
from tests.loopback_server import JsonHandler, serving
from tests.teacher_server import teacher_server, tool_call
from tests.tiny_model import build_tiny_model
from tests.token_server import KEY, token_server

SETTINGS = json.dumps({"max_new_tokens": 4, "engine": {"model": {"dtype": "float32", "threads": 1}}})
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PATIENCE = 400  # seconds, on a busy machine


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model"))


def write_questions(path: Path, count: int) -> Path:
    """Questions of one's own with a tool and a gold call."""
    rows = [
        {
            "id": f"q{number}",
            "text": f"What is the weather in town {number}?",
            "offered": json.dumps([TOOL]),
            "golds": [[{"name": "weather", "arguments": {"city": f"town {number}"}}]],
        }
        for number in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def console(path: Path) -> Console:
    return Console(file=path.open("a", encoding="utf-8"), width=120)


def request(model: str, **others: Any) -> Request:
    return read_request(model, suites=others.pop("suites", []), data=others.pop("data", []), **others)


def test_own_questions_and_another_model_and_then_nothing_is_made_again(model: Path, tmp_path: Path) -> None:
    other = build_tiny_model(tmp_path / "other", seed=1)
    asked = write_questions(tmp_path / "mine.jsonl", 5)
    wanted = request(str(model), questions=str(asked), limit=4, settings=SETTINGS, against=str(other))
    out, said = tmp_path / "out", tmp_path / "said.txt"
    assert evaluate(wanted, out, "", console(said)) == out
    summary = json.loads((out / "evaluation" / "evaluation" / "summary.json").read_text())
    assert summary["suites"]["held_out"]["questions"] == 4
    compared = json.loads((out / "comparison.json").read_text())
    assert compared["suites"]["held_out"]["questions"] == 4
    assert set(compared["suites"]["held_out"]["rates"]["accuracy"]["difference"]) == {"mean", "low", "high"}
    text = said.read_text()
    for expected in (
        "held_out",
        "95 % interval",
        "parse failures",
        "against",
        str(out / "evaluation" / "report.html"),
    ):
        assert expected in text
    assert not (out / "tools_service.log").exists()
    assert not any((out / "checkpoints").rglob("chunk-*"))
    made = {
        path: path.stat().st_mtime_ns
        for path in out.rglob("*")
        if path.is_file() and path.name != "request.json"
    }
    evaluate(wanted, out, "", console(said))
    assert made == {path: path.stat().st_mtime_ns for path in made}
    with pytest.raises(
        InputError, match=r"--out: .* was made with limit 4, now it is 3; name another folder"
    ):
        evaluate(
            request(str(model), questions=str(asked), limit=3, settings=SETTINGS, against=str(other)),
            out,
            "",
            console(said),
        )
    write_questions(asked, 6)
    with pytest.raises(
        InputError, match=r"--questions: .*mine\.jsonl was changed since .*name another folder"
    ):
        evaluate(wanted, out, "", console(said))


def test_a_model_that_was_changed_is_not_taken_for_the_one_that_was_judged(tmp_path: Path) -> None:
    with write_artifact(tmp_path / "evaluation", "evaluation/1") as writer:
        writer.lineage["adapter"] = "0" * 64
    assert not is_judged(tmp_path, "demo://m", None)  # no report yet
    (tmp_path / "report.html").touch()
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").touch()
    with write_artifact(tmp_path / "adapter", "adapter/1"):
        pass
    with pytest.raises(InputError, match="judged the adapter before it was changed; name another folder"):
        is_judged(tmp_path, str(tmp_path / "base"), tmp_path / "adapter")
    with write_artifact(tmp_path / "evaluation", "evaluation/1") as writer:
        writer.lineage["adapter"] = open_artifact(tmp_path / "adapter", "adapter/1").digest
    assert is_judged(tmp_path, str(tmp_path / "base"), tmp_path / "adapter")
    later = time.time() + 60
    os.utime(tmp_path / "base" / "config.json", (later, later))
    with pytest.raises(InputError, match=r"judged .*base before it was changed; name another folder"):
        is_judged(tmp_path, str(tmp_path / "base"), tmp_path / "adapter")


def test_a_published_suite(model: Path, tmp_path: Path) -> None:
    data = Path(os.environ.get("WHETSTONE_TEST_DATA", "/nowhere")) / "rotbench"
    if not data.is_dir():
        pytest.skip("WHETSTONE_TEST_DATA has no rotbench")
    settings = json.dumps(json.loads(SETTINGS) | {"max_tools": 1})
    wanted = request(
        str(model), suites=["rotbench:clean"], data=[f"rotbench={data}"], limit=2, settings=settings
    )
    said = tmp_path / "said.txt"
    evaluate(wanted, tmp_path / "out", "", console(said))
    row = next(line for line in said.read_text().splitlines() if line.strip().startswith("rotbench:clean"))
    assert row.split()[1] == "2"


def test_a_server_is_stopped_by_ctrl_c_and_gone_on_with(tmp_path: Path) -> None:
    asked = write_questions(tmp_path / "mine.jsonl", 60)
    heard: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.15)
        return {"tool_calls": [tool_call("weather", {"city": "town 1"})]}

    with teacher_server(answer, heard) as url:
        engine = json.dumps({"concurrent": 2, "engine": {"concurrency": 2}})
        command = [sys.executable, "-m", "pipelines", "evaluate", url, "--questions", str(asked)]
        command += ["--settings", engine, "--out", str(tmp_path / "out"), "--api-key-variable", "SERVER_KEY"]
        environment = {**os.environ, "SERVER_KEY": "a-key-that-is-never-shown"}

        def start() -> "subprocess.Popen[str]":
            return subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )

        stopped = start()
        deadline = time.monotonic() + PATIENCE
        while not list((tmp_path / "out").rglob("chunk-*")):
            assert stopped.poll() is None, stopped.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        stopped.send_signal(signal.SIGINT)
        text, _ = stopped.communicate(timeout=PATIENCE)
        assert stopped.returncode == 130
        assert text.splitlines()[-2:] == [
            f"the same command with --out {tmp_path / 'out'} goes on",
            "error: stopped by SIGINT; everything that was started is stopped",
        ]
        before = len(heard)
        assert 0 < before < 60
        again = start()
        text, _ = again.communicate(timeout=PATIENCE)
        assert again.returncode == 0, text
        assert 60 <= len(heard) < 60 + before
    assert heard[0]["tools"] == [TOOL]
    assert "held_out" in text
    everything = "".join(
        path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    assert "a-key-that-is-never-shown" not in everything


def test_a_server_is_asked_as_its_model_was_trained(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = write_questions(tmp_path / "mine.jsonl", 2)
    monkeypatch.setenv("SERVER_KEY", KEY)
    options = {"questions": str(asked), "settings": SETTINGS, "call_format": "pythonic"}
    policy = load_policy(
        str(model), call_format="pythonic", settings=ModelSettings(dtype="float32", threads=1)
    )
    with token_server(policy) as url:
        wanted = request(url, trained_as=str(model), **options)
        evaluate(wanted, tmp_path / "served", "SERVER_KEY", console(tmp_path / "said.txt"))
    evaluate(request(str(model), **options), tmp_path / "here", "", console(tmp_path / "said.txt"))

    def turns(out: Path) -> list[tuple[Any, ...]]:
        lines = (out / "evaluation" / "evaluation" / "traces.jsonl").read_text().splitlines()
        traces = sorted(map(json.loads, lines), key=lambda one: str(one["id"]))
        return [(one["messages"], [turn["token_ids"] for turn in one["turns"]]) for one in traces]

    assert turns(tmp_path / "served") == turns(tmp_path / "here")


def test_a_server_is_compared_with_another_each_with_its_own_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = write_questions(tmp_path / "mine.jsonl", 3)
    monkeypatch.setenv("FIRST_KEY", "first-secret")
    monkeypatch.setenv("SECOND_KEY", "second-secret")
    heard: list[tuple[str, str]] = []

    class Servers(JsonHandler):
        """Two models behind one address, each with a key of its own."""

        def do_GET(self) -> None:
            self.send_json({"data": [{"id": "one"}, {"id": "two"}]})

        def do_POST(self) -> None:
            body = self.read_json()
            heard.append((body["model"], self.headers["Authorization"]))
            city = "town 1" if body["model"] == "one" else "nowhere"
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [tool_call("weather", {"city": city})],
            }
            self.send_json({"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]})

    said = tmp_path / "said.txt"
    with serving(Servers) as url:
        wanted = request(
            f"{url}/v1",
            questions=str(asked),
            settings='{"max_new_tokens": 8}',
            model_name="one",
            against=f"{url}/v1",
            against_model_name="two",
        )
        evaluate(wanted, tmp_path / "out", "FIRST_KEY", console(said), against_key_variable="SECOND_KEY")
    assert set(heard) == {("one", "Bearer first-secret"), ("two", "Bearer second-secret")}
    assert "one against two, the same questions" in said.read_text()
    compared = json.loads((tmp_path / "out" / "comparison.json").read_text())
    accuracy = compared["suites"]["held_out"]["rates"]["accuracy"]
    assert (accuracy["before"], accuracy["after"]) == (0, pytest.approx(1 / 3))


def test_options_of_the_other_server_need_it(model: Path, tmp_path: Path) -> None:
    for others, message in (
        ({"against_model_name": "x"}, "--against-model-name: only beside --against URL"),
        (
            {"against": str(model), "against_model_name": "x"},
            "--against-model-name: only for a server, expected --against",
        ),
        ({"against": "/no/such"}, "^--against: /no/such: no such folder"),
        ({"against": "http://"}, r"^--against: expected http"),
        (
            {"against": "http://h/v1", "against_trained_as": "http://h/v1"},
            "^--against-trained-as: expected a folder",
        ),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(request(str(model), suites=["popqa"], **others), tmp_path / "out", "", Console())
    with pytest.raises(InputError, match="--against-api-key-variable: NOT_SET_AT_ALL is not set"):
        evaluate(
            request(str(model), suites=["popqa"], against="http://h/v1"),
            tmp_path / "out",
            "",
            Console(),
            against_key_variable="NOT_SET_AT_ALL",
        )
    assert not (tmp_path / "out").exists()


def test_a_folder_of_before_there_were_more_options_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"model": "m"}')
    assert open_folder({"model": "m", "against_model_name": ""}, tmp_path) == tmp_path
    with pytest.raises(InputError, match="was made with against_model_name '', now it is 'x'"):
        open_folder({"model": "m", "against_model_name": "x"}, tmp_path)


def card_of(base_model: Path, call_format: str = "pythonic") -> str:
    return PolicyCard(
        base_model=str(base_model),
        template_hash="t",
        call_format=call_format,
        stop_ids=(2,),
        settings={},
        lineage={},
    ).model_dump_json()


def test_an_adapter_says_its_base_model_and_call_format(model: Path, tmp_path: Path) -> None:
    with write_artifact(tmp_path / "adapter", "adapter/1") as writer:
        (writer.folder / "policy.json").write_text(card_of(model))
    found = read_model(str(tmp_path / "adapter"), tmp_path / "scratch")
    assert (found.base_model, found.adapter) == (str(model), tmp_path / "adapter")
    assert found.engine == {"call_format": "pythonic"}
    settings = request("m", suites=["popqa"], settings=SETTINGS).evaluation_settings(found)
    assert (settings.engine.call_format, settings.max_new_tokens) == ("pythonic", 4)
    assert read_model(str(tmp_path / "adapter"), tmp_path, call_format="hermes").engine == {
        "call_format": "hermes"
    }
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/name"}))
    wrapped = read_model(str(plain), tmp_path / "scratch")
    assert wrapped.base_model == "hf://org/name"
    assert wrapped.adapter == tmp_path / "scratch"
    assert [entry.path for entry in open_artifact(tmp_path / "scratch", "adapter/1").manifest.files] == [
        "adapter_config.json"
    ]


def test_a_base_model_is_asked_as_the_adapter_beside_it(model: Path, tmp_path: Path) -> None:
    with write_artifact(tmp_path / "adapter", "adapter/1") as writer:
        (writer.folder / "policy.json").write_text(card_of(model))
    adapter, base = (read_model(str(one), tmp_path / "scratch") for one in (tmp_path / "adapter", model))
    for sides in ({"after": adapter, "before": base}, {"after": base, "before": adapter}):
        found = asked_alike(sides)
        assert {one.engine["call_format"] for one in found.values()} == {"pythonic"}
        assert [one.adapter for one in found.values()] == [one.adapter for one in sides.values()]
    other = read_model("hf://org/other", tmp_path)
    assert asked_alike({"after": adapter, "before": other}) == {"after": adapter, "before": other}
    another = read_model(str(tmp_path / "adapter"), tmp_path, call_format="hermes")
    assert asked_alike({"after": adapter, "before": another}) == {"after": adapter, "before": another}


def test_sums_over_a_part_of_the_questions_say_so() -> None:
    whole = {name: size for name, size in GROUP_SIZES.items() if name.startswith("live_")}
    for less, words in ((0, ""), (1, "; fewer than all questions were judged of live_simple")):
        sizes = whole | {"live_simple": whole["live_simple"] - less}
        items = judged_items({f"bfcl:{name}": (0, size) for name, size in sizes.items()})
        line = bfcl_lines("v4", bfcl_scores(items, "v4"))[0]
        assert line == f"BFCL v4: live 0.0, relevance 0.0{words}"


def test_uris_folders_and_servers(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_model("demo://smollm2-135m-instruct", tmp_path).base_model == "demo://smollm2-135m-instruct"
    assert read_model(str(model), tmp_path).base_model == str(model)
    monkeypatch.setenv("MINE", "secret")
    served = read_model("http://127.0.0.1:9/v1", tmp_path, server_model="big", key_variable="MINE")
    assert served.engine == {
        "kind": "openai",
        "url": "http://127.0.0.1:9/v1",
        "server_model": "big",
        "server_tools": True,
    }
    assert served.environment == {"OPENAI_API_KEY": "secret"}
    assert "server_tools" not in read_model("http://h/v1", tmp_path, call_format="hermes").engine
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "policy.json").write_text(card_of(model))
    trained = read_model("http://h/v1", tmp_path / "scratch", trained_as=str(tmp_path / "mine"))
    assert (trained.base_model, trained.adapter) == (str(model), None)
    assert (trained.engine["call_format"], trained.engine["server_tokens"]) == ("pythonic", True)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("/no/such", {}, r"MODEL: /no/such: no such folder; expected hf://"),
        ("EMPTY", {}, "holds neither config.json of a model nor policy.json of an adapter"),
        ("http://h/v1", {"key_variable": "NOT_SET_AT_ALL"}, "--api-key-variable: NOT_SET_AT_ALL is not set"),
        ("http://", {}, r"MODEL: expected http\(s\)://host:port, got 'http://'"),
        ("http://h:port/v1", {}, r"MODEL: expected http\(s\)://host:port"),
        ("http://me:secret@h/v1", {}, "MODEL: the address holds a password or a query"),
        ("http://h/v1?key=secret", {}, "MODEL: the address holds a password or a query"),
        ("demo://m", {"server_model": "x"}, r"--model-name: only for a server, expected MODEL as http"),
        ("demo://m", {"trained_as": "x"}, r"--trained-as: only for a server, expected MODEL as http"),
        (
            "http://h/v1",
            {"trained_as": "http://h/v1"},
            r"--trained-as: expected a folder or URI of the model",
        ),
    ],
)
def test_a_model_that_can_not_be_had_is_one_line(
    model: str, options: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_model(str(tmp_path) if model == "EMPTY" else model, tmp_path / "scratch", **options)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_model_that_is_not_there_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = request("/no/such", suites=["popqa"])
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/name"}))
    for out in (None, tmp_path / "out"):
        with pytest.raises(InputError, match="MODEL: /no/such: no such folder"):
            evaluate(wrong, out, "", Console())
        with pytest.raises(InputError, match="evaluation_settings: unknown key"):
            evaluate(request(str(plain), suites=["popqa"], settings='{"no_such": 1}'), out, "", Console())
        assert [path.name for path in tmp_path.iterdir()] == ["plain"]
    (tmp_path / "out" / "evaluation-adapter").mkdir(parents=True)  # of a call that was killed, or one's own
    with pytest.raises(InputError, match="no such folder"):
        evaluate(wrong, tmp_path / "out", "", Console())
    assert (tmp_path / "out" / "evaluation-adapter").is_dir()


def test_a_request_that_can_not_be_met_is_one_line(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"unknown suite 'bfcl:simple_pyton'.*'bfcl:simple_python'"):
        evaluate(request("m", suites=["bfcl:simple_pyton"]), out, "", Console())
    with pytest.raises(InputError, match="--suite: missing; expected --suite NAME"):
        evaluate(request("m"), out, "", Console())
    with pytest.raises(InputError, match="--data: 'bfcl', expected FAMILY=URI"):
        request("m", suites=["bfcl"], data=["bfcl"])
    with pytest.raises(InputError, match=r"--questions: .*nothing.jsonl: no such file or folder"):
        request("m", questions=str(tmp_path / "nothing.jsonl"))
    with pytest.raises(InputError, match="--tools-url: the address holds a password"):
        request("m", suites=["popqa"], tools_url="http://me:secret@h")
    assert not out.exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that are no evaluation of ours"):
        evaluate(request(str(model), suites=["popqa"]), tmp_path / "full", "", Console())
    for place in (tmp_path / "full" / "mine.txt", tmp_path / "full" / "mine.txt" / "below"):
        with pytest.raises(InputError, match=r"mine\.txt.*: can't be written"):
            evaluate(request(str(model), suites=["popqa"]), place, "", Console())
    for content, said in (("{", "can't be read"), ("[]", "expected a JSON object")):
        (tmp_path / "full" / "request.json").write_text(content)
        with pytest.raises(InputError, match=rf"--out: .*request\.json: {said}"):
            evaluate(request(str(model), suites=["popqa"]), tmp_path / "full", "", Console())
