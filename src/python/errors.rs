//! The crate's errors as the exceptions of `mesos.errors`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use super::guarded;
use crate::Error;

/// The exceptions of `mesos.errors` that the core raises.
struct Exceptions {
    mesos: Py<PyType>,
    argument_type: Py<PyType>,
    argument_value: Py<PyType>,
    cluster: Py<PyType>,
    address_in_use: Py<PyType>,
    driver: Py<PyType>,
    driver_aborted: Py<PyType>,
    unreachable: Py<PyType>,
    answer_timeout: Py<PyType>,
}

impl Exceptions {
    fn import(py: Python<'_>) -> PyResult<&Self> {
        static EXCEPTIONS: PyOnceLock<Exceptions> = PyOnceLock::new();
        EXCEPTIONS.get_or_try_init(py, || {
            let module = guarded::import(py, "mesos.errors")?;
            let class = |name: &str| Ok::<_, PyErr>(guarded::attribute(&module, name)?.cast_into::<PyType>()?.unbind());
            Ok(Self {
                mesos: class("MesosError")?,
                argument_type: class("ArgumentTypeError")?,
                argument_value: class("ArgumentValueError")?,
                cluster: class("ClusterError")?,
                address_in_use: class("AddressInUseError")?,
                driver: class("DriverError")?,
                driver_aborted: class("DriverAbortedError")?,
                unreachable: class("UnreachableError")?,
                answer_timeout: class("AnswerTimeoutError")?,
            })
        })
    }

    fn class_of(&self, error: &Error) -> &Py<PyType> {
        if error.is_address_in_use() {
            &self.address_in_use
        } else if error.is_cluster() {
            &self.cluster
        } else if error.is_invalid_argument() {
            &self.argument_value
        } else {
            &self.mesos
        }
    }
}

/// `ArgumentTypeError`: an argument has the wrong type.
pub fn argument_type(py: Python<'_>, text: &str) -> PyErr {
    raised(py, text, |exceptions| &exceptions.argument_type)
}

/// `DriverError`: the driver's state does not allow the call.
pub fn driver(py: Python<'_>, text: &str) -> PyErr {
    raised(py, text, |exceptions| &exceptions.driver)
}

/// `DriverAbortedError`, with the error that aborted the driver.
pub fn driver_aborted(py: Python<'_>, error: &Error) -> PyErr {
    raised(py, &error.to_string(), |exceptions| &exceptions.driver_aborted)
}

/// What a request failed with.
pub fn of_request(py: Python<'_>, error: &Error) -> PyErr {
    raised(py, &error.to_string(), |exceptions| match error {
        error if error.is_timed_out() => &exceptions.answer_timeout,
        error if error.is_connection() => &exceptions.unreachable,
        error => exceptions.class_of(error),
    })
}

/// `UnreachableError`: there is no connection.
pub fn unreachable(py: Python<'_>, text: &str) -> PyErr {
    raised(py, text, |exceptions| &exceptions.unreachable)
}

fn raised(py: Python<'_>, text: &str, class: impl FnOnce(&Exceptions) -> &Py<PyType>) -> PyErr {
    let made = Exceptions::import(py).and_then(|exceptions| guarded::call(class(exceptions).bind(py), (text,)));
    made.map_or_else(|failure| failure, PyErr::from_value)
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        Python::attach(|py| raised(py, &error.to_string(), |exceptions| exceptions.class_of(&error)))
    }
}
