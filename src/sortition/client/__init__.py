"""The client: asks the sidecar for a variant, and says how it went.

`Client` is for ordinary code and threads, `AsyncClient` for asyncio. Both speak the same protocol, which is written
once (`protocol.py`) and knows neither sockets nor event loops.
"""

from sortition.client.aio import AsyncClient, AsyncTrial
from sortition.client.answer import Answer, Reason
from sortition.client.local.source import SnapshotFile, SnapshotSource
from sortition.client.stats import ClientStats
from sortition.client.sync import Client, Trial

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncTrial",
    "Client",
    "ClientStats",
    "Reason",
    "SnapshotFile",
    "SnapshotSource",
    "Trial",
]
