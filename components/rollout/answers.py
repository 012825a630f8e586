"""The final answer in an assistant's last turn."""

from components.contracts.records import PromptVariant

_MARK = "answer:"


def final_answer(text: str, parsed: str | None, variant: PromptVariant) -> str | None:
    """What the turn answers, stripped; None when it answers nothing.

    text: the whole turn. parsed: the answer the call format found in it. In the variants without
    tools nothing is a call, so the text itself is the answer; `cot` ends with a line `Answer: ...`.
    """
    if variant in ("plain", "cot"):
        found = parsed if parsed is not None else text
        if variant == "cot":
            found = _after_last_mark(found)
    else:
        found = parsed or ""
    return found.strip() or None


def _after_last_mark(text: str) -> str:
    lines = text.splitlines()
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index].strip().lstrip("*# ")
        if line.lower().startswith(_MARK):
            return "\n".join([line[len(_MARK) :], *lines[index + 1 :]]).strip().strip("*")
    return text
