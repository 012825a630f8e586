"""The tools client against the real service, and against addresses where there is none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contracts.errors import InputError
from components.contracts.records import ToolCall
from components.contracts.tool_errors import ToolError
from components.rollout.tools_client import ToolsClient
from tests.small_tools import free_port, small_tools
from tests.tools_process import ToolsProcess, tools_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolsProcess]:
    with small_tools(tmp_path_factory.mktemp("tools")) as running:
        yield running


def calculate(expression: str, call_id: str = "") -> ToolCall:
    return ToolCall(name="calculator", arguments={"expression": expression}, id=call_id)


def test_tools_are_listed_with_what_is_missing_and_why(service: ToolsProcess) -> None:
    with ToolsClient(service.url) as client:
        names = [tool["function"]["name"] for tool in client.list_tools()]
        assert names[:2] == ["calculator", "wikipedia_search"]
        assert client.unavailable.keys().isdisjoint(names)


def test_which_data_a_search_replies_from_is_told(service: ToolsProcess, tmp_path: Path) -> None:
    def content(url: str) -> dict[str, str]:
        with ToolsClient(url) as client:
            assert client.content == {}
            client.list_tools()
            return client.content

    told = content(service.url)
    assert told["wikipedia_search"].startswith("bm25 ")
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "1", "title": "Oslo", "text": "Oslo is another corpus."}\n', encoding="utf-8")
    (tmp_path / "same").mkdir()
    with small_tools(tmp_path / "same") as same, tools_service(tmp_path, "--corpus", str(other)) as another:
        assert content(same.url) == told
        assert content(another.url)["wikipedia_search"] != told["wikipedia_search"]


def test_replies_come_in_the_order_of_the_calls(service: ToolsProcess) -> None:
    calls = [calculate(f"{i}*2", f"call-{i % 3}") for i in range(700)]
    with ToolsClient(service.url, batch=256) as client:
        replies = client.call_batch(calls)
    assert [reply.content for reply in replies] == [str(2 * i) for i in range(700)]
    assert [reply.call_id for reply in replies] == [call.id for call in calls]


def test_one_hostile_call_does_not_take_the_others_with_it(service: ToolsProcess) -> None:
    hostile = [
        ToolCall(name="calculator", arguments={"expression": "x" * 5_000_000}),
        ToolCall(name="calculator", arguments={"expression": float("nan")}),
        ToolCall(name="calculator", arguments={"expression": "\ud800"}),
        ToolCall(name="no such tool", arguments={}),
    ]
    with ToolsClient(service.url) as client:
        for bad in hostile:
            replies = client.call_batch([calculate("1+1"), bad, calculate("2+2")])
            assert [replies[0].content, replies[2].content] == ["2", "4"]
            assert replies[1].error is not None
            assert replies[1].error.is_models_fault
            assert replies[1].content.startswith("Error: ")


def test_no_calls_ask_nobody() -> None:
    assert ToolsClient(f"http://127.0.0.1:{free_port()}").call_batch([]) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://", "not a url"])
def test_nobody_there_at_the_start_is_the_users_error(url: str) -> None:
    url = url.format(port=free_port())
    with ToolsClient(url, attempts=2, back_off=0.01) as client:
        with pytest.raises(InputError, match="tools_url: no tools service answers at") as caught:
            client.list_tools()
        assert url.rstrip("/") in str(caught.value)
        (reply,) = client.call_batch([calculate("1+1", "a")])
    assert reply.error is ToolError.TOOL_INSTABILITY
    assert reply.call_id == "a"


def test_a_wrong_token_is_named_without_showing_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "the-right-token-0123456789abcdef"
    monkeypatch.setenv("WHETSTONE_TOOLS_TOKEN", token)
    environment = {"WHETSTONE_TOOLS_TOKEN": token}
    with small_tools(tmp_path_factory.mktemp("guarded"), environment) as guarded:
        with ToolsClient(guarded.url) as client:
            assert client.list_tools()
        with ToolsClient(guarded.url, "a-wrong-secret") as client:
            with pytest.raises(InputError, match="WHETSTONE_TOOLS_TOKEN") as caught:
                client.list_tools()
            assert "a-wrong-secret" not in str(caught.value)
