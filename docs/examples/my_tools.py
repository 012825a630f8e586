"""A tool of one's own: `python -m tools_service --tool docs.examples.my_tools:weather`."""

from tools_service.failures import refused, wrong_value

CLIMATE = {"Oslo": (4, "rain"), "Lisbon": (19, "sun"), "Nairobi": (23, "clouds")}
LONGEST = 7


def weather(city: str, days: int = 1) -> str:
    """Forecasts the weather of a city.

    Args:
        city: the city's name in English
        days: how many days ahead, 1 to 7
    """
    if not 1 <= days <= LONGEST:
        raise wrong_value(f"days: expected 1 to {LONGEST}, got {days}")
    if city not in CLIMATE:
        raise refused(f"no forecast for {city}; known: {', '.join(CLIMATE)}")
    celsius, sky = CLIMATE[city]
    return f"{city} in {days} days: {celsius} degrees, {sky}"
