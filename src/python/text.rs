//! What lets message classes take text for bytes, and give bytes that read as text. `mesos._text` says which and how;
//! here is what has to be quick, for the attributes of tasks and updates are read all the time.
//!
//! Protobuf's classes look for a field before anything that Python code could put in its way, so the slots of a class
//! are wrapped: ours are reached through method descriptors, which cost a C call and nothing else.

use std::ffi::{CStr, c_int, c_void};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use super::guarded::{GetAttribute, SetAttribute, attribute, call, guarded};

/// Gives the buffer of a subclass' attribute `_raw`, which has to be bytes.
///
/// A base and not a method, because Python code can offer a buffer from 3.12 on only (PEP 688).
#[pyclass(subclass, frozen, module = "mesos._core")]
pub struct RawBuffer;

#[pymethods]
impl RawBuffer {
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let raw = attribute(slf.as_any(), "_raw")?;
        // SAFETY: `view` is the caller's; on success it holds the bytes object, which is never written to.
        match unsafe { ffi::PyObject_GetBuffer(raw.as_ptr(), view, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

/// What `mesos._text` wants done: an object with these attributes.
#[derive(FromPyObject)]
pub struct Hooks {
    /// From bytes, and a field's name, to what is read.
    read: Py<PyAny>,
    /// From text to bytes.
    write: Py<PyAny>,
    /// Wraps a repeated field whose messages have bytes in them.
    collection: Py<PyAny>,
    /// From a class and the keywords of its constructor to what protobuf takes.
    keywords: Py<PyAny>,
    /// The names of a class' bytes fields.
    bytes_fields: Py<PyDict>,
    /// The names of a class' repeated fields to wrap.
    collections: Py<PyDict>,
    /// The names of a class' fields that have bytes, or messages that do.
    reaching: Py<PyDict>,
    /// The type of protobuf's repeated fields of messages.
    container: Py<PyType>,
}

/// That, and what message classes did before; one for all, since all of a process' message classes are of one
/// implementation.
struct Text {
    hooks: Hooks,
    get: GetAttribute,
    set: SetAttribute,
    init: SetAttribute,
}

static TEXT: PyOnceLock<Text> = PyOnceLock::new();

/// A method's definition, which the interpreter only reads.
struct Definition(ffi::PyMethodDef);

// SAFETY: nobody writes to it.
unsafe impl Sync for Definition {}

impl Definition {
    const fn new(name: &'static CStr, function: ffi::PyMethodDefPointer, flags: c_int) -> Self {
        let (ml_name, ml_doc) = (name.as_ptr(), std::ptr::null());
        Self(ffi::PyMethodDef { ml_name, ml_meth: function, ml_flags: flags, ml_doc })
    }
}

static GET: Definition =
    Definition::new(c"__getattribute__", ffi::PyMethodDefPointer { PyCFunction: get }, ffi::METH_O);
static SET: Definition =
    Definition::new(c"__setattr__", ffi::PyMethodDefPointer { PyCFunctionFast: set }, ffi::METH_FASTCALL);
static INIT: Definition = Definition::new(
    c"__init__",
    ffi::PyMethodDefPointer { PyCFunctionWithKeywords: init },
    ffi::METH_VARARGS | ffi::METH_KEYWORDS,
);

/// Says what the wrapped classes do; `sample` is any message class that is not wrapped.
#[pyfunction]
pub fn set_text(sample: &Bound<'_, PyType>, hooks: Hooks) -> PyResult<()> {
    let slot = |number| {
        // SAFETY: a message class is a heap type, of which any slot may be asked.
        let slot = unsafe { ffi::PyType_GetSlot(sample.as_type_ptr(), number) };
        if slot.is_null() { Err(PyRuntimeError::new_err("a message class without slots")) } else { Ok(slot) }
    };
    // SAFETY: these are the types of these slots.
    let (get, set, init) = unsafe {
        (
            std::mem::transmute::<*mut c_void, GetAttribute>(slot(ffi::Py_tp_getattro)?),
            std::mem::transmute::<*mut c_void, SetAttribute>(slot(ffi::Py_tp_setattro)?),
            std::mem::transmute::<*mut c_void, SetAttribute>(slot(ffi::Py_tp_init)?),
        )
    };
    TEXT.set(sample.py(), Text { hooks, get, set, init })
        .map_err(|_| PyRuntimeError::new_err("set_text() was called before"))
}

/// Wraps how attributes of this class' messages are read and written.
#[pyfunction]
pub fn wrap_attributes(class: &Bound<'_, PyType>) -> PyResult<()> {
    wrap(class, &GET)?;
    wrap(class, &SET)
}

/// Wraps how messages of this class are made. Only for classes whose own `__init__` is not Python code.
#[pyfunction]
pub fn wrap_init(class: &Bound<'_, PyType>) -> PyResult<()> {
    wrap(class, &INIT)
}

fn wrap(class: &Bound<'_, PyType>, definition: &'static Definition) -> PyResult<()> {
    let definition = &raw const definition.0;
    // SAFETY: the definition lives as long as the process, and its name is a C string.
    let (name, method) = unsafe {
        let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition.cast_mut());
        (CStr::from_ptr((*definition).ml_name), Bound::from_owned_ptr_or_err(class.py(), method)?)
    };
    class.setattr(name, method)
}

/// # Safety
///
/// Called by the interpreter: attached to it, with a message and a name.
unsafe extern "C" fn get(message: *mut ffi::PyObject, name: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as above.
    unsafe {
        let py = Python::assume_attached();
        let text = text(py);
        let value = guarded(|| (text.get)(message, name));
        if value.is_null() {
            return value;
        }
        let kind = ffi::Py_TYPE(value);
        if kind == &raw mut ffi::PyBytes_Type {
            returned(
                py,
                call(text.hooks.read.bind(py), (Bound::from_owned_ptr(py, value), Bound::from_borrowed_ptr(py, name))),
            )
        } else if kind.cast() == text.hooks.container.as_ptr() && is_named(py, &text.hooks.collections, message, name) {
            returned(py, call(text.hooks.collection.bind(py), (Bound::from_owned_ptr(py, value),)))
        } else {
            value
        }
    }
}

/// # Safety
///
/// Called by the interpreter: attached to it, with a message and as many arguments as it says.
unsafe extern "C" fn set(
    message: *mut ffi::PyObject,
    arguments: *mut *mut ffi::PyObject,
    number: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: as above.
    unsafe {
        let py = Python::assume_attached();
        if number != 2 {
            return returned(py, Err(PyTypeError::new_err("__setattr__() takes a name and a value")));
        }
        let (text, name, value) = (text(py), *arguments, *arguments.add(1));
        if ffi::PyUnicode_Check(value) == 0 || !is_named(py, &text.hooks.bytes_fields, message, name) {
            return done(py, guarded(|| (text.set)(message, name, value)));
        }
        match call(text.hooks.write.bind(py), (Bound::from_borrowed_ptr(py, value),)) {
            Ok(bytes) => done(py, guarded(|| (text.set)(message, name, bytes.as_ptr()))),
            error => returned(py, error),
        }
    }
}

/// # Safety
///
/// Called by the interpreter: attached to it, with a message, a tuple, and a dict or nothing.
unsafe extern "C" fn init(
    message: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as above.
    unsafe {
        let py = Python::assume_attached();
        let text = text(py);
        if keywords.is_null() || !any_reaches(py, &text.hooks.reaching, message, keywords) {
            return done(py, guarded(|| (text.init)(message, arguments, keywords)));
        }
        let class = Bound::from_borrowed_ptr(py, ffi::Py_TYPE(message).cast());
        match call(text.hooks.keywords.bind(py), (class, Bound::from_borrowed_ptr(py, keywords))) {
            Ok(keywords) => done(py, guarded(|| (text.init)(message, arguments, keywords.as_ptr()))),
            error => returned(py, error),
        }
    }
}

fn text(py: Python<'_>) -> &Text {
    // No class is wrapped before.
    TEXT.get(py).expect("set_text() was called")
}

/// Whether a name is among those of the message's class.
///
/// # Safety
///
/// Both are objects of the interpreter.
unsafe fn is_named(
    py: Python<'_>,
    by_class: &Py<PyDict>,
    message: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> bool {
    // SAFETY: as above; they live for the call.
    let (class, name) =
        unsafe { (Bound::from_borrowed_ptr(py, ffi::Py_TYPE(message).cast()), Bound::from_borrowed_ptr(py, name)) };
    let names = by_class.bind(py).get_item(class).ok().flatten();
    names.and_then(|names| names.contains(name).ok()).unwrap_or(false)
}

/// Whether a constructor's keywords set a field that has bytes, or messages that do.
///
/// # Safety
///
/// These are a message and a dict of the interpreter.
unsafe fn any_reaches(
    py: Python<'_>,
    by_class: &Py<PyDict>,
    message: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> bool {
    let (mut position, mut name, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: as above; nothing changes the dict meanwhile.
    unsafe {
        while ffi::PyDict_Next(keywords, &raw mut position, &raw mut name, &raw mut value) != 0 {
            if is_named(py, by_class, message, name) {
                return true;
            }
        }
    }
    false
}

/// Hands a result to the interpreter.
fn returned(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> *mut ffi::PyObject {
    result.map_or_else(
        |error| {
            error.restore(py);
            std::ptr::null_mut()
        },
        Bound::into_ptr,
    )
}

/// Hands to the interpreter what a slot did; if it failed, its exception is set already.
fn done(py: Python<'_>, status: c_int) -> *mut ffi::PyObject {
    if status == 0 { py.None().into_ptr() } else { std::ptr::null_mut() }
}
