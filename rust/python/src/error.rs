//! The core's errors as the exceptions of `sortition.errors`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use sortition_core::error::{Error, Result};

/// Does some work of the core; turns its error, or its panic, into an exception.
///
/// A panic would otherwise reach Python as an exception that `except Exception` does not catch.
pub fn guard<T>(work: impl FnOnce() -> Result<T>) -> PyResult<T> {
    // What a panic leaves behind is either dropped or behind a lock of the core's that knows no poison.
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|panic| Err(defect(panic.as_ref())))
        .map_err(|error| raised(&error))
}

/// Returns the exception of an error.
pub fn raised(error: &Error) -> PyErr {
    let violations = error.violations().iter();
    let violations: Vec<_> = violations
        .map(|violation| (violation.field.clone(), violation.description.clone()))
        .collect();
    let arguments = (error.to_string(), violations);
    Python::attach(|py| {
        class(py, error).map_or_else(|failed| failed, |class| PyErr::from_type(class, arguments))
    })
}

/// Returns the class of an error's exception, which is looked up once.
fn class<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyType>> {
    macro_rules! class {
        ($name:literal) => {{
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            CLASS.import(py, "sortition.errors", $name).cloned()
        }};
    }
    match error {
        Error::InvalidArgument { .. } => class!("InvalidArgument"),
        Error::NotFound { .. } => class!("NotFound"),
        Error::AlreadyExists(_) => class!("AlreadyExists"),
        Error::FailedPrecondition(_) => class!("FailedPrecondition"),
        Error::ResourceExhausted(_) => class!("ResourceExhausted"),
        Error::NotReady(_) => class!("NotReady"),
        Error::Unavailable(_) => class!("Unavailable"),
        Error::DataLoss(_) => class!("DataLoss"),
        _ => class!("InternalError"),
    }
}

/// Describes a panic.
fn defect(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref().map(String::as_str));
    Error::Internal(format!(
        "a defect in the native core: {}",
        text.unwrap_or("a panic without a message")
    ))
}
