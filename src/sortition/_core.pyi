"""The native core: assignment, aggregation and the bytes -> bytes handlers of the hot path.

Import it through `sortition.core`. Every error it raises is one of `sortition.errors`.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypedDict, final, type_check_only

__all__ = [
    "BUCKETS",
    "LIMITS",
    "SUB_SKETCHES",
    "UNIT_BUCKETS",
    "Assigner",
    "Assignment",
    "Cell",
    "CellDelta",
    "Consignment",
    "Engine",
    "Exposure",
    "Lane",
    "SealedBatch",
    "Units",
    "Variants",
    "__version__",
    "allocate",
    "bucket",
    "exposure_hash",
    "file_identity",
    "log_inspect",
    "log_salvage",
    "sketch_bins",
    "sketch_quantiles",
    "unit_bucket",
]

__version__: Final[str]
BUCKETS: Final[int]
"""Assignment buckets: 10,000."""
UNIT_BUCKETS: Final[int]
"""Buckets of units in a cell: 128."""
SUB_SKETCHES: Final[int]
"""Sub-sketches of units in a sketch: 16."""
LIMITS: Final[dict[str, int]]
"""The bounds of a request by name: unit_bytes 512, key_bytes 128, variants 64, metrics 64, config_bytes 262144,
batch_items 10000, observations 256, dimensions 16, known_hashes 64, subjects 64, dedup_clients 65536,
idempotency_keys 65536, pending_exposures 1000000, live_cells 100000, outbound_items 100000,
outbound_bytes 67108864."""

def bucket(experiment_id: str, unit: str) -> int:
    """Returns the assignment bucket of a unit in [0, 10000).

    It is SHA-256 of ``experiment_id:unit``, first four bytes, big-endian, modulo 10000.
    """

def allocate(weights: Sequence[int], bucket: int) -> int:
    """Returns the index of the first variant whose cumulative weight (basis points, summing to 10000) exceeds `bucket`.

    Raises:
        InvalidArgument: The weights do not sum to 10000, or the bucket is outside [0, 10000).
    """

def unit_bucket(experiment_id: str, unit: str) -> tuple[int, int]:
    """Returns the (unit bucket in [0, 128), sub-sketch in [0, 16)) of a unit.

    It is a salted hash, independent of `bucket`, the same everywhere.
    """

def exposure_hash(key: bytes, experiment_id: str, unit: str) -> int:
    """Returns the signed 64-bit hash under which a unit's exposure is stored: HMAC-SHA-256, first eight bytes."""

@type_check_only
class _Recovery(TypedDict):
    """What was found in a log when it was opened."""

    segments: int
    """Segments that were read."""
    records: int
    """Records in them."""
    sealed: int
    """Batches that are not known to be in the database."""
    cells: int
    """Cells that are not known to be in the database."""
    exposures: int
    """Exposures that are not known to be in the database."""
    torn_bytes: int
    """What was cut off its end, as it had not been acknowledged."""
    torn_copy: str
    """The file that keeps what was cut off; empty when nothing was."""

@type_check_only
class _LogSegment(TypedDict):
    """What one segment of a log holds."""

    name: str
    bytes: int
    batch: int
    """By the log's own count; 0 where it says nothing yet."""
    first_lsn: int
    last_lsn: int
    calls: int
    observations: int
    exposures: int
    windows: bool
    """Whether it holds all windows against duplicates."""
    full: bool
    """Whether it holds everything of its batch from before it."""
    end: str
    torn_bytes: int

@type_check_only
class _Log(TypedDict):
    """What a log holds."""

    segments: list[_LogSegment]
    committed: int
    """The last batch that the database is known to have, by the log's own count."""
    shift: int | None
    """What is added to that count to get the database's; None before the database was seen."""
    damage: str | None
    """Why a sidecar would refuse to start with it."""

@type_check_only
class _Salvaged(TypedDict):
    """What was saved of a damaged log."""

    records: int
    lost_records: int
    lost_bytes: int
    copies: list[str]

