"""`whetstone bfcl-handler`: a folder with which the official `bfcl` command runs a model."""

import json
import tempfile
from pathlib import Path

from pydantic import JsonValue

from components.contracts.errors import InputError
from components.contracts.settings import merged
from components.evaluation.bfcl_handler.served_model import ServedModel
from components.evaluation.bfcl_handler.write import describe_served, write_handler
from components.evaluation.settings import EvaluationSettings
from pipelines.evaluate.model import SERVERS, check_url, read_model

URL = "http://127.0.0.1:8000/v1"  # vLLM's own address


def write_bfcl_handler(
    model: str,
    out: Path,
    *,
    url: str = "",
    model_name: str = "",
    call_format: str = "",
    preset: str = "",
    settings: str = "",
) -> ServedModel:
    """Write the folder `out` for a model: its URI, the folder of a model or an adapter, or a server's URL.

    url: where a model that is no server will be served; `URL` when empty. model_name: the server's name for it;
    the folder's name when empty. call_format, preset, settings: as for `whetstone evaluate`.

    Raises:
        InputError: the model or the settings can't be used, a server's model without a name, or `out` is taken.
    """
    is_server = model.startswith(SERVERS)
    if is_server and url:
        raise InputError("--url: MODEL is a server already, expected a folder or URI beside it")
    if url:
        check_url("--url", url)
    if is_server and not model_name:
        raise InputError("--model-name: missing, expected the server's name for the model")
    with tempfile.TemporaryDirectory() as scratch:
        found = read_model(
            model,
            Path(scratch) / "adapter",
            call_format=call_format,
            server_model=model_name if is_server else "",
        )
        chosen: dict[str, JsonValue] = {"preset": preset} if preset else {}
        options = EvaluationSettings.parse(
            json.dumps(merged(chosen, {"engine": dict(found.engine)})), settings
        )
        name = found.name.rstrip("/").rpartition("/")[2]
        served = describe_served(
            name.replace(",", "-"),  # bfcl's option takes several names, comma separated
            server_model=model_name or name,
            url=(url or (model if is_server else URL)).rstrip("/"),
            base_model="" if is_server else found.base_model,
            settings=options,
            adapter=found.adapter,
        )
    out = out.expanduser().resolve()
    write_handler(out, served, adapter=found.adapter is not None)
    return served
