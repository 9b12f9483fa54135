//! `Engine` and what it hands out, for Python.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use sortition_core::assign::{Decision, Question, Target};
use sortition_core::error::{Error, Result, Violation};
use sortition_core::limits::Limits;
use sortition_core::snapshot::Compiled;
use sortition_core::{aggregate, engine, exposure};

use crate::arguments::{Natural, Text};
use crate::cell::Cell;
use crate::error::{guard, raised};

/// The hot path's state: a snapshot, the open and the sealed batch, the windows against duplicates.
///
/// A single message is handled with the GIL held, as giving it back costs more than the work. Batches, sealing and loading give it back.
#[pyclass(frozen, module = "sortition.core")]
pub struct Engine(engine::Engine);

#[pymethods]
impl Engine {
    /// Makes an engine without a snapshot.
    #[new]
    #[pyo3(signature = (*, unit_key, limits = None))]
    fn new(unit_key: &[u8], limits: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let overrides = limits.map_or_else(|| Ok(Vec::new()), overrides)?;
        guard(|| {
            Ok(Self(engine::Engine::new(
                unit_key,
                Limits::with(&overrides)?,
            )?))
        })
    }

    /// Whether a snapshot is loaded.
    #[getter]
    fn ready(&self) -> bool {
        self.0.snapshot().is_some()
    }

    /// The version of the loaded snapshot; 0 without one.
    #[getter]
    fn snapshot_version(&self) -> u64 {
        self.0.snapshot().map_or(0, |snapshot| snapshot.version)
    }

    /// The first 16 bytes of the SHA-256 of its content; empty without one.
    #[getter]
    fn snapshot_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let snapshot = self.0.snapshot();
        PyBytes::new(
            py,
            snapshot
                .as_ref()
                .map_or(&[], |snapshot| snapshot.hash.as_slice()),
        )
    }

    /// Compiles a serialized Snapshot and swaps it in; False when the loaded one is the same or newer.
    fn load_snapshot(&self, py: Python<'_>, snapshot: &[u8]) -> PyResult<bool> {
        py.detach(|| guard(|| self.0.load_snapshot(snapshot)))
    }

    /// AssignRequest -> AssignResponse.
    #[pyo3(signature = (request, now_ms = None))]
    fn assign<'py>(
        &self,
        py: Python<'py>,
        request: &[u8],
        now_ms: Option<i64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let answer = guard(|| self.0.assign_message(request, or_now(now_ms)))?;
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
            py.detach(|| guard(|| self.0.assign_batch_message(request, or_now(now_ms))))?;
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
        let answer = guard(|| Ok(self.0.assign_stream_message(request, or_now(now_ms))))?;
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
        let answer = guard(|| self.0.expose_message(request, or_now(now_ms)))?;
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
        let answer = guard(|| self.0.record_message(request, or_now(now_ms)))?;
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
            py.detach(|| guard(|| self.0.record_batch_message(request, or_now(now_ms))))?;
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
        let answer = guard(|| Ok(self.0.record_stream_message(request, or_now(now_ms))))?;
        Ok(PyBytes::new(py, &answer))
    }

    /// Assigns without messages; the same answer as `assign`.
    #[pyo3(
        signature = (experiment, unit, organization = Text("default"), expose = true, now_ms = None),
        // PyO3 does not know how to show the default of a wrapped text.
        text_signature = "($self, experiment, unit, organization='default', expose=True, now_ms=None)"
    )]
    fn assign_unit(
        &self,
        experiment: Text<&str>,
        unit: Text<&str>,
        organization: Text<&str>,
        expose: bool,
        now_ms: Option<i64>,
    ) -> PyResult<Assignment> {
        let question = Question {
            target: Some(Target::Experiment(experiment.0)),
            unit: unit.0,
            organization: organization.0,
        };
        guard(|| {
            let (snapshot, decision, exposed) =
                self.0.assign(&question, expose, || or_now(now_ms))?;
            Ok(Assignment {
                snapshot,
                decision,
                exposed,
            })
        })
    }

    /// Says which batch the database has; the next sealed one is the one behind it.
    fn resume(&self, high_water: Natural) -> PyResult<()> {
        guard(|| self.0.resume(number("high_water", high_water)?))
    }

    /// Closes the open batch and returns it; the same one again until it is committed; None when there is nothing to flush.
    fn seal(&self, py: Python<'_>) -> PyResult<Option<SealedBatch>> {
        py.detach(|| guard(|| Ok(self.0.seal().map(SealedBatch))))
    }

    /// Says that the sealed batch is in the database, so that it can be forgotten.
    #[pyo3(signature = (number))]
    fn commit(&self, py: Python<'_>, number: Natural) -> PyResult<()> {
        py.detach(|| guard(|| self.0.commit(self::number("number", number)?)))
    }

    /// What the engine counted since it was made, and what it holds.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, count) in self.0.counters() {
            counters.set_item(name, count)?;
        }
        Ok(counters)
    }
}

/// One unit's variant; its attributes are made when they are asked for.
#[pyclass(frozen, module = "sortition.core")]
pub struct Assignment {
    snapshot: Arc<Compiled>,
    decision: Decision,
    exposed: bool,
}

#[pymethods]
impl Assignment {
    /// The key of the experiment; None where no experiment decided.
    #[getter]
    fn experiment(&self) -> Option<&str> {
        let arm = self.decision.arm?;
        Some(&self.snapshot.experiment(arm.experiment).key)
    }

    /// The name of the variant; None where no experiment decided.
    #[getter]
    fn variant(&self) -> Option<&str> {
        let arm = self.decision.arm?;
        Some(self.snapshot.variant_name(arm))
    }

    /// A JSON object in UTF-8.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.snapshot.answer(&self.decision).config)
    }

    /// The first 16 bytes of the SHA-256 of the configuration.
    #[getter]
    fn config_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.snapshot.answer(&self.decision).config_hash)
    }

    /// The number of the proto enum Reason.
    #[getter]
    fn reason(&self) -> i32 {
        self.decision.reason.into()
    }

    /// The unit's bucket; 0 where no experiment decided.
    #[getter]
    fn bucket(&self) -> u16 {
        self.decision.bucket
    }

    /// Whether this answer counts as an exposure.
    #[getter]
    fn exposed(&self) -> bool {
        self.exposed
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
fn or_now(now_ms: Option<i64>) -> i64 {
    now_ms.unwrap_or_else(|| {
        // A clock before 1970 is as good as none: everything is then counted on the first day.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Returns the bounds that differ, each a positive number.
fn overrides(limits: &Bound<'_, PyDict>) -> PyResult<Vec<(String, usize)>> {
    let mut overrides = Vec::with_capacity(limits.len());
    let mut violations = Vec::new();
    for (name, bound) in limits.iter() {
        let name: String = name.extract()?;
        let bound: Natural = bound.extract()?;
        match bound.0.and_then(|bound| usize::try_from(bound).ok()) {
            Some(bound) => overrides.push((name, bound)),
            None => violations.push(Violation::new(
                format!("limits.{name}"),
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
