//! The log, for Python: its options, what was found in it, and looking at one without an engine.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use sortition_core::error::{Error, Result, Violation};
use sortition_core::log::{
    self, Ack, Disk, Fs, Inspection, Options, Recovery, Salvaged, SegmentReport,
};

use crate::arguments::Text;
use crate::error::guard;

/// Returns the options of a log.
pub fn options(ack: &str, identity: Option<&[u8]>, limits: &[(String, usize)]) -> Result<Options> {
    let mut options = Options {
        boot: Disk::boot(),
        ..Options::default()
    };
    let mut violations = Vec::new();
    match ack {
        "written" => options.ack = Ack::Written,
        "fsynced" => options.ack = Ack::Fsynced,
        _ => violations.push(Violation::new(
            "ack",
            format!("is {ack:?}; with a log it is written or fsynced"),
        )),
    }
    match identity.map(TryInto::try_into) {
        None => {}
        Some(Ok(identity)) => options.identity = identity,
        Some(Err(_)) => violations.push(Violation::new("log_identity", "must have 16 bytes")),
    }
    for (name, limit) in limits {
        let limit = *limit as u64;
        match name.as_str() {
            "max_bytes" => options.max_bytes = limit,
            "segment_bytes" => options.segment_bytes = limit,
            "retain_bytes" => options.retain_bytes = limit,
            _ => violations.push(Violation::new(
                format!("log_limits.{name}"),
                "no such limit; there are max_bytes, segment_bytes and retain_bytes",
            )),
        }
    }
    if violations.is_empty() {
        Ok(options)
    } else {
        Err(Error::InvalidArgument { violations })
    }
}

/// Returns what was found in a log.
pub fn recovery<'py>(py: Python<'py>, found: &Recovery) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("segments", found.segments)?;
    dict.set_item("records", found.records)?;
    dict.set_item("sealed", found.sealed)?;
    dict.set_item("cells", found.cells)?;
    dict.set_item("exposures", found.exposures)?;
    dict.set_item(
        "torn_bytes",
        found.torn.as_ref().map_or(0, |torn| torn.bytes),
    )?;
    dict.set_item(
        "torn_copy",
        found.torn.as_ref().map_or("", |torn| torn.copy.as_str()),
    )?;
    Ok(dict)
}

/// Returns what a log holds, which may be in use.
#[pyfunction]
pub fn log_inspect(py: Python<'_>, log_dir: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let found = py.detach(|| {
        guard(|| {
            let fs: Arc<dyn Fs> = Arc::new(Disk::read_only(&log_dir));
            let options = own_options(&fs)?;
            log::inspect(&*fs, &options)
        })
    })?;
    inspection(py, &found)
}

/// Makes a log that a sidecar can start with out of a damaged one.
#[pyfunction]
pub fn log_salvage(py: Python<'_>, log_dir: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let saved = py.detach(|| {
        guard(|| {
            let (disk, _lock) = Disk::lock(&log_dir)?;
            let fs: Arc<dyn Fs> = Arc::new(disk);
            let options = own_options(&fs)?;
            log::salvage(&*fs, &options)
        })
    })?;
    salvaged(py, &saved)
}

/// Returns what tells a file from every copy of it.
#[pyfunction]
pub fn file_identity(path: Text<PathBuf>) -> PyResult<String> {
    guard(|| log::file_identity(&path.0))
}

/// Returns options under which the segments of a log are its own.
fn own_options(fs: &Arc<dyn Fs>) -> Result<Options> {
    Ok(Options {
        identity: log::identity(fs)?.unwrap_or_default(),
        boot: Disk::boot(),
        ..Options::default()
    })
}

fn inspection<'py>(py: Python<'py>, found: &Inspection) -> PyResult<Bound<'py, PyDict>> {
    let segments: PyResult<Vec<_>> = found
        .segments
        .iter()
        .map(|report| segment(py, report))
        .collect();
    let dict = PyDict::new(py);
    dict.set_item("segments", PyList::new(py, segments?)?)?;
    dict.set_item("committed", found.committed)?;
    dict.set_item("shift", found.shift)?;
    dict.set_item("damage", found.damage.as_deref())?;
    Ok(dict)
}

fn segment<'py>(py: Python<'py>, report: &SegmentReport) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("name", &report.name)?;
    dict.set_item("bytes", report.bytes)?;
    dict.set_item("batch", report.batch)?;
    dict.set_item("first_lsn", report.first_lsn)?;
    dict.set_item("last_lsn", report.last_lsn)?;
    dict.set_item("calls", report.calls)?;
    dict.set_item("observations", report.observations)?;
    dict.set_item("exposures", report.exposures)?;
    dict.set_item("windows", report.windows)?;
    dict.set_item("full", report.full)?;
    dict.set_item("end", &report.end)?;
    dict.set_item("torn_bytes", report.torn_bytes)?;
    Ok(dict)
}

fn salvaged<'py>(py: Python<'py>, saved: &Salvaged) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("records", saved.records)?;
    dict.set_item("lost_records", saved.lost_records)?;
    dict.set_item("lost_bytes", saved.lost_bytes)?;
    dict.set_item("copies", &saved.copies)?;
    Ok(dict)
}
