//! `Engine` and what it hands out, for Python.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use sortition_core::assign::{Question, Target};
use sortition_core::error::{Error, Result, Violation};
use sortition_core::limits::Limits;
use sortition_core::log::{Ack, Disk, Lock, Recovery};
use sortition_core::{aggregate, engine, exposure, forward};

use crate::arguments::{Natural, Text};
use crate::assignment::{Assignment, assigned};
use crate::cell::Cell;
use crate::error::{guard, raised};
use crate::log;
use crate::tender::Tender;
use crate::units::{Units, Variants};

/// The hot path's state: a snapshot, the open and the sealed batch, the windows against duplicates, the log.
///
/// A single message is handled with the GIL held, as giving it back costs more than the work, unless it waits for a disk. Batches,
/// sealing and loading give it back.
#[pyclass(frozen, module = "sortition.core")]
pub struct Engine {
    core: Arc<engine::Engine>,
    recovery: Option<Recovery>,
    /// Whether a call may have to wait until it is synced.
    waits: bool,
    /// What holds the log: the thread that tends it, and then the lock on its directory.
    holding: Mutex<Option<(Tender, Lock)>>,
}

#[pymethods]
impl Engine {
    /// Makes an engine without a snapshot.
    #[new]
    #[pyo3(
        signature = (*, unit_key, limits = None, log_dir = None, ack = Text("written"), log_identity = None, log_limits = None),
        text_signature = "(*, unit_key, limits=None, log_dir=None, ack='written', log_identity=None, log_limits=None)"
    )]
    fn new(
        py: Python<'_>,
        unit_key: &[u8],
        limits: Option<&Bound<'_, PyDict>>,
        log_dir: Option<PathBuf>,
        ack: Text<&str>,
        log_identity: Option<&[u8]>,
        log_limits: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let limits = limits.map_or_else(|| Ok(Vec::new()), |given| overrides("limits", given))?;
        let log_limits =
            log_limits.map_or_else(|| Ok(Vec::new()), |given| overrides("log_limits", given))?;
        py.detach(|| {
            guard(|| {
                let limits = Limits::with(&limits)?;
                let Some(path) = log_dir else {
                    let core = engine::Engine::new(unit_key, limits)?;
                    return Ok(Self::in_memory(core));
                };
                let options = log::options(ack.0, log_identity, &log_limits)?;
                let waits = options.ack == Ack::Fsynced;
                let (disk, lock) = Disk::lock(&path)?;
                let (core, recovery) =
                    engine::Engine::open(unit_key, limits, Arc::new(disk), options)?;
                let core = Arc::new(core);
                let tender = Tender::start(&core);
                Ok(Self {
                    core,
                    recovery: Some(recovery),
                    waits,
                    holding: Mutex::new(Some((tender, lock))),
                })
            })
        })
    }

    /// Makes an engine for an agent's process: what is exposed and recorded is kept to be handed on, see `hand_out`.
    #[staticmethod]
    #[pyo3(signature = (limits = None))]
    fn forwarding(limits: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let limits = limits.map_or_else(|| Ok(Vec::new()), |given| overrides("limits", given))?;
        guard(|| engine::Engine::forwarding(Limits::with(&limits)?)).map(Self::in_memory)
    }

    /// An engine for a forked process: the same snapshot, and nothing to hand on.
    fn forked(&self) -> PyResult<Self> {
        guard(|| self.core.forked()).map(Self::in_memory)
    }

    /// Takes what waits to be handed on, at most `max_bytes` of it; None when nothing does.
    fn hand_out(&self, py: Python<'_>, max_bytes: usize) -> Option<Consignment> {
        py.detach(|| self.core.hand_out(max_bytes)).map(Consignment)
    }

    /// Says that a consignment, or what is left of it, will not be sent again.
    fn settle(&self, consignment: &Consignment) {
        let taken = &consignment.0;
        self.core.settle(taken.items, taken.content.len());
    }

    /// The serialized Snapshot that is loaded; None without one.
    #[getter]
    fn snapshot<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let snapshot = self.core.snapshot()?;
        Some(PyBytes::new(py, &snapshot.message))
    }

    /// Waits for a snapshot newer than version `than`; returns its version and itself, or None when none came in time.
    #[pyo3(signature = (than, timeout_s))]
    fn wait_for_snapshot<'py>(
        &self,
        py: Python<'py>,
        than: Natural,
        timeout_s: f64,
    ) -> PyResult<Option<(u64, Bound<'py, PyBytes>)>> {
        let timeout = Duration::try_from_secs_f64(timeout_s)
            .map_err(|error| raised(&Error::invalid("timeout_s", error.to_string())));
        let (than, timeout) = (guard(|| number("than", than))?, timeout?);
        let found = py.detach(|| self.core.wait_for_snapshot(than, timeout));
        Ok(found.map(|snapshot| (snapshot.version, PyBytes::new(py, &snapshot.message))))
    }

    /// What was found in the log when it was opened, by name; None without a log.
    #[getter]
    fn recovery<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.recovery
            .as_ref()
            .map(|recovery| log::recovery(py, recovery))
            .transpose()
    }

    /// Whether the log can be written; always true without one.
    #[getter]
    fn log_sound(&self) -> bool {
        self.core.sound()
    }

    /// Syncs the log and lets go of it: nothing is recorded any more, and another engine may open it.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some((tender, lock)) = self.holding.lock().take() else {
            return Ok(());
        };
        py.detach(|| {
            drop(tender);
            let closed = guard(|| self.core.close());
            drop(lock);
            closed
        })
    }

    /// Whether a snapshot is loaded.
    #[getter]
    fn ready(&self) -> bool {
        self.core.snapshot().is_some()
    }

    /// The version of the loaded snapshot; 0 without one.
    #[getter]
    fn snapshot_version(&self) -> u64 {
        self.core.snapshot().map_or(0, |snapshot| snapshot.version)
    }

    /// The first 16 bytes of the SHA-256 of its content; empty without one.
    #[getter]
    fn snapshot_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let snapshot = self.core.snapshot();
        PyBytes::new(
            py,
            snapshot
                .as_ref()
                .map_or(&[], |snapshot| snapshot.hash.as_slice()),
        )
    }

    /// Compiles a serialized Snapshot and swaps it in; False when the loaded one is the same or newer.
    fn load_snapshot(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<bool> {
        py.detach(|| guard(|| self.core.load_snapshot(snapshot)))
    }

    /// Answers the running experiments with these ids, and no others, as if they were paused, whatever snapshots say.
    fn hold(&self, py: Python<'_>, experiment_ids: Vec<String>) -> PyResult<()> {
        let ids = experiment_ids.into_iter().map(String::into_boxed_str);
        py.detach(|| guard(|| self.core.hold(ids)))
    }

    /// Takes the units that were exposed before an allocation, and lets it decide: little-endian i64 hashes, u16 variants and u16
    /// generations of equal number.
    fn keep_units(
        &self,
        py: Python<'_>,
        experiment_id: &str,
        through: u32,
        hashes: &[u8],
        variants: &[u8],
        generations: &[u8],
    ) -> PyResult<()> {
        py.detach(|| {
            guard(|| {
                let (hashes, rest) = hashes.as_chunks::<8>();
                let (variants, odd) = variants.as_chunks::<2>();
                let (generations, odder) = generations.as_chunks::<2>();
                let lengths = [hashes.len(), variants.len(), generations.len()];
                if !(rest.is_empty() && odd.is_empty() && odder.is_empty())
                    || lengths != [hashes.len(); 3]
                {
                    return Err(Error::invalid(
                        "hashes",
                        "is not as long as variants and generations",
                    ));
                }
                let narrow = |bytes: &[u8; 2]| u16::from_le_bytes(*bytes);
                let units = (0..hashes.len()).map(|index| {
                    (
                        i64::from_le_bytes(hashes[index]),
                        narrow(&variants[index]),
                        narrow(&generations[index]).into(),
                    )
                });
                self.core.keep_units(experiment_id, through, units)
            })
        })
    }

    /// The number of the allocation up to which the units of an experiment are known; 0 where none are.
    fn kept_through(&self, experiment_id: &str) -> u32 {
        self.core.kept_through(experiment_id)
    }

    /// AssignRequest -> AssignResponse.
    #[pyo3(signature = (request, now_ms = None))]
    fn assign<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = self.unary(py, || self.core.assign_message(request, or_now(now_ms)))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// AssignBatchRequest -> AssignBatchResponse.
    #[pyo3(signature = (request, now_ms = None))]
    fn assign_batch<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer =
            py.detach(|| guard(|| self.core.assign_batch_message(request, or_now(now_ms))))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// AssignRequest -> AssignStreamResponse; what a unary call would raise is in the answer.
    #[pyo3(signature = (request, now_ms = None))]
    fn assign_stream_message<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = self.unary(py, || {
            Ok(self.core.assign_stream_message(request, or_now(now_ms)))
        })?;
        Ok(PyBytes::new(py, &answer))
    }

    /// ExposeRequest -> ExposeResponse.
    #[pyo3(signature = (request, now_ms = None))]
    fn expose<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = self.unary(py, || self.core.expose_message(request, or_now(now_ms)))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// RecordRequest -> RecordResponse.
    #[pyo3(signature = (request, now_ms = None))]
    fn record<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = self.unary(py, || self.core.record_message(request, or_now(now_ms)))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// RecordBatchRequest -> RecordResponse.
    #[pyo3(signature = (request, now_ms = None))]
    fn record_batch<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer =
            py.detach(|| guard(|| self.core.record_batch_message(request, or_now(now_ms))))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// RecordRequest -> RecordStreamResponse; what a unary call would raise is in the answer.
    #[pyo3(signature = (request, now_ms = None))]
    fn record_stream_message<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = self.unary(py, || {
            Ok(self.core.record_stream_message(request, or_now(now_ms)))
        })?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Assigns without messages; the same answer as `assign`.
    #[pyo3(
        signature = (experiment, unit, organization = Text("default"), expose = true, now_ms = None),
        // PyO3 does not know how to show the default of a wrapped text.
        text_signature = "($self, experiment, unit, organization='default', expose=True, now_ms=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "they are Python's")]
    fn assign_unit<'py>(
        &self,
        py: Python<'py>,
        experiment: Text<&str>,
        unit: Text<&str>,
        organization: Text<&str>,
        expose: bool,
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, Assignment>> {
        let question = Question {
            target: Some(Target::Experiment(experiment.0)),
            unit: unit.0,
            organization: organization.0,
        };
        assigned(py, &self.core, &question, expose, now_ms)
    }

    /// Assigns many units of one experiment, with the GIL given back; the same answers as `assign`. Units may come in pieces, of which each
    /// is asked for when the one before is done: so other threads wait for the making of one piece, and not of all.
    #[pyo3(
        signature = (experiment, units, organization = Text("default"), expose = true, now_ms = None),
        text_signature = "($self, experiment, units, organization='default', expose=True, now_ms=None)"
    )]
    #[allow(clippy::too_many_arguments, reason = "they are Python's")]
    fn assign_many(
        &self,
        py: Python<'_>,
        experiment: Text<&str>,
        units: &Bound<'_, PyAny>,
        organization: Text<&str>,
        expose: bool,
        now_ms: Option<i64>,
    ) -> PyResult<Variants> {
        let question = Question {
            target: Some(Target::Experiment(experiment.0)),
            unit: "",
            organization: organization.0,
        };
        let mut pieces = self.core.pieces(&question, expose);
        let mut kept: Vec<Py<Units>> = Vec::new();
        let mut assign = |piece: &Bound<'_, Units>| {
            let units = piece.get();
            py.detach(|| {
                guard(|| {
                    pieces.assign(units);
                    Ok(())
                })
            })?;
            if expose {
                kept.push(piece.clone().unbind());
            }
            PyResult::Ok(())
        };
        if let Ok(one) = units.cast::<Units>() {
            assign(one)?;
        } else {
            for piece in units.try_iter()? {
                assign(piece?.cast::<Units>()?)?;
            }
        }
        let kept: Vec<&Units> = kept.iter().map(Py::get).collect();
        let many = py.detach(|| guard(|| pieces.end(kept, || or_now(now_ms))))?;
        Ok(Variants(many))
    }

    /// Says which batch the database has; the next sealed one is the one behind it.
    fn resume(&self, py: Python<'_>, high_water: Natural) -> PyResult<()> {
        py.detach(|| guard(|| self.core.resume(number("high_water", high_water)?)))
    }

    /// How many batches are sealed and not known to be in the database.
    #[getter]
    fn waiting(&self, py: Python<'_>) -> usize {
        // Whoever seals may be waiting for a disk.
        py.detach(|| self.core.waiting())
    }

    /// Copies of what the database is not known to have of some experiments, the open batch last; nothing is sealed by it.
    fn pending(&self, py: Python<'_>, experiment_ids: Vec<String>) -> Vec<SealedBatch> {
        let wanted: HashSet<String> = experiment_ids.into_iter().collect();
        let found = py.detach(|| self.core.pending(|id| wanted.contains(id)));
        found
            .into_iter()
            .map(|batch| SealedBatch(Arc::new(batch)))
            .collect()
    }

    /// Closes the open batch and returns it; the same one again until it is committed; None when there is nothing to flush.
    fn seal(&self, py: Python<'_>) -> PyResult<Option<SealedBatch>> {
        py.detach(|| guard(|| Ok(self.core.seal()?.map(SealedBatch))))
    }

    /// Says that the sealed batch is in the database, so that it can be forgotten.
    #[pyo3(signature = (number))]
    fn commit(&self, py: Python<'_>, number: Natural) -> PyResult<()> {
        py.detach(|| guard(|| self.core.commit(self::number("number", number)?)))
    }

    /// What the engine counted since it was made, and what it holds.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, count) in self.core.counters() {
            counters.set_item(name, count)?;
        }
        Ok(counters)
    }
}

