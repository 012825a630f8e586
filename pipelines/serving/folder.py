"""`whetstone serving`: a folder that `kubectl apply -k` turns into a server of an adapter."""

import re
import tempfile
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from components.contracts.errors import InputError
from components.evaluation.served_adapter import ServedAdapter, read_served_adapter
from pipelines.serving import inference_service as objects
from pipelines.serving.guard import network_policy
from pipelines.serving.inference_service import PARSERS, TEMPLATE_FILE, Serving

SERVICE = "inferenceservice.yaml"
DEFAULT_NAME = "whetstone-policy"
NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")  # KServe adds to it; a DNS label holds 63
SERVED_BASES = ("hf://", "s3://")

# What of our formats the parsers of vLLM 0.33 leave as text, found by giving them what `render` writes.
LIMITS = {
    "hermes": "Text before a call comes as the turn's content.",
    "pythonic": "It reads a turn that is nothing but the list of calls, and names that are letters, digits and underscores "
    "and begin with a letter; a thought before the list leaves the whole turn as text.",
    "llama3_json": "",
}


def write_serving(
    adapter: str, out: Path, *, uri: str = "", base_model: str = "", name: str = DEFAULT_NAME
) -> Serving:
    """Write the folder `out` that serves an adapter: its folder here, or s3:// where it was published.

    uri: where the cluster finds it, when `adapter` is a folder. base_model: hf:// or s3:// of the base model, where
    the one it was trained on is neither.

    Raises:
        InputError: as `read_served_adapter`; an address that the cluster can't reach; a name that is none; `out` is taken.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"--name: {name!r}: expected at most 40 lower-case letters, digits and dashes")
    location = _location(adapter, uri)
    with tempfile.TemporaryDirectory() as scratch:
        found = read_served_adapter(adapter, Path(scratch))
    serving = Serving(
        name=name,
        adapter_uri=location,
        base_uri=_base_uri(found, base_model),
        call_format=found.card.call_format,
        lora_rank=found.lora_rank,
        pinned_template=bool(found.chat_template),
    )
    files = _files(serving, found)
    out = out.expanduser()
    try:
        if out.exists() and not (out / SERVICE).is_file() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"--out: {out} holds something else; expected a new or empty folder")
        out.mkdir(parents=True, exist_ok=True)
        (out / TEMPLATE_FILE).unlink(missing_ok=True)  # of another adapter, written before
        for file, text in files.items():
            (out / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out: {out} can't be written: {error.strerror}") from error
    return serving


def _location(adapter: str, uri: str) -> str:
    if adapter.startswith("s3://"):
        if uri:
            raise InputError("--uri: ADAPTER is an address already, expected a folder beside it")
        return adapter.rstrip("/")
    if not uri.startswith("s3://"):
        raise InputError(
            f"--uri: {adapter} is a folder here, expected --uri s3://... where the cluster finds the same adapter"
        )
    return uri.rstrip("/")


def _base_uri(found: ServedAdapter, given: str) -> str:
    if not found.lora_rank:
        if given:
            raise InputError("--base-model: the adapter is a whole model, expected none beside it")
        return ""
    base = given or found.card.base_model
    if not base.startswith(SERVED_BASES):
        raise InputError(
            f"base model: the cluster can't load {base!r}; expected --base-model hf://... or s3://... with the same weights"
        )
    return base.rstrip("/")


def _files(serving: Serving, found: ServedAdapter) -> dict[str, str]:
    resources = {
        SERVICE: objects.inference_service(serving),
        "serviceaccount.yaml": objects.service_account(serving),
        "networkpolicy.yaml": network_policy(serving),
    }
    files = {file: _yaml(manifest) for file, manifest in resources.items()}
    files["kustomizeconfig.yaml"] = _yaml(objects.kustomize_configuration())
    files["kustomization.yaml"] = _yaml(objects.kustomization(serving, list(resources)))
    if serving.pinned_template:
        files[TEMPLATE_FILE] = found.chat_template
    environment = Environment(
        loader=PackageLoader("pipelines.serving"), undefined=StrictUndefined, autoescape=False
    )
    files["README.md"] = environment.get_template("serving.md.j2").render(
        serving=serving,
        trained_on=found.card.base_model,
        stop_ids=list(found.card.stop_ids),
        parser=PARSERS.get(serving.call_format, ""),
        limits=LIMITS.get(serving.call_format, ""),
        native_tools=found.native_tools,
        dated="strftime_now" in found.chat_template,
    )
    return files


def _yaml(manifest: dict[str, Any]) -> str:
    return yaml.dump(manifest, Dumper=_NoAliases, sort_keys=False, width=110)


class _NoAliases(yaml.SafeDumper):
    """Writes equal objects out, each in its place."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
