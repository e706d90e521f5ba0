//! `mesos._core.Operator`, `Stream` and `Subscription`: the operator API in bytes and numbers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::aio::{self, Classes};
use super::auth::Authentication;
use super::dispatcher::{self, Callbacks, Dispatcher, Exit, SIGNAL_CHECK};
use super::{errors, futures};
use crate::driver::operator::{self, Answer, Options, Pending, Request, Within};
use crate::session::operator::{Callback, OperatorSession};
use crate::wire::duration::Period;
use crate::wire::operator::Format;

/// Sends requests to a master, the leading one if there are several, or to an agent.
#[pyclass(frozen, module = "mesos._core")]
pub struct Operator {
    core: operator::Operator,
}

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
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = Request { method, path, headers, body: Bytes::copy_from_slice(body) };
        wait(py, || self.core.request(request, within(idle, total)))
    }

    /// As `request`, with a future of the running loop. Cancelling it ends the request.
    #[allow(clippy::too_many_arguments)]
    fn request_async<'py>(
        &self,
        py: Python<'py>,
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: &[u8],
        idle: f64,
        total: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = Request { method, path, headers, body: Bytes::copy_from_slice(body) };
        awaited(py, || self.core.request(request, within(idle, total)))
    }

    /// Begins a request whose answer is a stream of records, and whose body is one too if it is `None`.
    fn open(
        &self,
        py: Python<'_>,
        method: String,
        path: String,
        headers: Vec<(String, String)>,
        body: Option<&[u8]>,
        idle: f64,
    ) -> PyResult<Stream> {
        let is_fed = body.is_none();
        let request = Request { method, path, headers, body: Bytes::copy_from_slice(body.unwrap_or_default()) };
        let core = py.detach(|| self.core.open(request, is_fed, within(idle, None)))?;
        Ok(Stream { core })
    }
}

/// A request of which the answer is a stream of records, or the body, or both.
///
/// What waits handles signals meanwhile. Its twin returns a future of the running loop; cancelling that ends the wait.
/// Both raise UnreachableError if there is no connection or it breaks, and AnswerTimeoutError if that takes too long.
#[pyclass(frozen, module = "mesos._core")]
pub struct Stream {
    core: operator::Stream,
}

#[pymethods]
impl Stream {
    /// Waits for the answer. Its body is empty if the status is 200, and whole if it is not.
    fn answer<'py>(&self, py: Python<'py>, seconds: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        wait(py, || self.core.answer(seconds.map(period)))
    }

    fn answer_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        awaited(py, || self.core.answer(None))
    }

    /// Returns the next record that is here, without waiting.
    fn take<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.core.take().map(|record| PyBytes::new(py, &record))
    }

    /// Waits until `take` has a record, and returns whether it has: if not, the answer has ended or the stream is closed.
    fn readable<'py>(&self, py: Python<'py>, seconds: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        wait(py, || self.core.readable(seconds.map(period)))
    }

    fn readable_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        awaited(py, || self.core.readable(None))
    }

    /// Waits until there is room for a record, and adds it to the body; returns whether anybody reads that.
    fn send<'py>(&self, py: Python<'py>, record: &[u8], seconds: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        wait(py, || self.core.send(record, seconds.map(period)))
    }

    fn send_async<'py>(&self, py: Python<'py>, record: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        awaited(py, || self.core.send(record, None))
    }

    /// Ends the body.
    fn end(&self, py: Python<'_>) {
        py.detach(|| self.core.end());
    }

    /// Gives it up and closes the connection: all that waits for it ends.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.core.close());
    }
}

fn period(seconds: f64) -> Duration {
    Period::from_seconds(seconds).unwrap_or_default().into()
}

fn within(idle: f64, total: Option<f64>) -> Within {
    Within { idle: period(idle), total: total.map(period), ..Within::default() }
}

/// Begins something and waits for its outcome.
fn wait<'py, T>(
    py: Python<'py>,
    begin: impl FnOnce() -> crate::Result<Pending<T>> + Send,
) -> PyResult<Bound<'py, PyAny>>
where
    T: Send + 'static,
    Outcome<T>: IntoPyObject<'py, Target = PyAny, Output = Bound<'py, PyAny>, Error = PyErr>,
{
    let mut pending = py.detach(begin)?;
    loop {
        if let Some(outcome) = py.detach(|| pending.wait(SIGNAL_CHECK)) {
            return Outcome(outcome).into_pyobject(py);
        }
        py.check_signals()?;
    }
}

/// Begins something, and returns a future of its outcome for the running loop.
fn awaited<'py, T>(
    py: Python<'py>,
    begin: impl FnOnce() -> crate::Result<Pending<T>> + Send,
) -> PyResult<Bound<'py, PyAny>>
where
    T: Send + 'static,
    Outcome<T>: for<'a> IntoPyObject<'a>,
{
    let pending = py.detach(begin)?;
    let future = futures::future(py, async move { Outcome(pending.await) })?;
    future.ok_or_else(|| errors::unreachable(py, "the interpreter is about to end"))
}

/// What came of a request, or of a part of it.
struct Outcome<T>(crate::Result<T>);

impl<'py> IntoPyObject<'py> for Outcome<Answer> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.0.map_err(|error| errors::of_request(py, &error))?;
        (answer.status, answer.headers, PyBytes::new(py, &answer.body)).into_bound_py_any(py)
    }
}

impl<'py> IntoPyObject<'py> for Outcome<bool> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.map_err(|error| errors::of_request(py, &error))?.into_bound_py_any(py)
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

    /// Starts it, once, and returns its events, which `classes` makes: `event` of the bytes of each, and `disconnected` of
    /// nothing.
    ///
    /// Raises ArgumentValueError if the master's address is not valid.
    fn open(&self, classes: Classes) -> PyResult<aio::Events> {
        self.core.start()?;
        Ok(aio::Events::new(self.core.clone(), Events, classes))
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
