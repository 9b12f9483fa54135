"""The first stage of a start: the native lane answers from what was kept on disk, before anything slow is imported.

A database, its driver and the statistics take seconds to import and to open, and none of them is needed to assign and
to record. So where a sidecar has run before, its lane listens as soon as its log is read; everything else follows.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass

from sortition.core import Engine
from sortition.errors import SortitionError
from sortition.service.entrance import Entrance
from sortition.service.lane import NativeLane
from sortition.service.outcomes import open_engine
from sortition.settings import Settings
from sortition.state import StateDirectory
from sortition.state.holds import hold_again
from sortition.state.snapshot import load_local
from sortition.state.units import KeptUnits

__all__ = ["First"]


@dataclass(frozen=True)
class First:
    """What answers already. Whoever has it closes each of them.

    Attributes:
        state: The state directory, locked.
        engine: The engine, with the last good snapshot.
        entrance: Who may come in.
        units: Who was exposed before weights changed; the engine knows.
        lane: The native lane.
    """

    state: StateDirectory
    engine: Engine
    entrance: Entrance
    units: KeptUnits
    lane: NativeLane

    @classmethod
    def open(cls, settings: Settings) -> First | None:
        """Begins to answer, where that can be done with what was kept of this very database.

        None where it cannot be done, for whatever reason: the whole start, which follows, tells it.

        Args:
            settings: Those of the sidecar.
        """
        kept = settings.state_dir / "snapshot"
        if settings.lane == "off" or not kept.exists():
            return None
        with suppress(SortitionError, OSError):
            return _open(settings)
        return None


def _open(settings: Settings) -> First | None:
    # Whatever it does not come to the end of is undone, the last first.
    with ExitStack() as undo:
        state = StateDirectory(settings.state_dir)
        undo.callback(state.close)
        key = state.kept_key_of(settings.database_url)
        if key is None:
            return None
        entrance = Entrance.open(settings)
        engine = open_engine(settings, state, key)
        undo.callback(engine.close)
        # Both before the snapshot: what was paused, and who was exposed, is never answered otherwise.
        hold_again(engine, state.held)
        units = KeptUnits(engine, state.units)
        units.load()
        if not load_local(engine, state.snapshot):
            return None
        lane = NativeLane.open(settings, engine, entrance)
        if lane is None:
            return None
        undo.callback(lane.stop, 0)
        state.announce_lane(lane.address)
        undo.pop_all()
        return First(state, engine, entrance, units, lane)
