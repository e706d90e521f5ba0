//! `mesos._core.LocalCluster`: stub
use pyo3::prelude::*;
/// stub
#[pyclass(frozen, module = "mesos._core")]
pub struct LocalCluster {}
