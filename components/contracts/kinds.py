"""Kinds of question that would collide with the other keys of a summary.json."""

RESERVED_KINDS = frozenset(
    {"overall", "needs_tool", "tools", "questions", "decision", "seconds", "confidence"}
    | {"suites", "all_suites", "noise", "bfcl_scores", "retrieval"}
    | {"errors", "errors_before", "errors_after", "calls", "executed", "profile", "between", "tool_help"}
)


def reason_against(kind: str) -> str:
    """Why a question can't have this kind, in a few words; empty when it can."""
    if kind not in RESERVED_KINDS:
        return ""
    return f"{kind!r} is a key of summary.json with another meaning; expected another name for the kind"
