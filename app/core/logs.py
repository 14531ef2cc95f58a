"""Structured logs with a request or message id, and no secret in them."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from app.core.settings import Settings

_SECRET_WORDS = ("password", "token", "secret", "authorization", "code", "cookie", "credential")
_PLAIN = {"code", "status_code", "problem_code", "reason_code"}


def hide_secrets(_logger: Any, _method: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Blank every value whose name says that it is a secret."""
    for key in entry:
        if (
            key not in {"problem", "event"}
            and key not in _PLAIN - {"code"}
            and any(word in key.lower() for word in _SECRET_WORDS)
        ):
            entry[key] = "[hidden]"
    return entry


def set_up_logs(settings: Settings, process: str) -> None:
    """Send structlog and the standard library's loggers to standard error in one format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=30, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.format_exc_info] if settings.log_format == "json" else []),
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("apscheduler", "alembic", "urllib3", "google"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)


def get_log(name: str) -> Any:
    """Return a logger; its calls take an event and named values."""
    return structlog.get_logger(name)
