"""``token``: makes, revokes and lists tokens, in the file of a sidecar and without asking one."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from sortition.cli.session import Output
from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from sortition.api.tokens import Token

__all__ = ["register"]

_TokensFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--tokens-file", metavar="FILE", envvar="SORTITION_TOKENS_FILE", help="Default: tokens in the state directory."
    ),
]
_StateDir: TypeAlias = Annotated[
    Path | None, typer.Option("--state-dir", metavar="DIR", help="The state directory of the sidecar that is meant.")
]
_Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Whose token it is.")]

_SPAN = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="Make, revoke and list tokens: who may call a sidecar.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("create")(create)
    group.command("revoke")(revoke)
    group.command("list")(show)
    app.add_typer(group, name="token")


def create(
    name: _Name,
    role: Annotated[str, typer.Option(metavar="ROLE", help="agent (assign and record) or admin (everything).")],
    expires: Annotated[
        str, typer.Option(metavar="SPAN", help="How long it is good for, such as 90d, 12h or 30m; default: for ever.")
    ] = "",
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Write it into this new file, 0600, and do not print it."),
    ] = None,
    tokens_file: _TokensFile = None,
    state_dir: _StateDir = None,
) -> None:
    """Make a token and print it, this once: only its hash is kept.

    A running sidecar that asks for tokens takes it within two seconds. One that does not, because it had no file of
    tokens when it started, asks for them from its next start on.
    """
    from sortition.api.roles import Role
    from sortition.api.tokens import create_token, revoke_token
    from sortition.cli.group import say

    if role not in {each.value for each in Role}:
        raise InvalidArgument.of([("--role", f"must be agent or admin, but is {role[:40]!r}")])
    path = _path(tokens_file, state_dir)
    first = not path.exists()
    now = datetime.now(timezone.utc)
    token, text = create_token(path, name, Role(role), now=now, expires_at=now + _span(expires) if expires else None)
    if to is not None:
        try:
            _write(to, text)
        except OSError as error:
            revoke_token(path, name)
            raise InvalidArgument.of([("--to", f"{to} cannot be made ({error.strerror}); no token was made")]) from None
    until = f" until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else ""
    say(f"token {token.name} ({token.role.value}){until}; its hash is in {path}")
    if first:
        say("a sidecar that runs already asks for tokens from its next start on")
    if to is None:
        typer.echo(text)


def revoke(name: _Name, tokens_file: _TokensFile = None, state_dir: _StateDir = None) -> None:
    """Revoke a token: running sidecars refuse it within two seconds."""
    from sortition.api.tokens import revoke_token
    from sortition.cli.group import say

    path = _path(tokens_file, state_dir)
    revoke_token(path, name)
    say(f"token {name} is revoked in {path}")


def show(
    tokens_file: _TokensFile = None,
    state_dir: _StateDir = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to write the answer.")] = Output.TABLE,
) -> None:
    """List the tokens, none of which it knows."""
    from sortition.api.tokens import read_tokens
    from sortition.cli.output import print_document, print_table
    from sortition.render.tables import quiet_table

    tokens = read_tokens(_path(tokens_file, state_dir))
    rows = [_row(token) for token in tokens]
    if output is Output.JSON:
        print_document({"tokens": rows})
        return
    shown = quiet_table("NAME", "ROLE", "CREATED", "EXPIRES", "ID")
    for row in rows:
        shown.add_row(row["name"], row["role"], row["created_at"], row["expires_at"] or "never", row["id"])
    print_table(shown)


def _row(token: Token) -> dict[str, str]:
    times = {"created_at": token.created_at, "expires_at": token.expires_at}
    written = {name: time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else "" for name, time in times.items()}
    return {"name": token.name, "role": token.role.value, **written, "id": token.id}


def _path(tokens_file: Path | None, state_dir: Path | None) -> Path:
    from sortition import locations

    chosen = tokens_file if tokens_file is not None else locations.tokens_file(locations.state_dir(state_dir))
    return chosen.expanduser().absolute()


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise InvalidArgument.of([("--expires", f"is {text[:40]!r}; write a span such as 90d, 12h, 30m or 45s")])
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def _write(path: Path, text: str) -> None:
    import os

    # New, so that it is not a link somebody else has put there; closed to others from its first moment on.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{text}\n")
