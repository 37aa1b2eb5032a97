"""How pages word figures: dates, sizes, counts, lengths."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_TIMES = " \N{MULTIPLICATION SIGN} "
_GAP = "\N{NO-BREAK SPACE}"
_THOUSAND = 1000
_MINUTE, _HOUR = 60, 3600


def day(time: datetime | str | None) -> str:
    """Return a day: `21 Nov 2026`; nothing where there is none."""
    if time is None:
        return ""
    at = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{at.astimezone(UTC).day} {at.astimezone(UTC):%b %Y}"


def moment(time: datetime | str | None) -> str:
    """Return a time to the minute, in UTC: `21 Nov 2026, 14:05 UTC`."""
    if time is None:
        return ""
    at = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


def size(count: float | None) -> str:
    """Return bytes in a unit that fits: `1.2 GB`; nothing where it is not known."""
    if count is None:
        return ""
    value, unit = float(count), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    return f"{value:,.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"


def times(values: Iterable[float] | None) -> str:
    """Return lengths along the axes: one after the other, zyx."""
    return _TIMES.join(
        f"{value:g}" if value < _THOUSAND else f"{value:,.0f}" for value in values or ()
    )


def figure(value: Any) -> str:
    """Return a number in as many digits as matter; texts and whole numbers as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if isinstance(value, int) or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= _THOUSAND else f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """Return a time span: `1.9 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return f"{seconds:.1f}{_GAP}s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)}{_GAP}min {int(seconds % _MINUTE)}{_GAP}s"
    return f"{int(seconds // _HOUR)}{_GAP}h {int(seconds % _HOUR // _MINUTE)}{_GAP}min"


FILTERS: Mapping[str, Callable[..., str]] = {
    "day": day,
    "moment": moment,
    "size": size,
    "times": times,
    "figure": figure,
    "duration": duration,
}
