"""From two labeled traces to a pair, token ids verbatim."""

from components.contracts.records import AssistantTurn, LabeledTrace, PairKind, PreferencePair
from components.preferences.candidates import continuation


def build_pair(chosen: LabeledTrace, rejected: LabeledTrace, kind: PairKind) -> PreferencePair:
    """The pair behind the chosen trace's prompt and tools.

    A rejected trace of another prompt goes behind this one with the ids that were sampled; `source` names
    the trace and the prompt's variant of both sides.
    """
    begin = chosen.turns[0].message
    return PreferencePair(
        id=f"{chosen.id}>{rejected.id}",
        question_id=chosen.question.id,
        kind=kind,
        tools=chosen.tools,
        prompt=chosen.messages[:begin],
        chosen=continuation(chosen, kind),
        rejected=continuation(rejected, kind),
        chosen_turns=_turns(chosen, kind, begin),
        rejected_turns=_turns(rejected, kind, begin),
        template_hash=chosen.template_hash,
        call_format=chosen.call_format,
        native_tools=chosen.native_tools,
        variant=chosen.prompt,
        source=f"chosen {chosen.id} sampled under {chosen.prompt}, "
        f"rejected {rejected.id} sampled under {rejected.prompt}",
    )


def _turns(trace: LabeledTrace, kind: PairKind, begin: int) -> tuple[AssistantTurn, ...]:
    """The side's turns, counted from the first message of the pair's prompt, which has `begin` messages."""
    taken = trace.turns[:1] if kind == "response" else trace.turns
    moved = begin - trace.turns[0].message
    return tuple(turn.model_copy(update={"message": turn.message + moved}) for turn in taken)
