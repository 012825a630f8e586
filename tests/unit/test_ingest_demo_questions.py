"""The demo's questions: nothing of the training side is on the judged side, and every answer is right."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest

from components.contracts.records import Question
from components.ingest.demo_places import passages
from components.ingest.demo_questions import demo_questions
from components.ingest.demo_wording import HELD_OUT, TRAIN, Wording

SEEDS = (0, 1, 19, 2024)
SIDES = {"train": TRAIN, "held_out": HELD_OUT}

Compute = Callable[[Sequence[Fraction]], Fraction]

# How each word problem begins (numbers as #, persons as @), and its value from the numbers in the text's order.
PRODUCT: Compute = lambda n: n[0] * n[1]  # noqa: E731
SUM: Compute = lambda n: n[0] + n[1]  # noqa: E731
DIFFERENCE: Compute = lambda n: n[0] - n[1]  # noqa: E731
QUOTIENT: Compute = lambda n: n[0] / n[1]  # noqa: E731
VALUES: dict[str, Compute] = {
    "A ticket costs # dollars": lambda n: n[0] * n[1],
    "@ walked # steps": lambda n: n[0] + n[1],
    "Subtract # from #": lambda n: n[1] - n[0],
    "@ had # stamps": lambda n: n[0] - n[1],
    "@ packs # boxes with # rolls in each": PRODUCT,
    "What is # plus #?": SUM,
    "What is # minus #?": DIFFERENCE,
    "What is # divided by #?": QUOTIENT,
    "There are # rows with # trees each": PRODUCT,
    "A school has # girls and # boys": SUM,
    "A farmer had # sheep minus # that ran away": DIFFERENCE,
    "Divide # by #": QUOTIENT,
    "@ earns # dollars a day. How much is that in # days?": PRODUCT,
    "@ drove # miles in May and # miles in June": SUM,
    "What is left when # is taken away from #?": lambda n: n[1] - n[0],
    "A hall has # rows of # seats, and # more seats": lambda n: n[0] * n[1] + n[2],
    "Multiply # by #": PRODUCT,
    "A shop sold # pens and then # pens": SUM,
    "# kegs are in a cellar and # are removed": DIFFERENCE,
    "@ shares # apples equally among # baskets": QUOTIENT,
    "Every shelf in a shop holds # jars and there are # shelves": PRODUCT,
    "The village had # inhabitants, then # people moved in": SUM,
    "@ must read # pages and has finished #": DIFFERENCE,
    "@ prints # booklets of # sheets plus # loose sheets": lambda n: n[0] * n[1] + n[2],
    "A rope of # metres is cut into # pieces of the same length": QUOTIENT,
    "A pump moves # litres a minute. What amount does it move in # minutes?": PRODUCT,
    "On Monday # visitors came and on Tuesday #": SUM,
    "From a tank with # litres, @ fills # cans of # litres": lambda n: n[0] - n[1] * n[2],
    "A theatre has # boxes with # chairs in every box": PRODUCT,
    "@ saved # euros and then received # euros": SUM,
    "From a field of # tulips, @ picks #": DIFFERENCE,
    "A baker spreads # raisins evenly over # loaves": QUOTIENT,
    "If one machine makes # screws an hour, what does it make in # hours": PRODUCT,
    "The north gate counted # guests, the south gate #": SUM,
    "@ typed # words but deleted # of them": DIFFERENCE,
    "A ship loads # containers of # tons and another # tons": lambda n: n[0] * n[1] + n[2],
}

Demo = dict[str, list[Question]]


@pytest.fixture(scope="module", params=SEEDS)
def demo(request: pytest.FixtureRequest) -> Demo:
    train, held_out = demo_questions(request.param)
    return {"train": train, "held_out": held_out}


def things(wording: Wording) -> set[str]:
    return {thing for _, choices in wording.reading for thing in choices}


def numbers(text: str) -> list[Fraction]:
    return [Fraction(number) for number in re.findall(r"\d+", text)]


def asked_of(demo: Demo, kind: str) -> dict[str, list[Question]]:
    return {side: [one for one in questions if one.kind == kind] for side, questions in demo.items()}


def masked(question: Question, wording: Wording) -> str:
    """The text with towns, persons, things and numbers taken out."""
    text = question.text
    if question.kind == "place":
        text = re.sub(rf"\b{re.escape(question.subject)}\b", "^", text)
    if question.kind == "no_tool":
        text = re.sub(rf"\b({'|'.join(sorted(things(wording)))})\b", "~", text)
    text = re.sub(rf"\b({'|'.join(wording.names)})\b", "@", text)
    return re.sub(r"\d+", "#", text)


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]+", text))


def is_fact(question: Question, wording: Wording) -> bool:
    return question.text in {text for text, _ in wording.facts}


def test_there_are_enough_to_judge(demo: Demo) -> None:
    counts = Counter(question.kind for question in demo["held_out"])
    assert set(counts) == {"place", "arithmetic", "no_tool"}
    assert min(counts.values()) >= 100
    assert counts["no_tool"] >= 160
    everything = demo["train"] + demo["held_out"]
    assert len({question.id for question in everything}) == len(everything)
    assert len({question.text for question in everything}) == len(everything)


def test_no_town_is_on_both_sides(demo: Demo) -> None:
    towns = {side: {one.subject for one in found} for side, found in asked_of(demo, "place").items()}
    assert towns["train"].isdisjoint(towns["held_out"])
    for side, other in (("train", "held_out"), ("held_out", "train")):
        said = set().union(*(words(question.text) for question in demo[side]))
        assert said.isdisjoint(towns[other])


def test_no_person_or_thing_is_on_both_sides(demo: Demo) -> None:
    said = {side: set().union(*(words(one.text) for one in demo[side])) for side in SIDES}
    for own, other in (("train", "held_out"), ("held_out", "train")):
        assert said[own] >= set(SIDES[own].names)
        assert said[own].isdisjoint(SIDES[other].names)
    reading = {
        side: set().union(*(words(one.text) for one in found if not is_fact(one, SIDES[side])))
        for side, found in asked_of(demo, "no_tool").items()
    }
    for own, other in (("train", "held_out"), ("held_out", "train")):
        assert len(things(SIDES[own]) & reading[own]) > 0.8 * len(things(SIDES[own]))  # most are drawn
        assert reading[own].isdisjoint(things(SIDES[other]))


def test_no_number_is_on_both_sides(demo: Demo) -> None:
    said = {side: {n for one in found for n in numbers(one.text)} for side, found in demo.items()}
    assert said["train"]
    assert said["held_out"]
    assert said["train"].isdisjoint(said["held_out"])


def test_no_template_is_on_both_sides(demo: Demo) -> None:
    for kind in ("place", "arithmetic", "no_tool"):
        found = {
            side: {masked(one, SIDES[side]) for one in asked if not is_fact(one, SIDES[side])}
            for side, asked in asked_of(demo, kind).items()
        }
        assert len(found["train"]) >= 4
        assert len(found["held_out"]) >= 4
        assert found["train"].isdisjoint(found["held_out"])


def test_no_fact_is_on_both_sides() -> None:
    # What a fact is about: the words of its question that the side's other facts do not share, and its answer.
    about = {}
    for side, wording in SIDES.items():
        told = [words(text) for text, _ in wording.facts]
        common = {word for word, count in Counter(w for one in told for w in one).items() if count > 1}
        about[side] = {word for one in told for word in one - common} | {a for _, a in wording.facts}
        assert len(about[side]) == 2 * len(wording.facts)
    assert about["train"].isdisjoint(about["held_out"])


def test_every_place_answer_stands_in_its_passage(demo: Demo) -> None:
    texts = {str(passage["title"]): str(passage["text"]) for passage in passages()}
    for found in asked_of(demo, "place").values():
        for question in found:
            (answer,) = question.answers
            assert re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", texts[question.subject])
            assert answer not in question.text
        assert {question.answer_type for question in found} == {"number", "text"}


def test_every_arithmetic_answer_is_right(demo: Demo) -> None:
    used = set()
    for side, found in asked_of(demo, "arithmetic").items():
        for question in found:
            text = masked(question, SIDES[side])
            (begin,) = [begin for begin in VALUES if text.startswith(begin)]
            used.add(begin)
            value = VALUES[begin](numbers(question.text))
            assert question.answers == (str(value),)
            assert value > 0
            assert question.answer_type == "number"
    assert used == set(VALUES)


def test_every_reading_answer_is_that_of_the_person_asked_for(demo: Demo) -> None:
    for side, found in asked_of(demo, "no_tool").items():
        wording = SIDES[side]
        for question in found:
            (answer,) = question.answers
            if is_fact(question, wording):
                assert (question.text, answer) in list(wording.facts)
                continue
            persons = re.findall(rf"\b({'|'.join(wording.names)})\b", question.text)
            told = re.findall(rf"\b({'|'.join(sorted(things(wording)))})\b", question.text)
            first, second, asked = persons
            assert len(told) == 2
            assert answer == dict(zip((first, second), told, strict=True))[asked]


def test_the_seed_alone_decides() -> None:
    assert demo_questions(3) == demo_questions(3)
    texts = [{question.text for question in demo_questions(seed)[1]} for seed in (3, 4)]
    assert texts[0] != texts[1]
