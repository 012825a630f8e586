"""The first development set: wordings in the manner of web services, agents, chat, short and terse messages."""

from components.contracts.tool_errors import ToolError
from tests.battery.labeller.wordings import agents, chatty, short, terse, web

_PARTS = (
    web,
    agents,
    chatty,
    short,
    terse,
)

FAILURES: dict[ToolError, tuple[str, ...]] = {
    error: tuple(text for part in _PARTS for text in part.FAILURES[error]) for error in ToolError
}
REPLIES: tuple[str, ...] = tuple(text for part in _PARTS for text in part.REPLIES)
ARTICLES: tuple[tuple[str, str], ...] = (
    *web.ARTICLES,
    *chatty.ARTICLES,
    *terse.ARTICLES,
)
