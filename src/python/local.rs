//! `mesos._core.LocalCluster`: the embedded cluster.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::prelude::*;

use super::scheduler::cluster_stopped;
use super::simulation;
use crate::local::{self, Options};
use crate::per_process::PerProcess;

/// Clusters to stop at the interpreter's exit.
static CLUSTERS: PerProcess<Mutex<Vec<Weak<local::LocalCluster>>>> = PerProcess::new();

/// Where the clusters of this process listen.
static ADDRESSES: PerProcess<Mutex<HashSet<SocketAddr>>> = PerProcess::new();

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

    /// How many agents it has.
    #[getter]
    fn agents(&self) -> u32 {
        self.cluster.agents()
    }

    /// What lets in who is neither this user nor root.
    #[getter]
    fn token(&self) -> &str {
        self.cluster.token().as_str()
    }

    /// Every task: framework's name, id, state's name, sandbox.
    fn tasks(&self, py: Python<'_>) -> Vec<(String, String, &'static str, OsString)> {
        let tasks = py.detach(|| self.cluster.tasks());
        // Not as a path: PyO3 makes that by calling Python code (see `guarded.rs`).
        tasks.into_iter().map(|t| (t.framework, t.id, t.state.as_str_name(), t.sandbox.into_os_string())).collect()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.stop_once());
    }
}

impl LocalCluster {
    /// Stops the cluster, and tells the drivers of this process whose master it was.
    fn stop_once(&self) {
        if !self.stopped.swap(true, Ordering::SeqCst) {
            let address = self.cluster.address();
            self.cluster.stop();
            addresses().remove(&address);
            cluster_stopped(address, |address| addresses().contains(&address));
        }
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.stop_once();
    }
}

fn start(py: Python<'_>, options: &Options) -> PyResult<LocalCluster> {
    let cluster = Arc::new(py.detach(|| local::LocalCluster::start(options))?);
    addresses().insert(cluster.address());
    let mut clusters = CLUSTERS.get().lock().unwrap_or_else(PoisonError::into_inner);
    clusters.retain(|cluster| cluster.strong_count() > 0);
    clusters.push(Arc::downgrade(&cluster));
    Ok(LocalCluster { cluster, stopped: AtomicBool::new(false) })
}

fn addresses() -> MutexGuard<'static, HashSet<SocketAddr>> {
    ADDRESSES.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops the clusters that still run.
pub fn shutdown() {
    let clusters = std::mem::take(&mut *CLUSTERS.get().lock().unwrap_or_else(PoisonError::into_inner));
    clusters.iter().filter_map(Weak::upgrade).for_each(|cluster| cluster.stop());
}
