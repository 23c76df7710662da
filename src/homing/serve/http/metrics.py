"""What a service counts, for Prometheus and for its own page; a registry of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_BATCHES = (1, 2, 4, 8, 16, 32)
_LAST = 1000  # requests whose times are summed up


class Metrics:
    """Counts of one service."""

    def __init__(self) -> None:
        self._begun = time.time()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "homing_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "homing_request_seconds",
            "Seconds until a request was answered.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "homing_requests_in_flight", "Requests being answered.", registry=self._registry
        )
        self._batches = Histogram(
            "homing_batch_queries",
            "Queries answered together.",
            buckets=_BATCHES,
            registry=self._registry,
        )
        self._unreadable = Counter(
            "homing_unreadable_pictures",
            "Pictures that could not be read.",
            registry=self._registry,
        )
        self._lock = threading.Lock()
        self._total = self._failed = 0
        self._times: dict[str, deque[float]] = {}

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Tell of a figure that is looked up when it is asked for."""
        Gauge(name, text, registry=self._registry).set_function(value)

    def begun(self) -> None:
        """Count a request that has come."""
        self._in_flight.inc()

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        self._in_flight.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        with self._lock:
            self._total += 1
            self._failed += status >= 500
            self._times.setdefault(route, deque(maxlen=_LAST)).append(seconds)

    def batch(self, queries: int) -> None:
        """Count the queries answered together."""
        self._batches.observe(queries)

    def unreadable(self) -> None:
        """Count a picture that could not be read."""
        self._unreadable.inc()

    def text(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._registry)

    def figures(self) -> dict[str, Any]:
        """Sum up: requests, failures, and seconds by route of the last thousand requests."""
        with self._lock:
            times = {route: list(last) for route, last in sorted(self._times.items())}
            total, failed = self._total, self._failed
        return {
            "seconds_up": round(time.time() - self._begun, 1),
            "requests": total,
            "failures": failed,
            "latency": {route: _summed_up(last) for route, last in times.items()},
        }


def _summed_up(seconds: list[float]) -> dict[str, float]:
    half, most = np.percentile(seconds, (50, 95))
    return {"count": len(seconds), "p50": round(float(half), 4), "p95": round(float(most), 4)}
