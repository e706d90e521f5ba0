//! `mesos._core.SchedulerDriver`: the scheduler driver in bytes and numbers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::dispatcher::{Dispatcher, Exit, report};
use crate::driver::{self, Credential, Options, Status};
use crate::wire::call::{self, Call, Type};
use crate::wire::envelope::{FrameworkMessage, StatusKeys, Wrapped};

/// `join` looks for signals this often.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// A scheduler driver. Messages are bytes, statuses the numbers of `mesos.Status`.
#[pyclass(frozen, module = "mesos._core")]
pub struct SchedulerDriver {
    core: Arc<driver::SchedulerDriver>,
    exit: Arc<Exit>,
}

#[pymethods]
impl SchedulerDriver {
    #[new]
    #[pyo3(signature = (framework, master, credential, suppressed_roles))]
    fn new(
        framework: &[u8],
        master: String,
        credential: Option<(String, String)>,
        suppressed_roles: Vec<String>,
    ) -> PyResult<Self> {
        let credential = credential.map(|(principal, secret)| Credential { principal, secret });
        let framework = Bytes::copy_from_slice(framework);
        let core = driver::SchedulerDriver::new(Options { framework, master, credential, suppressed_roles })?;
        Ok(Self { core: Arc::new(core), exit: Arc::default() })
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
        let scheduler_again = scheduler.clone_ref(py);
        let driver_again = driver.clone_ref(py);
        let (core, exit) = (self.core.clone(), self.exit.clone());
        let dispatcher = Dispatcher::new(py, scheduler, driver, core, implicit_acknowledgements, exit)?;
        match self.core.start() {
            Ok(false) => {}
            Ok(true) => {
                dispatcher.spawn().map_err(|e| PyRuntimeError::new_err(format!("no thread for callbacks: {e}")))?;
                // What it is by now may be another thing: a callback may have stopped it.
                return Ok(Status::Running as i32);
            }
            // As libmesos does: in the caller's thread, and the driver is aborted already.
            Err(error) => {
                let called = scheduler_again.call_method1(py, "error", (driver_again, error.to_string()));
                if let Err(error) = called {
                    report(py, "Failed to call scheduler's error\n", &error);
                }
            }
        }
        Ok(self.status())
    }

    fn stop(&self, py: Python<'_>, failover: bool) -> i32 {
        py.detach(|| self.core.stop(failover)) as i32
    }

    fn abort(&self, py: Python<'_>) -> i32 {
        py.detach(|| self.core.abort()) as i32
    }

    /// Waits until the driver ended; signals are handled meanwhile.
    fn join(&self, py: Python<'_>) -> PyResult<i32> {
        let waiting = self.exit.wait();
        let status = loop {
            if let Some(status) = py.detach(|| self.core.wait(SIGNAL_CHECK)) {
                break status;
            }
            py.check_signals()?;
        };
        drop(waiting);
        self.exit.take().map_or(Ok(status as i32), Err)
    }

    fn status(&self) -> i32 {
        self.core.status() as i32
    }

    #[pyo3(signature = (offer_ids, operations, filters))]
    fn accept(
        &self,
        offer_ids: Vec<Py<PyBytes>>,
        operations: Vec<Py<PyBytes>>,
        filters: Option<&[u8]>,
        py: Python<'_>,
    ) -> i32 {
        let accept = call::Accept {
            offer_ids: copy_all(py, &offer_ids),
            operations: copy_all(py, &operations),
            filters: filters.map(Bytes::copy_from_slice),
        };
        self.call(Type::Accept, |call| call.accept = Some(accept))
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
        let accept = call::Accept {
            offer_ids: copy_all(py, &offer_ids),
            operations: vec![call::launch_operation(copy_all(py, &tasks))],
            filters: filters.map(Bytes::copy_from_slice),
        };
        self.call(Type::Accept, |call| call.accept = Some(accept))
    }

    #[pyo3(signature = (offer_ids, filters))]
    fn decline(&self, offer_ids: Vec<Py<PyBytes>>, filters: Option<&[u8]>, py: Python<'_>) -> i32 {
        let decline =
            call::Decline { offer_ids: copy_all(py, &offer_ids), filters: filters.map(Bytes::copy_from_slice) };
        self.call(Type::Decline, |call| call.decline = Some(decline))
    }

    fn kill(&self, task_id: &[u8]) -> i32 {
        let kill = Wrapped { inner: Bytes::copy_from_slice(task_id) };
        self.call(Type::Kill, |call| call.kill = Some(kill))
    }

    fn revive(&self, roles: Vec<String>) -> i32 {
        self.call(Type::Revive, |call| call.revive = Some(call::Roles { roles }))
    }

    fn suppress(&self, roles: Vec<String>) -> i32 {
        self.call(Type::Suppress, |call| call.suppress = Some(call::Roles { roles }))
    }

    fn acknowledge(&self, status: &[u8]) -> i32 {
        self.core.acknowledge(Bytes::copy_from_slice(status)) as i32
    }

    /// RECONCILE of these serialized `TaskStatus`es; of all tasks where there is none.
    fn reconcile(&self, statuses: Vec<Py<PyBytes>>, py: Python<'_>) -> i32 {
        let task = |status: Bytes| {
            let keys = <StatusKeys as prost::Message>::decode(status).unwrap_or_default();
            call::ReconcileTask { task_id: keys.task_id.unwrap_or_default(), agent_id: keys.agent_id }
        };
        let tasks = copy_all(py, &statuses).into_iter().map(task).collect();
        self.call(Type::Reconcile, |call| call.reconcile = Some(call::Reconcile { tasks }))
    }

    fn message(&self, executor_id: &[u8], slave_id: &[u8], data: &[u8]) -> i32 {
        let message = FrameworkMessage {
            agent_id: Bytes::copy_from_slice(slave_id),
            executor_id: Bytes::copy_from_slice(executor_id),
            data: Bytes::copy_from_slice(data),
        };
        self.call(Type::Message, |call| call.message = Some(message))
    }

    fn request(&self, requests: Vec<Py<PyBytes>>, py: Python<'_>) -> i32 {
        let requests = call::Requests { requests: copy_all(py, &requests) };
        self.call(Type::Request, |call| call.request = Some(requests))
    }

    fn update_framework(&self, framework: &[u8], suppressed_roles: Vec<String>) -> PyResult<i32> {
        let framework_info = self.core.fill_in(Bytes::copy_from_slice(framework))?;
        let update = call::Subscribe { framework_info, suppressed_roles };
        Ok(self.call(Type::UpdateFramework, |call| call.update_framework = Some(update)))
    }
}

impl SchedulerDriver {
    fn call(&self, kind: Type, fill: impl FnOnce(&mut Call)) -> i32 {
        let mut call = Call { kind: kind.into(), ..Call::default() };
        fill(&mut call);
        self.core.call(call) as i32
    }
}

fn copy_all(py: Python<'_>, messages: &[Py<PyBytes>]) -> Vec<Bytes> {
    messages.iter().map(|m| Bytes::copy_from_slice(m.as_bytes(py))).collect()
}
