//! `mesos._core.LocalCluster`: the embedded cluster.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::connection::Connection;
use super::dispatcher::SIGNAL_CHECK;
use super::faults::Faults;
use super::scheduler::stop_drivers_of;
use super::simulation;
use super::time::{self, Reached, Time};
use crate::Error;
use crate::clock;
use crate::local::view::{AgentView, FrameworkView, OfferView, Record, Subject, TaskKey, TaskView, Waited};
use crate::local::{self, AgentOptions, Options};
use crate::per_process::PerProcess;
use crate::proto::v1;
use crate::wire::duration::Period;

/// Clusters to stop at the interpreter's exit.
static CLUSTERS: PerProcess<Mutex<Vec<Weak<local::LocalCluster>>>> = PerProcess::new();

/// An embedded cluster that runs until it is stopped or let go.
#[pyclass(frozen, module = "mesos._core")]
pub struct LocalCluster {
    cluster: Arc<local::LocalCluster>,
    stopped: AtomicBool,
}

#[pymethods]
impl LocalCluster {
    #[new]
    #[pyo3(signature = (options, simulate=None))]
    fn new(py: Python<'_>, options: HashMap<String, OsString>, simulate: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let simulate = simulate.map(simulation::simulate);
        start(py, &Options { simulate, ..Options::new(&options)? })
    }

    /// Where this machine reaches it, `127.0.0.1:port` if nothing else was asked for.
    #[getter]
    fn address(&self) -> String {
        self.cluster.address().to_string()
    }

    /// The web page's address with the token.
    #[getter]
    fn link(&self) -> &str {
        self.cluster.link()
    }

    /// What lets in who is neither this user nor root.
    #[getter]
    fn token(&self) -> &str {
        self.cluster.token().as_str()
    }

    /// Every agent.
    fn agents(&self, py: Python<'_>) -> Vec<AgentTuple> {
        let agents = py.detach(|| self.cluster.agents());
        agents.into_iter().map(agent).collect()
    }

    /// Its clock.
    fn time(&self) -> Time {
        Time(Arc::clone(&self.cluster))
    }

    /// A plain client's connection to it, whose bytes are part of what happens in its time. None if it has stopped, or if
    /// its time moves by itself.
    fn connect(&self) -> Option<Connection> {
        clock::places::at(self.cluster.address()).and_then(|place| Connection::new(&place))
    }

    /// What can go wrong in it on request.
    fn faults(&self) -> Faults {
        Faults(Arc::clone(&self.cluster))
    }

    /// Starts an agent, of which something is said in JSON. Its id; None if the cluster is stopped.
    fn add_agent(&self, py: Python<'_>, wanted: &str) -> PyResult<Option<String>> {
        let wanted = AgentOptions::parse(wanted)?;
        Ok(py.detach(|| self.cluster.disturb(move |machine, now| machine.add_agent(now, &wanted))))
    }

    /// Kills an agent. Whether it was there.
    fn kill_agent(&self, py: Python<'_>, id: String, at_once: bool) -> bool {
        let killed = py.detach(|| self.cluster.disturb(move |machine, now| machine.kill_agent(now, &id, at_once)));
        killed.unwrap_or_default()
    }

    /// Ends an agent in order. Whether it was there.
    fn remove_agent(&self, py: Python<'_>, id: String) -> bool {
        let removed = py.detach(|| self.cluster.disturb(move |machine, now| machine.remove_agent(now, &id)));
        removed.unwrap_or_default()
    }

    /// Every framework.
    fn frameworks(&self, py: Python<'_>) -> Vec<FrameworkTuple> {
        let frameworks = py.detach(|| self.cluster.frameworks());
        frameworks.into_iter().map(framework).collect()
    }