impl Engine {
    /// Returns the core, for what serves it without Python.
    pub fn shared(&self) -> Arc<engine::Engine> {
        Arc::clone(&self.core)
    }

    /// Returns the core, for a call.
    pub fn core(&self) -> &engine::Engine {
        &self.core
    }

    fn in_memory(core: engine::Engine) -> Self {
        Self {
            core: Arc::new(core),
            recovery: None,
            waits: false,
            holding: Mutex::new(None),
        }
    }

    /// Does the work of a single message.
    fn unary<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce() -> Result<T> + Send,
    ) -> PyResult<T> {
        if self.waits {
            py.detach(|| guard(work))
        } else {
            guard(work)
        }
    }
}

/// What is handed on in one call.
#[pyclass(frozen, module = "sortition.core")]
pub struct Consignment(forward::Consignment);

#[pymethods]
impl Consignment {
    /// A serialized RecordBatchRequest without its delivery.
    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.content)
    }

    /// How many outcomes and exposed units are in it.
    #[getter]
    fn items(&self) -> usize {
        self.0.items
    }
}

/// An immutable, numbered part of what was recorded.
#[pyclass(frozen, module = "sortition.core")]
pub struct SealedBatch(Arc<engine::Batch>);

#[pymethods]
impl SealedBatch {
    /// Its number, counted from 1 over the life of the writer.
    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }

    /// What was added to each cell.
    #[getter]
    fn cells(&self) -> Vec<CellDelta> {
        let delta = |index| CellDelta {
            batch: Arc::clone(&self.0),
            index,
        };
        (0..self.0.cells.len()).map(delta).collect()
    }

    /// Who was exposed.
    #[getter]
    fn exposures(&self) -> Vec<Exposure> {
        let exposure = |index| Exposure {
            batch: Arc::clone(&self.0),
            index,
        };
        (0..self.0.exposures.len()).map(exposure).collect()
    }
}

