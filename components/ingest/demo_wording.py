"""How the demo's questions are worded: one set of templates for training, another for judging.

Templates, names, things and facts of the two sides have nothing in common.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Relation = Literal["country", "population"]
Compute = Callable[[int, int, int, int], int]


@dataclass(frozen=True)
class Wording:
    """The templates of one side.

    place: (relation, template with {town}). arithmetic: (template, value): a and b have two digits, c has
    three or four, d is larger than a * b, and e = a * b. reading: (template, things), the answer stands in the question.
    facts: (question, answer) that every model knows.
    """

    names: Sequence[str]
    place: Sequence[tuple[Relation, str]]
    arithmetic: Sequence[tuple[str, Compute]]
    reading: Sequence[tuple[str, Sequence[str]]]
    facts: Sequence[tuple[str, str]]


def _opposites(template: str, pairs: str) -> list[tuple[str, str]]:
    split = (pair.split("-") for pair in pairs.split())
    return [(template.format(word=word), opposite) for word, opposite in split]


def _capitals(template: str, pairs: str) -> list[tuple[str, str]]:
    split = (pair.split("-") for pair in pairs.split())
    return [(template.format(country=country), capital) for country, capital in split]


TRAIN = Wording(
    names=[
        "Anna",
        "Boris",
        "Clara",
        "David",
        "Elena",
        "Felix",
        "Greta",
        "Henry",
        "Irene",
        "Jonas",
        "Karin",
        "Liam",
        "Mona",
        "Nils",
        "Olga",
        "Peter",
        "Quinn",
        "Rosa",
        "Simon",
        "Tessa",
    ],
    place=[
        ("country", "In which country is the town of {town}?"),
        ("population", "What is the population of {town}?"),
        ("country", "What country does {town} belong to?"),
        ("population", "How many people live in {town}?"),
        ("country", "Which country is the town of {town} in?"),
        ("population", "How many residents are there in {town}?"),
        ("country", "{town} is a town. Name the country it lies in."),
        ("population", "How large is the population of the town {town}?"),
        ("country", "Of which country is {town} a part?"),
        ("population", "What number of inhabitants does {town} have?"),
    ],
    arithmetic=[
        ("{name} packs {a} boxes with {b} rolls in each. How many rolls is that?", lambda a, b, c, d: a * b),
        ("What is {c} plus {a}?", lambda a, b, c, d: c + a),
        ("What is {c} minus {a}?", lambda a, b, c, d: c - a),
        ("What is {e} divided by {a}?", lambda a, b, c, d: b),
        ("There are {a} rows with {b} trees each. How many trees are there?", lambda a, b, c, d: a * b),
        ("A school has {c} girls and {a} boys. What is the sum of both?", lambda a, b, c, d: c + a),
        (
            "A farmer had {c} sheep minus {a} that ran away. How many sheep are there?",
            lambda a, b, c, d: c - a,
        ),
        ("Divide {e} by {a}. What do you get?", lambda a, b, c, d: b),
        ("{name} earns {a} dollars a day. How much is that in {b} days?", lambda a, b, c, d: a * b),
        (
            "{name} drove {c} miles in May and {a} miles in June. What is the distance in all?",
            lambda a, b, c, d: c + a,
        ),
        ("What is left when {a} is taken away from {c}?", lambda a, b, c, d: c - a),
        (
            "A hall has {a} rows of {b} seats, and {c} more seats upstairs. How many seats are there?",
            lambda a, b, c, d: a * b + c,
        ),
        ("Multiply {a} by {b}. What do you get?", lambda a, b, c, d: a * b),
        ("A ticket costs {a} dollars. How much do {b} tickets cost?", lambda a, b, c, d: a * b),
        (
            "{name} walked {c} steps in the morning plus {a} steps at night. How many steps is that?",
            lambda a, b, c, d: c + a,
        ),
        ("Subtract {a} from {c}. What do you get?", lambda a, b, c, d: c - a),
        ("{name} had {c} stamps and gave {a} away. What is {c} less {a}?", lambda a, b, c, d: c - a),
        (
            "A shop sold {c} pens and then {a} pens. Add them up: how many pens were sold?",
            lambda a, b, c, d: c + a,
        ),
        (
            "{c} kegs are in a cellar and {a} are removed. Subtract to find what is left.",
            lambda a, b, c, d: c - a,
        ),
        (
            "{name} shares {e} apples equally among {a} baskets. How many are in each?",
            lambda a, b, c, d: b,
        ),
        (
            "Every shelf in a shop holds {b} jars and there are {a} shelves. What is the total number of jars?",
            lambda a, b, c, d: a * b,
        ),
        (
            "The village had {c} inhabitants, then {a} people moved in. What is the new number of inhabitants?",
            lambda a, b, c, d: c + a,
        ),
        (
            "{name} must read {c} pages and has finished {a}. How many pages remain to be read?",
            lambda a, b, c, d: c - a,
        ),
        (
            "{name} prints {a} booklets of {b} sheets plus {c} loose sheets. Count the sheets used altogether.",
            lambda a, b, c, d: a * b + c,
        ),
        (
            "A rope of {e} metres is cut into {a} pieces of the same length. How long is one piece, in metres?",
            lambda a, b, c, d: b,
        ),
        (
            "A pump moves {a} litres a minute. What amount does it move in {b} minutes?",
            lambda a, b, c, d: a * b,
        ),
        (
            "On Monday {c} visitors came and on Tuesday {a}. What was the number of visitors on both days?",
            lambda a, b, c, d: c + a,
        ),
        (
            "From a tank with {d} litres, {name} fills {a} cans of {b} litres. What volume stays in the tank?",
            lambda a, b, c, d: d - a * b,
        ),
    ],
    reading=[
        (
            "{first} has a {one} coat and {second} has a {other} coat. What colour is {asked}'s coat?",
            ["red", "blue", "green", "yellow", "black", "white"],
        ),
        (
            "{first} went to the {one} and {second} went to the {other}. Where did {asked} go?",
            ["market", "library", "beach", "station", "museum", "bakery"],
        ),
        (
            "{first} bought a {one} and {second} bought a {other}. What did {asked} buy?",
            ["lamp", "clock", "bicycle", "guitar", "kettle", "carpet"],
        ),
        (
            "{first} has a {one} as a pet and {second} has a {other}. Which pet does {asked} have?",
            ["cat", "dog", "rabbit", "parrot", "hamster", "turtle"],
        ),
        (
            "In the drawing of {first} the bird is {one}; in the one of {second} it is {other}. "
            "Name the colour that {asked} used.",
            ["orange", "purple", "brown", "grey", "pink", "silver"],
        ),
        (
            "{first} works as a {one}, while {second} works as a {other}. Tell me {asked}'s job.",
            ["nurse", "teacher", "farmer", "pilot", "cook", "painter"],
        ),
        (
            "For lunch {first} chose {one}. {second} preferred {other}. What was the lunch of {asked}?",
            ["soup", "rice", "fish", "pasta", "salad", "pizza"],
        ),
        (
            "The sport of {first} is {one}, the sport of {second} is {other}. Say which sport {asked} does.",
            ["tennis", "football", "swimming", "chess", "rowing", "golf"],
        ),
        (
            "{first} plays the {one} and {second} plays the {other}. Which instrument does {asked} play?",
            ["violin", "piano", "flute", "drum", "harp", "trumpet"],
        ),
        (
            "{first} travels by {one}, but {second} travels by {other}. How does {asked} travel?",
            ["train", "bus", "car", "ferry", "plane", "tram"],
        ),
        (
            "{first} was born in {one} and {second} in {other}. In which month was {asked} born?",
            ["January", "March", "April", "August", "October", "December"],
        ),
        (
            "The favourite fruit of {first} is the {one}; {second} likes the {other} best. "
            "Which fruit does {asked} like best?",
            ["banana", "cherry", "lemon", "peach", "plum", "mango"],
        ),
    ],
    facts=[
        *_opposites(
            "What is the opposite of {word}?",
            "hot-cold big-small day-night open-closed up-down happy-sad fast-slow wet-dry rich-poor hard-soft",
        ),
        *_capitals(
            "What is the capital of {country}?",
            "France-Paris Italy-Rome Japan-Tokyo Egypt-Cairo Russia-Moscow Austria-Vienna Portugal-Lisbon",
        ),
        *_opposites(
            "Give me a word that means the contrary of '{word}'.",
            "light-dark young-old full-empty early-late strong-weak long-short left-right sweet-sour love-hate "
            "win-lose",
        ),
        *_capitals(
            "Which city is the seat of government of {country}?",
            "Germany-Berlin Spain-Madrid Greece-Athens China-Beijing Sweden-Stockholm Poland-Warsaw Cuba-Havana",
        ),
        *_opposites(
            "Which word is the antonym of {word}?",
            "cheap-expensive noisy-quiet thick-thin first-last inside-outside true-false buy-sell push-pull "
            "import-export",
        ),
        *_capitals(
            "{country} is governed from one city. Which one?",
            "Norway-Oslo Finland-Helsinki Ireland-Dublin Hungary-Budapest Peru-Lima Thailand-Bangkok Kenya-Nairobi",
        ),
    ],
)

HELD_OUT = Wording(
    names=["Adele", "Bruno", "Carmen", "Dario", "Edith", "Fabio", "Gloria", "Hugo", "Ivana", "Jasper"],
    place=[
        ("country", "I have never heard of {town}. Which nation would I find it in?"),
        ("population", "Give the population figure for {town}."),
        ("country", "Someone grew up in {town}. In what country was that?"),
        ("population", "About the town {town}: how many inhabitants are there?"),
    ],
    arithmetic=[
        (
            "A theatre has {a} boxes with {b} chairs in every box. Work out how many chairs that makes.",
            lambda a, b, c, d: a * b,
        ),
        (
            "{name} saved {c} euros and then received {a} euros more. How many euros does {name} own now?",
            lambda a, b, c, d: c + a,
        ),
        (
            "From a field of {c} tulips, {name} picks {a}. Tell me how many tulips stay in the field.",
            lambda a, b, c, d: c - a,
        ),
        (
            "A baker spreads {e} raisins evenly over {a} loaves. How many raisins does one loaf contain?",
            lambda a, b, c, d: b,
        ),
        (
            "If one machine makes {a} screws an hour, what does it make in {b} hours?",
            lambda a, b, c, d: a * b,
        ),
        (
            "The north gate counted {c} guests, the south gate {a}. How many guests came through both gates?",
            lambda a, b, c, d: c + a,
        ),
        (
            "{name} typed {c} words but deleted {a} of them. How long is the text now, in words?",
            lambda a, b, c, d: c - a,
        ),
        (
            "A ship loads {a} containers of {b} tons and another {c} tons of coal. What weight does it carry?",
            lambda a, b, c, d: a * b + c,
        ),
    ],
    reading=[
        (
            "{first} drinks {one} at breakfast, {second} drinks {other}. What does {asked} drink?",
            ["coffee", "tea", "milk", "juice", "water", "cocoa"],
        ),
        (
            "At the fair {first} won a {one} and {second} won a {other}. Which prize did {asked} win?",
            ["doll", "balloon", "puzzle", "kite", "whistle", "medal"],
        ),
        (
            "The hobby of {first} is {one}. The hobby of {second} is {other}. State the hobby of {asked}.",
            ["sewing", "fishing", "hiking", "dancing", "singing", "gardening"],
        ),
        (
            "In class {first} sits near the {one}, and {second} sits near the {other}. Near what does {asked} sit?",
            ["window", "door", "board", "heater", "cupboard", "sink"],
        ),
    ],
    facts=[
        *_opposites(
            "Complete the pair of contrasting words: {word} and ...",
            "male-female king-queen brother-sister east-west front-back before-after above-below start-finish",
        ),
        *_capitals(
            "If you visit the parliament of {country}, which city are you in?",
            "Denmark-Copenhagen Belgium-Brussels Canada-Ottawa Iraq-Baghdad Iran-Tehran Colombia-Bogota",
        ),
    ],
)
