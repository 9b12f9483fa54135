"""The client for ordinary code and threads."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NoReturn, ParamSpec, TypeVar

import grpc

from sortition.client.credentials import Credentials, Metadata, PathLike
from sortition.client.decorator import Decorated
from sortition.client.dimensions import Dimensions, levels
from sortition.client.local.process import Process
from sortition.client.local.source import SnapshotSource
from sortition.client.local.units import UnitArray
from sortition.client.measure import Automatic
from sortition.client.observations import Values, observations
from sortition.client.protocol import Call, OnError, Pause, Protocol, Steps
from sortition.client.route import Route
from sortition.client.stats import ClientStats
from sortition.client.transport import METHODS
from sortition.client.trial import TrialBase
from sortition.client.wanted import Wanted, unit_text
from sortition.core import Assignment, Variants
from sortition.errors import FailedPrecondition, SortitionError

__all__ = ["Client", "Trial"]

_log = logging.getLogger("sortition.client")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Client:
    """Asks the sidecar for variants and says how it went; safe to share between threads.

    It never raises into the agent unless asked to: while the sidecar is away, units get the configured default after at
    most `timeout_s`, and then at once until the sidecar is back; outcomes wait in a bounded buffer and are sent with
    later calls. It starts no thread. A forked process gets its own connection and identity.

    Args:
        mode: Who assigns: "sidecar" asks it each time; "local" assigns in this process, from a snapshot that the
            sidecar keeps up to date, and ships what is exposed and recorded in the background. Both give the same
            answers.
        source: With "local": where snapshots come from instead, such as a `SnapshotFile`. Then there is a sidecar only
            if a target is given, and without one the client only assigns.
        target: The sidecar's address, such as "127.0.0.1:7117" or "unix:/run/sortition.sock". When absent: the
            environment variable SORTITION_TARGET, else what the running sidecar has announced, else 127.0.0.1:7117.
        organization: Who owns the experiments.
        timeout_s: How long one call may keep the agent waiting, retries included, in seconds.
        defaults: Configurations for when the sidecar gives no answer, by the name they are asked for, such as
            ``{"search-agent": {"strategy": "sequential"}}``; ``{}`` for others.
        on_error: "default" logs and counts what goes wrong; "raise" raises it, as classes of `sortition.errors`. An
            outcome that could not be delivered is kept and sent again in both cases.
        buffer_size: How many outcomes may wait while the sidecar is away; further ones are dropped and counted.
        duration: The metric under which a trial's duration is recorded where the experiment declares it; none when
            empty.
        duration_unit: The unit of that metric: "s", "ms" or "us".
        success: The metric under which it is recorded whether a trial ended without an exception, where the experiment
            declares it; none when empty.
        token: The token that the sidecar asks for, where it does; SORTITION_TOKEN when absent.
        token_file: A file that holds it, which may change while the client runs; SORTITION_TOKEN_FILE when absent.
        tls_ca: A file of the certificates that sign the sidecar's. With it the client speaks TLS and never anything
            else; SORTITION_TLS_CA when absent.
        tls_certificate: This client's certificate, where the sidecar asks for one; SORTITION_TLS_CLIENT_CERTIFICATE
            when absent.
        tls_key: Its private key; SORTITION_TLS_CLIENT_KEY when absent.
        tls_server_name: The name in the sidecar's certificate, where the target has another; SORTITION_TLS_SERVER_NAME
            when absent.

    Raises:
        ValueError: An argument is outside its range.
        SettingsError: The token cannot be read, or would leave this machine without TLS.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        mode: Literal["sidecar", "local"] = "sidecar",
        source: SnapshotSource | None = None,
        organization: str = "default",
        timeout_s: float = 0.25,
        defaults: Mapping[str, Mapping[str, Any]] | None = None,
        on_error: OnError = "default",
        buffer_size: int = 1024,
        duration: str = "duration",
        duration_unit: str = "s",
        success: str = "success",
        token: str | None = None,
        token_file: PathLike | None = None,
        tls_ca: PathLike | None = None,
        tls_certificate: PathLike | None = None,
        tls_key: PathLike | None = None,
        tls_server_name: str | None = None,
    ) -> None:
        self._protocol = Protocol(
            organization=organization,
            timeout_s=timeout_s,
            defaults=defaults,
            on_error=on_error,
            buffer_size=buffer_size,
        )
        self._automatic = Automatic(duration, duration_unit, success)
        credentials = Credentials(token, token_file, tls_ca, tls_certificate, tls_key, tls_server_name)
        if mode not in ("sidecar", "local"):
            raise ValueError(f'mode must be "sidecar" or "local", but is {mode!r}')
        if source is not None and mode != "local":
            raise ValueError('source goes with mode="local"; a sidecar has its own snapshots')
        self._process = Process(target, credentials, source, timeout_s, organization) if mode == "local" else None
        if self._process is not None:
            # The core's own method, which mypy takes for a change of the class; a frame of Python would cost as much
            # again as the answer.
            vars(self)["assign_unit"] = self._process.assigner.assign_unit
        self._connection = self._process or _Connection(target, credentials)
        _open_clients.add(self)

    @property
    def stats(self) -> ClientStats:
        """What this client did since it was made, and what waits or was dropped."""
        own = self._protocol.stats
        return own if self._process is None else self._process.stats(own)

    @property
    def target(self) -> str:
        """The sidecar's address, as it was found last."""
        return self._connection.target

    def assign(
        self,
        subject: str | None = None,
        /,
        *,
        unit: object,
        experiment: str | None = None,
        any_of: Sequence[str] | None = None,
        expose: bool = True,
        dimensions: Dimensions | None = None,
        default: Mapping[str, Any] | None = None,
        duration: str | None = None,
        duration_unit: str | None = None,
        success: str | None = None,
    ) -> Trial:
        """Asks for a unit's variant. Use the trial in a ``with`` block, or call its `finish`.

        Args:
            subject: What is experimented on: the id of an agent, or ``kind/id`` such as "prompt/greeting".
            unit: The id that is randomized, such as that of the session: text, an integer or a UUID.
            experiment: The key of an experiment, instead of a subject.
            any_of: Several subjects, of which the first with an experiment is meant, instead of one.
            expose: Whether the unit counts as exposed at once; if not, call the trial's `expose` when the variant is
                used.
            dimensions: What the unit's outcomes are broken down by, such as ``{"device": "mobile"}``; see
                `Trial.record`.
            default: The configuration to use if the sidecar gives no answer, instead of the client's.
            duration: Replaces the client's `duration` for this trial.
            duration_unit: Replaces the client's `duration_unit` for this trial.
            success: Replaces the client's `success` for this trial.

        Returns:
            The trial. Its reason is `Reason.DEFAULT` when the sidecar gave no answer, and its `error` says why.

        Raises:
            TypeError: Not exactly one of `subject`, `experiment` and `any_of` is given.
            SortitionError: Only with ``on_error="raise"``: the sidecar refused, or was not reached in time.
        """
        wanted = Wanted.of(subject, experiment, any_of)
        automatic = self._automatic.but(duration, duration_unit, success)
        try:
            text = unit_text(unit)
        except SortitionError as error:
            return Trial(self, "", self._protocol.fallback(wanted, error, default), automatic, dimensions)
        answer = self._run(self._protocol.assign(wanted, text, expose=expose, default=default))
        return Trial(self, text, answer, automatic, dimensions)

    def assign_unit(self, experiment: str, unit: str, *, expose: bool = True) -> Assignment:
        """Assigns one unit with nothing around it, for loops that count nanoseconds. Only with ``mode="local"``.

        Args:
            experiment: The experiment's key.
            unit: The id that is randomized.
            expose: Whether the unit counts as exposed.

        Returns:
            The variant and its configuration, the same as `assign` would give.

        Raises:
            FailedPrecondition: The client asks a sidecar.
            SortitionError: The core refused, or no snapshot came in time; there is no default here.
        """
        process = self._process or self._no_process()
        return process.assigner.assign_unit(experiment, unit, expose=expose)

    def assign_many(self, experiment: str, units: UnitArray, *, expose: bool = True) -> Variants:
        """Assigns many units of one experiment, with the GIL given back. Only with ``mode="local"``.

        ::

            variants = client.assign_many("search", user_ids, expose=False)
            index = numpy.frombuffer(variants.indices, numpy.int16)

        Args:
            experiment: The experiment's key.
            units: Their ids, which stay as they are until all are read: a list of texts, an array of texts (S, U) or of
                64-bit integers, or an Arrow array of strings.
            expose: Whether the units count as exposed.

        Returns:
            The index of each unit's variant, and the variants' names and configurations.

        Raises:
            InvalidArgument: The ids cannot be read, or one is empty or too long; then none was assigned.
            FailedPrecondition: The client asks a sidecar.
            SortitionError: As for `assign_unit`.
        """
        process = self._process or self._no_process()
        return process.assign_many(experiment, units, expose)

    def _no_process(self) -> NoReturn:
        raise FailedPrecondition('this client asks a sidecar; make it with mode="local"')

    def record(
        self,
        experiment: str,
        values: Mapping[str, Values],
        *,
        unit: object,
        variant: str = "",
        dimensions: Dimensions | None = None,
    ) -> None:
        """Records what became known of a unit outside its trial, such as a rating that came a day later.

        Args:
            experiment: The experiment's key, as the trial had it.
            values: Values by metric; several of one metric as a list.
            unit: The id that was randomized.
            variant: The variant's name, as the trial had it; the sidecar checks it against the assignment.
            dimensions: What these values are broken down by, as the trial had it.

        Raises:
            SortitionError: Only with ``on_error="raise"``.
        """
        try:
            parcel = self._protocol.parcel(
                experiment, unit_text(unit), variant, observations(values), levels(dimensions)
            )
        except SortitionError as error:
            self._protocol.refuse_values(error, experiment)
            return
        if parcel is not None:
            self._run(self._protocol.record(parcel))

    def experiment(
        self, subject: str | None = None, /, *, unit: str, **options: Any
    ) -> Callable[[Callable[P, R]], Callable[..., R]]:
        """Makes every call of a function a trial.

        ::

            @client.experiment("search-agent", unit="session_id")
            def answer(question, session_id, *, trial):
                return search(question, **trial.config)

        Args:
            subject: What is experimented on; see `assign`.
            unit: The name of the parameter that holds the unit's id.
            **options: More arguments of `assign`.

        Returns:
            A decorator. The function has to take the keyword argument `trial`, which its callers do not give.

        Raises:
            TypeError: The function has no parameter `trial` or `unit`, or it is a coroutine function or a generator.
        """
        Wanted.of(subject, options.get("experiment"), options.get("any_of"))

        def decorate(function: Callable[P, R]) -> Callable[..., R]:
            decorated = Decorated(function, unit, asynchronous=False)

            def call(*args: Any, **kwargs: Any) -> R:
                with self.assign(subject, unit=decorated.unit_of(args, kwargs), **options) as trial:
                    return function(*args, **{**kwargs, "trial": trial})

            return decorated.dress(call)

        return decorate

    def flush(self, timeout_s: float = 2.0) -> int:
        """Sends the outcomes that wait, for at most `timeout_s` seconds; returns how many still do."""
        deadline = time.monotonic() + timeout_s
        waiting = self._run(self._protocol.flush(timeout_s))
        if self._process is not None:
            waiting += self._process.flush(max(0.0, deadline - time.monotonic()))
        return waiting

    def close(self, timeout_s: float = 2.0) -> None:
        """Sends what waits for at most `timeout_s` seconds, and closes the connection; called by itself at exit."""
        deadline = time.monotonic() + timeout_s
        self._run(self._protocol.close(timeout_s))
        if self._process is not None:
            lost = self._process.flush(max(0.0, deadline - time.monotonic()))
            if lost:
                _log.warning("closed with %d outcomes and exposures that could not be shipped", lost)
        self._connection.close()
        _open_clients.discard(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        """Holds a conversation, waiting in this thread."""
        try:
            step = next(steps)
            while True:
                try:
                    came = self._perform(step)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as end:
            result: T = end.value
            return result

    def _perform(self, step: Call | Pause) -> Any:
        if isinstance(step, Call):
            return self._connection.call(step)
        return time.sleep(step.seconds)

    def _after_fork(self) -> None:
        self._protocol.after_fork()
        self._connection.after_fork()


class Trial(TrialBase):
    """One unit's trial: ``with client.assign(...) as trial``.

    Leaving the block sends everything in one call, with the duration and whether it succeeded. An exception inside
    counts as a failure and goes on.
    """

    def __init__(
        self, client: Client, unit: str, answer: Any, automatic: Automatic, dimensions: Dimensions | None
    ) -> None:
        super().__init__(client._protocol, unit, answer, automatic, dimensions)
        self._client = client

    def expose(self) -> bool:
        """Marks the unit as exposed, after ``assign(..., expose=False)``; returns whether it is now."""
        return self.recording and self._client._run(self._protocol.expose(self.experiment, self.unit))

    def finish(self, *, failed: bool = False) -> None:
        """Ends the trial and sends what was measured; leaving the ``with`` block does the same.

        Args:
            failed: Whether it failed.

        Raises:
            SortitionError: Only with ``on_error="raise"``.
        """
        parcel = self._finish(failed)
        if parcel is not None:
            self._client._run(self._protocol.record(parcel))

    def __enter__(self) -> Trial:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.finish(failed=error is not None)
        except SortitionError:
            # What went wrong inside is the more important news.
            if error is None:
                raise


class _Connection:
    """The channel: opened by the first call, and to where the sidecar is by then."""

    def __init__(self, configured: str | None, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
        self._address = ""
        self._methods: dict[str, Any] = {}
        self._lost = False
        self._route = Route(configured, credentials)
        self._metadata: Metadata = credentials.metadata(self.target)

    @property
    def target(self) -> str:
        """The sidecar's address."""
        return self._route.target

    def call(self, step: Call) -> Any:
        """Makes one call."""
        if self._channel is None or self._lost or self._route.due:
            self._open()
        try:
            return self._methods[step.method](step.request, timeout=step.timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._route.failed()
            self._lost = True
            raise

    def close(self) -> None:
        """Closes the channel."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def after_fork(self) -> None:
        """Forgets the channel, which is the parent's."""
        self._lock = threading.Lock()
        self._channel = None
        self._route.forget()

    def _open(self) -> None:
        """Opens a channel, or another one if the sidecar has moved."""
        with self._lock:
            route = self._route
            route.find()
            # Another token may be in the file by now.
            self._metadata = self._credentials.metadata(route.target)
            self._lost = False
            if self._channel is not None and route.address == self._address:
                return
            channel = self._credentials.channel(
                route.address, route.options, insecure=grpc.insecure_channel, secure=grpc.secure_channel
            )
            former, self._address, self._channel = self._channel, route.address, channel
            self._methods = {
                name: channel.unary_unary(path, lambda message: message.SerializeToString(), read)
                for name, (path, read) in METHODS.items()
            }
            if former is not None:
                former.close()


_EXIT_S = 2.0
_open_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _close_all() -> None:
    # However many clients there are, the process ends in time.
    deadline = time.monotonic() + _EXIT_S
    for client in list(_open_clients):
        client.close(max(0.0, deadline - time.monotonic()))


def _after_fork() -> None:
    for client in list(_open_clients):
        client._after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
