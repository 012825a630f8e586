"""How numbers and rounds are written in sentences and tables."""

from collections.abc import Sequence

from components.rounds.records import Difference, RoundRecord
from components.scoring.groups import OVERALL

NONE = "\u2013"
FEW_QUESTIONS = 100  # below it one standard error of a share is up to 5 points


def called(records: Sequence[RoundRecord], number: int) -> str:
    """A round in a sentence, by its title; number 0 is the base model. records: from the base model on."""
    return records[number].title if number else "the base model"


def begin(text: str) -> str:
    """The text as it begins a sentence."""
    return text[:1].upper() + text[1:]


def percent(share: float | None) -> str:
    """A share in percent; a dash where it is undefined."""
    return NONE if share is None else f"{100 * share:.1f} %"


def points(share: float) -> str:
    """A number of percentage points."""
    return f"{100 * share:.1f} points"


def signed(share: float) -> str:
    """A difference in percentage points with its sign, without the word."""
    return f"{round(100 * share, 1) + 0.0:+.1f}".replace("-", "\u2212")


def points_between(found: Difference) -> str:
    """An interval in points: `-4.1 to +0.3`."""
    return f"{signed(found.low)} to {signed(found.high)}"


def few_questions_note(records: Sequence[RoundRecord], confidence: float) -> str:
    """What few validation questions can tell, by the latest comparison; empty from `FEW_QUESTIONS` on."""
    asked = records[0].groups[OVERALL].questions
    judged = [record for record in records if record.differences]
    found = judged[-1].differences["best"][OVERALL]["accuracy"] if judged else None
    if asked >= FEW_QUESTIONS or found is None:
        return ""
    record = judged[-1]
    return (
        f"Only {asked} validation questions: the {100 * confidence:g} % interval of the accuracy of "
        f"{record.title} against {called(records, record.compared_with)} is {points(found.high - found.low)} wide "
        f"({points_between(found)}), so that smaller differences may be chance."
    )


def none_is_better(records: Sequence[RoundRecord], noun: str) -> str:
    """The beginning of a sentence on rounds of which the base model is the best. noun: what people call a round."""
    some_hurt = any(record.hurt and record.accuracy > records[0].accuracy for record in records)
    return f"No {noun}{' that did not hurt' if some_hurt else ''} is better than the base model"
