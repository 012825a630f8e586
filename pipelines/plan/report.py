"""The plan as text, at most 80 columns wide."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from components.ingest.settings import IngestSettings
from pipelines.plan.limits import limits
from pipelines.plan.planned import Plan, scheduled
from pipelines.plan.request import Request

WIDTH = 80
SHARDS = (1, 2, 4, 8, 16, 32)
NEAREST = 5  # limits that are shown, and all that are passed


def render(plan: Plan) -> str:
    """All that a plan says, lines joined."""
    return "\n".join(line for block in _blocks(plan) if block for line in (*block, "")).rstrip()


def _blocks(plan: Plan) -> Iterator[Sequence[str]]:
    yield _head(plan.request)
    yield list(_table(plan))
    yield list(_traffic(plan))
    yield list(_nearest(plan))
    yield list(_sharding(plan))
    yield _sources(plan.request)


def _head(request: Request) -> list[str]:
    shape, device = request.shape, request.device
    judged = f"{request.held_out:,.0f} held out"
    more = [
        f"{value:,.0f} {name}"
        for value, name in (
            (request.trajectories, "trajectories"),
            (request.validation, "for validation"),
            (request.searched, "to search"),
        )
        if value
    ]
    counts = ", ".join([f"{request.questions:,.0f} questions practised", *more, judged])
    cluster = f", {request.accelerators:,} in the cluster" if request.accelerators else ""
    return [
        *_wrapped(
            f"{request.pipeline} of {shape.name} ({shape.parameters / 1e9:.2f} B parameters): {counts}"
        ),
        *_wrapped(
            f"on {device.title}{cluster}: {device.flops / 1e12:,.4g} TFLOP/s, {device.bandwidth / 1e9:,.0f} GB/s; taken as used: "
            f"{device.trained:.0%} training, {device.read:.0%} reading, {device.moved:.0%} of bandwidth decoding"
        ),
        *([] if device.name == "cpu" else ["(assumptions: nothing here was measured on a GPU)"]),
    ]


def _table(plan: Plan) -> Iterator[str]:
    """A line a task; stages without accelerator that take no time to speak of are left out."""
    yield f"{'task':30}{'pods':>5}{'acc.':>5}{'hours':>9}{'wall':>10}{'PFLOP':>10}{'GB':>6}{'tok':>5}"
    for one in plan.tasks:
        if not one.devices:
            continue
        cost = one.cost
        yield (
            f"{one.task.title[:29]:30}{one.pods:>5}{one.devices:>5}{_hours(one.held):>9}{_time(one.passed):>10}"
            f"{cost.flops / 1e15:>10,.3g}{cost.memory / 1e9:>6.0f}{_short(cost.tokens):>5}"
        )
    work = sum(one.cost.flops for one in plan.tasks)
    tokens = sum(one.cost.tokens for one in plan.tasks)
    yield (
        f"{'all':30}{'':>5}{plan.most_devices:>5}{_hours(plan.held):>9}{_time(plan.wall):>10}"
        f"{work / 1e15:>10,.3g}{'':>6}{_short(tokens):>5}"
    )
    yield "acc.: accelerators of each pod; in the last line, held at once at most."
    yield "hours: of accelerators, pods' start and loading included. GB: of each one."


def _traffic(plan: Plan) -> Iterator[str]:
    """What goes over the network and to disk, of the tasks that have any."""
    yield f"{'task':30}{'disk':>10}{'read':>10}{'written':>10}{'model':>10}{'calls':>10}"
    for one in plan.tasks:
        cost = one.cost
        if cost.fetched or cost.stored or cost.base:
            yield _traffic_line(
                one.task.title,
                cost.disk_of_pod(one.pods),
                cost.fetched,
                cost.stored,
                cost.base * one.pods,
                cost.calls,
            )
    costs = [one.cost for one in plan.tasks]
    calls = sum(one.calls for one in costs)
    yield _traffic_line(
        "all",
        max(one.cost.disk_of_pod(one.pods) for one in plan.tasks),
        sum(one.fetched for one in costs),
        sum(one.stored for one in costs),
        sum(one.cost.base * one.pods for one in plan.tasks),
        calls,
    )
    yield "disk: of a pod. read, written: object store. model: base model, by all pods."
    busiest = max(one.cost.calls / one.passed for one in plan.tasks)
    size = calls * plan.request.measured.call_bytes
    yield f"calls: of tools, up to {busiest:,.3g} a second, {_bytes(size)} in all."


def _traffic_line(title: str, *values: float) -> str:
    *sizes, calls = values
    shown = "".join(f"{_bytes(size) if size else '-':>10}" for size in sizes)
    return f"{title[:29]:30}{shown}{_grouped(calls) if calls else '-':>10}"


def _nearest(plan: Plan) -> Iterator[str]:
    yield "What breaks first (used of allowed)"
    found = limits(plan)
    for limit in found[: max(NEAREST, sum(one.share > 1 for one in found))]:
        text = _time if limit.what == "time" else _bytes
        verdict = f": DOES NOT FIT; {limit.remedy}" if limit.share > 1 else ""
        line = f"{limit.share:>6.0%}  {limit.stage}: {limit.what}, {text(limit.used)} of {text(limit.allowed)}{verdict}"
        yield from textwrap.wrap(line, WIDTH, subsequent_indent=" " * 8)


def _sharding(plan: Plan) -> Iterator[str]:
    if not any(one.task.sharded and one.cost.seconds for one in plan.tasks):
        return
    yield f"{'ingest.shards':>13}{'wall':>12}{'acc. hours':>13}{'at once':>9}"
    for count in SHARDS:
        other = scheduled(_sharded(plan.request, count), [one.task for one in plan.tasks])
        yield f"{count:>13}{_time(other.wall):>12}{_hours(other.held):>13}{other.most_devices:>9}"


def _sharded(request: Request, count: int) -> Request:
    settings = request.settings(IngestSettings).model_copy(update={"shards": count})
    parameters = request.arguments.parameters | {"ingest_settings": settings.canonical()}
    return replace(request, arguments=replace(request.arguments, parameters=parameters))


def _sources(request: Request) -> list[str]:
    values = asdict(request.measured)
    shown = ", ".join(f"{name} {value:.4g}" for name, value in values.items() if not name.endswith("_bytes"))
    of_run = f"{', '.join(request.of_run)} from {request.measured_in}; " if request.of_run else ""
    told = f"{', '.join(request.told)} given; " if request.told else ""
    return _wrapped(f"Measured ({of_run}{told}all else as in the demos): {shown}.")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH)


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.2f}" if hours < 100 else _grouped(hours)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 360_000 else f"{_grouped(seconds / 86_400)} d"


def _grouped(count: float) -> str:
    return f"{count:,.0f}" if count < 1e6 else _short(count)


def _bytes(size: float) -> str:
    for unit, power in (("EB", 1e18), ("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= power:
            return f"{size / power:,.3g} {unit}"
    return f"{size / 1e3:.3g} kB"


def _short(count: float) -> str:
    for unit, power in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= power:
            return f"{count / power:.0f}{unit}"
    return f"{count:.0f}"
