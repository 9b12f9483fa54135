//! The native module `sortition._core`: it converts between Python and the core, and never decides.

mod arguments;
mod assignment;
mod cell;
mod engine;
mod error;
mod functions;
mod lane;
mod log;
mod tender;
mod units;

use pyo3::prelude::*;
use sortition_core::hash;
use sortition_core::limits::Limits;

/// Fills the module; what it holds is described in `_core.pyi`.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("BUCKETS", hash::BUCKETS)?;
    module.add("UNIT_BUCKETS", hash::UNIT_BUCKETS)?;
    module.add("SUB_SKETCHES", hash::SUB_SKETCHES)?;
    module.add("LIMITS", limits(module.py())?)?;

    module.add_class::<cell::Cell>()?;
    module.add_class::<assignment::Assigner>()?;
    module.add_class::<assignment::Assignment>()?;
    module.add_class::<engine::CellDelta>()?;
    module.add_class::<engine::Consignment>()?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<engine::Exposure>()?;
    module.add_class::<engine::SealedBatch>()?;
    module.add_class::<lane::Lane>()?;
    module.add_class::<units::Units>()?;
    module.add_class::<units::Variants>()?;

    module.add_function(wrap_pyfunction!(functions::allocate, module)?)?;
    module.add_function(wrap_pyfunction!(functions::bucket, module)?)?;
    module.add_function(wrap_pyfunction!(functions::exposure_hash, module)?)?;
    module.add_function(wrap_pyfunction!(log::file_identity, module)?)?;
    module.add_function(wrap_pyfunction!(log::log_inspect, module)?)?;
    module.add_function(wrap_pyfunction!(log::log_salvage, module)?)?;
    module.add_function(wrap_pyfunction!(functions::sketch_bins, module)?)?;
    module.add_function(wrap_pyfunction!(functions::sketch_quantiles, module)?)?;
    module.add_function(wrap_pyfunction!(functions::unit_bucket, module)?)?;
    Ok(())
}

/// Returns the default bounds by name.
fn limits(py: Python<'_>) -> PyResult<Bound<'_, pyo3::types::PyDict>> {
    let limits = pyo3::types::PyDict::new(py);
    for (name, bound) in Limits::default().entries() {
        limits.set_item(name, bound)?;
    }
    Ok(limits)
}
