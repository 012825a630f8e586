"""Puts a served model into bfcl-eval's table of models, in this process only."""

import importlib
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, SimpleNamespace

from components.evaluation.bfcl_handler.served_model import ServedModel

WRITTEN_FOR = "2026.3.23"
TABLE = "bfcl_eval.constants.model_config"


def register(path: Path) -> ServedModel:
    """Add the model of `path` (a model.json) to the table.

    Another version of bfcl-eval than the handler was written for is told on stderr.
    """
    served = ServedModel.model_validate_json(path.read_text(encoding="utf-8"))
    found = version("bfcl-eval")
    if found != WRITTEN_FOR:
        print(f"bfcl-eval {found}: this handler was written for {WRITTEN_FOR}", file=sys.stderr)
    table = _table()
    from components.evaluation.bfcl_handler.handler import ServedModelHandler

    table[served.name] = SimpleNamespace(
        model_name=served.server_model,
        display_name=served.name,
        url=served.base_model or served.url,
        org="",
        license="",
        model_handler=partial(ServedModelHandler, served=served),
        input_price=None,
        output_price=None,
        is_fc_model=True,
        underscore_to_dot=False,
    )
    return served


def _table() -> dict[str, SimpleNamespace]:
    """bfcl-eval's own table; an empty one where the clients of other vendors, which it imports, are not installed."""
    try:
        module = importlib.import_module(TABLE)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bfcl_eval"):
            raise
        module = ModuleType(TABLE)
        vars(module)["MODEL_CONFIG_MAPPING"] = {}
        sys.modules[TABLE] = module
    table: dict[str, SimpleNamespace] = vars(module)["MODEL_CONFIG_MAPPING"]
    return table
