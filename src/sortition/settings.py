"""The settings of a sidecar: flags over environment over file over defaults.

::

    setting              environment                      default
    state_dir            SORTITION_STATE_DIR              the user's own, such as ~/.local/state/sortition
    listen               SORTITION_LISTEN                 127.0.0.1:7117
    tls_certificate      SORTITION_TLS_CERTIFICATE        none: no TLS
    tls_key              SORTITION_TLS_KEY                none
    tls_client_ca        SORTITION_TLS_CLIENT_CA          none: clients need no certificate
    tokens_file          SORTITION_TOKENS_FILE            tokens in the state directory, where there is that file
    lane                 SORTITION_LANE                   auto
    database_url         SORTITION_DATABASE_URL           sortition.db in the state directory
    database_timeout_s   SORTITION_DATABASE_TIMEOUT_S     10
    writer               SORTITION_WRITER                 a random name, kept in the state directory
    ack                  SORTITION_ACK                    written
    log_max_bytes        SORTITION_LOG_MAX_BYTES          1073741824
    flush_interval_s     SORTITION_FLUSH_INTERVAL_S       5
    snapshot_interval_s  SORTITION_SNAPSHOT_INTERVAL_S    0.5
    announce_s           SORTITION_ANNOUNCE_S             two flush intervals
    automatic            SORTITION_AUTOMATIC              true
    alerts               SORTITION_ALERTS                 true
    alert_rules          SORTITION_ALERT_RULES            none: the usual rules
    alert_interval_s     SORTITION_ALERT_INTERVAL_S       10
    alert_webhook        SORTITION_ALERT_WEBHOOK          none
    alert_webhook_secret_file  SORTITION_ALERT_WEBHOOK_SECRET_FILE  none; required with alert_webhook
    alert_webhook_timeout_s    SORTITION_ALERT_WEBHOOK_TIMEOUT_S    10
    workers              SORTITION_WORKERS                4
    max_streams          SORTITION_MAX_STREAMS            32
    drain_s              SORTITION_DRAIN_S                10
    log_level            SORTITION_LOG_LEVEL              info

The file is TOML with the same names at its top: the one --config names, else SORTITION_CONFIG, else none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from sortition import locations
from sortition.api.address import check_exposure, parse_listen
from sortition.errors import SettingsError, Violation

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["CONFIG_VARIABLE", "Settings", "load"]

_PREFIX = "SORTITION_"
CONFIG_VARIABLE = f"{_PREFIX}CONFIG"
"""The environment variable that names the file."""

_FLAGS = "flag"
_MAX_URL = 2048
# What may hold something that should not be shown.
_HIDDEN = ("database_url", "alert_webhook")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _file(path: Path | None) -> Path | None:
    return None if path is None else _absolute(path)


def _with_certificate(path: Path | None, info: ValidationInfo) -> Path | None:
    # A certificate that is wrong itself is told of there.
    certificate = info.data.get("tls_certificate", path)
    needed = info.field_name == "tls_key"
    if (path is not None and certificate is None) or (needed and path is None and certificate is not None):
        text = "goes with tls_certificate; set both, or neither"
        raise PydanticCustomError("setting", "{text}", {"text": text})
    return path


def _listen(text: str, info: ValidationInfo) -> str:
    given = info.data
    tokens = _tokens(given.get("tokens_file"), given.get("state_dir"))
    try:
        check_exposure(parse_listen(text), tls=given.get("tls_certificate") is not None, tokens=tokens is not None)
    except SettingsError as error:
        raise PydanticCustomError("setting", "{text}", {"text": error.violations[0].description}) from None
    return text


def _lane(text: str, info: ValidationInfo) -> str:
    return text if text in ("auto", "off") else _listen(text, info)


def _tokens(configured: Path | None, state_dir: Path | None) -> Path | None:
    """Returns the file of tokens, when tokens are in use: it is configured, or the state directory has one."""
    if configured is not None or state_dir is None:
        return configured
    path = locations.tokens_file(state_dir)
    # One that cannot be read is there as well: better nobody gets in than everybody.
    return path if os.path.lexists(path) else None


def _database(url: str | None) -> str | None:
    if url is not None and not url.startswith(("sqlite:///", "postgresql://")):
        text = "must begin with sqlite:/// or postgresql://"
        raise PydanticCustomError("setting", "{text}", {"text": text})
    return url


def _webhook(url: str | None, info: ValidationInfo) -> str | None:
    if url is None:
        return None
    text = ""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(url) > _MAX_URL or not (url.isascii() and url.isprintable()) or " " in url:
        text = f"must be http://… or https://… with a host, at most {_MAX_URL} characters and none to be escaped"
    elif parts.username is not None or parts.password is not None:
        text = "holds a user or password, which nothing here sends; messages are signed instead"
    elif info.data.get("alert_webhook_secret_file") is None:
        text = "needs alert_webhook_secret_file, the file of the secret that messages are signed with"
    if text:
        raise PydanticCustomError("setting", "{text}", {"text": text})
    return url


class Settings(BaseSettings):
    """The settings of a sidecar. Make them with `load`.

    Attributes:
        state_dir: Where the sidecar keeps its state; made with mode 0700. One sidecar at a time uses it.
        listen: ``host:port`` (port 0: any free one) or ``unix:/path``; other addresses than loopback only with TLS and
            tokens.
        tls_certificate: The server's certificate; with it, only TLS is spoken. Read again when it changes.
        tls_key: Its private key.
        tls_client_ca: Clients need a certificate that one of these has signed.
        tokens_file: The hashes of the tokens, one of which every call has to bring; see `tokens`.
        lane: Where the native lane answers the hot path beside the server: "auto" for a socket in the state directory,
            "off", or an address as for `listen`. Clients on this machine take it by themselves.
        database_url: ``sqlite:///…`` or ``postgresql://…``; None for a file in the state directory.
        database_timeout_s: How long a lock or a connection is waited for, in seconds.
        writer: The name under which this sidecar writes; None for a random one, kept in the state directory.
        ack: When a recording call is acknowledged: once it is in memory (the end of the process loses it), once it is
            written to the log (a loss of power loses the last 200 ms), or once that is synced (nothing loses it).
        log_max_bytes: The size of the log beyond which recording is refused until the database is there again.
        flush_interval_s: Seconds between two flushes.
        snapshot_interval_s: Seconds between two looks for changes made through other sidecars.
        announce_s: Seconds that other weights are announced before they take effect, for every sidecar to see it and to
            flush who was exposed.
        automatic: Whether this sidecar may be the one that promotes, rolls back and lets expire. What it sees do harm
            it pauses itself in any case.
        alerts: Whether this sidecar may be the one that evaluates the rules and tells; what is wrong with itself it
            tells in any case.
        alert_rules: The file of rules, TOML or YAML: what is added to the usual ones or changed about them.
        alert_interval_s: Seconds between two looks at the experiments.
        alert_webhook: The http or https URL that alerts are posted to.
        alert_webhook_secret_file: The file of the secret that they are signed with.
        alert_webhook_timeout_s: How long one attempt to post may take.
        workers: Threads for unary calls of the hot path.
        max_streams: Streams open at the same time.
        drain_s: Seconds that calls under way, and then the last flush, are given at the end.
        log_level: What is logged: debug, info, warning or error.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    state_dir: Annotated[Path, AfterValidator(_absolute)] = Field(default_factory=locations.state_dir)
    # In this order: a setting is checked against those above it.
    tls_certificate: Annotated[Path | None, AfterValidator(_file)] = None
    tls_key: Annotated[Path | None, AfterValidator(_file), AfterValidator(_with_certificate)] = Field(
        default=None, validate_default=True
    )
    tls_client_ca: Annotated[Path | None, AfterValidator(_file), AfterValidator(_with_certificate)] = None
    tokens_file: Annotated[Path | None, AfterValidator(_file)] = None
    listen: Annotated[str, AfterValidator(_listen)] = Field(default=locations.DEFAULT_TARGET, validate_default=True)
    lane: Annotated[str, AfterValidator(_lane)] = "auto"
    # It may hold a password.
    database_url: Annotated[str | None, AfterValidator(_database)] = Field(default=None, repr=False)
    database_timeout_s: float = Field(default=10, ge=0.1, le=300)
    writer: str | None = Field(default=None, min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")
    ack: Literal["memory", "written", "fsynced"] = "written"
    log_max_bytes: int = Field(default=1 << 30, ge=1 << 20, le=1 << 40)
    flush_interval_s: float = Field(default=5, ge=0.05, le=3600)
    # Two seconds are promised between a change on one sidecar and the answers of another.
    snapshot_interval_s: float = Field(default=0.5, ge=0.05, le=1.5)
    announce_s: float | None = Field(default=None, ge=0, le=86_400)
    automatic: bool = True
    alerts: bool = True
    alert_rules: Annotated[Path | None, AfterValidator(_file)] = None
    alert_interval_s: float = Field(default=10, ge=0.1, le=3600)
    alert_webhook_secret_file: Annotated[Path | None, AfterValidator(_file)] = None
    # It may hold what only the receiver should know.
    alert_webhook: Annotated[str | None, AfterValidator(_webhook)] = Field(default=None, repr=False)
    alert_webhook_timeout_s: float = Field(default=10, ge=0.1, le=60)
    workers: int = Field(default=4, ge=1, le=64)
    max_streams: int = Field(default=32, ge=1, le=1024)
    drain_s: float = Field(default=10, ge=0, le=3600)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def tokens(self) -> Path | None:
        """The file of tokens; None where none is configured and the state directory has none: no call needs a token."""
        return _tokens(self.tokens_file, self.state_dir)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Returns the sources, the strongest first. Keywords are flags; `load` adds the file's values."""
        flags, file = init_settings, {}
        if isinstance(init_settings, InitSettingsSource):
            given = dict(init_settings.init_kwargs)
            file = given.pop(_FILE_KEY, {})
            flags = InitSettingsSource(settings_cls, given)
        return flags, env_settings, InitSettingsSource(settings_cls, file)


# How `load` hands the file's values to the sources; no setting can have this name.
_FILE_KEY = "<file>"


def load(flags: Mapping[str, object] | None = None, *, config: str | os.PathLike[str] | None = None) -> Settings:
    """Returns the settings in force.

    Args:
        flags: What was given on the command line, by the name of the setting; those that are None were not given.
        config: The file; the one SORTITION_CONFIG names when None.

    Raises:
        SettingsError: Lists every setting that is wrong, with its value and where it came from.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    path = config or os.environ.get(CONFIG_VARIABLE)
    file = _read(Path(path).expanduser()) if path else {}
    sources = _Sources(given, file, str(path))
    if urlsplit(str(given.get("database_url", ""))).password:
        raise _error([Violation("database_url", f"holds a password, which {sources.advice}")])
    try:
        return Settings(**given, **{_FILE_KEY: file})  # type: ignore[arg-type]
    except ValidationError as error:
        raise _error([sources.violation(detail) for detail in error.errors()]) from None


def _error(found: list[Violation]) -> SettingsError:
    return SettingsError("; ".join(str(violation) for violation in found), found)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values: dict[str, Any] = tomllib.load(file)
            return values
    except OSError as error:
        raise _error(
            [Violation("config", f"{path} cannot be read ({error.strerror}); check --config or {CONFIG_VARIABLE}")]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _error([Violation("config", f"{path} is not valid TOML: {error}")]) from error


class _Sources:
    """Knows which source a setting came from."""

    advice = "other users of this machine can see on the command line; put it into SORTITION_DATABASE_URL or the file"

    def __init__(self, flags: Mapping[str, object], file: Mapping[str, object], path: str) -> None:
        self._flags = flags
        self._file = file
        self._path = path

    def violation(self, detail: ErrorDetails) -> Violation:
        name = str(detail["loc"][0]) if detail["loc"] else ""
        source = self._source(name)
        if detail["type"] == "extra_forbidden":
            known = ", ".join(Settings.model_fields)
            return Violation(name, f"is not a setting (from {source}); the settings are {known}")
        message = detail["msg"][:1].lower() + detail["msg"][1:]
        if detail["type"] != "setting":
            message = f"{message}, but is {str(detail['input'])[:80]!r}"
        # An address or a database's URL may hold what should not be shown.
        return Violation(
            name, f"{message} (from {source})" if name not in _HIDDEN else f"{detail['msg']} (from {source})"
        )

    def _source(self, name: str) -> str:
        if name in self._flags:
            return f"the flag --{name.replace('_', '-')}"
        variable = f"{_PREFIX}{name.upper()}"
        # The environment is read without regard to case.
        if any(key.upper() == variable and value for key, value in os.environ.items()):
            return f"the environment variable {variable}"
        return f"the file {self._path}" if name in self._file else "the defaults"