    /// The cluster as a whole; None if it does not answer within a second, as on its own thread.
    fn overview(&self, py: Python<'_>) -> Option<OverviewTuple> {
        let seen = py.detach(|| self.cluster.overview(OVERVIEW_TIMEOUT))?;
        let counts = seen.counts.into_iter().map(|((id, state), count)| (id, state.as_str_name(), count));
        let (agents, frameworks) = (seen.agents.into_iter().map(agent), seen.frameworks.into_iter().map(framework));
        Some((agents.collect(), frameworks.collect(), counts.collect(), seen.stopped))
    }

    /// Every task.
    fn tasks(&self, py: Python<'_>) -> Vec<Task> {
        py.detach(|| self.cluster.tasks()).into_iter().map(task).collect()
    }

    /// A task by the ids of its framework, its agent, its executor and its own.
    fn task(&self, py: Python<'_>, key: Key) -> Option<Task> {
        py.detach(|| self.cluster.task(&task_key(key))).map(task)
    }

    /// Every offer that is not answered: id, framework's id, agent's id, role, resources in JSON.
    fn offers(&self, py: Python<'_>) -> Vec<(String, String, String, String, String)> {
        let offers = py.detach(|| self.cluster.offers());
        let offer = |o: OfferView| (o.id, o.framework_id, o.agent_id, o.role, o.resources.to_string());
        offers.into_iter().map(offer).collect()
    }

    /// How many records the history has had since the cluster started or was reset.
    fn happened(&self) -> u64 {
        self.cluster.happened()
    }

    /// What happened: time, kind, call, the ids of framework, agent, executor, task and offer, state, reason, source, message.
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let records = py.detach(|| self.cluster.history());
        let record = |r: Record| {
            let Subject { framework_id, agent_id, executor_id, task_id, offer_id } = r.subject;
            let ids = (framework_id, agent_id, executor_id, task_id, offer_id);
            let values: [Bound<'py, PyAny>; 12] = [
                r.time.into_bound_py_any(py)?,
                r.kind.into_bound_py_any(py)?,
                r.call.into_bound_py_any(py)?,
                ids.0.into_bound_py_any(py)?,
                ids.1.into_bound_py_any(py)?,
                ids.2.into_bound_py_any(py)?,
                ids.3.into_bound_py_any(py)?,
                ids.4.into_bound_py_any(py)?,
                r.state.into_bound_py_any(py)?,
                r.reason.into_bound_py_any(py)?,
                r.source.into_bound_py_any(py)?,
                r.message.into_bound_py_any(py)?,
            ];
            PyTuple::new(py, values)
        };
        records.into_iter().map(record).collect()
    }

    /// Waits until a task has been in a state, or is over. The task; None after so many seconds, or if the cluster stops.
    fn wait_for_task(&self, py: Python<'_>, key: Key, state: &str, seconds: f64) -> PyResult<Option<Task>> {
        let (key, state) = (task_key(key), v1::TaskState::from_str_name(state).unwrap_or_default());
        let at_most = Period::from_seconds(seconds).unwrap_or_default();
        if let Some(clock) = self.cluster.clock().as_skipping() {
            let look = |py: Python<'_>| Ok(py.detach(|| self.cluster.task_that_was(&key, state)));
            if clock.is_in_callback() {
                Err(Error::cluster(
                    "time does not move before callbacks return, so that a callback cannot wait for a task",
                ))?;
            }
            let found = time::run_until(py, clock, at_most, look)?;
            return Ok(if let Reached::There(found) = found { Some(task(found)) } else { None });
        }
        let until = clock::now() + at_most;
        loop {
            let left = until.saturating_duration_since(clock::now());
            match py.detach(|| self.cluster.wait_for_task(&key, state, left.min(SIGNAL_CHECK))) {
                Waited::Found(found) => return Ok(Some(task(found))),
                Waited::Stopped => return Ok(None),
                Waited::TimedOut => py.check_signals()?,
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    /// The end of a file that a task wrote.
    fn output<'py>(&self, py: Python<'py>, path: OsString) -> Bound<'py, PyBytes> {
        let data = py.detach(|| self.cluster.output(Path::new(&path)));
        PyBytes::new(py, &data)
    }

    /// Its state in JSON; None if it is stopped.
    fn snapshot(&self, py: Python<'_>) -> Option<String> {
        py.detach(|| self.cluster.snapshot())
    }

    /// Makes the cluster as at its start, and stops its drivers.
    fn reset(&self, py: Python<'_>) {
        py.detach(|| {
            if !self.cluster.is_inherited() {
                stop_drivers_of(self.cluster.address(), "is reset");
            }
            self.cluster.reset();
        });
    }

    fn is_stopped(&self, py: Python<'_>) -> bool {
        py.detach(|| self.cluster.ask(|_, _| ()).is_none())
    }

    /// Stops the cluster; first its drivers, if that is wanted.
    fn stop(&self, py: Python<'_>, drivers: bool) {
        py.detach(|| self.stop_once(drivers));
    }
}

