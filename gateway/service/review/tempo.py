"""How fast a queue is worked off: seconds per decision, of each person and in total."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from gateway.records.annotation_layers import get_layer
from gateway.records.annotation_queues import decisions_of, get_queue
from gateway.records.database import reading
from gateway.service.gateway import Gateway
from gateway.service.review.queues import list_queues


def show_queue(gateway: Gateway, dataset: str, name: str, number: int) -> dict[str, Any]:
    """Return a queue with its counts, `seconds` per decision in total, and `people`.

    `measured` is what the pages measured, `server` the time between hand-out and decision.

    Raises:
        NotFoundError: There is no such layer or queue.
    """
    with reading(gateway.database) as connection:
        layer = get_layer(connection, dataset, name)
        queue = get_queue(connection, layer, number)
        rows = decisions_of(connection, queue)
    told = next(each for each in list_queues(gateway, dataset, name) if each["id"] == number)
    people = sorted({row.person for row in rows})
    return {
        **told,
        **_tempo(rows),
        "people": [
            {"person": person, **_tempo([row for row in rows if row.person == person])}
            for person in people
        ],
    }


def _tempo(rows: Sequence[Any]) -> dict[str, Any]:
    measured = [row.seconds for row in rows if row.seconds is not None]
    server = [
        (row.decided - row.handed).total_seconds() for row in rows if row.handed and row.decided
    ]
    return {
        "decisions": len(rows),
        "measured": _summary(measured),
        "server": _summary(server),
    }


def _summary(seconds: Sequence[float]) -> dict[str, float | None]:
    if not seconds:
        return {"mean_s": None, "median_s": None, "total_s": 0.0}
    return {"mean_s": fmean(seconds), "median_s": median(seconds), "total_s": sum(seconds)}
