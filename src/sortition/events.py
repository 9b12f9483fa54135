"""The log of events, on stderr: lines for people on a terminal, JSON otherwise. It never holds a unit's id.

The library that writes it takes as long to import as everything that a sidecar needs for its first answers. So what
runs before those has loggers that import it with their first event, and a start without one does not wait for it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structlog.typing import Processor

__all__ = ["EventLog", "configure_logs", "configure_logs_later"]

# What `configure_logs_later` was told, until it is done.
_later: str | None = None


class EventLog:
    """What ``structlog.get_logger(name)`` is, imported when there is something to tell."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, level: str) -> Any:
        if _later is not None:
            configure_logs(_later)
        import structlog

        return getattr(structlog.get_logger(self._name), level)


def configure_logs_later(level: str) -> None:
    """Does what `configure_logs` does, once there is an event to tell, unless that is called before."""
    global _later
    _later = level


def configure_logs(level: str) -> None:
    """Directs the logs of this process to stderr, from `level` on, those of the standard library's loggers too.

    Args:
        level: debug, info, warning or error.
    """
    import logging

    import structlog

    global _later
    # The usual formatter prints the local variables of a traceback, and with them requests and unit ids.
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    number: int = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    # What libraries tell below a warning is about themselves.
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sortition").setLevel(number)
    _later = None
