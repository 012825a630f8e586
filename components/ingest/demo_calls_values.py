"""The values that requests of `demo://calls` speak of: pools of the training side and of the judged side.

No open value (city, person, amount, date ...) is in both; the few values of an enumeration are.
"""

import random
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from components.ingest.demo_calls_tools import ENUMS

Pools = Mapping[str, Sequence[JsonValue]]


def _names(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(","))


def _times(hours: Sequence[int], minutes: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{hour}:{minute} {half}" for hour in hours for minute in minutes for half in ("am", "pm"))


def _dates(months: str, days: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{month} {day}" for month in months.split() for day in days)


TRAIN: Pools = {
    "city": _names(
        "Lisbon, Oslo, Vienna, Prague, Athens, Dublin, Madrid, Cairo, Lima, Tokyo, Seoul, Boston, Denver, Chicago, "
        "Toronto, Nairobi, Hanoi, Delhi, Zurich, Munich, Porto, Naples, Lyon, Krakow, Havana, Bogota, Dallas, Perth"
    ),
    "person": _names("Anna, Boris, Clara, David, Elena, Felix, Greta, Henry, Irene, Jonas, Karin, Liam, Mona, Peter"),
    "few": (2, 4, 6, 8, 10, 12, 14),
    "count": tuple(range(16, 96, 2)),
    "amount": (*range(20, 900, 22), 12.5, 36.5, 48.5, 74.5, 150.5),
    "degrees": (16, 18, 20, 22, 24, 18.5, 20.5, 22.5),
    "currency": _names("USD, EUR, JPY, GBP, INR, BRL, SEK, KRW"),
    "unit": _names("miles, kilometers, meters, inches, centimeters"),
    "cuisine": _names("Italian, Thai, Greek, Mexican, Indian, French, Korean"),
    "restaurant": _names("Blue Fig, Casa Verde, Golden Wok, Chez Marie, Red Door, Bella Napoli, Sea Salt"),
    "street": _names("Main Street, Baker Street, Elm Avenue, Station Road, Harbor Square, Queen Street, Hill Lane"),
    "event": _names("Hamlet, Carmen, Jazz Night, Swan Lake, Macbeth, Aida, Cats"),
    "room": _names("kitchen, bedroom, office, garage, nursery"),
    "symbol": _names("ACME, BLUX, CORVA, DELTO, FENIX, GRANO, HELIX, JUNIP, KORAL, LUMEN"),
    "task": _names(
        "call the dentist, water the plants, buy milk, pay the rent, feed the cat, wash the car, pick up the parcel, "
        "renew the passport, take out the trash, book the ferry"
    ),
    "title": _names("Budget review, Team lunch, Choir practice, Project update, Board meeting, Yoga class, Road trip"),
    "saying": _names("I am late, Happy birthday, See you soon, The key is here, Thanks for dinner, We won, All is well"),
    "time": _times((1, 3, 5, 7, 9), ("00", "20", "40")),
    "date": _dates("January March May July September", (2, 4, 6, 8, 12, 16, 20, 24)),
}  # fmt: skip

HELD_OUT: Pools = {
    "city": _names(
        "Berlin, Rome, Paris, Helsinki, Warsaw, Brussels, Manila, Quito, Sydney, Houston, Seattle, Montreal, Lagos, "
        "Bangkok, Mumbai, Geneva, Hamburg, Venice, Malaga, Tallinn, Osaka, Santiago"
    ),
    "person": _names("Martin, Nora, Oscar, Paula, Ralph, Sofia, Thomas, Ursula, Victor, Wendy, Yusuf, Zoe"),
    "few": (3, 5, 7, 9, 11, 13),
    "count": tuple(range(17, 96, 2)),
    "amount": (*range(25, 900, 22), 13.5, 37.5, 49.5, 75.5, 151.5),
    "degrees": (15, 17, 19, 21, 23, 19.5, 21.5),
    "currency": _names("CHF, CAD, NOK, MXN, AUD, PLN"),
    "unit": _names("feet, yards, furlongs, millimeters"),
    "cuisine": _names("Turkish, Spanish, Chinese, Lebanese, Peruvian"),
    "restaurant": _names("Silver Spoon, Little Hanoi, Green Olive, Taverna Nikos, White Horse, Salt House"),
    "street": _names("Park Avenue, Church Street, Mill Road, Castle Square, King Street, River Lane"),
    "event": _names("Othello, Tosca, Rock Gala, Don Carlos, Evita, King Lear"),
    "room": _names("bathroom, attic, living room, hallway"),
    "symbol": _names("MARLO, NOVUS, OPTIC, PRISM, QUARZ, RIVEN, SOLAR, TITAN"),
    "task": _names(
        "clean the oven, walk the dog, send the invoice, return the books, charge the bike, order new tires, "
        "print the tickets, mow the lawn"
    ),
    "title": _names("Sales report, Garden party, Piano lesson, Job interview, Safety training, Film night"),
    "saying": _names("Dinner is ready, Good luck today, The bus is delayed, I found it, Call me back, We are home"),
    "time": _times((2, 4, 6, 8, 11), ("10", "30", "50")),
    "date": _dates("February April June August October", (3, 5, 7, 9, 11, 15, 19, 23)),
}  # fmt: skip


def draw_value(pools: Pools, pool: str, taken: Sequence[JsonValue], draw: random.Random) -> JsonValue:
    """A value of a pool that is not among `taken`; `other_x` draws from `x` as well."""
    if pool in ENUMS:
        return draw.choice(ENUMS[pool])
    return draw.choice([value for value in pools[pool.removeprefix("other_")] if value not in taken])
