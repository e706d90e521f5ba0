//! What dicts say in JSON.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::Error;
use crate::python::errors;
use crate::wire::json::Value;

/// The most lists and dicts in one another, as in a text of JSON.
const DEPTH_MAX: usize = 200;

/// Why an object says nothing in JSON.
struct Misfit {
    /// The way to what does not fit, from its end.
    path: Vec<Step>,
    why: Why,
}

enum Step {
    Member(String),
    Item(usize),
}

enum Why {
    Type { expected: &'static str, got: String },
    NotFinite(f64),
    Surrogates(String),
    TooDeep,
}

/// Returns what an object says.
///
/// Raises ArgumentTypeError or ArgumentValueError, which name the place, if it is or holds something that JSON cannot say.
pub fn value(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    read(object, DEPTH_MAX).map_err(|misfit| misfit.raise(object.py()))
}

fn read(object: &Bound<'_, PyAny>, depth: usize) -> Result<Value, Misfit> {
    let depth = depth.checked_sub(1).ok_or(Why::TooDeep)?;
    if let Ok(string) = object.cast::<PyString>() {
        return Ok(Value::Text(text(string)?));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return members(dict, depth);
    }
    if let Ok(list) = object.cast::<PyList>() {
        return items(list.iter(), depth);
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return items(tuple.iter(), depth);
    }
    Ok(scalar(object)?)
}

fn members(dict: &Bound<'_, PyDict>, depth: usize) -> Result<Value, Misfit> {
    let mut members = BTreeMap::new();
    for (key, inner) in dict.iter() {
        let Ok(key) = key.cast::<PyString>() else {
            return Err(unexpected("a dict whose keys are str", &key).into());
        };
        let key = text(key)?;
        match read(&inner, depth) {
            Ok(value) => members.insert(key, value),
            Err(misfit) => return Err(misfit.inside(Step::Member(key))),
        };
    }
    Ok(Value::Object(members))
}

fn items<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> Result<Value, Misfit> {
    let read = items.enumerate().map(|(at, item)| read(&item, depth).map_err(|misfit| misfit.inside(Step::Item(at))));
    read.collect::<Result<_, _>>().map(Value::List)
}

fn scalar(object: &Bound<'_, PyAny>) -> Result<Value, Why> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(boolean) = object.cast::<PyBool>() {
        return Ok(Value::Boolean(boolean.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        // What 64 bits do not hold is a number with a point, as in a text.
        return object.extract().map(Value::Integer).or_else(|_| finite(object));
    }
    if object.is_instance_of::<PyFloat>() {
        return finite(object);
    }
    Err(unexpected("a dict, list, str, bool, int, float or None", object))
}

fn finite(object: &Bound<'_, PyAny>) -> Result<Value, Why> {
    // An int that no double holds is too large for JSON too.
    let number = object.extract::<f64>().unwrap_or(f64::INFINITY);
    if number.is_finite() { Ok(Value::Double(number)) } else { Err(Why::NotFinite(number)) }
}

/// The master refuses a surrogate without its other half.
fn text(string: &Bound<'_, PyString>) -> Result<String, Why> {
    string.to_str().map(str::to_owned).map_err(|_| Why::Surrogates(string.to_string_lossy().into_owned()))
}

fn unexpected(expected: &'static str, got: &Bound<'_, PyAny>) -> Why {
    let got = got.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    Why::Type { expected, got }
}

impl From<Why> for Misfit {
    fn from(why: Why) -> Self {
        Self { path: Vec::new(), why }
    }
}

impl Misfit {
    fn inside(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    fn place(&self) -> String {
        let mut place = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Member(name) if place.is_empty() => place += name,
                Step::Member(name) => place += &format!(".{name}"),
                Step::Item(at) => place += &format!("[{at}]"),
            }
        }
        if place.is_empty() { "the message".to_owned() } else { place }
    }

    fn raise(self, py: Python<'_>) -> PyErr {
        let place = self.place();
        match self.why {
            Why::Type { expected, got } => {
                let hint = if got == "bytes" { "; encode_data() makes a str of bytes" } else { "" };
                errors::argument_type(py, &format!("expected {expected} as {place}, got an object of type {got}{hint}"))
            }
            Why::NotFinite(number) => {
                Error::invalid(format!("expected a finite number as {place}, got {number}")).into()
            }
            Why::TooDeep => {
                let what = "lists and dicts in one another";
                Error::invalid(format!("expected at most {DEPTH_MAX} {what}, got more")).into()
            }
            Why::Surrogates(text) => {
                Error::invalid(format!("expected a text without surrogates as {place}, got '{text}'")).into()
            }
        }
    }
}
