"""Where a server may listen."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sortition.api.address import Listen, parse_listen, prepare_socket
from sortition.errors import SettingsError, Unavailable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:7117", Listen("127.0.0.1", 7117)),
        ("127.9.9.9:0", Listen("127.9.9.9", 0)),
        ("localhost:65535", Listen("localhost", 65535)),
        ("[::1]:7117", Listen("::1", 7117)),
        ("unix:/run/sortition/socket", Listen(path=Path("/run/sortition/socket"))),
        ("unix:///run/s", Listen(path=Path("/run/s"))),
    ],
)
def test_addresses_of_this_machine_are_taken(text: str, expected: Listen) -> None:
    assert parse_listen(text) == expected
    assert parse_listen(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0:7117", "loopback"),
        ("[::]:7117", "loopback"),
        ("10.0.0.1:7117", "loopback"),
        ("example.org:7117", "loopback"),
        # A name that only begins like a loopback address.
        ("127.0.0.1.example.org:7117", "loopback"),
        ("::1:7117", "brackets"),
        ("127.0.0.1", "host and a port"),
        (":7117", "host and a port"),
        ("127.0.0.1:65536", "host and a port"),
        ("127.0.0.1:-1", "host and a port"),
        ("127.0.0.1:¹", "host and a port"),
        ("", "host and a port"),
        ("unix:relative", "absolute"),
        ("unix:/" + "x" * 107, "107 bytes"),
    ],
)
def test_others_are_refused_with_the_value_and_the_reason(text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        parse_listen(text)
    assert caught.value.violations[0].field == "listen"
    assert repr(text) in caught.value.message


def test_a_socket_gets_a_directory_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "run" / "socket"
    prepare_socket(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(SettingsError, match="chmod 700"):
        prepare_socket(tmp_path / "socket")


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("precious")
    with pytest.raises(SettingsError, match="no socket"):
        prepare_socket(path)
    assert path.read_text() == "precious"


def test_a_socket_that_is_served_is_left_alone_and_a_dead_one_is_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(Unavailable, match="in use"):
            prepare_socket(path)
    prepare_socket(path)
    assert path.exists()