/// How long a cluster may take to say how it is.
const OVERVIEW_TIMEOUT: Duration = Duration::from_secs(1);

/// An agent: id, host name, path, resources, used ones and attributes in JSON, state.
type AgentTuple = (String, String, String, String, String, String, &'static str);
/// A cluster: its agents, its frameworks, how many tasks of a framework are in a state, whether it has stopped.
type OverviewTuple = (Vec<AgentTuple>, Vec<FrameworkTuple>, Vec<(String, &'static str, usize)>, bool);
/// A framework: id, name, roles, principal, whether it is connected, whether it is completed.
type FrameworkTuple = (String, String, Vec<String>, Option<String>, bool, bool);
/// A task: the ids of its framework, its agent, its executor and its own; its name, its framework's name, its state, the
/// states that its executor reported, its sandbox, its resources in JSON.
type Task = (Key, String, String, &'static str, Vec<&'static str>, OsString, String);
/// The ids of a task's framework, its agent, its executor and its own.
type Key = (String, String, String, String);

fn agent(view: AgentView) -> AgentTuple {
    let AgentView { id, hostname, path, resources, used, attributes, state } = view;
    (id, hostname, path, resources.to_string(), used.to_string(), attributes.to_string(), state)
}

fn framework(f: FrameworkView) -> FrameworkTuple {
    (f.id, f.name, f.roles, f.principal, f.connected, f.completed)
}

fn task(view: TaskView) -> Task {
    let key = (view.framework_id, view.agent_id, view.executor_id, view.id);
    let states = view.states.iter().map(v1::TaskState::as_str_name).collect();
    // Not as a path: PyO3 makes that by calling Python code (see `guarded.rs`).
    (
        key,
        view.name,
        view.framework,
        view.state.as_str_name(),
        states,
        view.sandbox.into_os_string(),
        view.resources.to_string(),
    )
}

fn task_key((framework_id, agent_id, executor_id, id): Key) -> TaskKey {
    TaskKey { framework_id, agent_id, executor_id, id }
}

impl LocalCluster {
    /// Stops the cluster; first the drivers of this process whose master it is, if that is wanted.
    fn stop_once(&self, drivers: bool) {
        if !self.stopped.swap(true, Ordering::SeqCst) && drivers && !self.cluster.is_inherited() {
            stop_drivers_of(self.cluster.address(), "stops");
        }
        self.cluster.stop();
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.stop_once(true);
    }
}

fn start(py: Python<'_>, options: &Options) -> PyResult<LocalCluster> {
    let cluster = Arc::new(py.detach(|| local::LocalCluster::start(options))?);
    let mut clusters = CLUSTERS.get().lock().unwrap_or_else(PoisonError::into_inner);
    clusters.retain(|cluster| cluster.strong_count() > 0);
    clusters.push(Arc::downgrade(&cluster));
    Ok(LocalCluster { cluster, stopped: AtomicBool::new(false) })
}

/// Stops the clusters that still run.
pub fn shutdown() {
    let clusters = std::mem::take(&mut *CLUSTERS.get().lock().unwrap_or_else(PoisonError::into_inner));
    clusters.iter().filter_map(Weak::upgrade).for_each(|cluster| cluster.stop());
}
