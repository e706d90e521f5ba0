//! `mesos._core.Run`: how a simulated task goes; and the question to Python how one does.

use std::sync::Arc;

use prost::Message;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::guarded;
use crate::local::{self, Exit, Simulate};
use crate::proto::v1;
use crate::wire::duration::Period;

/// How a simulated task goes. Made by `mesos.local.Run`, which checks the arguments.
#[pyclass(frozen, module = "mesos._core")]
pub struct Run(Arc<local::Run>);

#[pymethods]
impl Run {
    /// Times are in seconds, and a signal has a name. Raises ArgumentValueError if a status cannot be parsed.
    #[new]
    #[pyo3(signature = (*, error, start, seconds, exit_status, signal, stdout, stderr, statuses, health, checks, stop))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords")]
    fn new(
        error: Option<String>,
        start: f64,
        seconds: Option<f64>,
        exit_status: i32,
        signal: Option<(i32, String)>,
        stdout: String,
        stderr: String,
        statuses: Vec<(f64, Vec<u8>)>,
        health: Vec<(f64, bool)>,
        checks: Vec<(f64, i32)>,
        stop: Option<f64>,
    ) -> PyResult<Self> {
        let status = |(after, bytes): (f64, Vec<u8>)| {
            let status = v1::TaskStatus::decode(&*bytes);
            status.map(|status| (period(after), status)).map_err(|e| crate::Error::invalid(format!("statuses: {e}")))
        };
        let exit = match signal {
            Some((number, name)) => Exit::Signaled { number, name, core_dumped: false },
            None => Exit::Exited(exit_status),
        };
        Ok(Self(Arc::new(local::Run {
            error,
            start: period(start),
            duration: seconds.map(period),
            exit,
            stdout,
            stderr,
            statuses: statuses.into_iter().map(status).collect::<Result<_, _>>()?,
            health: health.into_iter().map(|(after, healthy)| (period(after), healthy)).collect(),
            checks: checks.into_iter().map(|(after, found)| (period(after), found)).collect(),
            stop: stop.map(period),
        })))
    }
}

fn period(seconds: f64) -> Period {
    Period::from_seconds(seconds).unwrap_or(Period::ZERO)
}

/// All tasks go like a `Run`, or as a callable says that gets a list of serialized tasks and returns a list of `Run` or
/// None.
pub fn simulate(given: &Bound<'_, PyAny>) -> Simulate {
    if let Ok(run) = given.cast::<Run>() {
        let run = run.get().0.clone();
        return Simulate::new(move |tasks| vec![Some(run.clone()); tasks.len()]);
    }
    let describe = Describe(Some(given.clone().unbind()));
    Simulate::new(move |tasks| describe.ask(tasks))
}

/// The callable. It is dropped when the cluster's thread ends, which is not attached to the interpreter.
struct Describe(Option<Py<PyAny>>);

impl Describe {
    fn ask(&self, tasks: &[v1::TaskInfo]) -> Vec<Option<Arc<local::Run>>> {
        let bytes: Vec<Vec<u8>> = tasks.iter().map(Message::encode_to_vec).collect();
        let asked = Python::try_attach(|py| self.ask_attached(py, &bytes));
        let failed = |why: String| vec![Some(Arc::new(failure(why))); tasks.len()];
        match asked {
            Some(Ok(runs)) if runs.len() == tasks.len() => runs,
            Some(Ok(_)) => failed("simulate did not say how each task goes".to_owned()),
            Some(Err(error)) => failed(format!("simulate failed: {error}")),
            None => failed("the interpreter is exiting".to_owned()),
        }
    }

    fn ask_attached(&self, py: Python<'_>, tasks: &[Vec<u8>]) -> PyResult<Vec<Option<Arc<local::Run>>>> {
        let Some(describe) = &self.0 else { return Ok(Vec::new()) };
        let tasks = PyList::new(py, tasks.iter().map(|task| PyBytes::new(py, task)))?;
        let answer = guarded::call(describe.bind(py), (tasks,))?;
        let runs: Vec<Option<PyRef<'_, Run>>> = answer.extract()?;
        Ok(runs.into_iter().map(|run| run.map(|run| run.0.clone())).collect())
    }
}

impl Drop for Describe {
    fn drop(&mut self) {
        let mut describe = self.0.take();
        Python::try_attach(|py| describe.take().into_iter().for_each(|describe| guarded::release(py, describe)));
        // It stays if there is no interpreter any more.
        std::mem::forget(describe);
    }
}

/// A task that fails to start.
fn failure(why: String) -> local::Run {
    local::Run { error: Some(why), ..local::Run::default() }
}
