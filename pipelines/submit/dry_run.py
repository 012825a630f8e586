"""What would be submitted, for people: the pods of the run, and the same run as a `kfp` command."""

import json
import re
import shlex
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from pipelines.arguments import Arguments
from pipelines.compile import compiled_path
from pipelines.spec.pods import Pod, resolved_pods
from pipelines.submit.connection import Endpoint

WIDTH = 80
STAGE_LABEL = "app.kubernetes.io/name"  # is said by the block's title
_READ = re.compile(r"inputs\.parameter_values\['(?:pipelinechannel--)?(.+?)'\]")
NAMES = 14  # columns of the settings' names


def dry_run(
    arguments: Arguments,
    told: Mapping[str, JsonValue],
    package: Path,
    endpoint: Endpoint,
    experiment: str,
    run_name: str,
) -> Iterator[str]:
    """Lines: the pods of a run that is told some parameters, then the commands that submit it by `kfp`."""
    yield from pods_shown(resolved_pods(package.read_text(encoding="utf-8"), told))
    yield "The same by kfp, which exits with 0 whatever becomes of the run:"
    yield ""
    file = f"pipelines/compiled/{package.name}"
    if package != compiled_path(arguments.pipeline):
        file = package.name
        rounds = f" --rounds {arguments.rounds}" if arguments.rounds else ""
        without = f" --without {','.join(arguments.without)}" if arguments.without else ""
        also = f" --with {','.join(arguments.also)}" if arguments.also else ""
        yield f"whetstone compile {arguments.pipeline}{rounds}{without}{also} --out {file}"
    yield kfp_command(file, told, endpoint, experiment, run_name)


def pods_shown(pods: Sequence[Pod]) -> Iterator[str]:
    """Lines: a block for what most pods have in common, then one a pod; at most 80 columns where no word is longer."""
    said = [{name: say(pod) for name, say in _SAID.items()} for pod in pods]
    usual = {
        name: most
        for name in _SAID
        if name not in _OWN
        for most, count in Counter(one[name] for one in said).most_common(1)
        if 2 * count > len(pods)
    }
    yield from _block(f"each of {len(pods)} pods, unless it says otherwise", usual)
    for pod, one in zip(pods, said, strict=True):
        own = {name: text or "none" for name, text in one.items() if usual.get(name, "") != text}
        yield from _block(f"{pod.display_name} ({pod.name})", own)


def kfp_command(
    package: str,
    parameters: Mapping[str, JsonValue],
    endpoint: Endpoint,
    experiment: str,
    run_name: str,
) -> str:
    """The shell command that submits a compiled file with parameters without this program."""
    namespace = f" --namespace {shlex.quote(endpoint.namespace)}" if endpoint.namespace else ""
    words = [
        f"kfp --endpoint {shlex.quote(endpoint.host)}{namespace} run create",
        f"--experiment-name {shlex.quote(experiment)} --run-name {shlex.quote(run_name or experiment)}",
        f"--package-file {shlex.quote(package)}",
        *(shlex.quote(f"{name}={kfp_argument(value)}") for name, value in parameters.items()),
    ]
    return " \\\n  ".join(words)


def kfp_argument(value: JsonValue) -> str:
    """A parameter's value as `kfp run create` has to be told it, which takes what looks like JSON for JSON."""
    from kfp.cli.utils.parsing import parse_parameter_value

    plain = isinstance(value, str) and parse_parameter_value(value) == value
    return value if plain and isinstance(value, str) else json.dumps(value)


def _block(title: str, said: Mapping[str, str]) -> Iterator[str]:
    yield from textwrap.wrap(
        title, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    for name in _SAID:
        for number, line in enumerate(said.get(name, "").splitlines()):
            yield from textwrap.wrap(
                line,
                WIDTH,
                initial_indent=f"  {'' if number else name:<{NAMES}}",
                subsequent_indent=" " * (2 + NAMES),
                break_long_words=False,
                break_on_hyphens=False,
            )
    yield ""


def _resources(pod: Pod) -> str:
    cpu = _limited(pod.cpu, pod.cpu_limit)
    memory = _limited(pod.memory, pod.memory_limit)
    return ", ".join(text for text in (cpu and f"cpu {cpu}", memory and f"memory {memory}") if text)


def _limited(request: str, limit: str) -> str:
    if not request or not limit or request == limit:
        return request or limit
    return f"{request} to {limit}"


def _accelerators(pod: Pod) -> str:
    if pod.accelerators in ("", "0"):
        return ""
    return f"{pod.accelerators} x {pod.accelerator_type}"


def _time(pod: Pod) -> str:
    longest = f"at most {_hours(pod.timeout_seconds)}" if pod.timeout_seconds else ""
    if not pod.retries:
        return longest
    growing = (
        f", then x{pod.retry_factor:g} up to {pod.retry_most_seconds:g} s" if pod.retry_factor != 1 else ""
    )
    retries = (
        f"{pod.retries} {'retry' if pod.retries == 1 else 'retries'} (after {pod.retry_seconds:g} s{growing})"
    )
    return ", ".join(text for text in (longest, retries) if text)


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds % 360 == 0 else f"{seconds} s"


def _volumes(pod: Pod) -> str:
    return ", ".join(
        f"{one.mounted_at}{f' {one.size}' if one.size else ''}{' in memory' if one.medium == 'Memory' else ''}"
        for one in pod.volumes
    )


def _secrets(pod: Pod) -> str:
    return "\n".join(
        f"{one.name}{' (may be absent)' if one.optional else ''}: {', '.join(one.variables)}"
        for one in pod.secrets
    )


def _pairs(pairs: Mapping[str, JsonValue] | None, mark: str = "=") -> str:
    return ", ".join(_pair(name, value, mark) for name, value in (pairs or {}).items())


def _pair(name: str, value: JsonValue, mark: str) -> str:
    return f"{name}{mark}{value if isinstance(value, str) else json.dumps(value)}"


def _tolerations(pod: Pod) -> str:
    return "\n".join(_pairs(one, ": ") for one in pod.tolerations)


_SAID: Mapping[str, Callable[[Pod], str]] = {
    "image": lambda pod: pod.image,
    "resources": _resources,
    "accelerators": _accelerators,
    "time": _time,
    "loop": lambda pod: "; in ".join(f"one pod for every item of {items}" for items in reversed(pod.loops)),
    "condition": lambda pod: _READ.sub(r"\1", " and ".join(pod.conditions)),
    "cache": lambda pod: "taken from it if nothing changed" if pod.cached else "never taken from it",
    "volumes": _volumes,
    "secrets": _secrets,
    "nodes": lambda pod: _pairs(pod.node_selector),
    "tolerations": _tolerations,
    "environment": lambda pod: _pairs(pod.environment),
    "labels": lambda pod: _pairs(
        {key: text for key, text in (pod.labels or {}).items() if key != STAGE_LABEL}
    ),
    "pull policy": lambda pod: pod.image_pull_policy,
    "pull secrets": lambda pod: ", ".join(pod.image_pull_secrets),
    "security": lambda pod: _pairs(pod.security_context),
}
_OWN = frozenset({"image", "resources", "accelerators", "time", "loop", "condition", "volumes"})
