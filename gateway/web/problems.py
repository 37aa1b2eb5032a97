"""The one table from errors to HTTP statuses; the message is the one the CLI prints."""

from http import HTTPStatus

from gateway import errors

_TABLE: tuple[tuple[type[errors.GatewayError], HTTPStatus], ...] = (
    (errors.SignInError, HTTPStatus.UNAUTHORIZED),
    (errors.ForbiddenError, HTTPStatus.FORBIDDEN),
    (errors.ToolNotFoundError, HTTPStatus.NOT_FOUND),
    (errors.NotFoundError, HTTPStatus.NOT_FOUND),
    (errors.ExistsError, HTTPStatus.CONFLICT),
    (errors.ConflictError, HTTPStatus.CONFLICT),
    (errors.LimitError, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.RefError, HTTPStatus.BAD_REQUEST),
    (errors.BoxError, HTTPStatus.BAD_REQUEST),
    (errors.CallError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.FormatError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.PlanError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.CorruptionError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (errors.StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(error: BaseException) -> int:
    """Return the status of an error; 500 for what the table does not name."""
    found = (status for kind, status in _TABLE if isinstance(error, kind))
    return int(next(found, HTTPStatus.INTERNAL_SERVER_ERROR))


def problem(error: errors.GatewayError) -> dict[str, dict[str, str]]:
    """Return the body of an error, the same for every route."""
    return {"error": {"type": type(error).__name__, "message": str(error)}}
