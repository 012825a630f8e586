"""Engines over HTTP and in vLLM: the same turns as in this process, or one clear line."""

import importlib.util
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.contracts.records import Message
from components.policy.engine import Conversation, Engine, Sampling, open_engine, served_model
from components.policy.load import Policy, load_policy
from components.policy.settings import EngineSettings, ModelSettings
from tests.loopback_server import JsonHandler, serving
from tests.tiny_model import build_tiny_model
from tests.token_server import KEY, token_server

GREEDY = Sampling(temperature=0, top_p=1, max_new_tokens=10)
FP32 = ModelSettings(dtype="float32", threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def policy(folder: Path) -> Policy:
    return load_policy(str(folder), settings=FP32, call_format="paper")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("components.policy.openai_engine.time.sleep", lambda _seconds: None)


def open_remote(folder: Path, url: str, **fields: object) -> Engine:
    return open_engine(
        str(folder),
        None,
        EngineSettings.model_validate({"kind": "openai", "url": url, "call_format": "paper"} | fields),
    )


def asked() -> list[Conversation]:
    user = Message(role="user", content="What is 2 + 3?")
    return [Conversation((user,)), Conversation((user,), prefill="Action: calculator[")]


def test_a_server_of_tokens_gives_the_same_turns_as_this_process(folder: Path, policy: Policy) -> None:
    here = open_engine(str(folder), None, EngineSettings(call_format="paper", model=FP32))
    with token_server(policy, failures=1) as url:
        remote = open_remote(folder, url, server_tokens=True)
        found = remote.complete(asked(), GREEDY, seeds=[1, 2])
    assert (remote.template_hash, remote.native_tools) == (here.template_hash, here.native_tools)
    for mine, theirs in zip(here.complete(asked(), GREEDY, seeds=[1, 2]), found, strict=True):
        assert (mine.token_ids, mine.text, mine.finish_reason) == (
            theirs.token_ids,
            theirs.text,
            theirs.finish_reason,
        )
        assert mine.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)
        assert (mine.prefilled, mine.retokenized) == (theirs.prefilled, theirs.retokenized)


def test_a_server_of_text_gives_retokenized_turns(folder: Path, policy: Policy) -> None:
    here = open_engine(str(folder), None, EngineSettings(call_format="paper", model=FP32))
    with token_server(policy) as url:
        remote = open_remote(folder, url)
        found = remote.complete(asked(), GREEDY, seeds=[1, 2])
    for mine, theirs in zip(here.complete(asked(), GREEDY, seeds=[1, 2]), found, strict=True):
        assert theirs.text == mine.text
        assert theirs.retokenized
        assert theirs.token_ids == ()


@pytest.mark.parametrize(
    ("key", "fields", "expected"),
    [
        ("wrong", {}, "refuses the key"),
        (KEY, {"server_model": "other"}, "has no model 'other'; it has: served"),
        (KEY, {"url": ""}, "needs url"),
        (KEY, {"url": "http://127.0.0.1:9/v1"}, "can't be reached"),
    ],
)
def test_a_server_that_cant_be_used(
    folder: Path,
    policy: Policy,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    fields: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with token_server(policy) as url, pytest.raises(InputError, match=expected) as raised:
        open_remote(folder, fields.pop("url", url), **fields)
    assert "wrong" not in str(raised.value)


def test_what_a_server_serves_is_asked_of_it(
    folder: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with token_server(policy) as url:
        assert served_model(EngineSettings(kind="openai", url=url)) == "served"
        assert served_model(EngineSettings(kind="openai", url=url, server_model="served")) == "served"
    assert served_model(EngineSettings()) == ""

    class Rooted(JsonHandler):
        def do_GET(self) -> None:
            self.send_json(
                {"data": [{"id": "mine", "root": "org/base"}, {"id": "lora", "root": "/adapters/7"}]}
            )

    with serving(Rooted) as url:
        assert served_model(EngineSettings(kind="openai", url=url, server_model="lora")) == "lora /adapters/7"


def test_a_server_without_ids_is_named(folder: Path, policy: Policy) -> None:
    with token_server(policy, ids=False) as url:
        remote = open_remote(folder, url, server_tokens=True)
        with pytest.raises(InputError, match="has no token_ids"):
            remote.complete(asked(), GREEDY, seeds=[1, 2])


def test_an_adapter_is_not_sent_to_a_server(folder: Path) -> None:
    with pytest.raises(InputError, match="can't take an adapter"):
        open_engine(str(folder), folder, EngineSettings(kind="openai", url="http://127.0.0.1:9/v1"))


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vllm is installed")
def test_vllm_missing_is_said(folder: Path) -> None:
    with pytest.raises(InputError, match="needs the package vllm"):
        open_engine(str(folder), None, EngineSettings(kind="vllm"))
