"""``sortition report``: where a report goes, and in which form."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from google.protobuf import json_format

from commands import Run
from sortition.errors import NotFound
from sortition.rpc.v1 import analysis_pb2
from unit.cli.sidecar import Canned
from unit.report.sample import make_full_report

BEGINNINGS = {
    "html": "<!DOCTYPE html>\n",
    "markdown": "# search-strategy\n",
    "json": "{\n",
    "text": "search-strategy\n",
}


@pytest.fixture
def answering(sidecar: Canned) -> Canned:
    sidecar.answers("Analysis/GetFullReport", make_full_report())
    return sidecar


def test_text_for_whoever_asks_for_nothing_else(run: Run, answering: Canned) -> None:
    ended = run("report", "search-strategy", "--organization", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("search-strategy\nOne pass beats many.\n")
    assert "Ship combined: total_time −57.8 %" in ended.out
    assert "\x1b" not in ended.out
    assert answering.asked == [analysis_pb2.GetFullReportRequest(key="search-strategy", organization="acme")]


@pytest.mark.parametrize("format_", BEGINNINGS)
@pytest.mark.parametrize("place", [(), ("-o", "-")], ids=["by default", "asked for"])
def test_every_form_can_go_to_stdout(run: Run, answering: Canned, format_: str, place: tuple[str, ...]) -> None:
    ended = run("report", "search-strategy", "--format", format_, *place)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(BEGINNINGS[format_])
    assert ended.out.endswith("\n")


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("r.html", "html"),
        ("r.HTM", "html"),
        ("r.md", "markdown"),
        ("r.markdown", "markdown"),
        ("r.json", "json"),
        ("r.txt", "text"),
    ],
)
def test_a_file_is_written_as_its_name_ends(
    run: Run, answering: Canned, tmp_path: Path, name: str, format_: str
) -> None:
    ended = run("report", "search-strategy", "-o", tmp_path / name)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    written = (tmp_path / name).read_text("utf-8")
    assert written.startswith(BEGINNINGS[format_])
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing else is left"


def test_a_format_wins_over_the_name(run: Run, answering: Canned, tmp_path: Path) -> None:
    assert run("report", "k", "--format", "markdown", "-o", tmp_path / "report").code == 0
    assert (tmp_path / "report").read_text("utf-8").startswith("# search")


def test_json_is_the_message_of_the_contract(run: Run, answering: Canned) -> None:
    document = run("report", "k", "--format", "json").document
    assert json_format.ParseDict(document, analysis_pb2.FullReport()) == make_full_report()
    assert list(document) == [field.name for field in analysis_pb2.FullReport.DESCRIPTOR.fields]


def test_an_earlier_report_is_replaced_as_a_whole(run: Run, answering: Canned, tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    target.write_text("x" * 1_000_000)
    assert run("report", "k", "-o", target).code == 0
    written = target.read_text("utf-8")
    assert written.endswith("</html>\n")
    fresh = tmp_path / "fresh"
    fresh.touch()
    assert target.stat().st_mode == fresh.stat().st_mode, "others may read it as any new file"


def test_where_nothing_can_be_written_nobody_is_asked(run: Run, answering: Canned, tmp_path: Path) -> None:
    for target, why in (
        (tmp_path, "is a directory"),
        (tmp_path / "gone" / "r.html", "a directory that does not exist"),
        (tmp_path / "r.pdf", "give --format"),
        (tmp_path / "r", "give --format"),
    ):
        ended = run("report", "k", "-o", target)
        assert ended.code == 2
        assert why in ended.err
    assert answering.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_file_can_have_leaves_nothing(run: Run, answering: Canned, tmp_path: Path) -> None:
    ended = run("report", "k", "-o", tmp_path / f"{'x' * 300}.html")
    assert ended.code == 2
    assert "cannot be written" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_earlier_report_and_nothing_else(
    run: Run, answering: Canned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.html"
    target.write_text("earlier")

    def full(self: Path, place: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    ended = run("report", "k", "-o", target)
    assert ended.code == 2
    assert "No space left on device" in ended.err
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_text() == "earlier"


def test_links_and_pipes_stay_what_they_are(run: Run, answering: Canned, tmp_path: Path) -> None:
    link, target = tmp_path / "link.html", tmp_path / "target.html"
    link.symlink_to(target)
    assert run("report", "k", "-o", link).code == 0
    assert link.is_symlink()
    assert target.read_text("utf-8").startswith("<!DOCTYPE html>")
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")))
    reader.start()
    assert run("report", "k", "-o", pipe).code == 0
    reader.join(10)
    assert read[0].startswith("{\n")
    assert pipe.is_fifo()


def test_an_error_leaves_an_earlier_report_as_it_was(run: Run, sidecar: Canned, tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    target.write_text("earlier")
    sidecar.answers("Analysis/GetFullReport", NotFound("there is no experiment 'k'"))
    ended = run("report", "k", "-o", target)
    assert ended.code == 3
    assert target.read_text() == "earlier"
