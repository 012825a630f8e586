"""The search tool over a retriever."""

from collections.abc import Callable

from tools_service.failures import refused, wrong_value
from tools_service.retrievers import Retriever

MAX_CHARACTERS = 2000


def make_wikipedia_search(retriever: Retriever, passages: int = 1) -> Callable[[str], str]:
    """The tool `wikipedia_search`, replying with the best `passages` passages."""

    def wikipedia_search(query: str) -> str:
        """Searches Wikipedia and gives the passage that fits the query best.

        Args:
            query: what to look for, for example the name of a person, place or work
        """
        if len(query) > MAX_CHARACTERS:
            raise wrong_value(f"the query is too long ({len(query)} characters; at most {MAX_CHARACTERS})")
        if not query.strip():
            raise wrong_value("the query is empty")
        knows = getattr(retriever, "knows", None)
        if knows is not None and not knows(query):
            raise refused("no passage has any of these words")
        return "\n".join(retriever.passage(hit.document).shown for hit in retriever.search(query, passages))

    return wikipedia_search
