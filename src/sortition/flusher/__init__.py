"""Flushing: sealed batches go from the core to the store, each exactly once."""

from __future__ import annotations

from sortition.flusher.flusher import Flusher, FlushState

__all__ = ["FlushState", "Flusher"]