def file_identity(path: str | os.PathLike[str]) -> str:
    """Returns what tells a file from every copy of it: its inode and, where it is known, when it was made.

    Raises:
        Unavailable: It cannot be looked at.
    """

def log_inspect(log_dir: str | os.PathLike[str]) -> _Log:
    """Looks at a log, which may be in use.

    Raises:
        Unavailable: It cannot be read.
    """

def log_salvage(log_dir: str | os.PathLike[str]) -> _Salvaged:
    """Makes a log that a sidecar can start with out of a damaged one; every segment is copied first.

    A log that is not damaged stays as it is.

    Raises:
        FailedPrecondition: It is in use.
        Unavailable: It cannot be read or written.
    """

def sketch_bins(sketch: bytes) -> tuple[bytes, bytes]:
    """Returns the bins of a sketch, ascending: edges and counts.

    Edges are native-endian float64 of shape (k, 2); counts by sub-sketch are uint64 of shape (k, 16).

    Raises:
        DataLoss: The bytes are not a sketch.
    """

def sketch_quantiles(sketch: bytes, q: Sequence[float]) -> list[float]:
    """Returns the quantiles of all observations in a sketch, interpolated inside the bin; NaN when it is empty.

    Each is within 1 % (relative) of the order statistic at its rank.

    Raises:
        InvalidArgument: A `q` is outside [0, 1].
        DataLoss: The bytes are not a sketch.
    """

@final
class Cell:
    """Mergeable statistics of one metric of one variant on one day."""

    def __new__(cls, *, quantiles: bool = False, covariate: bool = False) -> Cell:
        """Makes an empty cell."""
    @staticmethod
    def from_parts(
        n: int,
        mean: float,
        m2: float,
        min: float | None,
        max: float | None,
        refused: int,
        clamped: int,
        late: int,
        buckets: bytes,
        sketch: bytes | None,
    ) -> Cell:
        """Rebuilds a cell from its parts.

        Raises:
            DataLoss: The parts do not fit together.
        """
    @property
    def n(self) -> int:
        """Observations."""
    @property
    def mean(self) -> float:
        """Their mean; 0 when there are none."""
    @property
    def m2(self) -> float:
        """The sum of squared deviations from the mean."""
    @property
    def min(self) -> float | None:
        """The smallest observation."""
    @property
    def max(self) -> float | None:
        """The largest observation."""
    @property
    def refused(self) -> int:
        """Values that were refused."""
    @property
    def clamped(self) -> int:
        """Values that were moved to a cap."""
    @property
    def late(self) -> int:
        """Values that came when the experiment was over."""
    @property
    def buckets(self) -> bytes:
        """Little-endian float64 of shape (128, 2): denominator, sum; (128, 3) with the sum of the covariate."""
    @property
    def sketch(self) -> bytes | None:
        """The encoded sketch with its 16 sub-sketches; None when none is kept."""
    def add(
        self, experiment_id: str, unit: str, value: float, denominator: float = 1.0, covariate: float | None = None
    ) -> None:
        """Adds one observation.

        Raises:
            InvalidArgument: A number is not finite or beyond 1e100 in size, the denominator is not > 0, or a covariate
                is given and not kept (or the reverse).
        """
    def add_many(self, experiment_id: str, units: Sequence[str], values: Sequence[float]) -> None:
        """Adds one observation per unit; all of them or, on an error, none."""
    def merge(self, other: Cell) -> Cell:
        """Returns the cell of both cells' observations; exact and independent of order wherever it holds integers.

        Raises:
            InvalidArgument: Only one of the two keeps a sketch or a covariate (an empty cell merges with any).
        """
    def without(self, part: Cell) -> Cell:
        """Returns the cell without the observations of another that are among its own.

        The extremes stay those of all of them, and of the counts only that of clamped values changes.

        Raises:
            DataLoss: They are not.
        """
    def parts(
        self,
    ) -> tuple[int, float, float, float | None, float | None, int, int, int, bytes, bytes | None]:
        """Returns what `from_parts` takes, in that order."""

