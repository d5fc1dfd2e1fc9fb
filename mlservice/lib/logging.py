"""The only place that sets up logging: structlog for our words and everybody else's."""

import logging.config
import re
import traceback
from collections.abc import MutableMapping, Sequence
from typing import Any

import structlog

# Whoever holds the end of such a link is taken for its reader, so that neither a log
# nor the operators' desk may show it.
MAILED_LINK = re.compile(r"(/confirm/|/password/[^/\s]+/)[^\s/?\"']+")
# PostgreSQL says of a refused row what stands in it.
ROW_IN_ERROR = re.compile(r"^DETAIL: .*$", flags=re.MULTILINE)
# At DEBUG these write down headers with keys, or statements with their values.
TALKATIVE = ("amqp", "boto3", "botocore", "django.db.backends", "stripe", "urllib3")
# Of a larger group its lines do not say who asked for it.
FEW = 16

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def without_secrets(text: str) -> str:
    """Give a text without the secrets of mailed links and the rows that the database refused."""
    # Every word of every line comes by, and hardly any has one.
    if "/confirm/" in text or "/password/" in text:
        text = MAILED_LINK.sub(r"\1***", text)
    return ROW_IN_ERROR.sub("DETAIL: ***", text) if "DETAIL: " in text else text


def asked_by(request_ids: Sequence[str]) -> dict[str, list[str]]:
    """Name the requests that a small group is for, to be written on its lines."""
    return few(request_ids=request_ids)


def few(**named: Sequence[str]) -> dict[str, list[str]]:
    """Give names for a line, each kind of them as long as they are few."""
    known = {kind: [name for name in names if name] for kind, names in named.items()}
    return {kind: names for kind, names in known.items() if 0 < len(names) <= FEW}


def without_words(error: BaseException) -> dict[str, str]:
    """Say which error rose where, and not what it said."""
    frames = traceback.format_tb(error.__traceback__)
    return {"error": type(error).__name__, "where": "".join(frames)}


def hide_mailed_links(
    logger: Any, name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Take the secrets of mailed links out of a line, whoever wrote it and in whichever word."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = without_secrets(value)
    return event


def configure(options: dict[str, Any]) -> None:
    """Send every log line to standard error: JSON in production, readable in development."""
    renderer = (
        structlog.processors.JSONRenderer()
        if options["json"]
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            hide_mailed_links,
            renderer,
        ],
        "foreign_pre_chain": SHARED,
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            # A worker logs two lines a task; the settlement's own line says more.
            "loggers": {
                name: {"level": "WARNING"}
                for name in ("celery.worker.strategy", "celery.app.trace")
            }
            | {name: {"level": "INFO"} for name in TALKATIVE},
        }
    )
