"""Logs as JSON lines on standard error, one line a request; never a token, a body or an argument."""

import logging
import sys
from datetime import UTC, datetime

from pydantic_core import to_json

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever `extra` held."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; an exception's traceback goes into one field."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = record.__dict__
        line.update({name: given[name] for name in given.keys() - _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(line, fallback=str).decode()


def configure_logging(level: str = "INFO") -> None:
    """Sends all loggers, uvicorn's too, to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    keep_libraries_quiet()


def keep_libraries_quiet() -> None:
    """Clients of other services would log addresses, which hold arguments; what they meet is told by us."""
    logging.getLogger("mcp").setLevel(logging.WARNING)
    for name in ("httpx", "httpx2", "client", "mcp.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