@final
class CellDelta:
    """What was added to one cell since the batch before."""

    @property
    def experiment_id(self) -> str: ...
    @property
    def variant(self) -> int:
        """The variant's index."""
    @property
    def metric(self) -> int:
        """The metric's index."""
    @property
    def day(self) -> int:
        """The UTC day, counted from 1970-01-01."""
    @property
    def level(self) -> int:
        """Whose: 0 for everyone, else the number of a level.

        Levels are counted from 1 on through all dimensions in declared order, each dimension's "other" behind its own.
        """
    @property
    def cell(self) -> Cell: ...

@final
class Exposure:
    """A unit's exposure, possibly one that is known already."""

    @property
    def experiment_id(self) -> str: ...
    @property
    def unit_hash(self) -> int:
        """See `exposure_hash`."""
    @property
    def variant(self) -> int:
        """The variant's index."""
    @property
    def bucket(self) -> int:
        """The assignment bucket."""
    @property
    def generation(self) -> int:
        """The allocation that decided."""
    @property
    def day(self) -> int:
        """The UTC day, counted from 1970-01-01."""

@final
class SealedBatch:
    """An immutable, numbered part of what was recorded."""

    @property
    def number(self) -> int: ...
    @property
    def cells(self) -> list[CellDelta]: ...
    @property
    def exposures(self) -> list[Exposure]: ...

@final
class Assigner:
    """Assigns units of one organization, by whichever engine is there."""

    def __new__(
        cls, organization: str, otherwise: Callable[[str, str, bool], Assignment], *, exposes: bool
    ) -> Assigner:
        """Makes one without an engine.

        Args:
            organization: Who owns the experiments.
            otherwise: Answers while there is no engine: experiment, unit, and whether to expose.
            exposes: Whether a unit may be exposed at all.
        """
    def aim(self, engine: Engine | None) -> None:
        """Says which engine answers from now on; None for `otherwise`. Takes no lock."""
    def assign_unit(self, experiment: str, unit: str, *, expose: bool = True) -> Assignment:
        """Assigns one unit with nothing around it, for loops that count nanoseconds; see `Engine.assign_unit`."""

@final
class Assignment:
    """One unit's variant; what does not depend on the unit is the same object for all units of an arm."""

    @property
    def experiment(self) -> str | None: ...
    @property
    def variant(self) -> str | None: ...
    @property
    def config(self) -> bytes:
        """A JSON object in UTF-8."""
    @property
    def config_hash(self) -> bytes: ...
    @property
    def reason(self) -> int:
        """The number of the proto enum Reason."""
    @property
    def bucket(self) -> int: ...
    @property
    def exposed(self) -> bool: ...

@final
class Consignment:
    """What an engine hands on in one call; see `Engine.hand_out`."""

    @property
    def content(self) -> bytes:
        """A serialized RecordBatchRequest without its delivery."""
    @property
    def items(self) -> int:
        """How many outcomes and exposed units are in it."""

@final
class Units:
    """The ids of many units, copied or shared once and then read without the GIL."""

    @staticmethod
    def texts(texts: Sequence[str], begin: int = 0, end: int | None = None) -> Units:
        """Of texts: those from `begin` on and before `end`, as far as there are any.

        Raises:
            TypeError: One of them is no text.
            InvalidArgument: One of them holds half of a surrogate pair.
        """
    @staticmethod
    def fixed(kind: str, width: int, data: bytes) -> Units:
        """Of items of `width` bytes: kind "S" (UTF-8) or "U" (UTF-32), padded with zeros; "i" or "u" (8-byte numbers).

        Raises:
            InvalidArgument: The kind or width cannot be read, or the data is not whole items.
        """
    @staticmethod
    def utf8(offsets: bytes, width: int, data: bytes) -> Units:
        """Of texts behind each other; `offsets` holds one native integer of `width` bytes (4 or 8) more than texts.

        Raises:
            InvalidArgument: The offsets are not ascending, or beyond the data.
        """
    def __len__(self) -> int: ...

