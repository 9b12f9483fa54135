//! The functions of the module.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sortition_core::error::{Error, Violation};
use sortition_core::sketch::Sketch;
use sortition_core::{allocation, hash};

use crate::arguments::{Natural, Text};
use crate::error::{guard, raised};

/// Returns the assignment bucket of a unit in [0, 10000).
#[pyfunction]
pub fn bucket(experiment_id: Text<&str>, unit: Text<&str>) -> u16 {
    hash::bucket(experiment_id.0, unit.0)
}

/// Returns the index of the first variant whose cumulative weight (basis points) exceeds the bucket.
#[pyfunction]
pub fn allocate(weights: Vec<Natural>, bucket: Natural) -> PyResult<usize> {
    let mut violations = Vec::new();
    let mut bounded = |number: Natural, field: &dyn Fn() -> String| {
        let number = number.0.and_then(|number| u32::try_from(number).ok());
        number.unwrap_or_else(|| {
            violations.push(Violation::new(
                field(),
                format!("is not in [0, {}]", hash::BUCKETS),
            ));
            0
        })
    };
    let weights: Vec<_> = weights
        .into_iter()
        .enumerate()
        .map(|(index, weight)| bounded(weight, &|| format!("weights[{index}]")))
        .collect();
    let bucket = bounded(bucket, &|| "bucket".to_owned());
    if !violations.is_empty() {
        return Err(raised(&Error::InvalidArgument { violations }));
    }
    guard(|| allocation::allocate(&weights, bucket))
}

/// Returns the (unit bucket in [0, 128), sub-sketch in [0, 16)) of a unit.
#[pyfunction]
pub fn unit_bucket(experiment_id: Text<&str>, unit: Text<&str>) -> (usize, usize) {
    let slot = hash::unit_slot(hash::unit_seed(experiment_id.0), unit.0);
    (slot.bucket(), slot.sub())
}

/// Returns the signed 64-bit keyed hash under which a unit's exposure is stored.
#[pyfunction]
pub fn exposure_hash(key: &[u8], experiment_id: Text<&str>, unit: Text<&str>) -> i64 {
    hash::exposure_hash(key, experiment_id.0, unit.0)
}

/// Returns the bins of a sketch, ascending: native-endian float64 edges of shape (k, 2), and uint64 counts of shape (k, 16).
#[pyfunction]
pub fn sketch_bins<'py>(
    py: Python<'py>,
    sketch: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let bins = guard(|| Ok(Sketch::decode(sketch)?.bins()))?;
    let edges = bins
        .iter()
        .map(|bin| bin.edges())
        .flat_map(|(lower, upper)| [lower, upper]);
    let edges: Vec<u8> = edges.flat_map(f64::to_ne_bytes).collect();
    let counts: Vec<u8> = bins
        .iter()
        .flat_map(|bin| bin.counts)
        .flat_map(u64::to_ne_bytes)
        .collect();
    Ok((PyBytes::new(py, &edges), PyBytes::new(py, &counts)))
}

/// Returns the quantiles of all observations in a sketch, interpolated inside the bin; NaN when it is empty.
#[pyfunction]
pub fn sketch_quantiles(sketch: &[u8], q: Vec<f64>) -> PyResult<Vec<f64>> {
    guard(|| Sketch::decode(sketch)?.quantiles(&q))
}
