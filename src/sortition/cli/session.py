"""One command's connection to a sidecar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sortition.errors import SidecarUnavailable

if TYPE_CHECKING:
    import grpc
    from google.protobuf.message import Message
    from rich.console import RenderableType

    from sortition.rpc.v1.admin_pb2 import Actor

__all__ = ["Output", "Session"]

AnswerT = TypeVar("AnswerT")

# An address is one short line.
_MAX_ADDRESS_BYTES = 512
# A page of experiments with large configurations may be larger than gRPC's 4 MiB.
_MAX_ANSWER_BYTES = 64 * 1024 * 1024


class Output(str, Enum):
    """How answers are written."""

    TABLE = "table"
    JSON = "json"


@dataclass
class Session:
    """One command's connection to a sidecar, and how its answers are written.

    Attributes:
        organization: Whose experiments and subjects are meant; empty means "default".
        output: How answers are written.
        timeout_s: How long one call may take.
        actor_name: Who does it, for the audit log.
        reason: Why, for the audit log.
        target: The sidecar's address; found when empty.
        state_dir: The state directory of the sidecar that is meant; any when absent.
        token_file: A file that holds the token; that of the environment when absent.
        tls_ca: The certificates that sign the sidecar's; those of the environment when absent.
    """

    organization: str = ""
    output: Output = Output.TABLE
    timeout_s: float = 30.0
    actor_name: str = ""
    reason: str = ""
    target: str = ""
    state_dir: Path | None = None
    token_file: Path | None = None
    tls_ca: Path | None = None
    _channel: grpc.Channel | None = field(default=None, init=False)
    _given: str = field(default="", init=False, repr=False)
    _metadata: tuple[tuple[str, str], ...] = field(default=(), init=False, repr=False)

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Closes the connection, if there was one, when the command is done."""
        try:
            yield self
        finally:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def reconnect(self) -> None:
        """Closes the connection; the next call looks for the sidecar anew, which may listen elsewhere by then."""
        if self._channel is not None:
            self._channel.close()
            self._channel, self.target = None, self._given

    @property
    def admin(self) -> Any:
        """The stub of the Admin service."""
        from sortition.rpc.v1.admin_pb2_grpc import AdminStub

        return AdminStub(self._connected())

    @property
    def analysis(self) -> Any:
        """The stub of the Analysis service."""
        from sortition.rpc.v1.analysis_pb2_grpc import AnalysisStub

        return AnalysisStub(self._connected())

    @property
    def assignment(self) -> Any:
        """The stub of the Assignment service."""
        from sortition.rpc.v1.assignment_pb2_grpc import AssignmentStub

        return AssignmentStub(self._connected())

    @property
    def health(self) -> Any:
        """The stub of the standard health service."""
        from grpc_health.v1.health_pb2_grpc import HealthStub

        return HealthStub(self._connected())

    @property
    def recording(self) -> Any:
        """The stub of the Recording service."""
        from sortition.rpc.v1.recording_pb2_grpc import RecordingStub

        return RecordingStub(self._connected())

    @property
    def actor(self) -> Actor:
        """Who and why."""
        from sortition.rpc.v1.admin_pb2 import Actor

        return Actor(name=self.actor_name, reason=self.reason)

    def call(self, method: Callable[..., AnswerT], request: Message) -> AnswerT:
        """Makes one call.

        Raises:
            SortitionError: The one that the sidecar raised.
        """
        import grpc

        from sortition.client.failures import from_rpc

        try:
            return method(request, timeout=self.timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raised = from_rpc(error)
            if isinstance(raised, SidecarUnavailable):
                raise SidecarUnavailable(self._away(error)) from None
            raise raised from None

    def show(self, message: Message, table: Callable[[], RenderableType]) -> None:
        """Writes an answer to stdout: as one JSON document, or as what `table` returns."""
        from sortition.cli.output import print_json, print_table

        if self.output is Output.JSON:
            print_json(message)
        else:
            print_table(table())

    def _connected(self) -> grpc.Channel:
        if self._channel is None:
            import grpc

            from sortition.client.credentials import Credentials

            self._given = self.target
            self.target = self._found()
            credentials = Credentials(token_file=self.token_file, tls_ca=self.tls_ca)
            self._metadata = credentials.metadata(self.target)
            # A proxy of the environment knows nothing about a sidecar on this machine.
            options = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", _MAX_ANSWER_BYTES))
            self._channel = credentials.channel(
                self.target, options, insecure=grpc.insecure_channel, secure=grpc.secure_channel
            )
        return self._channel

    def _found(self) -> str:
        if self.target or self.state_dir is None:
            from sortition.client.target import find_target

            return find_target(self.target or None)
        # Whoever names a state directory means the sidecar of that directory and no other.
        from sortition.locations import endpoint_file

        try:
            with endpoint_file(self.state_dir).open("rb") as file:
                return file.read(_MAX_ADDRESS_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError):
            raise SidecarUnavailable(f"no sidecar runs in {self.state_dir}; start one with `sortition serve`") from None

    def _away(self, error: Any) -> str:
        if error.code().name == "DEADLINE_EXCEEDED":
            return f"the sidecar at {self.target} gave no answer within {self.timeout_s:g} s; see --timeout"
        # A connection that could not be made is told at length; that there is none says it all.
        said = error.details() or ""
        why = f" ({said})" if said and "connect" not in said else ""
        return f"no sidecar answers at {self.target}{why}; start one with `sortition serve`, or see --target"
