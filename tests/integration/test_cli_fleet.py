"""The commands for whoever runs sidecars: are they there, and what do they leave behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from commands import Run, run_command
from sidecars import running
from sortition.store import BatchWriter, Database, sqlite_url
from store_samples import Delta, contents, make_batch, make_cell


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    return run_command(capfd)


def test_health_says_whether_a_sidecar_serves(tmp_path: Path, run: Run) -> None:
    with running(tmp_path / "state") as service:
        served = run("health", "--target", service.address)
        assert (served.code, served.out.strip()) == (0, "serving")
        told = run("health", "--target", service.address, "-o", "json")
        assert told.document == {"status": "SERVING"}
        assert service._server is not None
        service._server.health.drain()
        draining = run("health", "--target", service.address)
        assert draining.code == 5
        assert "drains" in draining.err
        address = service.address
    gone = run("health", "--target", address, "--timeout", "1")
    assert gone.code == 5


def test_compact_merges_what_is_old_and_says_how_much(tmp_path: Path, run: Run) -> None:
    url = sqlite_url(tmp_path / "x.db")
    with closing(Database.open(url)) as db:
        for name in ("a", "b"):
            BatchWriter(db, name).apply(make_batch(1, [Delta(make_cell("e", [1.0]), experiment_id="e", day=20_000)]))
        tried = run("compact", "--database-url", url, "--dry-run")
        assert (tried.code, tried.out) == (0, "2 rows of 2 writers would be merged\n")
        assert len(contents(db)["cells"]) == 2
        done = run("compact", "--database-url", url, "--idle-days", "1")
        assert (done.code, done.out) == (0, "2 rows of 2 writers merged\n")
        assert [row[5] for row in contents(db)["cells"]] == [2]


def test_compact_makes_no_database(tmp_path: Path, run: Run) -> None:
    refused = run("compact", "--state-dir", str(tmp_path))
    assert refused.code == 1
    assert "there is no such database" in refused.err
    assert list(tmp_path.iterdir()) == []
