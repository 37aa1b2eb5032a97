"""How the description of the API documents its errors: one body for all of them."""

from typing import Any

from pydantic import BaseModel


class Fault(BaseModel):
    """What went wrong."""

    type: str
    message: str


class Faulty(BaseModel):
    """The body of every error."""

    error: Fault


def _fault(description: str) -> dict[str, Any]:
    return {"model": Faulty, "description": description}


FAULTS: dict[int | str, dict[str, Any]] = {
    400: _fault("A name or box is malformed; the message says how it should be."),
    401: _fault("Nobody is signed in, or the token does not hold."),
    403: _fault("You may not; the message says which role it needs."),
    404: _fault("There is nothing of that name."),
    503: _fault("The storage or the database failed; the message says what to do."),
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: _fault("Somebody else changed it since the version that this change is based on.")
}
UNFIT: dict[int | str, dict[str, Any]] = {
    422: _fault("A value is not allowed; the message names it and what is.")
}
