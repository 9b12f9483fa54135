"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import grpc
import grpc.aio

from sortition.client.credentials import Credentials, Metadata, PathLike
from sortition.client.decorator import Decorated
from sortition.client.dimensions import Dimensions, levels
from sortition.client.measure import Automatic
from sortition.client.observations import Values, observations
from sortition.client.protocol import Call, OnError, Pause, Protocol, Steps
from sortition.client.route import Route
from sortition.client.stats import ClientStats
from sortition.client.transport import METHODS
from sortition.client.trial import TrialBase
from sortition.client.wanted import Wanted, unit_text
from sortition.errors import SortitionError

__all__ = ["AsyncClient", "AsyncTrial"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class AsyncClient:
    """`Client` for asyncio: the same arguments, the same promises, to be used in one event loop at a time.

    What waits in the buffer is sent with later calls and by `close`. At the end of the process there is no event loop
    left to send it, so leave the client's ``async with`` block or await `close`.

    Args:
        target: The sidecar's address; see `Client`.
        organization: Who owns the experiments.
        timeout_s: How long one call may take, retries included, in seconds.
        defaults: Configurations for when the sidecar gives no answer, by the name they are asked for.
        on_error: "default" logs and counts what goes wrong; "raise" raises it.
        buffer_size: How many outcomes may wait while the sidecar is away; further ones are dropped and counted.
        duration: The metric under which a trial's duration is recorded where the experiment declares it; none when
            empty.
        duration_unit: The unit of that metric: "s", "ms" or "us".
        success: The metric under which success is recorded where the experiment declares it; none when empty.
        token: The token that the sidecar asks for; see `Client`, also for those below.
        token_file: A file that holds it.
        tls_ca: A file of the certificates that sign the sidecar's.
        tls_certificate: This client's certificate.
        tls_key: Its private key.
        tls_server_name: The name in the sidecar's certificate.

    Raises:
        ValueError: An argument is outside its range.
        SettingsError: The token cannot be read, or would leave this machine without TLS.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
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
        self._connection = _Connection(target, credentials)

    @property
    def stats(self) -> ClientStats:
        """What this client did since it was made, and what waits or was dropped."""
        return self._protocol.stats

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
    ) -> AsyncAssignment:
        """Asks for a unit's variant: ``async with client.assign(...) as trial``, or await it.

        Args:
            subject: What is experimented on: the id of an agent, or ``kind/id`` such as "prompt/greeting".
            unit: The id that is randomized, such as that of the session: text, an integer or a UUID.
            experiment: The key of an experiment, instead of a subject.
            any_of: Several subjects, of which the first with an experiment is meant, instead of one.
            expose: Whether the unit counts as exposed at once; if not, await the trial's `expose` when the variant is
                used.
            dimensions: What the unit's outcomes are broken down by, such as ``{"device": "mobile"}``; see
                `Trial.record`.
            default: The configuration to use if the sidecar gives no answer, instead of the client's.
            duration: Replaces the client's `duration` for this trial.
            duration_unit: Replaces the client's `duration_unit` for this trial.
            success: Replaces the client's `success` for this trial.

        Raises:
            TypeError: Not exactly one of `subject`, `experiment` and `any_of` is given.
            SortitionError: When awaited, and only with ``on_error="raise"``: the sidecar refused, or was not reached in
                time.
        """
        wanted = Wanted.of(subject, experiment, any_of)
        automatic = self._automatic.but(duration, duration_unit, success)

        async def ask() -> AsyncTrial:
            try:
                text = unit_text(unit)
            except SortitionError as error:
                return AsyncTrial(self, "", self._protocol.fallback(wanted, error, default), automatic, dimensions)
            answer = await self._run(self._protocol.assign(wanted, text, expose=expose, default=default))
            return AsyncTrial(self, text, answer, automatic, dimensions)

        return AsyncAssignment(ask)

    async def record(
        self,
        experiment: str,
        values: Mapping[str, Values],
        *,
        unit: object,
        variant: str = "",
        dimensions: Dimensions | None = None,
    ) -> None:
        """Records what became known of a unit outside its trial; see `Client.record`."""
        try:
            parcel = self._protocol.parcel(
                experiment, unit_text(unit), variant, observations(values), levels(dimensions)
            )
        except SortitionError as error:
            self._protocol.refuse_values(error, experiment)
            return
        if parcel is not None:
            await self._run(self._protocol.record(parcel))

    def experiment(
        self, subject: str | None = None, /, *, unit: str, **options: Any
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[..., Awaitable[R]]]:
        """Makes every call of a coroutine function a trial; see `Client.experiment`."""
        Wanted.of(subject, options.get("experiment"), options.get("any_of"))

        def decorate(function: Callable[P, Awaitable[R]]) -> Callable[..., Awaitable[R]]:
            decorated = Decorated(function, unit, asynchronous=True)

            async def call(*args: Any, **kwargs: Any) -> R:
                async with self.assign(subject, unit=decorated.unit_of(args, kwargs), **options) as trial:
                    return await function(*args, **{**kwargs, "trial": trial})

            return decorated.dress(call)

        return decorate

    async def flush(self, timeout_s: float = 2.0) -> int:
        """Sends the outcomes that wait, for at most `timeout_s` seconds; returns how many still do."""
        return await self._run(self._protocol.flush(timeout_s))

    async def close(self, timeout_s: float = 2.0) -> None:
        """Sends what waits for at most `timeout_s` seconds, and closes the connection."""
        await self._run(self._protocol.close(timeout_s))
        await self._connection.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, steps: Steps[T]) -> T:
        """Holds a conversation, waiting in the event loop."""
        try:
            step = next(steps)
            while True:
                try:
                    came = await self._perform(step)
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _perform(self, step: Call | Pause) -> Any:
        if isinstance(step, Call):
            return await self._connection.call(step)
        return await asyncio.sleep(step.seconds)


class AsyncTrial(TrialBase):
    """One unit's trial: ``async with client.assign(...) as trial``. See `Trial`."""

    def __init__(
        self, client: AsyncClient, unit: str, answer: Any, automatic: Automatic, dimensions: Dimensions | None
    ) -> None:
        super().__init__(client._protocol, unit, answer, automatic, dimensions)
        self._client = client

    async def expose(self) -> bool:
        """Marks the unit as exposed, after ``assign(..., expose=False)``; returns whether it is now."""
        return self.recording and await self._client._run(self._protocol.expose(self.experiment, self.unit))

    async def finish(self, *, failed: bool = False) -> None:
        """Ends the trial and sends what was measured; leaving the ``async with`` block does the same.

        Args:
            failed: Whether it failed.

        Raises:
            SortitionError: Only with ``on_error="raise"``.
        """
        parcel = self._finish(failed)
        if parcel is not None:
            await self._client._run(self._protocol.record(parcel))

    async def __aenter__(self) -> AsyncTrial:
        self._watch.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.finish(failed=error is not None)
        except SortitionError:
            # What went wrong inside is the more important news.
            if error is None:
                raise


class AsyncAssignment:
    """A trial to come: await it, or enter it."""

    def __init__(self, ask: Callable[[], Awaitable[AsyncTrial]]) -> None:
        self._ask = ask
        self._trial: AsyncTrial | None = None

    def __await__(self) -> Generator[Any, None, AsyncTrial]:
        return self._ask().__await__()

    async def __aenter__(self) -> AsyncTrial:
        self._trial = await self._ask()
        return await self._trial.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._trial is not None:
            await self._trial.__aexit__(kind, error, traceback)


class _Connection:
    """The channel: opened by the first call in an event loop, and to where the sidecar is by then."""

    def __init__(self, configured: str | None, credentials: Credentials) -> None:
        self._credentials = credentials
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: grpc.aio.Channel | None = None
        self._address = ""
        self._methods: dict[str, Any] = {}
        self._lost = False
        self._route = Route(configured, credentials)
        self._metadata: Metadata = credentials.metadata(self.target)

    @property
    def target(self) -> str:
        """The sidecar's address."""
        return self._route.target

    async def call(self, step: Call) -> Any:
        """Makes one call."""
        moved = self._lost or self._route.due or self._loop is not asyncio.get_running_loop()
        if self._channel is None or moved:
            await self._open()
        try:
            return await self._methods[step.method](step.request, timeout=step.timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._route.failed()
            self._lost = True
            raise

    async def close(self) -> None:
        """Closes the channel."""
        if self._channel is not None:
            await self._channel.close(None)
            self._channel = None

    async def _open(self) -> None:
        """Opens a channel, or another one if the sidecar has moved or the event loop is another."""
        loop, route = asyncio.get_running_loop(), self._route
        route.find()
        # Another token may be in the file by now.
        self._metadata = self._credentials.metadata(route.target)
        self._lost = False
        if self._channel is not None and route.address == self._address and self._loop is loop:
            return
        former = self._channel if self._loop is loop else None
        channel = self._credentials.channel(
            route.address, route.options, insecure=grpc.aio.insecure_channel, secure=grpc.aio.secure_channel
        )
        self._loop, self._address, self._channel = loop, route.address, channel
        self._methods = {
            name: channel.unary_unary(path, lambda message: message.SerializeToString(), read)
            for name, (path, read) in METHODS.items()
        }
        if former is not None:
            await former.close(None)
