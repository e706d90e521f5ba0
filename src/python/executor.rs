//! `mesos._core.ExecutorDriver`: the executor driver in bytes and numbers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pyo3::prelude::*;

use super::aio::{Classes, Events};
use super::dicts::ExecutorEvents;
use super::dispatcher::{self, Callbacks, Dispatcher, Exit, Names, parse};
use super::guarded;
use crate::driver::{self, Environment, Status};
use crate::environment::Variables;
use crate::session::executor::{Callback, ExecutorSession};

/// An executor driver. Messages are bytes, statuses the numbers of `mesos.Status`.
#[pyclass(frozen, module = "mesos._core")]
#[derive(Default)]
pub struct ExecutorDriver {
    core: Arc<driver::ExecutorDriver>,
    exit: Arc<Exit>,
}

#[pymethods]
impl ExecutorDriver {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Starts the driver, with the variables of an agent, and the thread that calls the executor of `driver`.
    fn start(&self, py: Python<'_>, driver: Py<PyAny>, variables: Variables) -> PyResult<i32> {
        if self.core.status() != Status::NotStarted {
            return Ok(self.status());
        }
        let environment = Environment::read(&variables)?;
        let callbacks = ExecutorCallbacks::import(py, &Names::v0(py)?)?;
        let dispatcher = Dispatcher::new(driver.bind(py), &self.core, &self.exit, callbacks)?;
        if self.core.start(&environment)? {
            dispatcher.spawn()?;
            // What it is by now may be another thing: a callback may have stopped it.
            return Ok(Status::Running as i32);
        }
        Ok(self.status())
    }

    /// Starts the driver, with the variables of an agent; its callbacks are events for an asyncio loop: instances of
    /// these classes, by the names of the callbacks.
    fn open(&self, py: Python<'_>, variables: Variables, classes: Classes) -> PyResult<Events> {
        let environment = Environment::read(&variables)?;
        let callbacks = ExecutorCallbacks::import(py, &Names::v1(py)?)?;
        self.core.start(&environment)?;
        Ok(Events::new(self.core.clone(), callbacks, classes))
    }

    /// Starts the driver, with the variables of an agent, and the thread that calls the receiver of `driver` with its
    /// events as dicts.
    fn start_for_dicts(&self, py: Python<'_>, driver: &Bound<'_, PyAny>, variables: Variables) -> PyResult<()> {
        let environment = Environment::read(&variables)?;
        let callbacks = ExecutorEvents::new(py)?;
        let dispatcher = Dispatcher::new(driver, &self.core, &self.exit, callbacks)?;
        if self.core.start_with(&environment, ExecutorSession::deliver_all)? { dispatcher.spawn() } else { Ok(()) }
    }

    /// Reports on a task, with a time in seconds since the epoch and the 16 bytes of a UUID of the caller's.
    fn update_as(&self, status: &[u8], timestamp: f64, uuid: &[u8]) -> i32 {
        self.core.update_as(Bytes::copy_from_slice(status), timestamp, Bytes::copy_from_slice(uuid)) as i32
    }

    fn stop(&self, py: Python<'_>) -> i32 {
        py.detach(|| self.core.stop(false)) as i32
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

    fn update(&self, status: &[u8]) -> i32 {
        self.core.update(Bytes::copy_from_slice(status)) as i32
    }

    fn message(&self, data: &[u8]) -> i32 {
        self.core.message(Bytes::copy_from_slice(data)) as i32
    }
}

/// A driver that is no longer referenced is stopped; its last updates are still delivered.
impl Drop for ExecutorDriver {
    fn drop(&mut self) {
        if self.core.status() == Status::Running {
            tracing::info!("The executor's driver is no longer referenced; it disconnects from the agent");
        }
        self.core.stop(false);
    }
}

/// What an executor's callbacks need: the `FromString` of each message class that they get.
struct ExecutorCallbacks {
    executor_info: Py<PyAny>,
    framework_info: Py<PyAny>,
    slave_info: Py<PyAny>,
    task_info: Py<PyAny>,
    task_id: Py<PyAny>,
    /// For the v1 API alone: the classic callback has no such argument.
    kill_policy: Option<Py<PyAny>>,
    /// Converts a message's payload to the type that callbacks receive.
    received: Py<PyAny>,
}

impl ExecutorCallbacks {
    fn import(py: Python<'_>, names: &Names) -> PyResult<Self> {
        let module = guarded::import(py, names.messages)?;
        let parser =
            |name: &str| guarded::attribute(&guarded::attribute(&module, name)?, "FromString").map(Bound::unbind);
        Ok(Self {
            executor_info: parser("ExecutorInfo")?,
            framework_info: parser("FrameworkInfo")?,
            slave_info: parser(names.agent_info)?,
            task_info: parser("TaskInfo")?,
            task_id: parser("TaskID")?,
            kill_policy: names.is_v1.then(|| parser("KillPolicy")).transpose()?,
            received: names.received.clone_ref(py),
        })
    }
}

impl Callbacks for ExecutorCallbacks {
    type Session = ExecutorSession;
    type Core = driver::ExecutorDriver;
    /// Updates are on their way until the agent acknowledged them.
    const LAST_WORDS: Duration = Duration::from_secs(5);
    const TARGET: &'static str = "_executor";

    fn name(callback: &Callback) -> &'static str {
        match callback {
            Callback::Registered(_) => "registered",
            Callback::Reregistered(_) => "reregistered",
            Callback::Disconnected => "disconnected",
            Callback::LaunchTask(_) => "launchTask",
            Callback::KillTask { .. } => "killTask",
            Callback::FrameworkMessage(_) => "frameworkMessage",
            Callback::Shutdown => "shutdown",
            Callback::LaunchGroup(_) => "launchTaskGroup",
            Callback::Acknowledged(_) => "acknowledged",
            Callback::Error(_) => "error",
        }
    }

    /// As `src/python/executor/src/mesos/executor/proxy_executor.cpp` says it.
    fn failure(name: &str) -> String {
        let possessive = if matches!(name, "registered" | "reregistered") { "" } else { "'s" };
        format!("executor{possessive} {name}")
    }

    fn arguments<'py>(&self, py: Python<'py>, callback: &Callback) -> PyResult<Vec<Bound<'py, PyAny>>> {
        Ok(match callback {
            Callback::Registered(of) => vec![
                parse(py, &self.executor_info, &of.executor_info)?,
                parse(py, &self.framework_info, &of.framework_info)?,
                parse(py, &self.slave_info, &of.agent_info)?,
            ],
            Callback::Reregistered(of) => vec![parse(py, &self.slave_info, &of.agent_info)?],
            // Only a driver whose events are dicts is told of the last two.
            Callback::Disconnected | Callback::Shutdown | Callback::LaunchGroup(_) | Callback::Acknowledged(_) => {
                vec![]
            }
            Callback::LaunchTask(task) => vec![parse(py, &self.task_info, task)?],
            Callback::KillTask { task_id, kill_policy } => {
                let mut arguments = vec![parse(py, &self.task_id, task_id)?];
                if let Some(parser) = &self.kill_policy {
                    let policy = kill_policy.as_ref().map(|policy| parse(py, parser, policy)).transpose()?;
                    arguments.push(policy.unwrap_or_else(|| py.None().into_bound(py)));
                }
                arguments
            }
            Callback::FrameworkMessage(data) => vec![parse(py, &self.received, data)?],
            Callback::Error(error) => vec![error.to_string().into_pyobject(py)?.into_any()],
        })
    }
}