@final
class Variants:
    """The variants of many units, in their order."""

    @property
    def experiment(self) -> str | None: ...
    @property
    def names(self) -> tuple[str, ...]:
        """The names of the experiment's variants; empty where no experiment decided."""
    @property
    def configs(self) -> tuple[bytes, ...]:
        """Their configurations, each a JSON object in UTF-8."""
    @property
    def indices(self) -> bytes:
        """The index of each unit's variant among `names` as native int16; -1 where no experiment decided."""
    @property
    def exposed(self) -> int:
        """How many answers count as an exposure."""
    @property
    def snapshot_version(self) -> int: ...
    def __len__(self) -> int: ...

@final
class Engine:
    """The hot path's state: a snapshot, the open and the sealed batch, the windows against duplicates.

    Safe to share between threads. The handlers take and return serialized messages of ``sortition.rpc.v1``.
    `now_ms` is the time in milliseconds since 1970-01-01 UTC, the system clock's when absent.
    """

    def __new__(
        cls,
        *,
        unit_key: bytes,
        limits: dict[str, int] | None = None,
        log_dir: str | os.PathLike[str] | None = None,
        ack: Literal["written", "fsynced"] = "written",
        log_identity: bytes | None = None,
        log_limits: dict[str, int] | None = None,
    ) -> Engine:
        """Makes an engine without a snapshot.

        Args:
            unit_key: The installation's key for hashing unit ids, at least 16 bytes.
            limits: Bounds that differ from `LIMITS`.
            log_dir: Where the log is; without one, what is recorded is in memory only.
            ack: When a call is acknowledged: once the system has its record ("written"), or once that is synced
                ("fsynced").
            log_identity: 16 bytes that tell the state directory; a log of another is refused.
            log_limits: Bounds of the log in bytes: max_bytes 1 GiB, beyond which recording is refused; segment_bytes
                64 MiB, at which a segment is replaced by a checkpoint; retain_bytes 64 MiB, kept although the database
                has them.

        Raises:
            InvalidArgument: An argument is out of range.
            FailedPrecondition: The log is in use, or of another state directory.
            DataLoss: The log is damaged where it was acknowledged; says where.
            ResourceExhausted: The disk is full.
            Unavailable: The disk fails.
        """
    @staticmethod
    def forwarding(limits: dict[str, int] | None = None) -> Engine:
        """Makes an engine for an agent's process, which counts nothing: see `hand_out`.

        Args:
            limits: Bounds that differ from `LIMITS`; outbound_items and outbound_bytes bound what waits.

        Raises:
            InvalidArgument: A bound is unknown or 0.
        """
    def forked(self) -> Engine:
        """Returns an engine for a forked process: it answers from the same snapshot, and has nothing to hand on."""
    def hand_out(self, max_bytes: int) -> Consignment | None:
        """Takes what was exposed and recorded, at most `max_bytes`, to be sent in one call; None when nothing waits.

        It counts against the bounds until it is settled.
        """
    def settle(self, consignment: Consignment) -> None:
        """Says that a consignment will not be sent again: it was taken, or never can be."""
    @property
    def snapshot(self) -> bytes | None:
        """The serialized Snapshot that is loaded; None without one."""
    def wait_for_snapshot(self, than: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Waits for a snapshot newer than version `than`; returns its version and itself, or None if none came in time.

        Raises:
            InvalidArgument: An argument is negative.
        """
    @property
    def recovery(self) -> _Recovery | None:
        """What was found in the log when it was opened; None without a log."""
    @property
    def log_sound(self) -> bool:
        """Whether the log can be written: not any more once syncing it failed, or after `close`. True without one."""
    def close(self) -> None:
        """Syncs the log and lets go of it: nothing is recorded any more, and another engine may open it.

        Raises:
            Unavailable: The log could not be synced.
        """
    @property
    def ready(self) -> bool:
        """Whether a snapshot is loaded."""
    @property
    def snapshot_version(self) -> int:
        """The version of the loaded snapshot; 0 without one."""
    @property
    def snapshot_hash(self) -> bytes:
        """The first 16 bytes of the SHA-256 of its content; empty without one."""
    def load_snapshot(self, snapshot: bytes) -> bool:
        """Compiles a serialized Snapshot and swaps it in; False when the loaded one is the same or newer.

        Raises:
            DataLoss: The bytes are damaged, or their hash is wrong.
            InvalidArgument: The content contradicts itself; lists every violation.
        """
    def hold(self, experiment_ids: Sequence[str]) -> None:
        """Answers running experiments with these ids, and no others, as if they were paused, whatever snapshots say.

        Every unit gets the control and none is exposed; the snapshot keeps its version and its hash.
        """
    def keep_units(self, experiment_id: str, through: int, hashes: bytes, variants: bytes, generations: bytes) -> None:
        """Takes the units that were exposed under allocations before number `through`, and lets that one decide here.

        Until then the allocation before decides, and nobody in a bucket that a later one moves is exposed. What was
        known of the experiment before is forgotten.

        Args:
            experiment_id: Its id.
            through: The number of the allocation.
            hashes: The units' keyed hashes as in `exposure_hash`, little-endian int64.
            variants: The indices of their variants, little-endian uint16.
            generations: The numbers of the allocations that they were first exposed under, 1 to 255, likewise.

        Raises:
            InvalidArgument: The three do not have the same number of items.
        """
    def kept_through(self, experiment_id: str) -> int:
        """Returns the number of the allocation up to which an experiment's units are known; 0 where none are."""
    def assign(self, request: bytes, now_ms: int | None = None) -> bytes:
        """AssignRequest -> AssignResponse."""
    def assign_batch(self, request: bytes, now_ms: int | None = None) -> bytes:
        """AssignBatchRequest -> AssignBatchResponse."""
    def assign_stream_message(self, request: bytes, now_ms: int | None = None) -> bytes:
        """AssignRequest -> AssignStreamResponse; what a unary call would raise is in the answer."""
    def expose(self, request: bytes, now_ms: int | None = None) -> bytes:
        """ExposeRequest -> ExposeResponse."""
    def record(self, request: bytes, now_ms: int | None = None) -> bytes:
        """RecordRequest -> RecordResponse."""
    def record_batch(self, request: bytes, now_ms: int | None = None) -> bytes:
        """RecordBatchRequest -> RecordResponse."""
    def record_stream_message(self, request: bytes, now_ms: int | None = None) -> bytes:
        """RecordRequest -> RecordStreamResponse; what a unary call would raise is in the answer."""
    def assign_unit(
        self, experiment: str, unit: str, organization: str = "default", expose: bool = True, now_ms: int | None = None
    ) -> Assignment:
        """Assigns without messages, for use inside the process; the same answer as `assign`."""
    def assign_many(
        self,
        experiment: str,
        units: Units | Iterable[Units],
        organization: str = "default",
        expose: bool = True,
        now_ms: int | None = None,
    ) -> Variants:
        """Assigns many units of one experiment, with the GIL given back; the same answers as `assign`.

        Units may come in pieces, each asked for when the one before is done: so the GIL is held for the making of one
        piece, and not of all. They are one call all the same: of one snapshot, and applied whole or not at all.

        Raises:
            InvalidArgument: A unit is empty, too long or not UTF-8; nothing was exposed.
            NotFound: There is no such experiment.
            FailedPrecondition: Its variants are chosen elsewhere.
            NotReady: No snapshot is loaded.
        """
    def resume(self, high_water: int) -> None:
        """Says which batch the database has; the next sealed one is the one behind it.

        Call it once, before the first `seal`. With a log it is required, and batches that the log has and the database
        lacks are sealed again.

        Raises:
            FailedPrecondition: A batch was sealed before; or the database has batches that the log never heard of.
            DataLoss: The database lacks batches that it had, and the log does not hold them any more.
            ResourceExhausted: The disk is full.
            Unavailable: The disk fails.
        """
    @property
    def waiting(self) -> int:
        """How many batches are sealed and not known to be in the database."""
    def pending(self, experiment_ids: Sequence[str]) -> list[SealedBatch]:
        """Returns copies of what the database is not known to have of some experiments, the open batch last.

        The cells of everyone alone, and no exposures. Nothing is sealed by it. Before `resume` the numbers are the
        log's.
        """
    def seal(self) -> SealedBatch | None:
        """Closes the open batch and returns it.

        Returns the same one again until it is committed, and None when there is nothing to flush.

        Raises:
            FailedPrecondition: There is a log, and `resume` was not called.
            ResourceExhausted: The disk is full.
            Unavailable: The log failed; what was recorded is read by the next process.
        """
    def commit(self, number: int) -> None:
        """Says that the sealed batch is in the database, so that it can be forgotten.

        Raises:
            FailedPrecondition: No batch of that number is sealed.
        """
    def counters(self) -> dict[str, int]:
        """Returns what the engine counted since it was made, and what it holds, by name.

        Counted: assignments, exposures, exposures_dropped (answers that could not expose their unit because
        `pending_exposures` was reached), calls_recorded, observations, duplicates, refused, late, ignored, clamped.
        Held: experiments, live_cells, pending_exposures, dedup_clients, idempotency_keys, log_bytes, outbound_items.
        """

@final
class Lane:
    """Serves Assignment and Recording from an engine, on a thread that never waits for the interpreter.

    It has to be stopped before the engine is closed.
    """

    def __new__(
        cls,
        engine: Engine,
        listen: str,
        *,
        connections: int,
        calls_per_connection: int,
        calls: int,
        streams: int,
        metadata_bytes: int,
        tokens: Sequence[tuple[str, str, bytes, int | None]] | None = None,
        tls: tuple[bytes, bytes, bytes | None] | None = None,
    ) -> Lane:
        """Listens, and serves until it is stopped.

        Args:
            engine: What answers.
            listen: ``unix:/path``, in a directory of this user alone, or ``host:port`` (port 0: any free one).
            connections: How many there may be; further ones are closed at once.
            calls_per_connection: Calls and streams under way on one of them; further ones wait in the client.
            calls: Calls under way; further ones are refused.
            streams: Open streams; further ones are refused.
            metadata_bytes: What a call may bring of them.
            tokens: The id, name, SHA-256 and end (in milliseconds since 1970; None for never) of each token; None where
                tokens are not in use.
            tls: Certificate, key, and what signs certificates of clients, as PEM; None for no TLS.

        Raises:
            InvalidArgument: An argument cannot be used.
            Unavailable: The address is in use, or not of this machine.
        """
    @property
    def address(self) -> str:
        """Where it listens, with the port that was chosen."""
    def replace_tokens(self, tokens: Sequence[tuple[str, str, bytes, int | None]]) -> None:
        """Replaces the tokens, where they are in use, and ends the streams of those that went."""
    def replace_certificates(self, certificate: bytes, key: bytes, client_ca: bytes | None) -> None:
        """Replaces the certificates for new connections, where TLS is spoken.

        Raises:
            InvalidArgument: They cannot be used; the former ones stay.
        """
    def sweep(self) -> None:
        """Ends the streams whose token has expired."""
    def take_denials(self) -> list[tuple[str, str, str, str, str, int]]:
        """Returns the denied calls since the last time: caller, method, status, reason, address and how many."""
    def take_defects(self) -> list[str]:
        """Returns the defects since the last time, in words for the log."""
    def counters(self) -> dict[str, int]:
        """Returns what it counted since it began, by name: calls, connections and streams, those refused among them."""
    def stop(self, grace_s: float) -> None:
        """Accepts nothing more, gives what is under way `grace_s` seconds to end, and then ends it."""