/// What was added to one cell since the batch before.
#[pyclass(frozen, module = "sortition.core")]
pub struct CellDelta {
    batch: Arc<engine::Batch>,
    index: usize,
}

impl CellDelta {
    fn get(&self) -> &aggregate::CellDelta {
        &self.batch.cells[self.index]
    }
}

#[pymethods]
impl CellDelta {
    /// The experiment's id.
    #[getter]
    fn experiment_id(&self) -> &str {
        &self.get().experiment_id
    }

    /// The variant's index.
    #[getter]
    fn variant(&self) -> u16 {
        self.get().variant
    }

    /// The metric's index.
    #[getter]
    fn metric(&self) -> u16 {
        self.get().metric
    }

    /// The UTC day, counted from 1970-01-01.
    #[getter]
    fn day(&self) -> i32 {
        self.get().day
    }

    /// Whose: 0 for everyone, else the number of a level, counted on through all dimensions.
    #[getter]
    fn level(&self) -> u8 {
        self.get().level
    }

    /// The statistics; a copy.
    #[getter]
    fn cell(&self) -> Cell {
        self.get().cell.clone().into()
    }
}

/// A unit's exposure, possibly one that is known already.
#[pyclass(frozen, module = "sortition.core")]
pub struct Exposure {
    batch: Arc<engine::Batch>,
    index: usize,
}

