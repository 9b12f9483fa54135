"""One sidecar under fault: its clients, its database, and what has to be true of that in the end."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from faults.process import Sidecar
from faults.proxy import Proxy
from faults.shim import Shim
from faults.subject import Subject
from faults.traffic import Traffic
from faults.truth import Truth, Verdict
from postgres import PostgresServer
from sidecars import TIMEOUT_S, connected
from sortition.rpc.v1 import analysis_pb2
from sortition.store import Database, sqlite_url
from waiting import wait_until

__all__ = ["World", "world"]

_STATE = "s"
# What a sidecar that ends without its database says.
_KEPT = "kept for the next start"

# What keeps a drain short, flushes frequent, and a database that is away noticed soon.
_SETTINGS = {"flush_interval_s": 0.1, "database_timeout_s": 1.0, "drain_s": 20, "log_level": "info"}


class World:
    """One sidecar with a database and clients; the clients work whenever it listens.

    Attributes:
        home: Everything of it lies here.
        chance: Decides.
        shim: What the sidecar runs under.
        sidecar: The sidecar.
        truth: What was acknowledged.
        traffic: The clients.
        server: The PostgreSQL server; None with SQLite.
        proxy: What stands between the sidecar and the server, if anything does.
        database_url: The database as the oracle reaches it.
        hits: How often a fault struck, as far as that is left to chance.
    """

    def __init__(
        self,
        home: Path,
        *,
        server: PostgresServer | None = None,
        seed: int = 0,
        clients: int = 3,
        dated: bool = True,
        program: Sequence[str] = ("-m", "sortition"),
        proxied: bool = False,
        **settings: Any,
    ) -> None:
        """Makes a world that has not begun.

        Args:
            home: An empty directory.
            server: Where its database is made; None for SQLite in the state directory.
            seed: Of everything that is left to chance here.
            clients: How many.
            dated: Whether calls say when it happened.
            program: What is run; see `Sidecar`.
            proxied: Whether the sidecar reaches the server through a proxy.
            settings: Of the sidecar.
        """
        self.home = home
        self.chance = random.Random(seed)
        self.shim = Shim(home / "control")
        self.server = server
        self.state = home / "state" / _STATE
        self.database_url = server.new_database(migrated=False) if server else sqlite_url(self.state / "sortition.db")
        self.proxy = Proxy(home / "proxy", server.socket) if server and proxied else None
        self._settings = {**_SETTINGS, **settings}
        if server:
            base = self.database_url.partition("?")[0]
            self._settings["database_url"] = f"{base}?host={home}/proxy" if self.proxy else self.database_url
        self._program = program
        self._clients = clients
        self._dated = dated
        self._seed = seed
        self.sidecar = self.another(self.state)
        self.truth = Truth()
        self.traffic: Traffic | None = None
        self.hits = 0
        self._subject: Subject | None = None
        self._crowds = 0

    def another(self, state: Path, **settings: Any) -> Sidecar:
        """Returns a sidecar on the same database, under the same shim."""
        if state.name != _STATE:
            settings.setdefault("database_url", self._settings.get("database_url", self.database_url))
        return Sidecar(state, {**self._settings, **settings}, environment=self.shim.environment, program=self._program)

    @property
    def clients(self) -> Traffic:
        """The clients, once the world has begun."""
        assert self.traffic is not None
        return self.traffic

    def begin(self) -> None:
        """Starts the sidecar, its experiments and its clients."""
        address = self._start()
        if self.traffic is None:
            with connected(address) as stubs:
                self._subject = Subject.declare(stubs)
            self.traffic = self.more_clients()
        self.traffic.go_to(address)

    def more_clients(self) -> Traffic:
        """Returns clients besides those of the world; whoever asked for them ends them."""
        assert self._subject is not None
        self._crowds += 1
        seed = self._seed * 1000 + self._crowds
        return Traffic(self.truth, self._subject, clients=self._clients, seed=seed, dated=self._dated)

    def _start(self) -> str:
        if not self.sidecar.running:
            self.sidecar.start()
        address = self.sidecar.address()
        assert address is not None, f"the sidecar did not start:\n{self.sidecar.last_words()}"
        return address

    def up(self) -> None:
        """Sees to it that the sidecar runs and the clients know it."""
        self.clients.go_to(self._start())

    def down(self) -> None:
        """Tells the clients that there is no sidecar."""
        if self.traffic is not None:
            self.traffic.go_to(None)

    def kill(self) -> None:
        """Kills the sidecar."""
        self.sidecar.kill()
        self.down()

    def relent(self) -> None:
        """Lets everything that was planned and has not happened pass."""
        self.shim.relent()
        if self.proxy is not None:
            self.proxy.relent()

    def some_time(self, most_s: float) -> None:
        """Lets some time pass, so that what comes next comes at any moment."""
        threading.Event().wait(self.chance.uniform(0, most_s))

    def check(self) -> Verdict:
        """Settles what is in doubt, drains the sidecar, and compares the database with the truth."""
        self.relent()
        self.up()
        self.clients.settle()
        self.down()
        code = self.sidecar.terminate()
        if code != 0 and _KEPT in self.sidecar.last_words():
            # It had been started without the database; it says what waits, and the next start stores it.
            self._start()
            code = self.sidecar.terminate()
        verdict = self.compare()
        if code != 0:
            verdict.wrong.append(f"the sidecar drained with exit code {code}: {self.sidecar.last_words()[-300:]}")
        self.clients.resume()
        return verdict

    def look(self) -> Verdict:
        """Settles what is in doubt, has it flushed, and compares, without an end of the sidecar."""
        self.relent()
        self.up()
        self.clients.settle()
        with connected(self.sidecar.address() or "") as stubs:

            def analyzed() -> bool:
                try:
                    # An analysis is of everything that was recorded before it.
                    stubs.analysis.Analyze(analysis_pb2.AnalyzeRequest(key=Subject.KEYS[0]), timeout=TIMEOUT_S)
                except grpc.RpcError as error:
                    # A database that was away is found again within a few seconds.
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    return False
                return True

            wait_until(analyzed, within_s=TIMEOUT_S, what="the database to be reached")
        verdict = self.compare()
        self.clients.resume()
        return verdict

    def compare(self) -> Verdict:
        """Compares the database as it is with the truth."""
        database = Database.open(self.database_url, create=False, timeout_s=30)
        try:
            verdict = self.truth.compare(database)
        finally:
            database.close()
        verdict.wrong += self.clients.problems
        return verdict

    def end(self) -> None:
        """Ends the clients and the sidecar."""
        if self.traffic is not None:
            self.traffic.end()
        self.sidecar.kill()
        if self.proxy is not None:
            self.proxy.close()
        if self.server is not None:
            self.server.drop(self.database_url)


@contextmanager
def world(**options: Any) -> Iterator[World]:
    """Makes a world in a directory of its own; everything of it is gone afterwards."""
    # A socket's path has to be short, which those of pytest are not.
    home = Path(tempfile.mkdtemp(prefix="sortition-faults-"))
    try:
        made = World(home, **options)
        try:
            yield made
        finally:
            made.end()
    finally:
        shutil.rmtree(home, ignore_errors=True)
