"""``sortition check`` says what it found, in a table or as JSON, and ends with 1 when something is wrong."""

from __future__ import annotations

from pathlib import Path

from commands import Run
from sortition.check import AREAS
from sortition.store import Database, sqlite_url


def test_areas_may_be_chosen_and_come_in_order(run: Run, tmp_path: Path) -> None:
    ended = run("check", "--only", "storage", "--only", "assignment", "--state-dir", tmp_path / "none", "-o", "json")
    assert ended.code == 0, ended.err
    document = ended.document
    assert document["ok"] is True
    assert {"python", "numpy", "scipy", "sqlite", "sortition"} <= set(document["environment"])
    areas = [one["area"] for one in document["checks"]]
    assert list(dict.fromkeys(areas)) == ["assignment", "storage"]
    assert all(set(one) == {"area", "name", "state", "detail", "seconds"} for one in document["checks"])
    assert {one["state"] for one in document["checks"] if one["area"] == "storage"} == {"skipped"}


def test_an_unknown_area_is_refused_with_those_there_are(run: Run) -> None:
    ended = run("check", "--only", "weather")
    assert ended.code == 2
    assert all(area in ended.err for area in AREAS)


def test_what_is_wrong_is_in_the_table_and_in_the_exit_code(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "sortition.db").write_bytes(b"no database" * 1000)
    ended = run("check", "--only", "storage", "--state-dir", state)
    assert ended.code == 1
    assert "error: 1 of 4 checks failed" in ended.err
    (line,) = [line for line in ended.out.splitlines() if "failed" in line]
    assert line.split()[:2] == ["database", "failed"]
    assert str(state / "sortition.db") in line
    document = run("check", "--only", "storage", "--state-dir", state, "-o", "json").document
    assert document["ok"] is False
    assert [one["name"] for one in document["checks"] if one["state"] == "failed"] == ["database"]


def test_settings_are_found_as_for_serve(run: Run, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "elsewhere.db")
    Database.open(url).close()
    ended = run("check", "--only", "storage", "--state-dir", tmp_path / "none", "--database-url", url)
    assert ended.code == 0
    assert f"{tmp_path / 'elsewhere.db'} has schema" in ended.out
    assert run("check", "--only", "storage", "--database-url", "oracle://x").code == 2
