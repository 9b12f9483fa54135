"""An experimentation sidecar for AI agents: assigns, records, decides and rolls back in one process.

::

    client = sortition.Client()
    with client.assign("search-agent", unit=session_id) as trial:
        answer = search(query, **trial.config)
        trial.record(bytes_read=answer.bytes)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sortition import errors
    from sortition.client import AsyncClient, AsyncTrial, Client, Reason, Trial
    from sortition.core import __version__

__all__ = ["AsyncClient", "AsyncTrial", "Client", "Reason", "Trial", "__version__", "errors"]

# Imported when first asked for, so that the command line does not wait for gRPC.
_HOMES = {
    "AsyncClient": "sortition.client",
    "AsyncTrial": "sortition.client",
    "Client": "sortition.client",
    "Reason": "sortition.client",
    "Trial": "sortition.client",
    "__version__": "sortition.core",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("sortition.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
