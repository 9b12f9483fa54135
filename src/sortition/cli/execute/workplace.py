"""What a command is given: its variant in the environment, its configuration also in a file, a place for metrics."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sortition.cli.execute.variant import Given
from sortition.errors import SettingsError

__all__ = ["INLINE_BYTES", "Workplace", "workplace"]

INLINE_BYTES: Final = 64 * 1024
"""The largest configuration that is in the environment itself: systems take 128 KiB for one variable at most."""


@dataclass(frozen=True)
class Workplace:
    """Where a command finds what it is given.

    Attributes:
        environment: Its environment.
        descriptors: Descriptors of this process by the number they have in the command.
        metrics: The file that its metrics end up in, whichever way it writes them.
    """

    environment: dict[str, str]
    descriptors: dict[int, int]
    metrics: Path


@contextmanager
def workplace(given: Given, unit: str, descriptor: int) -> Iterator[Workplace]:
    """Makes a private directory for one run, and takes it away again.

    Args:
        given: The variant and its configuration.
        unit: The id that was randomized.
        descriptor: The number that the descriptor for metrics has in the command.

    Raises:
        SettingsError: There is no place for temporary files.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="sortition-exec-"))
    except OSError as error:
        text = f"no temporary directory can be made: {error.strerror}; name one that can be written"
        raise SettingsError(f"TMPDIR: {text}", [("TMPDIR", text)]) from None
    opened = -1
    try:
        config, metrics = directory / "config.json", directory / "metrics"
        try:
            config.write_bytes(given.config)
            # Appended to, so that the file and the descriptor are one and the same place.
            opened = os.open(metrics, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            text = f"nothing can be written to {directory}: {error.strerror}; make room"
            raise SettingsError(f"TMPDIR: {text}", [("TMPDIR", text)]) from None
        environment = {
            **os.environ,
            "SORTITION_UNIT": unit,
            "SORTITION_EXPERIMENT": given.experiment,
            "SORTITION_VARIANT": given.variant,
            "SORTITION_REASON": given.reason,
            "SORTITION_CONFIG": given.config.decode(),
            "SORTITION_CONFIG_FILE": str(config),
            "SORTITION_METRICS_FILE": str(metrics),
            "SORTITION_METRICS_FD": str(descriptor),
        }
        if len(given.config) > INLINE_BYTES:
            # Nor may one stay that was meant for whoever runs this.
            del environment["SORTITION_CONFIG"]
        yield Workplace(environment, {descriptor: opened}, metrics)
    finally:
        if opened >= 0:
            os.close(opened)
        shutil.rmtree(directory, ignore_errors=True)
