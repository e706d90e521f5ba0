//! Messages as dicts, and dicts as messages: what the master's JSON says, without its text. A dict that is made of a
//! message equals what `json.loads` makes of the master's JSON (`wire::json::to_json`); a dict is read as the master
//! reads its JSON (`wire::json::encode`).

mod events;
mod shape;
mod value;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::Error;
use crate::wire::json;
use crate::wire::scheduler::{Call, CallType};

pub use events::{ExecutorEvents, SchedulerEvents};
use shape::Shape;

/// Makes a dict of the bytes of the message with this full name.
///
/// Raises ArgumentValueError if there is no such message, and MesosError if the bytes are not one.
#[pyfunction]
pub fn to_dict<'py>(py: Python<'py>, full_name: &str, bytes: &[u8]) -> PyResult<Bound<'py, PyDict>> {
    Shape::of(py, full_name)?.dict(py, bytes)
}

/// Makes the bytes of the message with this full name of a dict.
///
/// Raises ArgumentTypeError if the dict holds what JSON cannot say, and ArgumentValueError if it does not fit the message
/// or a required field is missing.
#[pyfunction]
pub fn from_dict<'py>(full_name: &str, dict: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if crate::proto::message_descriptor(full_name).is_none() {
        return Err(Error::invalid(format!("'{full_name}' is not the name of a message")).into());
    }
    Ok(PyBytes::new(dict.py(), &json::encode(full_name, value::value(dict)?)?))
}

/// Reads a call of a scheduler. The framework's id in it is left out.
///
/// Raises as [`from_dict`] does, and ArgumentValueError if it is SUBSCRIBE, which drivers send themselves, or lacks the field
/// of its type.
pub fn scheduler_call(dict: &Bound<'_, PyAny>) -> PyResult<Call> {
    let call = Call::decode(json::encode("mesos.v1.scheduler.Call", value::value(dict)?)?.into());
    call.filter(|call| call.kind() != CallType::Subscribe).ok_or_else(|| {
        let kind = dict.get_item("type").map(|kind| kind.to_string()).unwrap_or_default();
        Error::invalid(format!("expected a call with the field of its type, got one of type '{kind}'")).into()
    })
}
