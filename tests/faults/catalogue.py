"""The faults: what one cycle of each does to a world. What it did not break is found out afterwards, by the world."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from faults.proxy import Cut
from faults.shim import Action, Kind
from faults.world import World
from postgres import frozen
from sidecars import locked
from waiting import wait_until

__all__ = ["FAULTS", "Fault"]

_LOG = "/log/"
_DATABASE = "sortition.db"
_KILLS = (Action.KILL_BEFORE, Action.KILL_AFTER, Action.KILL_HALFWAY)
_HOUR_S = 3600.0
# Where the log is damaged, and what can be done about it.
_REFUSAL = re.compile(r"segment-[0-9a-f]+\.log")
_BOTH = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: On the command line.
        text: In the table.
        cycle: Lets it happen once.
        full: How many cycles a campaign has.
        databases: Where it can happen.
        together: How many cycles there are between two comparisons.
        fresh: Whether every cycle needs a world that has not begun.
        options: Of the world.
        needs_root: Whether only root can bring it about.
    """

    name: str
    text: str
    cycle: Callable[[World], None]
    full: int = 50
    databases: tuple[str, ...] = _BOTH
    together: int = 10
    fresh: bool = False
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    needs_root: bool = False

    @property
    def available(self) -> bool:
        """Whether this process can bring it about."""
        return not self.needs_root or os.geteuid() == 0


def _kill(world: World) -> None:
    """At any moment, also during the start."""
    world.up()
    if world.chance.random() < 0.7:
        world.clients.wait_for(world.chance.randint(1, 300))
    else:
        world.some_time(0.5)
    world.kill()
    if world.chance.random() < 0.25:
        world.sidecar.start()
        world.some_time(1.2)
        world.sidecar.kill()
    world.hits += 1


def _crash(world: World, where: str, kinds: Kind, actions: tuple[Action, ...], most: int) -> None:
    """Dies at one of its next operations on files, either in the middle of work or while it starts."""
    action, first, portion = world.chance.choice(actions), world.chance.randint(1, most), world.chance.random()
    if world.chance.random() < 0.75:
        world.up()
        world.shim.plan(action, where, kinds, first=first, portion=portion)
        world.clients.wait_for(600, unless=lambda: not world.sidecar.running)
    elif not world.sidecar.running:
        world.shim.plan(action, where, kinds, first=first, portion=portion)
        world.sidecar.start()
        if world.sidecar.address() is not None:
            world.up()
            world.clients.wait_for(300, unless=lambda: not world.sidecar.running)
    world.hits += not world.sidecar.running
    world.kill()
    world.relent()


def _crash_in_append(world: World) -> None:
    _crash(world, _LOG, Kind.WRITE, _KILLS, 300)


def _crash_in_rotation(world: World) -> None:
    kinds = world.chance.choice((Kind.CREATE | Kind.RENAME, Kind.UNLINK | Kind.TRUNCATE, Kind.SYNC))
    _crash(world, _LOG, kinds, (Action.KILL_BEFORE, Action.KILL_AFTER), 6)


def _crash_in_flush(world: World) -> None:
    if world.proxy is None:
        _crash(world, _DATABASE, Kind.ANY, _KILLS, 120)
        return
    world.up()
    cut = world.chance.choice((Cut.NOT_SENT, Cut.REPLY_LOST))
    world.proxy.plan(cut, world.chance.randint(1, 6), then=world.sidecar.kill)
    world.clients.wait_for(2000, unless=lambda: not world.sidecar.running)
    world.hits += not world.sidecar.running
    world.kill()
    world.relent()


def _torn_tail(world: World) -> None:
    world.up()
    first, portion = world.chance.randint(1, 200), world.chance.random()
    world.shim.plan(Action.KILL_HALFWAY, _LOG, Kind.WRITE, first=first, portion=portion)
    world.clients.wait_for(1000, unless=lambda: not world.sidecar.running)
    world.hits += not world.sidecar.running
    world.kill()
    world.relent()


def _bit_flip(world: World) -> None:
    """One bit of what was logged: the sidecar has to refuse to start, or not to need that bit."""
    world.up()
    world.clients.wait_for(world.chance.randint(20, 200))
    world.kill()
    files = sorted(path for path in (world.state / "log").rglob("segment-*.log") if path.stat().st_size)
    # The older ones are mostly kept in case, and not needed any more.
    damaged = files[-1] if world.chance.random() < 0.5 else world.chance.choice(files)
    whole = damaged.read_bytes()
    place = world.chance.randrange(len(whole))
    bit = 1 << world.chance.randrange(8)
    damaged.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
    world.sidecar.start()
    if world.sidecar.address() is None:
        said = world.sidecar.last_words()
        assert _REFUSAL.search(said), said
        world.hits += 1
        damaged.write_bytes(whole)
    else:
        world.kill()


