"""What BFCL's multi-turn checker needs of one item: the JSON in `Question.reference`.

    {"group": "multi_turn_miss_func", "involved_classes": ["GorillaFileSystem"],
     "initial_config": {"GorillaFileSystem": {"root": {...}}},
     "user_turns": ["Sort 'a.txt'.", "..."], "ground_truth": [[], ["sort('a.txt')"]],
     "missed": {"1": ["sort"]}, "held_out": "[{\\"type\\": \\"function\\", ...}]"}

A question's `text` is its first user turn and its `offered` the functions of its classes that are not held out;
`multi_turn_rows` makes such questions of the published rows.
"""

from typing import Self

from pydantic import Field, JsonValue, model_validator

from components.contracts.records import Question, Record
from components.contracts.tool_schemas import ToolSchema, parse_tools, tool_name
from components.scoring.bfcl.api_classes import CLASS_MODULES
from components.scoring.references import read_reference

MULTI_TURN_GROUPS = (
    "multi_turn_base",
    "multi_turn_long_context",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
)


class BfclMultiTurn(Record):
    """One conversation: its world, the user's turns and the accepted calls of each.

    ground_truth: of each user turn, the calls as published ("cd(folder='document')"); none where the user asks for
    what can't be done. missed: user turn -> names of the functions first offered with it; their schemas are
    `held_out`, a JSON array.
    """

    group: str
    involved_classes: tuple[str, ...] = Field(min_length=1)
    initial_config: dict[str, JsonValue]
    user_turns: tuple[str, ...] = Field(min_length=1)
    ground_truth: tuple[tuple[str, ...], ...]
    missed: dict[int, tuple[str, ...]] = Field(default_factory=dict)
    held_out: str = "[]"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.user_turns) != len(self.ground_truth):
            raise ValueError(
                f"{len(self.user_turns)} user turns, but ground truth of {len(self.ground_truth)}; "
                "expected as many"
            )
        if unknown := [name for name in self.involved_classes if name not in CLASS_MODULES]:
            raise ValueError(f"involved_classes: {unknown[0]!r} is none of {', '.join(CLASS_MODULES)}")
        held = {tool_name(tool) for tool in parse_tools(self.held_out)}
        for turn, names in self.missed.items():
            if not 0 <= turn < len(self.user_turns):
                raise ValueError(f"missed: there is no user turn {turn}")
            if absent := [name for name in names if name not in held]:
                raise ValueError(f"missed: {absent[0]!r} is not in held_out")
        return self

    @property
    def long_context(self) -> bool:
        """Whether the classes fill their worlds up with long contents."""
        return "long_context" in self.group or "composite" in self.group

    def offered_at(self, turn: int) -> tuple[ToolSchema, ...]:
        """The functions first offered with a user turn."""
        names = self.missed.get(turn, ())
        return tuple(tool for tool in parse_tools(self.held_out) if tool_name(tool) in names) if names else ()

    def to_json(self) -> str:
        """The text for `Question.reference`."""
        return self.model_dump_json()

    @classmethod
    def of(cls, question: Question) -> Self:
        """The reference of a question.

        Raises:
            InputError: it has none, or one of another form.
        """
        expected = "BFCL's group, involved_classes, initial_config, user_turns and ground_truth"
        return read_reference(question, cls, expected)
