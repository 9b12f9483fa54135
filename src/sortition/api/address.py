"""Where a server may listen: on this machine, and beyond it with TLS and tokens only."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from sortition.errors import SettingsError, Unavailable

__all__ = ["Listen", "check_exposure", "parse_listen"]

_UNIX = "unix:"
# What the kernel has room for, less the terminating zero.
_MAX_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True)
class Listen:
    """An address to listen on: a host and a port, or the path of a socket.

    Attributes:
        host: The host; empty for a socket.
        port: The port, 0 for any free one.
        path: The socket; None for a host and port.
    """

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        return self.with_port(self.port)

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.path is not None or self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def reached_at(self, port: int) -> str:
        """Returns the address under which a client on this machine reaches it, with this `port`."""
        if self.path is None and self.host != "localhost" and ipaddress.ip_address(self.host).is_unspecified:
            return f"localhost:{port}"
        return self.with_port(port)

    def with_port(self, port: int) -> str:
        """Returns the address as grpc takes it, with this `port`."""
        if self.path is not None:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"


def parse_listen(text: str) -> Listen:
    """Returns the address in `text`: ``127.0.0.1:7117``, ``[::1]:7117``, ``localhost:0`` or ``unix:/path/to/socket``.

    Raises:
        SettingsError: It is none of these.
    """
    if text.startswith(_UNIX):
        return Listen(path=_socket_path(text))
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not bare or not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise _wrong(text, "write a host and a port, such as 127.0.0.1:7117, or unix:/path/to/socket")
    if ":" in bare and bare == host:
        raise _wrong(text, f"write an IPv6 address in brackets, such as [::1]:{port}")
    if not _is_host(bare):
        raise _wrong(text, f"is a name that could become any address; write localhost or an IP address and :{port}")
    return Listen(host=bare, port=int(port))


def check_exposure(listen: Listen, *, tls: bool, tokens: bool) -> None:
    """Checks that whoever can reach an address has to prove who it is, on a line that nobody else can read.

    Args:
        listen: The address.
        tls: Whether it is served with TLS.
        tokens: Whether tokens are in use.

    Raises:
        SettingsError: It can be reached from other machines, and lacks one of them; or it is a socket with TLS.
    """
    if tls and listen.path is not None:
        # Its clients would have to be told a name that no socket has. Its file's mode keeps others out.
        raise _wrong(str(listen), "is a unix socket and needs no TLS; remove the tls_… settings, or listen elsewhere")
    missing = [name for name, there in (("TLS", tls), ("tokens", tokens)) if not there]
    if missing and not listen.local:
        raise _wrong(
            str(listen),
            f"is not a loopback address and lacks {' and '.join(missing)}; set tls_certificate and tls_key and create a"
            " token, or listen on 127.0.0.1, [::1], localhost or a unix socket",
        )


def _wrong(text: str, problem: str) -> SettingsError:
    return SettingsError(f"listen: {text!r} {problem}", [("listen", f"{text!r} {problem}")])


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


def _socket_path(text: str) -> Path:
    path = Path(text.removeprefix(_UNIX).removeprefix("//"))
    if not path.is_absolute():
        raise _wrong(text, "needs an absolute path, such as unix:/run/sortition/socket")
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        raise _wrong(text, f"has a path longer than {_MAX_SOCKET_PATH_BYTES} bytes, the limit of the kernel")
    return path


def prepare_socket(path: Path) -> None:
    """Makes the directory of a socket, 0700, and makes sure that nobody listens on the socket.

    Raises:
        SettingsError: The directory cannot be made or is open to others, or the path is taken by something else.
        Unavailable: Somebody listens on it.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.parent.stat().st_mode)
    except OSError as error:
        raise _wrong(f"{_UNIX}{path}", f"needs a directory that cannot be made ({error.strerror})") from error
    if mode & 0o077:
        raise _wrong(f"{_UNIX}{path}", f"is in a directory open to others (mode {mode:04o}); chmod 700 {path.parent}")
    if not path.exists():
        return
    if not path.is_socket():
        raise _wrong(f"{_UNIX}{path}", "names a file that is no socket; remove it or choose another path")
    # grpc takes over the path of a socket without asking whether anybody serves it.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        if probe.connect_ex(str(path)) == 0:
            raise Unavailable(f"listen: unix:{path} is in use by another process; stop it or choose another path")
