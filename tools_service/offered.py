"""Which tools this service offers, from its settings."""

from tools_service.cache import local_corpus
from tools_service.calculator import calculator
from tools_service.registry import Registry
from tools_service.retrievers import index_of_corpus, open_retriever
from tools_service.search import make_wikipedia_search
from tools_service.settings import ToolsSettings
from tools_service.stand_ins import read_stand_ins
from tools_service.translator import find_translator


def make_registry(settings: ToolsSettings) -> Registry:
    """All tools whose requirements are met; the others with the reason why not.

    Raises:
        InputError: a corpus, index, model or function that was named can't be used.
    """
    registry = Registry()
    registry.add(calculator, quick=True)
    _add_search(registry, settings)
    translator, reason = find_translator(
        settings.translator, settings.translator_source, settings.translator_target
    )
    if translator is None:
        registry.leave_out("machine_translator", reason)
    else:
        registry.add(translator)
    for path in settings.tools:
        registry.add_by_path(path)
    if settings.stand_ins is not None:
        for tool in read_stand_ins(settings.stand_ins):
            if tool.name not in registry.tools:  # the real one is better
                registry.add_tool(tool)
    return registry


def _add_search(registry: Registry, settings: ToolsSettings) -> None:
    index = settings.index
    if not index and not settings.corpus:
        registry.leave_out("wikipedia_search", "no corpus or index was given")
        return
    if not index:
        with local_corpus(settings.corpus) as corpus:
            index = str(index_of_corpus(settings.retriever, corpus, encoder=settings.encoder))
    retriever = open_retriever(settings.retriever, index, encoder=settings.encoder)
    registry.add(make_wikipedia_search(retriever, settings.passages))
