"""The audit of pinned versions: it fails when something is known, and when it could not look."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Source:
    """Answers like a source of advisories; `answer` turns the questions into the answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.answer: Callable[[list[Any]], Any] = lambda queries: {"results": [{} for _ in queries]}


@pytest.fixture
def source() -> Iterator[tuple[Source, str]]:
    made = Source()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            made.asked += queries
            body = json.dumps(made.answer(queries)).encode()
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def about(name: str, advisory: str) -> Callable[[list[Any]], Any]:
    def answer(queries: list[Any]) -> Any:
        return {"results": [{"vulns": [{"id": advisory}]} if q["package"]["name"] == name else {} for q in queries]}

    return answer


def test_everything_that_is_pinned_is_asked_about(audit: ModuleType, source: tuple[Source, str]) -> None:
    made, url = source
    assert audit.audit(url, []) == audit.CLEAN
    asked = {(each["package"]["ecosystem"], each["package"]["name"]) for each in made.asked}
    assert {("PyPI", "grpcio"), ("PyPI", "sqlalchemy"), ("crates.io", "pyo3"), ("crates.io", "prost")} <= asked
    assert all(each["version"][0].isdigit() for each in made.asked)
    # The crates of this project are in no registry.
    assert not any(name.startswith("sortition") for _, name in asked)


@pytest.mark.parametrize("name", ["grpcio", "prost"])
def test_an_advisory_fails_and_can_be_accepted(
    audit: ModuleType, source: tuple[Source, str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made, url = source
    made.answer = about(name, "TEST-1")
    assert audit.audit(url, []) == audit.KNOWN
    said = capsys.readouterr().err
    assert name in said
    assert "TEST-1" in said
    assert audit.audit(url, ["TEST-1"]) == audit.CLEAN
    made.answer = about("nothing", "x")
    assert audit.audit(url, ["TEST-1"]) == audit.CLEAN
    assert "nothing to ignore" in capsys.readouterr().err


@pytest.mark.parametrize(
    "answer",
    [
        lambda queries: {"results": [{} for _ in queries[1:]]},
        lambda _: {"results": []},
        lambda _: {},
        lambda _: [],
        lambda _: None,
        lambda queries: {"results": [{"vulns": [{}]} for _ in queries]},
        lambda queries: {"results": ["?" for _ in queries]},
    ],
)
def test_an_answer_that_is_none_is_no_audit(
    audit: ModuleType,
    source: tuple[Source, str],
    answer: Callable[[list[Any]], Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, url = source
    made.answer = answer
    assert audit.audit(url, []) == audit.NOT_LOOKED
    assert "NOT DONE" in capsys.readouterr().err


def test_a_source_that_is_away_or_refuses_is_no_audit(audit: ModuleType, source: tuple[Source, str]) -> None:
    made, url = source
    made.status = 503
    assert audit.audit(url, []) == audit.NOT_LOOKED
    # Nothing listens on port 1.
    assert audit.audit("http://127.0.0.1:1", []) == audit.NOT_LOOKED


def test_files_that_cannot_be_read_are_no_audit(audit: ModuleType, source: tuple[Source, str], tmp_path: Path) -> None:
    _, url = source
    assert audit.audit(url, [], tmp_path) == audit.NOT_LOOKED
    lines = [f"package-{number}==1.{number}" for number in range(30)]
    crates = [f'[[package]]\nname = "c{n}"\nversion = "1.{n}.0"\nsource = "registry+x"\n' for n in range(30)]
    (tmp_path / "Cargo.lock").write_text("\n".join(crates))
    (tmp_path / "constraints.txt").write_text("\n".join(lines))
    assert audit.audit(url, [], tmp_path) == audit.CLEAN
    for damaged in ("\n".join([*lines, "package>=1"]), "\n".join(lines[:3])):
        (tmp_path / "constraints.txt").write_text(damaged)
        assert audit.audit(url, [], tmp_path) == audit.NOT_LOOKED
