"""Which tools this service offers, from its settings."""

from tools_service.cache import local_corpus
from tools_service.calculator import calculator
from tools_service.registry import Registry
from tools_service.retrievers import content_of, index_of_corpus, open_retriever
from tools_service.search import make_wikipedia_search
from tools_service.settings import ToolsSettings
from tools_service.stand_ins import read_stand_ins
from tools_service.translator import find_translator


def make_registry(settings: ToolsSettings) -> Registry:
    """All tools whose requirements are met; the others with the reason why not. Its user closes it.

    Raises:
        InputError: a corpus, index, model, function, document or server that was named can't be used.
    """
    registry = Registry()
    try:
        _add_all(registry, settings)
    except BaseException:
        registry.close()
        raise
    return registry


def _add_all(registry: Registry, settings: ToolsSettings) -> None:
    registry.add(calculator, quick=True)
    _add_search(registry, settings)
    translator, reason = find_translator(
        settings.translator, settings.translator_source, settings.translator_target
    )
    if translator is None:
        registry.leave_out("machine_translator", reason)
    else:
        names = (settings.translator or "apertium", settings.translator_source, settings.translator_target)
        registry.content[registry.add(translator).name] = " ".join(names)
    for path in settings.tools:
        registry.add_by_path(path)
    if settings.openapi or settings.mcp or settings.mcp_commands:
        from tools_service.remote_tools import add_remote_tools  # takes 0.2 s, which most starts can spare

        add_remote_tools(registry, settings)
    if settings.stand_ins is not None:
        for tool in read_stand_ins(settings.stand_ins):
            if tool.name in registry.tools:  # the real one is better for what it takes
                registry.add_otherwise(tool)
            else:
                registry.add_tool(tool)


def _add_search(registry: Registry, settings: ToolsSettings) -> None:
    index = settings.index
    if not index and not settings.corpus:
        registry.leave_out("wikipedia_search", "no corpus or index was given")
        return
    if not index:
        with local_corpus(settings.corpus) as corpus:
            index = str(index_of_corpus(settings.retriever, corpus, encoder=settings.encoder))
    retriever = open_retriever(settings.retriever, index, encoder=settings.encoder)
    tool = registry.add(make_wikipedia_search(retriever, settings.passages))
    names = (settings.retriever, content_of(index), settings.encoder, str(settings.passages))
    registry.content[tool.name] = " ".join(filter(None, names))
