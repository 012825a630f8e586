"""What breaks first: how near each task comes to what its pod, its accelerator and its time allow."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.plan.planned import Plan, PlannedTask
from pipelines.resources import StageResources, read_resources

_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_REMEDIES = {
    "accelerator memory": "a larger accelerator, a smaller batch or micro_batch, lora or qlora instead of full",
    "accelerator memory at max_tokens": "a smaller micro_batch (one accelerator alone halves it by itself) or max_tokens",
    "main memory": "memory in resources.yaml",
    "disk": "disk in resources.yaml",
    "time": "more shards (practice), more accelerators (training), or timeout_seconds in resources.yaml",
}


@dataclass(frozen=True)
class Limit:
    """used, allowed: bytes or seconds. A share above 1 does not fit."""

    stage: str
    what: str
    used: float
    allowed: float

    @property
    def share(self) -> float:
        return self.used / self.allowed

    @property
    def remedy(self) -> str:
        """What to change."""
        return _REMEDIES[self.what]


def limits(plan: Plan) -> tuple[Limit, ...]:
    """Of each stage and each kind the nearest, nearest first."""
    found: dict[tuple[str, str], Limit] = {}
    for limit in _all(plan.tasks, plan):
        key = (limit.stage, limit.what)
        if key not in found or found[key].share < limit.share:
            found[key] = limit
    return tuple(sorted(found.values(), key=lambda one: -one.share))


def _all(tasks: Iterable[PlannedTask], plan: Plan) -> Iterator[Limit]:
    resources, device = read_resources(), plan.request.device
    for planned in tasks:
        stage, cost = planned.task.stage, planned.cost
        allowed: StageResources | None = resources.get(stage)
        if cost.memory:
            yield Limit(stage, "accelerator memory", cost.memory + device.reserve, device.memory)
        if cost.longest:
            what = "accelerator memory at max_tokens"
            yield Limit(stage, what, cost.longest + device.reserve, device.memory)
        if allowed is None:
            continue
        yield Limit(stage, "main memory", cost.host, quantity(allowed.memory))
        yield Limit(stage, "disk", cost.disk_of_pod(planned.pods), quantity(allowed.disk))
        yield Limit(stage, "time", planned.wall, float(allowed.timeout_seconds))


def quantity(text: str) -> float:
    """Bytes of a Kubernetes quantity such as `16Gi`.

    Raises:
        ValueError: it is none.
    """
    matched = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
    if not matched or matched[2] not in _UNITS:
        raise ValueError(f"{text!r}: no Kubernetes quantity")
    return float(matched[1]) * _UNITS[matched[2]]