impl Exposure {
    fn get(&self) -> &exposure::Exposure {
        &self.batch.exposures[self.index]
    }
}

#[pymethods]
impl Exposure {
    /// The experiment's id.
    #[getter]
    fn experiment_id(&self) -> &str {
        &self.get().experiment_id
    }

    /// The keyed hash of the unit.
    #[getter]
    fn unit_hash(&self) -> i64 {
        self.get().unit_hash
    }

    /// The variant's index.
    #[getter]
    fn variant(&self) -> u16 {
        self.get().variant
    }

    /// The assignment bucket.
    #[getter]
    fn bucket(&self) -> u16 {
        self.get().bucket
    }

    /// The allocation that decided; 0 where variants are chosen elsewhere.
    #[getter]
    fn generation(&self) -> u32 {
        self.get().generation
    }

    /// The UTC day, counted from 1970-01-01.
    #[getter]
    fn day(&self) -> i32 {
        self.get().day
    }
}

/// Returns `now_ms`, or the time of the system's clock.
pub fn or_now(given: Option<i64>) -> i64 {
    given.unwrap_or_else(now_ms)
}

/// Returns the time of the system's clock, in milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> i64 {
    // A clock before 1970 is as good as none: everything is then counted on the first day.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the bounds that differ, each a positive number.
fn overrides(field: &str, limits: &Bound<'_, PyDict>) -> PyResult<Vec<(String, usize)>> {
    let mut overrides = Vec::with_capacity(limits.len());
    let mut violations = Vec::new();
    for (name, bound) in limits.iter() {
        let name: String = name.extract()?;
        let bound: Natural = bound.extract()?;
        match bound.0.and_then(|bound| usize::try_from(bound).ok()) {
            Some(bound) => overrides.push((name, bound)),
            None => violations.push(Violation::new(
                format!("{field}.{name}"),
                "is not in [1, 2^64)",
            )),
        }
    }
    if violations.is_empty() {
        Ok(overrides)
    } else {
        Err(raised(&Error::InvalidArgument { violations }))
    }
}

/// Returns the number of a batch.
fn number(field: &str, number: Natural) -> Result<u64> {
    number
        .0
        .ok_or_else(|| Error::invalid(field, "is not in [0, 2^64)"))
}
