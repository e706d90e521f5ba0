//! `mesos._core.Script`: the script of `remesos run`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use pyo3::prelude::*;

use crate::local;
use crate::wire::duration::Period;

/// A program in the terminal of this process, which does not outlive it.
#[pyclass(frozen, module = "mesos._core")]
pub struct Script(local::Script);

#[pymethods]
impl Script {
    #[new]
    fn new(py: Python<'_>, arguments: Vec<Vec<u8>>, environment: Vec<(Vec<u8>, Vec<u8>)>) -> PyResult<Self> {
        let arguments = arguments.into_iter().map(OsString::from_vec).collect();
        let variable = |(name, value)| (OsString::from_vec(name), OsString::from_vec(value));
        let environment = environment.into_iter().map(variable).collect();
        Ok(Self(py.detach(|| local::Script::start(arguments, environment))?))
    }

    #[getter]
    fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// The exit code when it ends within so many seconds, negative for a signal; None before and after that.
    fn wait(&self, py: Python<'_>, seconds: f64) -> Option<i32> {
        let at_most = Period::from_seconds(seconds).unwrap_or(Period::ZERO);
        let status = ExitStatus::from_raw(py.detach(|| self.0.wait(at_most.get()))?);
        status.code().or_else(|| status.signal().map(|signal| signal.saturating_neg()))
    }
}
