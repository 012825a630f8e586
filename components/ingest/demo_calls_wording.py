"""How the requests of `demo://calls` are worded: templates to train on and others to judge by.

A placeholder is a parameter of the tool. What a template says in words alone (`with breakfast`) is the
second part of a pair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue


@dataclass(frozen=True)
class Template:
    """A request with {parameter} placeholders, and the arguments that its words imply."""

    text: str
    implied: Mapping[str, JsonValue] = field(default_factory=dict)


Templates = Mapping[str, Sequence[Template]]


def _templates(lines: Mapping[str, Sequence[str | tuple[str, dict[str, JsonValue]]]]) -> Templates:
    return {
        tool: tuple(Template(one) if isinstance(one, str) else Template(*one) for one in texts)
        for tool, texts in lines.items()
    }


TRAIN: Templates = _templates({
    "get_weather": [
        "What is the weather like in {city}?", "How warm is it in {city} at the moment?",
        "Is it raining in {city} now?", "Tell me the current weather in {city}.",
        "I am in {city}. Do I need a coat right now?", "What does the sky over {city} look like?",
    ],
    "get_weather_forecast": [
        "What will the weather in {city} be for the next {days} days?", "Give me a {days} day forecast for {city}.",
        "I stay in {city} for {days} days. What weather will I get?", "Will it rain in {city} during the coming {days} days?",
        "Show me the outlook for {city}, {days} days ahead.", "How will the weather in {city} develop over {days} days?",
    ],
    "get_weather_alerts": [
        "Are there any storm warnings for {city}?", "Is there a weather alert in {city}?",
        "Has {city} been warned of bad weather?", "Check the official weather warnings for {city}.",
        "Is {city} under a flood warning?", "List the weather alerts that hold for {city}.",
    ],
    "get_stock_price": [
        "What does a share of {symbol} cost?", "How is {symbol} trading right now?", "Tell me the price of {symbol} stock.",
        "What is {symbol} worth today?", "Quote me {symbol} please.", "At what price do {symbol} shares stand?",
    ],
    "get_stock_news": [
        "Is there any news about {symbol}?", "Show me {limit} headlines about {symbol}.", "What do the papers say about {symbol}?",
        "Give me the latest news on {symbol} stock.", "I want {limit} news items on {symbol}.", "What is new at {symbol} lately?",
    ],
    "get_stock_history": [
        "How did {symbol} do over the last {days} days?", "Show the prices of {symbol} for the past {days} days.",
        "What was {symbol} worth during the last {days} days?", "Give me {days} days of price history for {symbol}.",
        "List the closing prices of {symbol}, {days} days back.", "How has the {symbol} share moved in {days} days?",
    ],
    "search_flights": [
        "Find me a flight from {origin} to {destination}.", "I want to fly from {origin} to {destination} in {cabin} class.",
        "Which planes go from {origin} to {destination}?", "I live in {origin} and need to fly to {destination}.",
        "Look up {cabin} flights from {origin} to {destination}.", "How do I get from {origin} to {destination} by air?",
    ],
    "search_hotels": [
        "Find a hotel in {city} for {nights} nights.", "I need a room in {city} for {nights} nights.",
        ("Which hotels in {city} have breakfast? I stay {nights} nights.", {"breakfast": True}),
        "Where can I sleep in {city} for {nights} nights?", "Show hotels for a stay of {nights} nights in {city}.",
        ("Find a hotel with breakfast in {city}, {nights} nights.", {"breakfast": True}),
    ],
    "search_restaurants": [
        "Where can I get {cuisine} food in {city}?", "Find a {cuisine} restaurant in {city}.",
        "I would like to eat {cuisine} in {city}.", "Which places in {city} serve {cuisine} food?",
        "We are hungry for {cuisine} food and are in {city}.", "Show me {cuisine} restaurants around {city}.",
    ],
    "convert_currency": [
        "How much is {amount} {source} in {target}?", "Convert {amount} {source} to {target}.",
        "I have {amount} {source}. What is that in {target}?", "Change {amount} {source} into {target}.",
        "How many {target} do I get for {amount} {source}?", "What are {amount} {source} worth in {target}?",
    ],
    "convert_units": [
        "How many {target} are {value} {source}?", "Convert {value} {source} to {target}.",
        "Turn {value} {source} into {target}.", "What is {value} {source} in {target}?",
        "Express {value} {source} in {target}.", "I measured {value} {source}. How much is it in {target}?",
    ],
    "convert_time": [
        "It is {time} in {source}. What time is it in {target}?", "When it is {time} in {source}, how late is it in {target}?",
        "Convert {time} from {source} time to {target} time.", "My call is at {time} in {source}. When is that in {target}?",
        "What is {time} {source} time in {target}?", "A show starts at {time} in {source}. When is it on in {target}?",
    ],
    "book_table": [
        "Book a table at {restaurant} for {guests} people at {time}.", "Reserve {restaurant} at {time} for {guests} guests.",
        "We are {guests} and want to eat at {restaurant} at {time}.", "Get us a table for {guests} at {restaurant}, {time}.",
        "Can you reserve a table for {guests} at {restaurant} at {time}?", "Dinner at {restaurant} for {guests} people at {time}, please.",
    ],
    "book_taxi": [
        "I need a taxi on {pickup} at {time}.", "Send a cab to {pickup} at {time}.", "Get me a car at {pickup} for {time}.",
        "Order a taxi that picks me up on {pickup} at {time}.", "Have a taxi wait on {pickup} at {time}.",
        "Please book a cab from {pickup} at {time}.",
    ],
    "book_ticket": [
        "Get me {seats} tickets for {event}.", "Book {seats} seats for {event}.", "I want to see {event}, we are {seats} people.",
        "Reserve {seats} places at {event}.", "We need {seats} tickets to {event}.", "Buy {seats} seats for {event}, please.",
    ],
    "set_timer": [
        "Set a timer for {minutes} minutes.", "Count down {minutes} minutes.", "Tell me when {minutes} minutes are over.",
        "Start a {minutes} minute timer.", "The eggs need {minutes} minutes, time them.", "I need a countdown of {minutes} minutes.",
    ],
    "set_alarm": [
        "Wake me at {time}.", "Set an alarm for {time}.", ("Wake me every day at {time}.", {"daily": True}),
        "I have to get up at {time}.", ("Set a daily alarm for {time}.", {"daily": True}), "Let it ring at {time}.",
    ],
    "set_thermostat": [
        "Set the {room} to {degrees} degrees.", "Make it {degrees} degrees in the {room}.",
        ("Heat the {room} to {degrees} degrees.", {"mode": "heat"}), ("Cool the {room} down to {degrees} degrees.", {"mode": "cool"}),
        "I want {degrees} degrees in the {room}.", "Turn the thermostat of the {room} to {degrees} degrees.",
    ],
    "create_reminder": [
        "Remind me to {task} at {time}.", "At {time} I have to {task}, remind me.", "Don't let me forget to {task} at {time}.",
        "Give me a reminder at {time} to {task}.", "I must {task} at {time}. Please remind me.", "Set a reminder to {task} at {time}.",
    ],
    "create_event": [
        "Put {title} in my calendar on {date}.", "Add {title} to the calendar for {date}.", "Schedule {title} on {date}.",
        "On {date} I have {title}, enter it.", "Make a calendar entry for {date}: {title}.", "Plan {title} for {date}.",
    ],
    "create_note": [
        "Write down: {text}.", "Make a note: {text}.", "Note for later: {text}.", "Save as a note: {text}.",
        "Take a note: {text}.", "Keep in my notes: {text}.",
    ],
    "send_message": [
        "Text {recipient}: {text}.", "Tell {recipient} by text: {text}.", "Send {recipient} a message: {text}.",
        "Message for {recipient}: {text}.", "Write to {recipient} on the phone: {text}.", "Let {recipient} know by phone: {text}.",
    ],
    "send_email": [
        "E-mail {recipient} about {subject}.", "Write an e-mail to {recipient} with the subject {subject}.",
        ("Send {recipient} an urgent e-mail about {subject}.", {"urgent": True}), "Mail {recipient}, subject {subject}.",
        "Send an e-mail to {recipient}, the subject is {subject}.",
        ("It is urgent: e-mail {recipient} about {subject}.", {"urgent": True}),
    ],
    "send_payment": [
        "Pay {recipient} {amount} dollars.", "Send {amount} dollars to {recipient}.", "Transfer {amount} dollars to {recipient}.",
        "I owe {recipient} {amount} dollars, pay it.", "Give {recipient} {amount} dollars from my account.",
        "Wire {amount} dollars to {recipient}.",
    ],
})  # fmt: skip

HELD_OUT: Templates = _templates({
    "get_weather": [
        "How is the weather in {city} today?", "Could you see how cold it is outside in {city}?", "{city}: sun or rain at this minute?",
    ],
    "get_weather_forecast": [
        "I travel to {city}. What should I expect of the weather there in the following {days} days?",
        "Please forecast {days} days of weather for {city}.", "What is predicted for {city} in {days} days from now?",
    ],
    "get_weather_alerts": [
        "Do any weather warnings apply to {city}?", "Should people in {city} be warned about a storm?", "Any alerts about the weather for {city}?",
    ],
    "get_weather_history": [
        "How was the weather in {city} on {date}?", "Did it snow in {city} on {date}?", "Look back at the weather of {date} in {city}.",
    ],
    "get_stock_price": [
        "How much must I pay for one {symbol} share?", "Current stock price of {symbol}?", "Where does {symbol} stand on the market?",
    ],
    "get_stock_news": [
        "Find recent headlines on {symbol}.", "Read me {limit} pieces of news about {symbol}.", "Anything new from the company {symbol}?",
    ],
    "get_stock_history": [
        "Plot how {symbol} stock went during {days} days.", "What were the prices of {symbol} in the previous {days} days?",
        "Look up the last {days} days of {symbol} stock.",
    ],
    "search_flights": [
        "Are there flights to {destination} that leave from {origin}?", "Search a {cabin} class seat on a plane from {origin} to {destination}.",
        "We plan to fly to {destination}, starting in {origin}.",
    ],
    "search_hotels": [
        "Which hotel can I take in {city} if I stay {nights} nights?", "Look for accommodation in {city}, {nights} nights.",
        ("I will spend {nights} nights in {city} and want a hotel that includes breakfast.", {"breakfast": True}),
    ],
    "search_restaurants": [
        "Is there good {cuisine} food to be had in {city}?", "Recommend a restaurant in {city} with {cuisine} cooking.",
        "Tonight we eat {cuisine}. Where in {city}?",
    ],
    "search_trains": [
        "Which trains run from {origin} to {destination}?", "I would like to go from {origin} to {destination} by train.",
        "Find a train to {destination}, I start in {origin}.",
    ],
    "convert_currency": [
        "Please exchange {amount} {source} for {target}.", "If I pay {amount} {source}, how much is it in {target}?",
        "What would {amount} {source} be in {target}?",
    ],
    "convert_units": [
        "Give me {value} {source} as {target}.", "My garden is {value} {source} long. What is it in {target}?", "Calculate {value} {source} in {target}.",
    ],
    "convert_time": [
        "If the clock in {source} says {time}, what does it say in {target}?", "People in {source} meet at {time}. What is the hour in {target}?",
        "Translate {time} in {source} to the time of {target}.",
    ],
    "convert_temperature": [
        "What is {degrees} degrees in {scale}?", "Convert a temperature of {degrees} degrees to {scale}.", "Give {degrees} degrees on the {scale} scale.",
    ],
    "book_table": [
        "Please hold a table at {restaurant} at {time}, we come with {guests} people.", "A table for {guests} people at {time} in {restaurant}.",
        "At {time} the {guests} of us would like to dine at {restaurant}.",
    ],
    "book_taxi": [
        "Pick me up by taxi on {pickup} at {time}.", "A cab should be on {pickup} at {time}.", "Could a driver come to {pickup} at {time}?",
    ],
    "book_ticket": [
        "I would like {seats} seats at {event}.", "Are {seats} tickets left for {event}? Book them.", "Secure {seats} places for {event}.",
    ],
    "book_haircut": [
        "Get {person} a haircut at {time}.", "{person} needs a hairdresser at {time}.", "Make an appointment to cut the hair of {person} at {time}.",
    ],
    "set_timer": [
        "Let {minutes} minutes run down.", "Time {minutes} minutes for my tea.", "Put {minutes} minutes on the timer.",
    ],
    "set_alarm": [
        "My alarm should go off at {time}.", ("Each morning I want an alarm at {time}.", {"daily": True}), "Get me out of bed at {time}.",
    ],
    "set_thermostat": [
        "The {room} should have {degrees} degrees.", ("Warm the {room} up, heat it to {degrees} degrees.", {"mode": "heat"}),
        "Please adjust the {room} temperature to {degrees}.",
    ],
    "set_volume": [
        "Turn the volume to {level}.", "Play louder, at level {level}.", "Change the loudness of the speaker to {level}.",
    ],
    "create_reminder": [
        "Make sure I remember to {task} at {time}.", "Ping me at {time} so that I {task}.", "I want to be reminded at {time} to {task}.",
    ],
    "create_event": [
        "Enter {title} on {date} in the diary.", "There is {title} on {date}. Block the day.", "New appointment on {date} called {title}.",
    ],
    "create_note": [
        "Jot this down: {text}.", "Please store a note: {text}.", "Add to my notes: {text}.",
    ],
    "send_message": [
        "Drop {recipient} a line on the phone: {text}.", "Please send {recipient} a text: {text}.", "SMS to {recipient}: {text}.",
    ],
    "send_email": [
        "Compose a mail to {recipient} on the subject {subject}.", "{recipient} should get an e-mail titled {subject}.",
        ("Please e-mail {recipient} about {subject} and mark it as urgent.", {"urgent": True}),
    ],
    "send_payment": [
        "{recipient} should receive {amount} dollars from me.", "Make a payment of {amount} dollars to {recipient}.",
        "Move {amount} dollars over to {recipient}.",
    ],
    "send_postcard": [
        "Mail a postcard to {recipient} in {city}.", "{recipient} lives in {city} and wants a printed card.", "Post a card for {recipient}, address {city}.",
    ],
})  # fmt: skip
