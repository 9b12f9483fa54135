"""``serve``: runs a sidecar."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sortition.cli.root import root
from sortition.cli.settings_options import Config

__all__ = ["alone", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve")(serve)


def alone() -> typer.Typer:
    """Returns an application that has this command only."""
    app = root()
    # With it the command is named on the command line, as it is among others.
    app.callback()(lambda: None)
    register(app)
    return app


def serve(
    listen: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="HOST:PORT on loopback (port 0: any free one), or unix:PATH.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Speak TLS with this certificate; required beyond loopback.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's private key.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Clients need a certificate signed by one of these.")
    ] = None,
    tokens_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The hashes of tokens; default: tokens in the state directory.")
    ] = None,
    lane: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Where the native lane listens: auto (default), off, HOST:PORT or unix:PATH."
        ),
    ] = None,
    state_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the sidecar keeps its state.")] = None,
    database_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="sqlite:///PATH or postgresql://…; default: a file in the state directory."),
    ] = None,
    database_timeout_s: Annotated[
        float | None, typer.Option(help="How long a lock or connection is waited for.")
    ] = None,
    writer: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name under which this sidecar writes.")
    ] = None,
    ack: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="When recording is acknowledged: memory, written (default) or fsynced."),
    ] = None,
    log_max_bytes: Annotated[
        int | None, typer.Option(metavar="BYTES", help="Size of the log beyond which recording is refused.")
    ] = None,
    flush_interval_s: Annotated[float | None, typer.Option(help="Seconds between two flushes.")] = None,
    snapshot_interval_s: Annotated[
        float | None, typer.Option(help="Seconds between two looks for changes made elsewhere.")
    ] = None,
    automatic: Annotated[
        bool | None,
        typer.Option(
            "--automatic/--no-automatic",
            help="Whether this sidecar may promote, roll back and let expire what says so.",
            show_default="--automatic",
        ),
    ] = None,
    alerts: Annotated[
        bool | None,
        typer.Option(
            "--alerts/--no-alerts",
            help="Whether this sidecar may evaluate the rules of alerts and tell.",
            show_default="--alerts",
        ),
    ] = None,
    alert_rules: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rules of alerts beside the usual ones: TOML or YAML.")
    ] = None,
    alert_interval_s: Annotated[float | None, typer.Option(help="Seconds between two looks for alerts.")] = None,
    alert_webhook: Annotated[str | None, typer.Option(metavar="URL", help="Where alerts are posted to.")] = None,
    alert_webhook_secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The secret that posted alerts are signed with.")
    ] = None,
    alert_webhook_timeout_s: Annotated[
        float | None, typer.Option(help="Seconds that one attempt to post an alert may take.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads for calls of the hot path.")] = None,
    max_streams: Annotated[int | None, typer.Option(help="Streams open at the same time.")] = None,
    drain_s: Annotated[
        float | None, typer.Option(help="Seconds given to calls under way, and to the last flush.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    config: Config = None,
) -> None:
    """Run a sidecar until it is told to stop.

    Without options it keeps its state in the user's state directory and listens on 127.0.0.1:7117. Options win over
    SORTITION_… environment variables, and those over the file.
    """
    from sortition import settings

    flags = {
        "listen": listen,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
        "tokens_file": tokens_file,
        "lane": lane,
        "state_dir": state_dir,
        "database_url": database_url,
        "database_timeout_s": database_timeout_s,
        "writer": writer,
        "ack": ack,
        "log_max_bytes": log_max_bytes,
        "flush_interval_s": flush_interval_s,
        "snapshot_interval_s": snapshot_interval_s,
        "automatic": automatic,
        "alerts": alerts,
        "alert_rules": alert_rules,
        "alert_interval_s": alert_interval_s,
        "alert_webhook": alert_webhook,
        "alert_webhook_secret_file": alert_webhook_secret_file,
        "alert_webhook_timeout_s": alert_webhook_timeout_s,
        "workers": workers,
        "max_streams": max_streams,
        "drain_s": drain_s,
        "log_level": log_level,
    }
    chosen = settings.load(flags, config=config)
    # Whatever the library notices is raised or answered as well; its own lines are no JSON.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from sortition import service

    service.serve(chosen)