def _refused_then_recovers(world: World, fault: Callable[[World], Any], lift: Callable[[World], Any]) -> None:
    """What fails while a fault lasts works again once it has ended, at the latest after a restart."""
    world.up()
    world.clients.wait_for(30)
    failed = world.clients.failed
    fault(world)
    wait_until(lambda: world.clients.failed > failed + 20, within_s=20, what="a call that is refused")
    world.some_time(0.3)
    if world.chance.random() < 0.5:
        # What it could not write lies where it broke off.
        world.kill()
    lift(world)
    world.up()
    world.hits += 1


def _disk_full(world: World) -> None:
    first, portion = world.chance.randint(1, 20), world.chance.random()

    def fill(world: World) -> None:
        world.shim.plan(Action.NO_SPACE_HALFWAY, "/state/", Kind.WRITE | Kind.CREATE, first=first, portion=portion)

    _refused_then_recovers(world, fill, lambda world: world.shim.relent())
    # It recovers by itself.
    world.clients.wait_for(100)


def _file_system_full(world: World) -> None:
    filler = world.state.parent / "filler"

    def fill(_: World) -> None:
        with filler.open("ab", buffering=0) as file:
            for size in (1 << 16, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    _refused_then_recovers(world, fill, lambda _: filler.unlink())
    world.clients.wait_for(100)


def _io_error(world: World) -> None:
    """A failed write is tried again; after a failed sync nothing is recorded until the sidecar starts anew."""
    world.up()
    world.clients.wait_for(30)
    kinds = world.chance.choice((Kind.WRITE, Kind.SYNC, Kind.WRITE | Kind.SYNC | Kind.CREATE))
    where = world.chance.choice((_LOG, _DATABASE)) if world.server is None else _LOG
    first = world.chance.randint(1, 30 if kinds & Kind.WRITE else 5)
    world.shim.plan(Action.IO_ERROR, where, kinds, first=first, last=first + world.chance.randint(0, 3))
    world.clients.wait_for(200, unless=lambda: world.shim.seen >= first)
    world.some_time(0.5)
    world.hits += world.shim.seen >= first
    world.shim.relent()
    _drain_or_kill(world)


def _drain_or_kill(world: World) -> None:
    if world.chance.random() < 0.5:
        world.down()
        world.sidecar.terminate()
    else:
        world.kill()


@contextlib.contextmanager
def _database_away(world: World) -> Iterator[None]:
    if world.server is None:
        with locked(world.state / _DATABASE):
            yield
    else:
        world.server.kill()
        try:
            yield
        finally:
            world.server.start()


def _away_for_days(world: World) -> None:
    """Three days, six hours at a time."""
    world.up()
    world.clients.wait_for(30)
    with _database_away(world):
        for step in range(1, 13):
            world.shim.set_clock(step * 6 * _HOUR_S)
            world.clients.wait_for(30)
            if world.chance.random() < 0.1:
                world.kill()
                world.up()
    world.hits += 1
    world.clients.wait_for(30)
    world.shim.set_clock(0)


def _database_frozen(world: World) -> None:
    world.up()
    world.clients.wait_for(30)
    with locked(world.state / _DATABASE) if world.server is None else frozen(world.server):
        # Nobody waits for it.
        world.clients.wait_for(500)
        world.some_time(2.5)
        world.clients.wait_for(100)
    world.hits += 1
    world.clients.wait_for(100)


def _commit_cut(world: World) -> None:
    assert world.proxy is not None
    world.up()
    cuts = world.proxy.cuts
    world.proxy.plan(world.chance.choice(list(Cut)), world.chance.randint(1, 6))
    wait_until(lambda: world.proxy is not None and world.proxy.cuts > cuts, within_s=30, what="the cut")
    world.hits += 1
    world.clients.wait_for(100)


def _server_killed(world: World) -> None:
    assert world.server is not None
    world.up()
    world.clients.wait_for(world.chance.randint(1, 200))
    world.server.kill()
    world.clients.wait_for(100)
    world.server.start()
    world.hits += 1
    world.clients.wait_for(100)


def _started_twice(world: World) -> None:
    world.up()
    world.clients.wait_for(30)
    second = world.another(world.state)
    second.start(beside=True)
    try:
        wait_until(lambda: not second.running, within_s=10, what="the end of a second sidecar")
    finally:
        second.kill()
    assert second.end() != 0
    assert "is in use by another sidecar" in second.last_words(), second.last_words()
    world.hits += 1
    world.clients.wait_for(100)


def _one_name(world: World) -> None:
    """Another sidecar with a state directory of its own takes the name; both have clients."""
    world.up()
    world.clients.wait_for(30)
    other = world.another(world.state.with_name("other"))
    other.start()
    clients = world.more_clients()
    try:
        clients.go_to(other.address())
        clients.wait_for(50)
        world.clients.wait_for(50)
        if world.chance.random() < 0.3:
            world.kill()
            world.up()
            world.clients.wait_for(50)
        clients.settle()
        assert other.terminate() == 0, other.last_words()
    finally:
        clients.end()
        other.kill()
    world.hits += 1


def _restarted(world: World) -> None:
    """Calls that were acknowledged before a restart come again, in any order, behind it."""
    world.up()
    world.clients.wait_for(300)
    _drain_or_kill(world)
    world.up()
    world.clients.wait_for(100)
    world.hits += 1


def _clock_steps(world: World) -> None:
    world.up()
    world.clients.wait_for(50)
    world.shim.set_clock(world.chance.choice((-25, 25, 0)) * _HOUR_S)
    world.clients.wait_for(100)
    if world.chance.random() < 0.5:
        world.kill()
        world.shim.set_clock(world.chance.choice((-25, 25, 0)) * _HOUR_S)
    world.hits += 1


def _terminated(world: World) -> None:
    """In the middle of calls."""
    world.up()
    world.clients.wait_for(world.chance.randint(1, 200))
    code = world.sidecar.terminate()
    world.down()
    assert code == 0, world.sidecar.last_words()
    world.hits += 1


def _terminated_without_database(world: World) -> None:
    world.up()
    world.clients.wait_for(world.chance.randint(30, 200))
    with _database_away(world):
        world.clients.wait_for(50)
        world.sidecar.terminate()
        world.down()
    world.hits += 1


def _killed_while_migrating(world: World) -> None:
    if world.proxy is None:
        world.shim.plan(world.chance.choice(_KILLS), _DATABASE, first=world.chance.randint(1, 150))
        world.sidecar.start()
        died = world.sidecar.address() is None
    else:
        cut = world.chance.choice((Cut.NOT_SENT, Cut.REPLY_LOST))
        world.proxy.plan(cut, world.chance.randint(1, 3), then=world.sidecar.kill)
        world.sidecar.start()
        died = world.sidecar.address() is None
    world.hits += died
    world.relent()
    world.begin()
    world.clients.wait_for(50)


def small_file_system(directory: Path) -> None:
    """Puts a file system on a directory that is soon full."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(directory)], check=True)


_CLOCK = MappingProxyType({"dated": False})
_NAMED = MappingProxyType({"writer": "the-same"})
_CROWD = MappingProxyType({"clients": 30})
_PROXIED = MappingProxyType({"proxied": True})

FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill", "kill -9 at random", _kill, full=1000, together=25),
        Fault("append", "crash in the middle of an append", _crash_in_append, full=200),
        Fault("rotation", "crash while segments are begun, synced or cut", _crash_in_rotation, full=200),
        Fault("flush", "crash in the middle of a flush", _crash_in_flush, full=200, options=_PROXIED),
        Fault("torn-tail", "torn tail, cut anywhere", _torn_tail, full=200, databases=("sqlite",)),
        Fault("bit-flip", "a flipped bit in the log", _bit_flip, full=100, databases=("sqlite",)),
        Fault("no-space", "disk full and back: writes are cut short, then refused", _disk_full, full=50),
        Fault("full", "disk full and back: a small file system", _file_system_full, full=25, needs_root=True),
        Fault("io-error", "EIO on the Nth write or sync", _io_error, full=100),
        Fault("away", "database away for 72 h, compressed", _away_for_days, full=10, together=1, options=_CLOCK),
        Fault("frozen", "database frozen (SIGSTOP, a held lock)", _database_frozen, full=20, together=2),
        Fault("commit", "COMMIT or its reply cut", _commit_cut, full=100, databases=("postgresql",), options=_PROXIED),
        Fault("server", "PostgreSQL killed", _server_killed, full=30, databases=("postgresql",), together=3),
        Fault("twice", "one state directory started twice", _started_twice, full=20),
        Fault("name", "two sidecars with one name", _one_name, full=20, options=_NAMED),
        Fault("restart", "duplicated and reordered calls across restarts", _restarted, full=100),
        Fault("clock", "clock steps of ±25 h", _clock_steps, full=50, options=_CLOCK),
        Fault("overload", "kill -9 under ten times the load", _kill, full=50, options=_CROWD),
        Fault("sigterm", "SIGTERM in the middle of calls", _terminated, full=100),
        Fault("sigterm-away", "SIGTERM with the database away", _terminated_without_database, full=30, together=3),
        Fault(
            "migration",
            "kill -9 during the migration",
            _killed_while_migrating,
            full=50,
            fresh=True,
            options=_PROXIED,
        ),
    )
}
