//! Arguments that Python can hold and the core cannot, told apart from arguments of a wrong type.

use pyo3::exceptions::{PyOverflowError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use sortition_core::error::Error;

use crate::error::raised;

/// A `str`; one that is not Unicode (half of a surrogate pair) is an `InvalidArgument`.
#[derive(Clone, Copy)]
pub struct Text<T>(pub T);

impl<'a, 'py, T: FromPyObject<'a, 'py>> FromPyObject<'a, 'py> for Text<T> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|error: T::Error| {
            let error = error.into();
            if error.is_instance_of::<PyUnicodeEncodeError>(object.py()) {
                raised(&Error::invalid(
                    "",
                    "a text holds half of a surrogate pair, must be Unicode: remove it",
                ))
            } else {
                error
            }
        })
    }
}

/// An `int`; `None` when it is negative or beyond 64 bits.
#[derive(Clone, Copy)]
pub struct Natural(pub Option<u64>);

impl<'a, 'py> FromPyObject<'a, 'py> for Natural {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<u64>() {
            Ok(number) => Ok(Self(Some(number))),
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}
