"""Secrets and the ids of units go through everything a sidecar does, and are found nowhere behind it."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from secure import bearer, make_certificate, make_tokens, replace, secured, stubs_with
from sidecars import ACTOR, KEY, SUBJECT, TIMEOUT_S, Stubs, assign, outcome, start_experiment
from sortition import locations
from sortition.client import Client
from sortition.rpc.v1 import admin_pb2, analysis_pb2, assignment_pb2, recording_pb2
from waiting import wait_until

UNIT = "canary-unit-7c1e0d5b"
PASSWORD = "canary-password-93ab42"

# A sidecar whose methods have defects, so that tracebacks are written with requests and units on the stack.
PROGRAM = """
import json, sys
from sortition.api import data
from sortition.api.analysis import Analysis
from sortition.service import serve
from sortition.settings import load

def power(self, request):
    unit = request.key
    raise RuntimeError("a planted defect")

def check_answer(answer, advice):
    raise ZeroDivisionError("another planted defect")

Analysis.power = power
data.check_answer = check_answer
serve(load(json.loads(sys.argv[1]), config=sys.argv[2] or None))
"""


class Seen:
    """Everything that somebody else could read."""

    def __init__(self) -> None:
        self.places: dict[str, bytes] = {}

    def add(self, place: str, content: bytes | str) -> None:
        raw = content.encode() if isinstance(content, str) else content
        self.places[place] = self.places.get(place, b"") + raw

    def files(self, directory: Path, name: str) -> int:
        """Reads every file below a directory; returns how many there were."""
        found = [path for path in directory.rglob("*") if path.is_file()]
        for path in found:
            self.add(f"{name}: {path.relative_to(directory)}", path.read_bytes())
        return len(found)

    def error(self, error: grpc.RpcError) -> None:
        call: Any = error
        self.add("errors", f"{error}\n{call.details()}\n{call.debug_error_string()}\n")
        for key, value in (*call.initial_metadata(), *call.trailing_metadata()):
            self.add("errors", f"{key}: ".encode() + (value if isinstance(value, bytes) else value.encode()) + b"\n")

    def process(self, pid: int) -> int:
        """Reads what /proc tells of a process and of its children; returns how many processes there were."""
        family = [pid, *_children(pid)]
        for each in family:
            for name in ("cmdline", "environ", "comm"):
                self.add(f"/proc/{name}", Path(f"/proc/{each}/{name}").read_bytes())
        return len(family)

    def holders(self, canary: str) -> list[str]:
        """Returns the places that hold a canary, as it is or in a form from which it is easily had."""
        raw = canary.encode()
        forms = [raw, raw.hex().encode(), canary.encode("utf-16-le")]
        # In base64 its first and last letters depend on its neighbours.
        forms += [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
        return [place for place, content in self.places.items() if any(form in content for form in forms)]


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return [each for child in found for each in (child, *_children(child))]


@contextmanager
def sidecar(state: Path, seen: Seen, config: Path | str = "", **flags: Any) -> Iterator[subprocess.Popen[str]]:
    """Runs a sidecar of its own; what it writes is seen."""
    settings = {"state_dir": str(state), "listen": "127.0.0.1:0", "log_level": "debug", "drain_s": 5, **flags}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SORTITION_")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(settings), str(config)],
        env={**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        seen.add("output", process.communicate(timeout=60)[0])
    finally:
        process.kill()
        process.communicate()


def address_of(state: Path, process: subprocess.Popen[str]) -> str:
    endpoint = locations.endpoint_file(state)
    wait_until(lambda: endpoint.exists() or process.poll() is not None, within_s=30, what="the endpoint")
    return endpoint.read_text().strip()


def use(stubs: Stubs, plain: grpc.Channel, seen: Seen, tokens: list[str]) -> int:
    """Does what can be done with a unit, right and wrong, and also over a channel that brings no token of its own.

    Returns:
        How much of it was refused.
    """
    start_experiment(stubs)
    variant = assign(stubs, UNIT).variant
    good, refused = outcome(UNIT, variant, 1.0), 0
    asked = assignment_pb2.AssignRequest(experiment=KEY, unit=UNIT)
    key = recording_pb2.Delivery(idempotency_key=b"k")
    stubs.recording.Record(recording_pb2.RecordRequest(outcome=good, delivery=key), timeout=TIMEOUT_S)
    half = outcome(UNIT, variant, float("nan")).SerializeToString()
    wrong: list[tuple[str, Any]] = [
        ("Assignment/Assign", assignment_pb2.AssignRequest(experiment="other", unit=UNIT * 40)),
        (
            "Assignment/Assign",
            assignment_pb2.AssignRequest(unit=UNIT, subject=SUBJECT, known_config_hashes=[b"x"] * 65),
        ),
        ("Assignment/Assign", asked.SerializeToString() + b"\xff"),
        ("Assignment/Assign", asked.SerializeToString() * 20_000),
        ("Assignment/Expose", assignment_pb2.ExposeRequest(experiment="other", unit=UNIT)),
        ("Assignment/AssignBatch", assignment_pb2.AssignBatchRequest(requests=[asked])),
        ("Recording/Record", recording_pb2.RecordRequest(outcome=outcome(UNIT, "neither", float("nan")))),
        ("Recording/Record", recording_pb2.RecordRequest(outcome=outcome(UNIT, variant, 2.0), delivery=key)),
        ("Recording/RecordBatch", recording_pb2.RecordBatchRequest(outcomes=[outcome(UNIT, variant, -1.0)])),
        ("Recording/RecordBatch", b"\x0a" + bytes([len(half) + 7]) + half),
        ("Analysis/Power", analysis_pb2.PowerRequest(key=UNIT)),
        ("Admin/StartExperiment", b"\x0a\xff" + UNIT.encode()),
    ]
    for method, request in wrong:
        raw = request if isinstance(request, bytes) else request.SerializeToString()
        for metadata in (
            None,
            *(((("authorization", f"Basic {token}"),)) for token in tokens),
            bearer(tokens[0] + "x"),
        ):
            channel: Any = stubs.channel if metadata is None else plain
            try:
                channel.unary_unary(f"/sortition.rpc.v1.{method}", None, None)(
                    raw, metadata=metadata, timeout=TIMEOUT_S
                )
            except grpc.RpcError as error:
                seen.error(error)
                refused += 1
    return refused


def test_a_secret_and_a_unit_go_through_everything_and_are_found_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state, seen = tmp_path / "state", Seen()
    tokens = make_tokens(state)
    made = make_certificate(tmp_path / "tls", trustme.CA())
    flags = {"tls_certificate": str(made.certificate), "tls_key": str(made.key)}
    caplog.set_level(logging.DEBUG)

    with sidecar(state, seen, **flags) as process:
        address = address_of(state, process)
        with secured(address, made.authority) as channel:
            stubs = stubs_with(channel, tokens.admin)
            refused = use(stubs, channel, seen, [tokens.admin, tokens.agent])
            with Client(address, token=tokens.agent, tls_ca=made.authority, timeout_s=5) as client:
                with client.assign("search-agent", unit=UNIT) as trial:
                    trial.record(nonsense=1.0)
                seen.add("client", repr(client) + repr(vars(client)) + str(trial.error) + str(client.stats))
            with Client(address, token=tokens.expired, tls_ca=made.authority, timeout_s=5) as client:
                seen.add("client", str(client.assign("search-agent", unit=UNIT).error))
            stubs.admin.GetServerInfo(admin_pb2.GetServerInfoRequest(), timeout=TIMEOUT_S)
            assert seen.process(process.pid) >= 1
            # While it runs, the database has its journal beside it.
            assert seen.files(state, "running") >= 6
    assert seen.files(state, "stopped") >= 5

    # The password of a database that cannot be reached: once with a snapshot to go on with, once without.
    config = tmp_path / "sortition.toml"
    replace(config, f'database_url = "postgresql://me:{PASSWORD}@127.0.0.1:1/sortition"\n'.encode())
    for directory in (state, tmp_path / "fresh"):
        with sidecar(directory, seen, config, database_timeout_s=1) as process:
            if directory == state:
                address_of(state, process)
                seen.process(process.pid)
            else:
                wait_until(lambda: process.poll() is not None, within_s=30)
        seen.files(directory, directory.name)

    seen.add("log of the client", caplog.text)
    output = seen.places["output"].decode()
    assert refused >= 40
    assert output.count("planted defect") >= 2, "tracebacks were written"
    assert "database not reached" in output
    assert "calls denied" in output
    assert "Traceback" in output
    assert len(seen.places["errors"]) > 10_000
    assert b"sortition.db" in b"".join(name.encode() for name in seen.places)
    assert ACTOR.name.encode() not in seen.places["output"]

    body = [line for line in made.key.read_text().splitlines() if not line.startswith("-----")]
    # A token's id is no secret; what follows it is.
    secrets = [token.split("_", 2)[2] for token in tokens[1:]]
    canaries = [UNIT, PASSWORD, *secrets, *body[:3]]
    assert all(len(canary) > 16 for canary in canaries)
    found = {canary[:16]: holders for canary in canaries if (holders := seen.holders(canary))}
    assert not found

    # The scan itself: had there been one, it would have been found.
    for canary in canaries:
        for planted in (canary, canary.encode().hex(), base64.b64encode(b"a" + canary.encode() + b"zz").decode()):
            (state / "planted").write_text(f"some {planted}text")
            again = Seen()
            again.files(state, "planted")
            assert again.holders(canary) == ["planted: planted"]


def test_what_a_token_file_holds_is_of_no_use(tmp_path: Path) -> None:
    tokens = make_tokens(tmp_path)
    content = tokens.path.read_text()
    assert not re.search("|".join(re.escape(token.split("_", 2)[2]) for token in tokens[1:]), content)
