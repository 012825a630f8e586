"""`whetstone bfcl-handler`: the written folder stands alone, asks as evaluation asks, and reads as we read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Message, PolicyCard, Question, ToolCall
from components.contracts.tool_calls import CALL_FORMATS, get_call_format
from components.evaluation.bfcl_handler.conversation import Conversation
from components.evaluation.bfcl_handler.served_model import ServedModel
from components.evaluation.bfcl_handler.sources import needed_files
from components.ingest.bfcl_suites import bfcl_exchange
from components.ingest.exchanges import judged_question
from components.policy.load import open_chat
from components.policy.server_calls import plain_messages
from components.rollout.prompts import build_messages, select_tools
from pipelines.evaluate.bfcl_handler import write_bfcl_handler
from tests.tiny_model import build_tiny_model

SERVER = "http://127.0.0.1:9/v1"
FUNCTION = {
    "name": "geo.weather",
    "description": "The weather",
    "parameters": {
        "type": "dict",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "share": {"type": "float"}},
        "required": ["city"],
    },
}
SAID = [
    {"role": "system", "content": " Be brief. "},
    {"role": "user", "content": "Weather in Rome for 2 days? "},
]
READER = """
import json, sys
sys.path.insert(0, "lib")
from pathlib import Path
from components.evaluation.bfcl_handler.conversation import Conversation
from components.evaluation.bfcl_handler.served_model import ServedModel
conversation = Conversation(ServedModel.model_validate_json(Path("model.json").read_text()))
conversation.offer([json.loads(sys.argv[1])])
print(json.dumps([conversation.read({"content": text}) for text in json.loads(sys.argv[2])]))
print(json.dumps(sorted(name for name in sys.modules if name.startswith("components."))))
print(json.dumps(Path(sys.modules["components"].__file__).parent.parent.name))
"""


def served(call_format: str = "hermes", **values: Any) -> ServedModel:
    fields = {"name": "m", "server_model": "m", "url": SERVER, "tools_shown": "text", "max_new_tokens": 64}
    return ServedModel.model_validate(fields | {"call_format": call_format, "variant": "multi_step"} | values)


def conversation_of(model: ServedModel, **values: Any) -> Conversation:
    conversation = Conversation(model, **values)
    conversation.offer([FUNCTION])
    conversation.begin(SAID)
    return conversation


def texts(call_format: str) -> list[str]:
    """Turns in that format: a call, an answer, and what is meant as a call and is none."""
    form, tools = get_call_format(call_format), conversation_of(served()).tools
    calls = [
        [ToolCall(name="geo.weather", arguments={"city": 'R"ö\n', "days": 2, "share": 0.5})],
        [ToolCall(name="geo.weather", arguments={"city": "Rome"})],
        [ToolCall(name="other", arguments={"a": [1, {"b": None}], "c": True})],
    ]
    broken = [
        '<tool_call>{"name": ',
        "[geo.weather(city=]",
        "Action: geo.weather[city=",
        '{"name": "geo.weather", "parameters": 3}',
    ]
    written = [form.render(made, thought="So.", tools=tools) for made in calls]
    return [*written, form.render_answer("No idea"), "", "Sunny.", *broken]


@pytest.mark.parametrize("call_format", CALL_FORMATS)
def test_the_written_folder_reads_as_we_do_without_us(call_format: str, tmp_path: Path) -> None:
    written = write_bfcl_handler(
        SERVER, tmp_path / "out", model_name="org/m,x", call_format=call_format, preset="demo_calls"
    )
    assert (written.name, written.server_model, written.tools_shown) == ("m-x", "org/m,x", "text")
    assert (written.max_new_tokens, written.call_format) == (48, call_format)
    said = texts(call_format)
    # -I: no environment variable and no folder of the caller's; packages installed beside are there.
    done = subprocess.run(
        [sys.executable, "-I", "-c", READER, json.dumps(FUNCTION), json.dumps(said)],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, modules, place = (json.loads(line) for line in done.stdout.splitlines())
    assert place == "lib"
    written_files = {
        path.relative_to(tmp_path / "out" / "lib").as_posix()
        for path in (tmp_path / "out" / "lib").rglob("*.py")
    }
    assert {name for name in modules if f"{name.replace('.', '/')}.py" not in written_files} <= {
        name for name in modules if f"{name.replace('.', '/')}/__init__.py" in written_files
    }
    tools = conversation_of(served()).tools
    for text, read in zip(said, found, strict=True):
        parsed = get_call_format(call_format).parse(read["text"], tools)
        assert read["calls"] == [{one.call.name: one.call.arguments} for one in parsed.calls]
        assert read["unreadable"] == [one.text for one in parsed.failures]
        assert text.startswith(read["text"])
    assert found[0]["calls"] == [{"geo.weather": {"city": 'R"ö\n', "days": 2, "share": 0.5}}]
    assert any(one["unreadable"] for one in found[6:])


def test_everything_in_the_folder_compiles_and_needs_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_bfcl_handler(SERVER, out, model_name="m", call_format="hermes")
    for path in out.rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    outside = {"torch", "transformers", "httpx", "numpy", "kfp", "boto3", "components.storage"}
    for path in needed_files("components.evaluation.bfcl_handler.register"):
        assert not any(
            f"import {name}" in path.read_text() or f"from {name}" in path.read_text() for name in outside
        )
    guide = (out / "README.md").read_text()
    assert "run_bfcl.py generate --model m " in guide
    assert "{{" not in guide
    (out / "result").mkdir()
    (out / "lib" / "old.py").write_text("")
    write_bfcl_handler(SERVER, out, model_name="m", call_format="paper")
    assert (out / "result").is_dir()
    assert not (out / "lib" / "old.py").exists()
    assert ServedModel.model_validate_json((out / "model.json").read_text()).call_format == "paper"


def test_an_adapter_is_asked_by_its_own_template_and_format(tmp_path: Path) -> None:
    base = build_tiny_model(tmp_path / "base")
    chat = open_chat(str(base), "pythonic")

    def adapter(template: str) -> Path:
        folder = tmp_path / f"mine-{template[:4]}"
        folder.mkdir()
        card = PolicyCard(
            base_model=str(base),
            template_hash=template,
            call_format="pythonic",
            stop_ids=(2,),
            settings={},
            lineage={},
        )
        (folder / "policy.json").write_text(card.model_dump_json())
        return folder

    mine = adapter(chat.template_hash)
    found = write_bfcl_handler(str(mine), tmp_path / "out", url="http://host:1/v1/")
    assert (found.call_format, found.base_model, found.url) == ("pythonic", str(base), "http://host:1/v1")
    assert (found.name, found.server_model) == (mine.name, mine.name)
    assert found.template_hash == chat.template_hash
    assert (found.tools_shown, found.system_role, found.tool_role) == (
        "text",
        chat.system_role,
        chat.tool_role,
    )
    guide = (tmp_path / "out" / "README.md").read_text()
    assert f"vllm serve {base} --enable-lora --lora-modules {mine.name}=ADAPTER_FOLDER" in guide
    with pytest.raises(InputError, match="it was trained with chat template"):
        write_bfcl_handler(str(adapter("another")), tmp_path / "no")
    whole = write_bfcl_handler(str(base), tmp_path / "whole", call_format="paper")
    assert (whole.name, whole.tools_shown, whole.url) == ("base", "text", "http://127.0.0.1:8000/v1")


def test_requests_by_how_tools_are_shown() -> None:
    text = conversation_of(served()).request()
    assert [one["role"] for one in text["messages"]] == ["system", "user"]
    assert "geo.weather" in text["messages"][0]["content"]
    assert text["messages"][0]["content"].startswith("Be brief.\n\n")
    assert text["messages"][1]["content"] == "Weather in Rome for 2 days?"
    assert (text["max_tokens"], "tools" in text) == (64, False)
    template = conversation_of(served(tools_shown="template")).request()
    assert template["tool_choice"] == "none"
    properties = template["tools"][0]["function"]["parameters"]["properties"]
    assert (properties["share"]["type"], template["messages"][0]["content"]) == ("number", "Be brief.")
    calls = conversation_of(served(tools_shown="calls"))
    assert "tool_choice" not in calls.request()
    made = {"function": {"name": "geo.weather", "arguments": '{"city": "Rome"}'}}
    assert calls.read({"content": None, "tool_calls": [made]})["calls"] == [{"geo.weather": {"city": "Rome"}}]
    broken = {"function": {"name": "geo.weather", "arguments": '{"city": '}}
    assert calls.read({"content": None, "tool_calls": [broken]})["unreadable"]


def test_several_turns_with_functions_that_come_later() -> None:
    later = FUNCTION | {"name": "geo.tides"}
    for shown in ("text", "template"):
        conversation = conversation_of(served(tools_shown=shown), single_turn=False)
        assert conversation.messages[-1].content == "Weather in Rome for 2 days? "
        read = conversation.read({"content": texts("hermes")[1]})
        conversation.add_turn(read["text"])
        conversation.add_replies(["sunny"], ["geo.weather"])
        conversation.offer([FUNCTION, later])
        conversation.add_user("What now?")
        said = conversation.request()["messages"]
        assert [one["role"] for one in said] == ["system", "user", "assistant", "user", "user"]
        assert said[3]["content"] == "sunny"
        assert ("geo.tides" in said[4]["content"]) == (shown == "text")
        assert len(conversation.tools) == 2


def test_roles_that_a_template_lacks() -> None:
    said = [
        Message(role="system", content="S"),
        Message(role="user", content="U"),
        Message(role="assistant", content="A"),
        Message(role="tool", content="1", name="t"),
        Message(role="tool", content="2", name="t"),
    ]

    def shown(**roles: bool) -> list[tuple[str, str]]:
        return [(one["role"], one["content"]) for one in plain_messages(said, **roles)]

    assert shown() == [("system", "S"), ("user", "U"), ("assistant", "A"), ("user", "1\n2")]
    assert shown(system_role=False, tool_role=True) == [
        ("user", "S\n\nU"),
        ("assistant", "A"),
        ("tool", "1"),
        ("tool", "2"),
    ]


def test_prompts_are_those_of_evaluation() -> None:
    """The official loader's rows differ from the files' by a hint behind each description, nothing else, in Python."""
    place = os.environ.get("WHETSTONE_BFCL_DATA")
    if not place:
        pytest.skip("WHETSTONE_BFCL_DATA: no bfcl-eval data")
    hint = " Note that the provided function is in Python 3 syntax."
    for group in ("irrelevance", "live_irrelevance"):
        path = Path(place) / f"BFCL_v4_{group}.json"
        for line in path.read_text(encoding="utf-8").splitlines()[:60]:
            row = json.loads(line)
            question: Question = judged_question(bfcl_exchange(row, group), "k", "hermes")[0]
            expected = build_messages(question, select_tools(question, ()), "multi_step", "hermes", False)
            conversation = Conversation(served())
            conversation.offer([one | {"description": one["description"] + hint} for one in row["function"]])
            conversation.begin(row["question"][0])
            assert tuple(conversation.messages) == expected


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (SERVER, {}, "--model-name: missing, expected the server's name"),
        (SERVER, {"url": SERVER, "model_name": "m"}, "--url: MODEL is a server already"),
        ("/no/such", {}, "MODEL: /no/such: no such folder"),
        (SERVER, {"model_name": "m", "call_format": "hermse"}, "unknown call format 'hermse'"),
    ],
)
def test_what_can_not_be_written_is_one_line(
    model: str, options: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        write_bfcl_handler(model, tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    for name in ("mine.txt", "model.json", "lib/mine.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="holds files that are no handler of ours"):
        write_bfcl_handler(SERVER, tmp_path, model_name="m")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["lib", "mine.py", "mine.txt", "model.json"]
    with pytest.raises(InputError, match=r"mine\.txt: can't be written"):
        write_bfcl_handler(SERVER, tmp_path / "mine.txt", model_name="m")
