//! `mesos._core.SchedulerDriver`: the scheduler driver in bytes and numbers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use super::aio::{Classes, Events};
use super::auth::Authentication;
use super::dicts::{self, SchedulerEvents};
use super::dispatcher::{self, Callbacks, Dispatcher, Exit, Names, parse};
use super::guarded;
use crate::driver::{self, Options, Status, Trust};
use crate::per_process::PerProcess;
use crate::session::Summary;
use crate::session::scheduler::{Callback, SchedulerSession};
use crate::wire::scheduler::{Call, CallType, FrameworkMessage, call};
use crate::wire::views::{StatusView, Wrapped};

/// The drivers of this process, for those whose master is an embedded cluster of this process.
static DRIVERS: PerProcess<Mutex<Vec<Weak<driver::SchedulerDriver>>>> = PerProcess::new();

/// A framework's id, its master, whether it is connected, how many tasks are in a state.
type SummaryTuple = (Option<String>, Option<String>, bool, Vec<(&'static str, usize)>);

/// A scheduler driver. Messages are bytes, statuses the numbers of `mesos.Status`.
#[pyclass(frozen, module = "mesos._core")]
pub struct SchedulerDriver {
    core: Arc<driver::SchedulerDriver>,
    exit: Arc<Exit>,
}

#[pymethods]
impl SchedulerDriver {
    #[new]
    #[pyo3(signature = (framework, master, authentication, suppressed_roles, trust=None))]
    fn new(
        framework: &[u8],
        master: String,
        authentication: Option<&Authentication>,
        suppressed_roles: Vec<String>,
        trust: Option<(Option<PathBuf>, Option<bool>)>,
    ) -> PyResult<Self> {
        let authentication = authentication.map(|authentication| authentication.inner.clone());
        let framework = Bytes::copy_from_slice(framework);
        let core = driver::SchedulerDriver::new(Options {
            framework,
            master,
            authentication,
            trust: trust.map(|(ca_file, verify)| Trust { ca_file, verify }).unwrap_or_default(),
            suppressed_roles,
        })?;
        let core = Arc::new(core);
        let mut drivers = DRIVERS.get().lock().unwrap_or_else(PoisonError::into_inner);
        drivers.retain(|driver| driver.strong_count() > 0);
        drivers.push(Arc::downgrade(&core));
        Ok(Self { core, exit: Arc::default() })
    }

    /// Starts the driver and the thread that calls `scheduler` with `driver`.
    fn start(
        &self,
        py: Python<'_>,
        driver: Py<PyAny>,
        scheduler: Py<PyAny>,
        implicit_acknowledgements: bool,
    ) -> PyResult<i32> {
        if self.core.status() != Status::NotStarted {
            return Ok(self.status());
        }
        let callbacks = SchedulerCallbacks::import(py, &Names::v0(py)?)?;
        let dispatcher = Dispatcher::new(driver.bind(py), &self.core, &self.exit, callbacks)?;
        match self.core.start(implicit_acknowledgements) {
            Ok(false) => {}
            Ok(true) => {
                dispatcher.spawn()?;
                // What it is by now may be another thing: a callback may have stopped it.
                return Ok(Status::Running as i32);
            }
            // As libmesos does: in the caller's thread, and the driver is aborted already.
            Err(error) => {
                let driver = driver.bind(py);
                dispatcher::aborted(driver, &error);
                let arguments = (driver, error.to_string()).into_pyobject(py)?;
                if let Err(error) = dispatcher::call_back(scheduler.bind(py), &PyString::new(py, "error"), arguments) {
                    dispatcher::failed(driver, "Failed to call scheduler's error\n", error);
                }
            }
        }
        Ok(self.status())
    }

    /// Starts the driver, whose callbacks are events for an asyncio loop: instances of these classes, by the names of the
    /// callbacks.
    ///
    /// Fails, and is aborted then, if the master's address cannot be used.
    fn open(&self, py: Python<'_>, implicit_acknowledgements: bool, classes: Classes) -> PyResult<Events> {
        let callbacks = SchedulerCallbacks::import(py, &Names::v1(py)?)?;
        self.core.start_with(implicit_acknowledgements, SchedulerSession::deliver_all)?;
        Ok(Events::new(self.core.clone(), callbacks, classes))
    }

    /// Starts the driver and the thread that calls the receiver of `driver` with its events as dicts: all events of the v1
    /// API.
    ///
    /// Fails, and is aborted then, if the master's address cannot be used.
    fn start_for_dicts(
        &self,
        py: Python<'_>,
        driver: &Bound<'_, PyAny>,
        implicit_acknowledgements: bool,
    ) -> PyResult<()> {
        let callbacks = SchedulerEvents::new(py)?;
        let dispatcher = Dispatcher::new(driver, &self.core, &self.exit, callbacks)?;
        let started = self.core.start_with(implicit_acknowledgements, |session| {
            session.deliver_all();
            session.deliver_heartbeats();
        })?;
        if started { dispatcher.spawn() } else { Ok(()) }
    }

    /// Hands a call, a `mesos.v1.scheduler.Call` as a dict, on to the master.
    fn send(&self, call: &Bound<'_, PyAny>) -> PyResult<i32> {
        Ok(match dicts::scheduler_call(call)? {
            Call::Teardown => self.stop(call.py(), false),
            call => self.call(call),
        })
    }

    fn stop(&self, py: Python<'_>, failover: bool) -> i32 {
        py.detach(|| self.core.stop(failover)) as i32
    }

    fn abort(&self, py: Python<'_>) -> i32 {
        py.detach(|| self.core.abort()) as i32
    }

    /// `run` begins, which calls `start` and `join`.
    fn begin_run(&self) {
        self.exit.begin_run();
    }

    /// `run` has ended. Raises the `SystemExit` of a callback that `join` came too early for.
    fn end_run(&self) -> PyResult<()> {
        self.exit.end_run()
    }

    /// Waits until the driver ended, at most so many seconds; signals are handled meanwhile.
    fn join(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<i32> {
        dispatcher::join(py, &self.core, &self.exit, seconds)
    }

    /// Whether `join` is called in a callback of the driver while it runs.
    fn waits_for_itself(&self) -> bool {
        self.exit.waits_for_itself(&self.core)
    }

    fn status(&self) -> i32 {
        self.core.status() as i32
    }

    /// What the framework was told so far: its id, its master, whether it is connected, how many tasks are in a state.
    fn summary(&self, py: Python<'_>) -> SummaryTuple {
        let look = |summary: &Summary| {
            let counts = summary.counts().map(|(state, count)| (state.as_str_name(), count)).collect();
            let texts = (summary.framework_id().map(str::to_owned), summary.master().map(str::to_owned));
            (texts.0, texts.1, summary.is_connected() && self.core.status() == Status::Running, counts)
        };
        py.detach(|| self.core.summary(look)).unwrap_or_default()
    }

    /// This thread makes the callback that is being made, or makes it again: what it asks of the cluster belongs to it.
    fn take_over_callback(&self) {
        if let Some(clock) = self.core.clock().as_skipping() {
            clock.take_over_callback();
        }
    }

    /// The URL of the master and the id of the stream of events, while the driver is connected.
    fn connection(&self, py: Python<'_>) -> Option<(String, String)> {
        let look = |summary: &Summary| summary.connection().map(|open| (open.url.clone(), open.stream_id.clone()));
        py.detach(|| self.core.summary(look)).flatten().filter(|_| self.core.status() == Status::Running)
    }

    #[pyo3(signature = (offer_ids, operations, filters))]
    fn accept(
        &self,
        offer_ids: Vec<Py<PyBytes>>,
        operations: Vec<Py<PyBytes>>,
        filters: Option<&[u8]>,
        py: Python<'_>,
    ) -> i32 {
        self.call(Call::from(call::Accept {
            offer_ids: copy_all(py, &offer_ids),
            operations: copy_all(py, &operations),
            filters: filters.map(Bytes::copy_from_slice),
        }))
    }

    /// ACCEPT with one LAUNCH.
    #[pyo3(signature = (offer_ids, tasks, filters))]
    fn launch(
        &self,
        offer_ids: Vec<Py<PyBytes>>,
        tasks: Vec<Py<PyBytes>>,
        filters: Option<&[u8]>,
        py: Python<'_>,
    ) -> i32 {
        self.call(Call::from(call::Accept {
            offer_ids: copy_all(py, &offer_ids),
            operations: vec![call::launch_operation(copy_all(py, &tasks))],
            filters: filters.map(Bytes::copy_from_slice),
        }))
    }

    #[pyo3(signature = (offer_ids, filters))]
    fn decline(&self, offer_ids: Vec<Py<PyBytes>>, filters: Option<&[u8]>, py: Python<'_>) -> i32 {
        self.call(Call::Decline(call::Decline {
            offer_ids: copy_all(py, &offer_ids),
            filters: filters.map(Bytes::copy_from_slice),
        }))
    }

    fn kill(&self, task_id: &[u8]) -> i32 {
        self.call(Call::Kill(Wrapped { inner: Bytes::copy_from_slice(task_id) }))
    }

    /// A call that the classic API does not have: the number of its type, and the bytes of its message.
    fn other(&self, kind: i32, message: &[u8]) -> PyResult<i32> {
        let kind = CallType::try_from(kind).ok();
        let other = kind.and_then(|kind| call::Other::new(kind, Bytes::copy_from_slice(message)));
        let other = other.ok_or_else(|| PyValueError::new_err("not the type of a call that the classic API lacks"))?;
        Ok(self.call(Call::Other(other)))
    }

    fn revive(&self, roles: Vec<String>) -> i32 {
        self.call(Call::Revive(call::Roles { roles }))
    }

    fn suppress(&self, roles: Vec<String>) -> i32 {
        self.call(Call::Suppress(call::Roles { roles }))
    }

    fn acknowledge(&self, status: &[u8]) -> i32 {
        self.core.acknowledge(Bytes::copy_from_slice(status)) as i32
    }

    /// RECONCILE of these serialized `TaskStatus`es; of all tasks if there is none.
    fn reconcile(&self, statuses: Vec<Py<PyBytes>>, py: Python<'_>) -> i32 {
        let task = |status: Bytes| {
            let view = StatusView::read(&status).unwrap_or_default();
            let [task_id, agent_id] = [view.task_id, view.agent_id].map(|id| id.map(|id| status.slice_ref(id)));
            call::ReconcileTask { task_id: task_id.unwrap_or_default(), agent_id }
        };
        let tasks = copy_all(py, &statuses).into_iter().map(task).collect();
        self.call(Call::Reconcile(call::Reconcile { tasks }))
    }

    fn message(&self, executor_id: &[u8], slave_id: &[u8], data: &[u8]) -> i32 {
        self.call(Call::from(FrameworkMessage {
            agent_id: Bytes::copy_from_slice(slave_id),
            executor_id: Bytes::copy_from_slice(executor_id),
            data: Bytes::copy_from_slice(data),
        }))
    }

    fn request(&self, requests: Vec<Py<PyBytes>>, py: Python<'_>) -> i32 {
        self.call(Call::Request(call::Requests { requests: copy_all(py, &requests) }))
    }

    fn update_framework(&self, framework: &[u8], suppressed_roles: Vec<String>) -> PyResult<i32> {
        let framework_info = self.core.fill_in(Bytes::copy_from_slice(framework))?;
        let update = call::Subscribe { framework_info, suppressed_roles };
        Ok(self.call(Call::UpdateFramework(update)))
    }
}

/// A driver that is no longer referenced disconnects without TEARDOWN, as when libmesos' driver is destroyed.
impl Drop for SchedulerDriver {
    fn drop(&mut self) {
        if self.core.status() == Status::Running {
            let name = self.core.name();
            tracing::info!("The driver of framework '{name}' is no longer referenced; it disconnects from the master");
        }
        // The thread that makes callbacks may still hold it for a moment.
        self.core.let_go();
    }
}

/// Stops the running drivers of this process whose master is the embedded one at this address. `what` is about to happen to
/// it.
pub fn stop_drivers_of(address: SocketAddr, what: &str) {
    let drivers = DRIVERS.get().lock().unwrap_or_else(PoisonError::into_inner).clone();
    for driver in drivers.iter().filter_map(Weak::upgrade).filter(|driver| driver.is_of(address)) {
        if driver.status() == Status::Running {
            driver.stop(true);
            let name = driver.name();
            tracing::warn!(
                "The embedded cluster at {address} {what}, so the driver of framework '{name}', which still ran, is stopped"
            );
        }
    }
}

impl SchedulerDriver {
    fn call(&self, call: Call) -> i32 {
        self.core.call(call) as i32
    }
}

fn parse_all<'py>(py: Python<'py>, parser: &Py<PyAny>, messages: &[Bytes]) -> PyResult<Bound<'py, PyAny>> {
    let messages = messages.iter().map(|message| parse(py, parser, message)).collect::<PyResult<Vec<_>>>()?;
    Ok(PyList::new(py, messages)?.into_any())
}

fn copy_all(py: Python<'_>, messages: &[Py<PyBytes>]) -> Vec<Bytes> {
    messages.iter().map(|m| Bytes::copy_from_slice(m.as_bytes(py))).collect()
}

/// What a scheduler's callbacks need: the `FromString` of each message class that they get.
struct SchedulerCallbacks {
    framework_id: Py<PyAny>,
    master_info: Py<PyAny>,
    offer: Py<PyAny>,
    offer_id: Py<PyAny>,
    task_status: Py<PyAny>,
    executor_id: Py<PyAny>,
    slave_id: Py<PyAny>,
    /// For the v1 API alone: the classic API has no callback with these.
    inverse_offer: Option<Py<PyAny>>,
    operation_status: Option<Py<PyAny>>,
    /// Converts a message's payload to the type that callbacks receive.
    received: Py<PyAny>,
}

impl SchedulerCallbacks {
    fn import(py: Python<'_>, names: &Names) -> PyResult<Self> {
        let module = guarded::import(py, names.messages)?;
        let parser =
            |name: &str| guarded::attribute(&guarded::attribute(&module, name)?, "FromString").map(Bound::unbind);
        Ok(Self {
            framework_id: parser("FrameworkID")?,
            master_info: parser("MasterInfo")?,
            offer: parser("Offer")?,
            offer_id: parser("OfferID")?,
            task_status: parser("TaskStatus")?,
            executor_id: parser("ExecutorID")?,
            slave_id: parser(names.agent_id)?,
            inverse_offer: names.is_v1.then(|| parser("InverseOffer")).transpose()?,
            operation_status: names.is_v1.then(|| parser("OperationStatus")).transpose()?,
            received: names.received.clone_ref(py),
        })
    }
}

impl Callbacks for SchedulerCallbacks {
    type Session = SchedulerSession;
    type Core = driver::SchedulerDriver;
    /// A SUBSCRIBE may be on its way, and the last calls.
    const LAST_WORDS: Duration = Duration::from_secs(2);
    const TARGET: &'static str = "_scheduler";

    fn name(callback: &Callback) -> &'static str {
        match callback {
            Callback::Registered(_) => "registered",
            Callback::Reregistered(_) => "reregistered",
            Callback::Disconnected => "disconnected",
            Callback::ResourceOffers(_) => "resourceOffers",
            Callback::OfferRescinded(_) => "offerRescinded",
            Callback::StatusUpdate { .. } => "statusUpdate",
            Callback::FrameworkMessage { .. } => "frameworkMessage",
            Callback::AgentLost(_) => "slaveLost",
            Callback::ExecutorLost { .. } => "executorLost",
            Callback::InverseOffers(_) => "inverseOffers",
            Callback::InverseOfferRescinded(_) => "inverseOfferRescinded",
            Callback::OperationUpdate(_) => "operationUpdate",
            Callback::Heartbeat => "heartbeat",
            Callback::Error(_) => "error",
        }
    }

    /// As `src/python/scheduler/src/mesos/scheduler/proxy_scheduler.cpp` says it.
    fn failure(name: &str) -> String {
        format!("scheduler's {}", if name == "resourceOffers" { "resourceOffer" } else { name })
    }

    fn arguments<'py>(&self, py: Python<'py>, callback: &Callback) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let c = self;
        Ok(match callback {
            Callback::Registered(of) => {
                vec![parse(py, &c.framework_id, &of.framework_id)?, parse(py, &c.master_info, &of.master_info)?]
            }
            Callback::Reregistered(of) => vec![parse(py, &c.master_info, &of.master_info)?],
            Callback::Disconnected | Callback::Heartbeat => vec![],
            Callback::ResourceOffers(offers) => vec![parse_all(py, &c.offer, offers)?],
            Callback::InverseOffers(offers) => match &c.inverse_offer {
                Some(parser) => vec![parse_all(py, parser, offers)?],
                None => vec![],
            },
            Callback::OperationUpdate(status) => match &c.operation_status {
                Some(parser) => vec![parse(py, parser, status)?],
                None => vec![],
            },
            Callback::InverseOfferRescinded(id) => vec![parse(py, &c.offer_id, id)?],
            Callback::OfferRescinded(id) => vec![parse(py, &c.offer_id, id)?],
            Callback::StatusUpdate { status, .. } => vec![parse(py, &c.task_status, status)?],
            Callback::FrameworkMessage { executor_id, agent_id, data } => vec![
                parse(py, &c.executor_id, executor_id)?,
                parse(py, &c.slave_id, agent_id)?,
                parse(py, &c.received, data)?,
            ],
            Callback::AgentLost(agent_id) => vec![parse(py, &c.slave_id, agent_id)?],
            Callback::ExecutorLost { executor_id, agent_id, status } => vec![
                parse(py, &c.executor_id, executor_id)?,
                parse(py, &c.slave_id, agent_id)?,
                status.into_pyobject(py)?.into_any(),
            ],
            Callback::Error(error) => vec![error.to_string().into_pyobject(py)?.into_any()],
        })
    }
}
