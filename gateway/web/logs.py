"""The log of the web service: one line a request, as text or JSON, and never a secret in it."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

REQUESTS = logging.getLogger("gateway.web.requests")
_TOKEN = re.compile(r"(^|/)s/[^/\s\"'?]+")
_QUERY = re.compile(r"(?i)([?&][a-z_\-]*(?:key|token|code|state|secret|password)=)[^&\s\"']+")
_BEARER = re.compile(r"(?i)(bearer\s+|gateway_session(?:_[0-9]+)?=)[^\s;\"',]+")
_HIDDEN = "…"


def redact(text: str) -> str:
    """Return a text without share tokens, bearer tokens, session cookies and secrets of queries."""
    text = _TOKEN.sub(rf"\1s/{_HIDDEN}", text)
    text = _QUERY.sub(rf"\1{_HIDDEN}", text)
    return _BEARER.sub(rf"\1{_HIDDEN}", text)


def set_up_logs(*, as_json: bool) -> None:
    """Send the log of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if as_json else _Text())
    for name in ("gateway", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger("gateway").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        facts = getattr(record, "facts", None)
        fields |= facts if facts is not None else {"message": redact(record.getMessage())}
        if record.exc_info:
            fields["trace"] = redact(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


class _Text(logging.Formatter):
    """One line for people."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
        facts = getattr(record, "facts", None)
        said = (
            "{method} {path} {status} {ms} ms {bytes} B {actor}".format(**facts)
            if facts is not None
            else redact(record.getMessage())
        )
        line = f"{at} {record.levelname.lower()} {said}"
        if record.exc_info:
            line += "\n" + redact(self.formatException(record.exc_info))
        return line
