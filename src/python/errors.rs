//! The crate's errors as the exceptions of `mesos.errors`.

use pyo3::prelude::*;

use super::guarded;
use crate::Error;

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let class = if error.is_address_in_use() {
            "AddressInUseError"
        } else if error.is_cluster() {
            "ClusterError"
        } else if error.is_invalid_argument() {
            "ArgumentValueError"
        } else {
            "MesosError"
        };
        Python::attach(|py| new(py, class, &error.to_string()))
    }
}

/// An exception of `mesos.errors`, by its name.
pub fn new(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let errors = guarded::import(py, "mesos.errors");
    let made = errors.and_then(|errors| guarded::call_method(&errors, class, (message,)));
    made.map_or_else(|error| error, PyErr::from_value)
}
