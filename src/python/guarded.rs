//! Calls of Python code that survive the interpreter's end. Everything in this layer that may run Python code goes
//! through here.
//!
//! Up to Python 3.13 a thread that wants the GIL of an interpreter that is ending is ended by `pthread_exit`, which
//! unwinds its stack. Rust frames must not be unwound so: their destructors run without the GIL, and the process
//! aborts. PyO3 parks such a thread when it attaches or detaches, but any Python code may release the GIL and want it
//! back. So the functions below are declared `"C-unwind"`, which lets the unwinding in, and a guard in the frame that
//! calls them parks the thread until the process ends, as Python 3.14 does by itself.

use std::convert::Infallible;
use std::ffi::c_int;

use pyo3::BoundObject;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

// As in `pyo3::ffi`, but for the ABI.
unsafe extern "C-unwind" {
    fn PyObject_Call(
        callable: *mut ffi::PyObject,
        arguments: *mut ffi::PyObject,
        keywords: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
    fn PyObject_GetAttr(object: *mut ffi::PyObject, name: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn PyImport_Import(name: *mut ffi::PyObject) -> *mut ffi::PyObject;
    fn Py_DecRef(object: *mut ffi::PyObject);
}

/// A class's slot `tp_getattro`.
pub type GetAttribute = unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
/// A class's slot `tp_setattro`, or `tp_init`.
pub type SetAttribute =
    unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut ffi::PyObject) -> c_int;

/// Parks the thread when it is dropped: when the frame that holds it is unwound.
struct Park;

impl Drop for Park {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// Makes a call that may unwind and does not panic.
pub fn guarded<T>(call: impl FnOnce() -> T) -> T {
    let guard = Park;
    let value = call();
    std::mem::forget(guard);
    value
}

/// Imports a module. `_imported.py` has to import it too, for packers that follow import statements.
pub fn import<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let name = PyString::new(py, name);
    // SAFETY: the name is an object, and what comes back is owned.
    unsafe { Bound::from_owned_ptr_or_err(py, guarded(|| PyImport_Import(name.as_ptr()))) }
}

/// An object's attribute.
pub fn attribute<'py, N>(object: &Bound<'py, PyAny>, name: N) -> PyResult<Bound<'py, PyAny>>
where
    N: IntoPyObject<'py, Target = PyString, Error = Infallible>,
{
    let Ok(name) = name.into_pyobject(object.py());
    let name = name.as_borrowed();
    // SAFETY: both are objects, and what comes back is owned.
    unsafe { Bound::from_owned_ptr_or_err(object.py(), guarded(|| PyObject_GetAttr(object.as_ptr(), name.as_ptr()))) }
}

/// Calls something with a tuple of arguments.
pub fn call<'py, A>(callable: &Bound<'py, PyAny>, arguments: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    PyErr: From<A::Error>,
{
    let arguments = arguments.into_pyobject(callable.py())?;
    let call = || unsafe { PyObject_Call(callable.as_ptr(), arguments.as_ptr(), std::ptr::null_mut()) };
    // SAFETY: these are an object and a tuple, and what comes back is owned.
    unsafe { Bound::from_owned_ptr_or_err(callable.py(), guarded(call)) }
}

/// Calls a method with a tuple of arguments.
pub fn call_method<'py, A>(object: &Bound<'py, PyAny>, name: &str, arguments: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    PyErr: From<A::Error>,
{
    call(&attribute(object, name)?, arguments)
}

/// Lets an object go, whose `__del__` may be Python code.
pub fn release(_attached: Python<'_>, object: Py<PyAny>) {
    let object = object.into_ptr();
    // SAFETY: the reference is owned, and given up here.
    guarded(|| unsafe { Py_DecRef(object) });
}
