"""How a served model wants to be asked, as `model.json` beside the handler keeps it."""

from typing import Literal

from components.contracts.records import PromptVariant, Record


class ServedModel(Record):
    """A model behind a server that speaks OpenAI's chat completions.

    name: in bfcl's table of models. server_model: the server's name for it. url: of the server, ending in /v1.
    tools_shown: in the system message ("text"); by the chat template, while the text stays the model's own
    ("template"); or the server shows them and reads the calls ("calls"). system_role, tool_role: the chat template
    has these roles. variant, max_new_tokens, top_p: as `whetstone evaluate` asks. template_hash: of the chat
    template it was trained under; empty where only the server knows it.
    """

    name: str
    server_model: str
    url: str
    call_format: str
    tools_shown: Literal["text", "template", "calls"]
    variant: PromptVariant
    max_new_tokens: int
    top_p: float = 1.0
    system_role: bool = True
    tool_role: bool = False
    base_model: str = ""
    template_hash: str = ""
