"""Who comes next and what they get: first come within a fair share per person. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Request:
    """A lease that waits."""

    id: str
    person: str
    devices: int
    whole: bool
    asked: datetime


Free = Mapping[str, frozenset[int]]
"""Device to the numbers of its free shares."""


def in_line(waiting: Iterable[Request], held: Mapping[str, int]) -> Iterator[Request]:
    """Yield the requests in the order in which they are served.

    Whoever holds the fewest devices comes first, then whoever asked first. A request counts as
    held for those that come after it.

    Args:
        waiting: The requests.
        held: Person to number of devices held.
    """
    counts = Counter(held)
    left = sorted(waiting, key=lambda request: (request.asked, request.id))
    while left:
        chosen = min(left, key=lambda request: counts[request.person])
        left.remove(chosen)
        counts[chosen.person] += chosen.devices
        yield chosen


def choose(request: Request, free: Free, shares: Mapping[str, int]) -> dict[str, frozenset[int]]:
    """Return device to shares that serve a request, or nothing where they are not free yet.

    A share is taken where others are taken already, so that whole devices stay whole.

    Args:
        request: The request.
        free: Free shares of the devices there are.
        shares: All shares of each device.
    """
    if request.whole:
        fitting = sorted(name for name in free if len(free[name]) == shares[name])
        taken = {name: free[name] for name in fitting[: request.devices]}
    else:
        fitting = sorted((name for name in free if free[name]), key=lambda n: (len(free[n]), n))
        taken = {name: frozenset({min(free[name])}) for name in fitting[: request.devices]}
    return taken if len(taken) == request.devices else {}
