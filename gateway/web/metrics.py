"""What Prometheus is told: requests, times, bytes, jobs, sessions; of all worker processes."""

import asyncio
import os
from bisect import bisect_left
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gateway.service.counts import count_jobs, count_sessions
from gateway.service.gateway import Gateway

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that the library reads when it is imported: where workers share counts."""
_OWN = CollectorRegistry()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_requests = Counter(
    "gateway_requests", "Requests answered.", ("method", "route", "status"), registry=_OWN
)
_seconds = Histogram(
    "gateway_request_seconds",
    "Time from request to the last byte of its answer.",
    ("route",),
    buckets=_SECONDS,
    registry=_OWN,
)
_bytes = Counter("gateway_sent_bytes", "Bytes of answers sent.", ("route",), registry=_OWN)
_LATER_S = 0.25
_waiting: deque[tuple[str, str, int, float, int]] = deque()
"""Answers with chunk bytes that are not counted yet."""
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def count_request(method: str, route: str, status: int, seconds: float, sent: int) -> None:
    """Count one answered request."""
    known = method if method in _METHODS else "other"
    _request_counter(known, route, status).inc()
    timer, volume = _route_meters(route)
    timer.observe(seconds)
    volume.inc(sent)


def count_soon(method: str, route: str, status: int, seconds: float, sent: int) -> None:
    """Count one of very many answered requests, together with others of the same moment.

    Counters that processes share cost as much as all else that is done for a chunk.
    """
    if not _waiting:
        asyncio.get_running_loop().call_later(_LATER_S, count_waiting)
    _waiting.append((method, route, status, seconds, sent))


def count_waiting() -> None:
    """Count what waits; threads may call it."""
    taken = []
    while _waiting:
        try:
            taken.append(_waiting.popleft())
        except IndexError:  # another thread was quicker
            break
    kinds = Tally((method, route, status) for method, route, status, _, _ in taken)
    for (method, route, status), count in kinds.items():
        _request_counter(method if method in _METHODS else "other", route, status).inc(count)
    for route in {one[1] for one in taken}:
        timer, volume = _route_meters(route)
        seconds = [one[3] for one in taken if one[1] == route]
        volume.inc(sum(one[4] for one in taken if one[1] == route))
        # the library has no way to observe many at once
        timer._sum.inc(sum(seconds))  # noqa: SLF001
        for place, count in Tally(bisect_left(_SECONDS, one) for one in seconds).items():
            timer._buckets[place].inc(count)  # noqa: SLF001


@lru_cache(maxsize=4096)
def _request_counter(method: str, route: str, status: int) -> Counter:
    return _requests.labels(method, route, str(status))


@lru_cache(maxsize=1024)
def _route_meters(route: str) -> tuple[Histogram, Counter]:
    return _seconds.labels(route), _bytes.labels(route)


def exposition(gateway: Gateway) -> bytes:
    """Return all metrics in the text format of Prometheus.

    Raises:
        StoreError: The database cannot be asked.
    """
    count_waiting()
    if SHARED_FOLDER in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    else:
        counted = _OWN
    stored = CollectorRegistry()
    stored.register(_Stored(gateway))
    return generate_latest(counted) + generate_latest(stored)


class _Stored(Collector):
    """What the database knows when it is asked."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("gateway_jobs", "Jobs by status.", labels=("status",))
        for status, count in count_jobs(self._gateway).items():
            jobs.add_metric((status,), count)
        yield jobs
        sessions = GaugeMetricFamily(
            "gateway_sessions", "Sessions and tokens that have not ended.", labels=("kind",)
        )
        for kind, count in count_sessions(self._gateway).items():
            sessions.add_metric((kind,), count)
        yield sessions
