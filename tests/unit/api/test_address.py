"""Where a server may listen."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sortition.api.address import Listen, check_exposure, parse_listen, prepare_socket
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
        ("0.0.0.0:7117", Listen("0.0.0.0", 7117)),
        ("[::]:7117", Listen("::", 7117)),
        ("10.0.0.1:0", Listen("10.0.0.1", 0)),
    ],
)
def test_addresses_are_taken(text: str, expected: Listen) -> None:
    assert parse_listen(text) == expected
    assert parse_listen(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("example.org:7117", "IP address"),
        # A name that only begins like a loopback address.
        ("127.0.0.1.example.org:7117", "IP address"),
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


HERE = ("127.0.0.1:0", "127.9.9.9:1", "localhost:0", "[::1]:0", "unix:/run/s")
BEYOND = ("0.0.0.0:0", "[::]:0", "10.0.0.1:1", "192.168.1.1:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1")


@pytest.mark.parametrize("text", HERE)
@pytest.mark.parametrize("tokens", [False, True])
def test_this_machine_is_served_without_anything(text: str, tokens: bool) -> None:
    listen = parse_listen(text)
    assert listen.local
    check_exposure(listen, tls=False, tokens=tokens)


@pytest.mark.parametrize("text", BEYOND)
@pytest.mark.parametrize(
    ("tls", "tokens", "lacks"), [(False, False, "TLS and tokens"), (True, False, "tokens"), (False, True, "TLS")]
)
def test_other_machines_are_served_with_tls_and_tokens_only(text: str, tls: bool, tokens: bool, lacks: str) -> None:
    listen = parse_listen(text)
    assert not listen.local
    with pytest.raises(SettingsError, match=f"lacks {lacks};") as caught:
        check_exposure(listen, tls=tls, tokens=tokens)
    assert caught.value.violations[0].field == "listen"
    check_exposure(listen, tls=True, tokens=True)


def test_a_socket_has_no_use_for_tls() -> None:
    with pytest.raises(SettingsError, match="needs no TLS"):
        check_exposure(parse_listen("unix:/run/s"), tls=True, tokens=True)


def test_every_address_is_reached_from_this_machine_by_one_that_exists() -> None:
    assert parse_listen("0.0.0.0:0").reached_at(5) == "localhost:5"
    assert parse_listen("[::]:0").reached_at(5) == "localhost:5"
    assert parse_listen("10.0.0.1:0").reached_at(5) == "10.0.0.1:5"
    assert parse_listen("unix:/run/s").reached_at(0) == "unix:/run/s"


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
