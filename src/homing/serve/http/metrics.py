"""Counts of a service, for Prometheus (in a registry of their own) and for the status page."""

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
_LAST = 1000  # requests of a route whose times are summarised


class Metrics:
    """Counts of one service."""

    def __init__(self) -> None:
        self._start = time.time()
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        labels = ("method", "route", "status")
        self._requests = Counter("homing_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "homing_request_seconds",
            "Seconds until a request was answered.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "homing_requests_in_flight", "Requests being answered.", registry=registry
        )
        self._batches = Histogram(
            "homing_batch_queries",
            "Queries answered together.",
            buckets=_BATCHES,
            registry=registry,
        )
        self._unreadable = Counter(
            "homing_unreadable_pictures", "Pictures that could not be read.", registry=registry
        )
        self._lock = threading.Lock()
        self._total = self._failures = 0
        self._times: dict[str, deque[float]] = {}

    def add_gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a figure that is computed when it is read."""
        Gauge(name, text, registry=self._registry).set_function(value)

    def start_request(self) -> None:
        """Count a request that has come."""
        self._in_flight.inc()

    def end_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        self._in_flight.dec()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        with self._lock:
            self._total += 1
            self._failures += status >= 500
            self._times.setdefault(route, deque(maxlen=_LAST)).append(seconds)

    def count_batch(self, queries: int) -> None:
        """Count queries answered together."""
        self._batches.observe(queries)

    def count_unreadable(self) -> None:
        """Count a picture that could not be read."""
        self._unreadable.inc()

    def prometheus_text(self) -> bytes:
        """Return all counts in Prometheus's text format."""
        return generate_latest(self._registry)

    def figures(self) -> dict[str, Any]:
        """Return requests, failures, and seconds by route of the last thousand requests."""
        with self._lock:
            times = {route: list(last) for route, last in sorted(self._times.items())}
            total, failures = self._total, self._failures
        return {
            "seconds_up": round(time.time() - self._start, 1),
            "requests": total,
            "failures": failures,
            "latency": {route: _summary(last) for route, last in times.items()},
        }


def _summary(seconds: list[float]) -> dict[str, float]:
    median, p95 = np.percentile(seconds, (50, 95))
    return {"count": len(seconds), "p50": round(float(median), 4), "p95": round(float(p95), 4)}
