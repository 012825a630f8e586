"""Prometheus metrics of one service, in a registry of their own."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counted per request and, summed up over a batch, per call."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "whetstone_tools_requests", "HTTP requests", ["route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "whetstone_tools_request_seconds",
            "Time to answer",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._calls = Counter(
            "whetstone_tools_calls", "Tool calls by outcome", ["tool", "outcome"], registry=self.registry
        )
        self._call_seconds = Counter(
            "whetstone_tools_call_seconds", "Time spent in tools", ["tool"], registry=self.registry
        )
        # finding a child by its labels takes longer than counting
        self._request = lru_cache(256)(lambda route, status: self._requests.labels(route, str(status)))
        self._second = lru_cache(64)(self._seconds.labels)
        self.in_progress = Gauge(
            "whetstone_tools_requests_in_progress", "Requests being answered", registry=self.registry
        )

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """One answered request; `route` is the route's template, so that there are few of them."""
        self._request(route, status).inc()
        self._second(route).observe(seconds)

    def count_calls(self, tool: str, outcome: str, calls: int, seconds: float) -> None:
        """`calls` calls of one tool with one outcome ("ok" or a ToolError), `seconds` together."""
        self._calls.labels(tool, outcome).inc(calls)
        self._call_seconds.labels(tool).inc(seconds)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
