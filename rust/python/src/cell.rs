//! `Cell` for Python.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;
use sortition_core::buckets::Buckets;
use sortition_core::cell;
use sortition_core::error::{Error, Result, Violation};
use sortition_core::hash::{unit_seed, unit_slot};
use sortition_core::moments::{COUNT_LIMIT, Moments};
use sortition_core::sketch::Sketch;

use crate::arguments::{Natural, Text};
use crate::error::guard;

/// What `Cell.parts` returns and `Cell.from_parts` takes.
type Parts<'py> = (
    u64,
    f64,
    f64,
    Option<f64>,
    Option<f64>,
    u64,
    u64,
    u64,
    Bound<'py, PyBytes>,
    Option<Bound<'py, PyBytes>>,
);

/// Mergeable statistics of one metric of one variant on one day.
#[pyclass(frozen, module = "sortition.core")]
pub struct Cell(Mutex<cell::Cell>);

impl From<cell::Cell> for Cell {
    fn from(cell: cell::Cell) -> Self {
        Self(Mutex::new(cell))
    }
}

#[pymethods]
impl Cell {
    /// Makes an empty cell.
    #[new]
    #[pyo3(signature = (*, quantiles = false, covariate = false))]
    fn new(quantiles: bool, covariate: bool) -> Self {
        cell::Cell::new(quantiles, covariate).into()
    }

    /// Rebuilds a cell from its parts.
    #[staticmethod]
    #[allow(clippy::too_many_arguments)]
    fn from_parts(
        n: Natural,
        mean: f64,
        m2: f64,
        min: Option<f64>,
        max: Option<f64>,
        refused: Natural,
        clamped: Natural,
        late: Natural,
        buckets: &[u8],
        sketch: Option<&[u8]>,
    ) -> PyResult<Self> {
        guard(|| {
            let moments = Moments::from_parts(count("n", n)?, mean, m2, min, max)?;
            let sketch = sketch.map(Sketch::decode).transpose()?;
            let mut cell = cell::Cell::from_parts(moments, Buckets::decode(buckets)?, sketch)?;
            cell.refused = count("refused", refused)?;
            cell.clamped = count("clamped", clamped)?;
            cell.late = count("late", late)?;
            Ok(cell.into())
        })
    }

    /// Observations.
    #[getter]
    fn n(&self) -> u64 {
        self.0.lock().moments().n()
    }

    /// Their mean; 0 when there are none.
    #[getter]
    fn mean(&self) -> f64 {
        self.0.lock().moments().mean()
    }

    /// The sum of squared deviations from the mean.
    #[getter]
    fn m2(&self) -> f64 {
        self.0.lock().moments().m2()
    }

    /// The smallest observation.
    #[getter]
    fn min(&self) -> Option<f64> {
        self.0.lock().moments().min()
    }

    /// The largest observation.
    #[getter]
    fn max(&self) -> Option<f64> {
        self.0.lock().moments().max()
    }

    /// Values that were refused.
    #[getter]
    fn refused(&self) -> u64 {
        self.0.lock().refused
    }

    /// Values that were moved to a cap.
    #[getter]
    fn clamped(&self) -> u64 {
        self.0.lock().clamped
    }

    /// Values that came when the experiment was over.
    #[getter]
    fn late(&self) -> u64 {
        self.0.lock().late
    }

    /// Little-endian float64 of shape (128, 2): denominator, sum; of shape (128, 3) with the sum of the covariate.
    #[getter]
    fn buckets<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = self.0.lock().buckets().encode();
        PyBytes::new(py, &bytes)
    }

    /// The encoded sketch with its 16 sub-sketches; None when none is kept.
    #[getter]
    fn sketch<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let bytes: Option<Vec<u8>> = self.0.lock().sketch().map(Sketch::encode);
        bytes.map(|bytes| PyBytes::new(py, &bytes))
    }

    /// Adds one observation.
    #[pyo3(signature = (experiment_id, unit, value, denominator = 1.0, covariate = None))]
    fn add(
        &self,
        experiment_id: Text<&str>,
        unit: Text<&str>,
        value: f64,
        denominator: f64,
        covariate: Option<f64>,
    ) -> PyResult<()> {
        guard(|| {
            let mut cell = self.0.lock();
            cell.check(value, denominator, covariate)?;
            cell.add(
                unit_slot(unit_seed(experiment_id.0), unit.0),
                value,
                denominator,
                covariate,
            );
            Ok(())
        })
    }

    /// Adds one observation per unit; all of them or, on an error, none.
    fn add_many(
        &self,
        experiment_id: Text<&str>,
        units: Vec<Text<PyBackedStr>>,
        values: Vec<f64>,
    ) -> PyResult<()> {
        guard(|| {
            let mut cell = self.0.lock();
            check_many(&cell, units.len(), &values)?;
            let seed = unit_seed(experiment_id.0);
            for (unit, value) in units.iter().zip(values) {
                cell.add(unit_slot(seed, &unit.0), value, 1.0, None);
            }
            Ok(())
        })
    }

    /// Returns the cell of both cells' observations; exact and independent of order wherever it holds integers.
    fn merge(&self, other: &Self) -> PyResult<Self> {
        guard(|| {
            // One lock at a time, so that two merges in opposite directions cannot wait for each other.
            let mut merged = self.0.lock().clone();
            let other = other.0.lock().clone();
            merged.merge(&other)?;
            Ok(merged.into())
        })
    }

    /// Returns the cell without the observations of another that are among its own.
    fn without(&self, part: &Self) -> PyResult<Self> {
        guard(|| {
            let whole = self.0.lock().clone();
            let part = part.0.lock().clone();
            Ok(whole.without(&part)?.into())
        })
    }

    /// Returns what `from_parts` takes, in that order.
    fn parts<'py>(&self, py: Python<'py>) -> Parts<'py> {
        let cell = self.0.lock().clone();
        let moments = cell.moments();
        (
            moments.n(),
            moments.mean(),
            moments.m2(),
            moments.min(),
            moments.max(),
            cell.refused,
            cell.clamped,
            cell.late,
            PyBytes::new(py, &cell.buckets().encode()),
            cell.sketch()
                .map(|sketch| PyBytes::new(py, &sketch.encode())),
        )
    }
}

/// Returns a stored count.
fn count(name: &str, number: Natural) -> Result<u64> {
    number
        .0
        .filter(|number| *number <= COUNT_LIMIT)
        .ok_or_else(|| {
            Error::DataLoss(format!(
                "these are no parts of a cell: {name} is not in [0, {COUNT_LIMIT}]"
            ))
        })
}

/// Checks observations before they are added; lists every violation.
fn check_many(cell: &cell::Cell, units: usize, values: &[f64]) -> Result<()> {
    let mut violations = Vec::new();
    if units != values.len() {
        let found = format!(
            "has {} items for {units} units: give one for each",
            values.len()
        );
        violations.push(Violation::new("values", found));
    }
    for (index, value) in values.iter().enumerate() {
        if let Err(error) = cell.check(*value, 1.0, None) {
            let found = error.violations().iter().cloned();
            violations.extend(found.map(|Violation { field, description }| {
                Violation::new(
                    if field == "value" {
                        format!("values[{index}]")
                    } else {
                        field
                    },
                    description,
                )
            }));
        }
    }
    violations.dedup();
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Error::InvalidArgument { violations })
    }
}
