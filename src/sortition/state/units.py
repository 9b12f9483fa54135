"""Who was exposed before the weights of experiments changed, as one sidecar knows it: in the engine and on disk."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.events import EventLog
from sortition.files import replace_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ExposedUnits", "KeptUnits"]

_log = EventLog("sortition.state")
_FORMAT: Final = 1


@dataclass(frozen=True)
class ExposedUnits:
    """Units of one experiment; the arrays have one length.

    Attributes:
        hashes: Their keyed hashes, int64.
        variants: The indices of the variants that they were first exposed to, uint16.
        generations: The numbers of the allocations that they were first exposed under, uint16.
    """

    hashes: NDArray[np.int64]
    variants: NDArray[np.uint16]
    generations: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.hashes)


@dataclass
class KeptUnits:
    """Keeps what an engine was told about exposed units, so that a sidecar starts with it while its database is away.

    Without it, such a sidecar would answer by the first allocation, and move whom later ones have exposed.
    """

    engine: Engine
    path: Path
    _known: dict[str, tuple[int, ExposedUnits]] = field(default_factory=dict)

    def load(self) -> None:
        """Tells the engine what is on disk; what is damaged is logged and ignored. Before any snapshot is loaded."""
        try:
            for experiment_id, through, units in _read(self.path):
                self._tell(experiment_id, through, units)
        except (OSError, ValueError, KeyError, EOFError, SortitionError) as error:
            _log.error("who was exposed before weights changed is not known", path=str(self.path), error=str(error))

    def through(self, experiment_id: str) -> int:
        """Returns the number of the allocation up to which an experiment's units are known; 0 where none are."""
        return self._known[experiment_id][0] if experiment_id in self._known else 0

    def put(self, experiment_id: str, through: int, units: ExposedUnits) -> None:
        """Lets an allocation decide, now that the units that were exposed before it are known."""
        self._tell(experiment_id, through, units)
        self._write()

    def retain(self, experiment_ids: set[str]) -> None:
        """Forgets on disk every experiment but these: they are over."""
        over = self._known.keys() - experiment_ids
        if over:
            for experiment_id in over:
                del self._known[experiment_id]
            self._write()

    def _tell(self, experiment_id: str, through: int, units: ExposedUnits) -> None:
        self.engine.keep_units(
            experiment_id,
            through,
            units.hashes.astype("<i8").tobytes(),
            units.variants.astype("<u2").tobytes(),
            units.generations.astype("<u2").tobytes(),
        )
        self._known[experiment_id] = (through, units)

    def _write(self) -> None:
        import numpy as np

        arrays: dict[str, NDArray[Any]] = {}
        head = []
        for index, (experiment_id, (through, units)) in enumerate(self._known.items()):
            head.append([experiment_id, through])
            arrays |= {f"h{index}": units.hashes, f"v{index}": units.variants, f"g{index}": units.generations}
        text = json.dumps({"format": _FORMAT, "experiments": head}).encode()
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, head=np.frombuffer(text, dtype=np.uint8), **arrays)
        try:
            replace_file(self.path, content.getvalue())
        except OSError as error:
            _log.error("who was exposed before weights changed is not kept", path=str(self.path), error=str(error))


def _read(path: Path) -> list[tuple[str, int, ExposedUnits]]:
    if not path.exists():
        return []
    # Few sidecars have any, and the start of the others does not wait for it.
    import numpy as np

    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
        head = json.loads(stored["head"].tobytes())
        if head["format"] != _FORMAT:
            raise ValueError(f"its format is {head['format']}")
        return [
            (experiment_id, through, ExposedUnits(stored[f"h{index}"], stored[f"v{index}"], stored[f"g{index}"]))
            for index, (experiment_id, through) in enumerate(head["experiments"])
        ]
