"""How services, libraries and agent frameworks word their errors, and what successful calls return: development data.

A wording module holds three names, and nothing but data:

- `FAILURES`: for every category the whole replies of services that report such a failure, in words.
- `REPLIES`: whole replies of calls that succeeded; none may be taken for a failure.
- `ARTICLES`: (title, text) about errors and the like, found by search; none may be taken for a failure.

In a wording `<tool>` stands for the called tool's name, `<parameter>` for the name of its first argument and `<value>` for that
argument's value; nothing else is replaced. The calls are valid ones, so that the text alone decides. The patterns may be made
from what is here; `labeller_held_out` has the same form and may not be looked at when they are.
"""

from components.contracts.tool_errors import ToolError
from tests.battery import (
    labeller_wordings_agents,
    labeller_wordings_chatty,
    labeller_wordings_short,
    labeller_wordings_terse,
    labeller_wordings_web,
)

_PARTS = (
    labeller_wordings_web,
    labeller_wordings_agents,
    labeller_wordings_chatty,
    labeller_wordings_short,
    labeller_wordings_terse,
)

FAILURES: dict[ToolError, tuple[str, ...]] = {
    error: tuple(text for part in _PARTS for text in part.FAILURES[error]) for error in ToolError
}
REPLIES: tuple[str, ...] = tuple(text for part in _PARTS for text in part.REPLIES)
ARTICLES: tuple[tuple[str, str], ...] = (
    *labeller_wordings_web.ARTICLES,
    *labeller_wordings_chatty.ARTICLES,
    *labeller_wordings_terse.ARTICLES,
)
