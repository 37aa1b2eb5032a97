"""Short texts that people give: notes and names to show."""

from gateway.errors import CallError


def check_text(what: str, text: str, longest: int = 200) -> str:
    """Return a text without the blanks around it.

    Raises:
        CallError: It is too long, or has control characters, which not every database keeps.
    """
    kept = text.strip()
    if len(kept) > longest:
        raise CallError(f"{what} has {len(kept)} characters; at most {longest}")
    odd = sorted({c for c in kept if ord(c) < ord(" ")})
    if odd:
        raise CallError(f"{what} has control characters ({', '.join(map(ascii, odd))}); one line")
    return kept
