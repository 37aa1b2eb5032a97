"""What the blank-viewer doctor says: one finding a sentence, with where and how to mend it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["wrong", "perhaps", "good"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason, or possible reason, why nothing shows."""

    severity: Severity
    """`wrong` hides the data; `perhaps` may, or is merely odd; `good` was looked at and is fine."""
    code: str
    """The same for the same reason, for programs."""
    what: str
    where: str
    advice: str = ""
    """How to mend it."""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return asdict(self)


def wrong(code: str, where: str, what: str, advice: str) -> Finding:
    """Return a finding that explains a blank view."""
    return Finding(severity="wrong", code=code, what=what, where=where, advice=advice)


def perhaps(code: str, where: str, what: str, advice: str) -> Finding:
    """Return a finding that may explain a blank view."""
    return Finding(severity="perhaps", code=code, what=what, where=where, advice=advice)


def good(code: str, where: str, what: str) -> Finding:
    """Return a finding that explains nothing: this is as it should be."""
    return Finding(severity="good", code=code, what=what, where=where)
