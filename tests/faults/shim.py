"""Faults of files and of the clock, for the binary as it is shipped: see shim.c."""

from __future__ import annotations

import enum
import hashlib
import mmap
import os
import struct
import subprocess
import tempfile
from pathlib import Path

__all__ = ["Action", "Kind", "Shim"]

_SOURCE = Path(__file__).with_name("shim.c")
# The layout of `struct control`.
_CLOCK, _SEEN, _ACTION, _KINDS, _PORTION, _WHERE = 0, 8, 32, 36, 40, 44
_WHERE_BYTES = 208
_SIZE = 256
_FOREVER = 2**62


class Kind(enum.IntFlag):
    """What is done to a file."""

    WRITE = 1
    SYNC = 2
    CREATE = 4
    RENAME = 8
    UNLINK = 16
    TRUNCATE = 32
    ANY = 63


class Action(enum.IntEnum):
    """What becomes of it."""

    NOTHING = 0
    KILL_BEFORE = 1
    KILL_AFTER = 2
    KILL_HALFWAY = 3
    NO_SPACE = 4
    NO_SPACE_HALFWAY = 5
    IO_ERROR = 6


class Shim:
    """Faults that can be planned while a process runs under the shim; one plan at a time."""

    def __init__(self, control: Path) -> None:
        """Makes the file `control`, which says that nothing goes wrong."""
        control.write_bytes(bytes(_SIZE))
        self._path = control
        with control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to run under the shim."""
        # The engine's clock dates outcomes and ages what is remembered.
        return {"LD_PRELOAD": str(_built()), "FAULTS_CONTROL": str(self._path), "FAULTS_CLOCK_OF": "_core.abi3"}

    def plan(
        self,
        action: Action,
        where: str,
        kinds: Kind = Kind.ANY,
        *,
        first: int = 1,
        last: int = _FOREVER,
        portion: float = 0.5,
    ) -> None:
        """Makes operations go wrong: of these kinds, on paths that contain `where`, the `first` to the `last` from now.

        Of a write that is cut, `portion` is done.
        """
        encoded = where.encode()
        assert 0 < len(encoded) < _WHERE_BYTES
        self.relent()
        self._map[_WHERE : _WHERE + _WHERE_BYTES] = encoded.ljust(_WHERE_BYTES, b"\0")
        struct.pack_into("=qqq", self._map, _SEEN, 0, first, last)
        struct.pack_into("=i", self._map, _PORTION, int(portion * 256))
        struct.pack_into("=i", self._map, _ACTION, action)
        # The last, for it lets the operations be counted.
        struct.pack_into("=i", self._map, _KINDS, kinds)

    def relent(self) -> None:
        """Lets everything pass again."""
        struct.pack_into("=ii", self._map, _ACTION, Action.NOTHING, 0)

    @property
    def seen(self) -> int:
        """How many operations the plan has counted."""
        count: int = struct.unpack_from("=q", self._map, _SEEN)[0]
        return count

    def set_clock(self, ahead_s: float) -> None:
        """Lets the engine see a clock that is so far ahead of the true one."""
        struct.pack_into("=q", self._map, _CLOCK, int(ahead_s * 1e9))


def _built() -> Path:
    """Compiles the shim, once for each version of its source; a linker is there wherever Rust is."""
    name = f"sortition-shim-{os.getuid()}-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]}.so"
    built = Path(tempfile.gettempdir()) / name
    if not built.exists():
        handle, scratch = tempfile.mkstemp(dir=built.parent)
        os.close(handle)
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", scratch, str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True, timeout=60)
        os.replace(scratch, built)
    return built
