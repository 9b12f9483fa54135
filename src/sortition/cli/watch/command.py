"""``watch``: looks, shows, waits, and looks again."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Annotated, Final

import typer

from sortition.cli.command import command
from sortition.cli.session import Session
from sortition.cli.watch.looker import Looker, has_ended
from sortition.cli.watch.screens import screen_for
from sortition.errors import InvalidArgument

__all__ = ["register"]

_MAX_KEYS: Final = 100


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "watch")(watch)


def watch(
    session: Session,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY]...", help="The keys of experiments; default: all that run or are paused."),
    ] = None,
    interval: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, max=3600, help="How often to look.")] = 2.0,
    times: Annotated[int, typer.Option(min=0, help="How many times to look; 0: until the experiments have ended.")] = 0,
    patience: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, max=86_400, help="How long a sidecar that went away may stay away."),
    ] = 600.0,
) -> None:
    """Watch experiments until they have ended, or until Ctrl-C; both end with 0.

    What is no terminal gets a line for each experiment, and another one whenever something about it has changed; with
    -o json one line of JSON for each experiment at each look.

    While the sidecar is away, as when it restarts, what was seen last stays, with a notice.
    """
    wanted = list(dict.fromkeys(keys or []))
    if len(wanted) > _MAX_KEYS:
        raise InvalidArgument.of([("KEY", f"is given {len(wanted)} times; watch {_MAX_KEYS} at most, or all")])
    pause = threading.Event()
    with ExitStack() as stack:
        # Also while it connects: whoever has seen enough has not failed.
        stack.enter_context(_Interruptible())
        looker = Looker(session, wanted, patience, pause)
        shown = looker.look()
        screen = stack.enter_context(screen_for(session))
        looker.notice = lambda text: screen.show(shown, text)
        looks = 0
        while True:
            screen.show(shown, "")
            looks += 1
            if looks == times or all(map(has_ended, shown.values())):
                return
            pause.wait(interval)
            shown = looker.again(shown)


class _Interruptible:
    """Ends what is done inside when it is interrupted, quietly."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, KeyboardInterrupt)
