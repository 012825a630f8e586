"""The tools of `demo://calls`: families whose names begin alike, so that a name is decided late.

    get_weather(city: string), get_weather_forecast(city: string, days: integer), get_weather_alerts ...

Nothing executes them: a tool's reply is drawn from its own choices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from components.contracts.tool_schemas import ToolSchema

NUMBER_POOLS: Mapping[str, str] = {
    "few": "integer",
    "count": "integer",
    "amount": "number",
    "degrees": "number",
    "flag": "boolean",
}
ENUMS: Mapping[str, Sequence[str]] = {
    "cabin": ("economy", "business"),
    "mode": ("heat", "cool"),
    "scale": ("celsius", "fahrenheit"),
}


@dataclass(frozen=True)
class DemoTool:
    """One tool of the demo.

    parameters: name -> the pool its values are drawn from; a name that ends in "?" is optional.
    reply: field of the reply -> its possible values. answer: what the assistant says after the reply,
    with the fields of the reply and the required parameters as placeholders.
    """

    family: str
    description: str
    parameters: Mapping[str, str]
    reply: Mapping[str, Sequence[JsonValue]]
    answer: str
    trained: bool = True

    def schema(self, name: str) -> ToolSchema:
        """The tool in OpenAI's form, under `name`."""
        properties = {parameter.rstrip("?"): _property(pool) for parameter, pool in self.parameters.items()}
        required = [parameter for parameter in self.parameters if not parameter.endswith("?")]
        parameters = {"type": "object", "properties": properties, "required": required}
        function = {"name": name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    def pool(self, parameter: str) -> str:
        """The pool of a parameter, required or not."""
        found = self.parameters.get(parameter)
        return found if found is not None else self.parameters[f"{parameter}?"]


def _property(pool: str) -> dict[str, JsonValue]:
    if pool in ENUMS:
        return {"type": "string", "enum": list(ENUMS[pool])}
    return {"type": NUMBER_POOLS.get(pool, "string")}


_CODE = tuple(range(1013, 9800, 97))
_PRICE = tuple(range(21, 480, 7))
_DEGREES = tuple(range(-4, 33))
_SKY = ("clear", "cloudy", "rainy", "windy", "foggy")

TOOLS: Mapping[str, DemoTool] = {
    "get_weather": DemoTool(
        "get_weather", "Weather right now.", {"city": "city"}, {"celsius": _DEGREES, "sky": _SKY},
        "It is {celsius} degrees and {sky} in {city}.",
    ),
    "get_weather_forecast": DemoTool(
        "get_weather", "Weather of the coming days.", {"city": "city", "days": "few"}, {"trend": _SKY, "celsius": _DEGREES},
        "The next {days} days in {city} will be {trend}, about {celsius} degrees.",
    ),
    "get_weather_alerts": DemoTool(
        "get_weather", "Official warnings of bad weather.", {"city": "city"},
        {"alert": ("storm", "flood", "heat", "frost", "none")}, "Warning for {city}: {alert}.",
    ),
    "get_weather_history": DemoTool(
        "get_weather", "Weather on a past date.", {"city": "city", "date": "date"}, {"sky": _SKY},
        "It was {sky} in {city} on {date}.", trained=False,
    ),
    "get_stock_price": DemoTool(
        "get_stock", "Price of a share.", {"symbol": "symbol"}, {"price": _PRICE}, "{symbol} is at {price}.",
    ),
    "get_stock_news": DemoTool(
        "get_stock", "Headlines about a company.", {"symbol": "symbol", "limit?": "few"},
        {"headline": ("Record sales", "New chief named", "Plant reopens", "Profit falls")},
        "The latest on {symbol}: {headline}.",
    ),
    "get_stock_history": DemoTool(
        "get_stock", "Prices of a share in the last days.", {"symbol": "symbol", "days": "few"},
        {"lowest": _PRICE}, "The lowest price of {symbol} in {days} days was {lowest}.",
    ),
    "search_flights": DemoTool(
        "search", "Flights between two cities.", {"origin": "city", "destination": "other_city", "cabin?": "cabin"},
        {"flight": _CODE, "price": _PRICE}, "Flight {flight} to {destination} costs {price}.",
    ),
    "search_hotels": DemoTool(
        "search", "Hotels in a city.", {"city": "city", "nights": "few", "breakfast?": "flag"},
        {"hotel": ("Park", "Central", "Station", "Garden"), "price": _PRICE},
        "Hotel {hotel} in {city} costs {price} for {nights} nights.",
    ),
    "search_restaurants": DemoTool(
        "search", "Places to eat.", {"city": "city", "cuisine": "cuisine"},
        {"place": ("The Oak", "Lantern", "Old Mill", "Corner")}, "{place} in {city} serves {cuisine} food.",
    ),
    "search_trains": DemoTool(
        "search", "Trains between two cities.", {"origin": "city", "destination": "other_city"}, {"train": _CODE},
        "Train {train} goes to {destination}.", trained=False,
    ),
    "convert_currency": DemoTool(
        "convert", "Money into another currency.", {"amount": "amount", "source": "currency", "target": "other_currency"},
        {"result": _PRICE}, "{amount} {source} are {result} {target}.",
    ),
    "convert_units": DemoTool(
        "convert", "Measures into another unit.", {"value": "amount", "source": "unit", "target": "other_unit"},
        {"result": _PRICE}, "{value} {source} are {result} {target}.",
    ),
    "convert_time": DemoTool(
        "convert", "A clock time into another city's time.", {"time": "time", "source": "city", "target": "other_city"},
        {"result": ("4:05 am", "7:25 am", "9:35 pm")}, "{time} in {source} is {result} in {target}.",
    ),
    "convert_temperature": DemoTool(
        "convert", "A temperature to a scale.", {"degrees": "degrees", "scale": "scale"}, {"result": _DEGREES},
        "That is {result} {scale}.", trained=False,
    ),
    "book_table": DemoTool(
        "book", "Reserve a table.", {"restaurant": "restaurant", "guests": "few", "time": "time"}, {"code": _CODE},
        "Your table at {restaurant} is booked, code {code}.",
    ),
    "book_taxi": DemoTool(
        "book", "Order a car to a place.", {"pickup": "street", "time": "time"}, {"car": _CODE},
        "Car {car} comes to {pickup} at {time}.",
    ),
    "book_ticket": DemoTool(
        "book", "Seats for an event.", {"event": "event", "seats": "few"}, {"code": _CODE},
        "{seats} seats for {event} are booked, code {code}.",
    ),
    "book_haircut": DemoTool(
        "book", "A hairdresser's appointment.", {"person": "person", "time": "time"}, {"code": _CODE},
        "{person} has a haircut at {time}.", trained=False,
    ),
    "set_timer": DemoTool(
        "set", "Count down minutes.", {"minutes": "count"}, {"timer": _CODE}, "The timer runs for {minutes} minutes.",
    ),
    "set_alarm": DemoTool(
        "set", "Ring at a time of day.", {"time": "time", "daily?": "flag"}, {"alarm": _CODE}, "The alarm is set for {time}.",
    ),
    "set_thermostat": DemoTool(
        "set", "Heating or cooling of a room.", {"room": "room", "degrees": "degrees", "mode?": "mode"}, {"status": ("on",)},
        "The {room} is set to {degrees} degrees.",
    ),
    "set_volume": DemoTool(
        "set", "Loudness of the speaker.", {"level": "count"}, {"status": ("on",)}, "The volume is {level}.", trained=False,
    ),
    "create_reminder": DemoTool(
        "create", "Remind of a task at a time.", {"task": "task", "time": "time"}, {"reminder": _CODE},
        "I will remind you to {task} at {time}.",
    ),
    "create_event": DemoTool(
        "create", "Calendar entry on a date.", {"title": "title", "date": "date"}, {"event": _CODE},
        "{title} is in your calendar on {date}.",
    ),
    "create_note": DemoTool(
        "create", "Save a text.", {"text": "saying"}, {"note": _CODE}, "Note {note} is saved.",
    ),
    "send_message": DemoTool(
        "send", "Short text to a phone.", {"recipient": "person", "text": "saying"}, {"message": _CODE},
        "Your message to {recipient} is sent.",
    ),
    "send_email": DemoTool(
        "send", "E-mail with a subject.", {"recipient": "person", "subject": "title", "urgent?": "flag"}, {"mail": _CODE},
        "The e-mail to {recipient} is sent.",
    ),
    "send_payment": DemoTool(
        "send", "Transfer money to a person.", {"recipient": "person", "amount": "amount"}, {"payment": _CODE},
        "{amount} went to {recipient}.",
    ),
    "send_postcard": DemoTool(
        "send", "A printed card by post.", {"recipient": "person", "city": "city"}, {"card": _CODE},
        "The card to {recipient} is on its way.", trained=False,
    ),
}  # fmt: skip
