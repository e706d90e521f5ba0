//! `mesos._core.Operator` and `mesos._core.Subscription`: the operator API in bytes and numbers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::auth::Authentication;
use super::dispatcher::{self, Callbacks, Dispatcher, Exit, SIGNAL_CHECK};
use super::errors;
use crate::driver::operator::{self, Options, Request, Within};
use crate::session::operator::{Callback, OperatorSession};
use crate::wire::duration::Period;
use crate::wire::operator::Format;

/// Sends requests to a master, the leading one if there are several, or to an agent.
#[pyclass(frozen, module = "mesos._core")]
pub struct Operator {
    core: operator::Operator,
}

/// A status, headers, and a body.
type Answered<'py> = (u16, Vec<(String, String)>, Bound<'py, PyBytes>);

#[pymethods]
impl Operator {
    /// Raises ArgumentValueError if the address is not valid.
    #[new]
    fn new(daemon: String, authentication: Option<&Authentication>) -> PyResult<Self> {
        let authentication = authentication.map(|authentication| authentication.inner.clone());
        Ok(Self { core: operator::Operator::new(Options { daemon, authentication })? })
    }

    /// Whether it belongs to this process, and not to one that forked it.
    fn is_of_this_process(&self) -> bool {
        self.core.is_of_this_process()
    }

    /// Sends a request and waits for the answer: at most `idle` seconds for each part of it, and `total` for all.
    /// Signals are handled meanwhile. Returns the status, the headers and the body.
    ///
    /// Raises UnreachableError if there is no connection or it breaks, AnswerTimeoutError if there is no answer in time,
    /// and MesosError if the answer is too large.
    #[allow(clippy::too_many_arguments)]
    fn request<'py>(
        &self,
        py: Python<'py>,
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: &[u8],
        idle: f64,
        total: Option<f64>,
    ) -> PyResult<Answered<'py>> {
        let period = |seconds| Duration::from(Period::from_seconds(seconds).unwrap_or_default());
        let request = Request { method, path, headers, body: Bytes::copy_from_slice(body) };
        let within = Within { idle: period(idle), total: total.map(period), ..Within::default() };
        let pending = py.detach(|| self.core.request(request, within))?;
        let outcome = loop {
            if let Some(outcome) = py.detach(|| pending.wait(SIGNAL_CHECK)) {
                break outcome;
            }
            py.check_signals()?;
        };
        let answer = outcome.map_err(|error| errors::of_request(py, &error))?;
        Ok((answer.status, answer.headers, PyBytes::new(py, &answer.body)))
    }
}

/// A subscription to the events of the leading master. Events are bytes, statuses the numbers of `mesos.Status`.
#[pyclass(frozen, module = "mesos._core")]
pub struct Subscription {
    core: Arc<operator::Subscription>,
    exit: Arc<Exit>,
}

#[pymethods]
impl Subscription {
    /// `subscribe` is the call, in JSON or in protobuf, as the events are.
    #[new]
    fn new(
        daemon: String,
        authentication: Option<&Authentication>,
        path: String,
        subscribe: &[u8],
        is_json: bool,
    ) -> Self {
        let authentication = authentication.map(|authentication| authentication.inner.clone());
        let format = if is_json { Format::Json } else { Format::Protobuf };
        let options = Options { daemon, authentication };
        let core = operator::Subscription::new(options, path, format, Bytes::copy_from_slice(subscribe));
        Self { core: Arc::new(core), exit: Arc::default() }
    }

    /// Starts it, once, and the thread that calls the receiver of `driver`: `event` with the driver and the bytes of each
    /// event, `disconnected` with the driver, and `error` with the driver and a text.
    ///
    /// Raises ArgumentValueError if the master's address is not valid.
    fn start(&self, driver: &Bound<'_, PyAny>) -> PyResult<()> {
        let dispatcher = Dispatcher::new(driver, &self.core, &self.exit, Events)?;
        if self.core.start()? { dispatcher.spawn() } else { Ok(()) }
    }

    fn stop(&self, py: Python<'_>) -> i32 {
        py.detach(|| self.core.stop(false)) as i32
    }

    fn abort(&self, py: Python<'_>) -> i32 {
        py.detach(|| self.core.abort()) as i32
    }

    /// Waits until it ended, at most so many seconds; signals are handled meanwhile.
    fn join(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<i32> {
        dispatcher::join(py, &self.core, &self.exit, seconds)
    }

    /// Whether `join` is called in a callback while it runs.
    fn waits_for_itself(&self) -> bool {
        self.exit.waits_for_itself(&self.core)
    }

    fn status(&self) -> i32 {
        self.core.status() as i32
    }
}

/// A subscription that is no longer referenced is stopped.
impl Drop for Subscription {
    fn drop(&mut self) {
        self.core.stop(false);
    }
}

/// Hands events on as they came.
struct Events;

impl Callbacks for Events {
    type Session = OperatorSession;
    type Core = operator::Subscription;
    const LAST_WORDS: Duration = Duration::from_secs(1);

    fn name(callback: &Callback) -> &'static str {
        match callback {
            Callback::Event(_) => "event",
            Callback::Disconnected => "disconnected",
            Callback::Error(_) => "error",
        }
    }

    fn arguments<'py>(&self, py: Python<'py>, callback: &Callback) -> PyResult<Vec<Bound<'py, PyAny>>> {
        Ok(match callback {
            Callback::Event(bytes) => vec![PyBytes::new(py, bytes).into_any()],
            Callback::Disconnected => vec![],
            Callback::Error(error) => vec![error.to_string().into_pyobject(py)?.into_any()],
        })
    }
}
