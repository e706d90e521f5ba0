//! `mesos._core.Faults`: what can go wrong in an embedded cluster on request.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::Error;
use crate::local::{LocalCluster, Machine, UpdateFaults};
use crate::proto::v1;
use crate::proto::v1::master::{Call, call};
use crate::wire::duration::Period;

/// The faults of one cluster.
#[pyclass(frozen, module = "mesos._core")]
pub struct Faults(pub Arc<LocalCluster>);

impl Faults {
    fn disturb<T: Send + 'static>(
        &self,
        py: Python<'_>,
        fault: impl FnOnce(&mut Machine, std::time::Instant) -> T + Send + 'static,
    ) -> PyResult<T> {
        let outcome = py.detach(|| self.0.disturb(fault));
        Ok(outcome.ok_or_else(|| Error::cluster("the embedded cluster is stopped"))?)
    }

    fn operate(&self, py: Python<'_>, call: Call) -> PyResult<()> {
        let outcome = self.disturb(py, |machine, now| machine.operate(now, call))?;
        Ok(outcome.map_err(|refusal| Error::cluster(refusal.message))?)
    }
}

fn period(seconds: f64) -> PyResult<Period> {
    let invalid = || Error::invalid(format!("{seconds} is not a valid number of seconds"));
    Ok(Period::from_seconds(seconds).ok_or_else(invalid)?)
}

fn agent(id: String) -> v1::AgentId {
    v1::AgentId { value: id }
}

#[pymethods]
impl Faults {
    fn disconnect_framework(&self, py: Python<'_>, id: String) -> PyResult<bool> {
        self.disturb(py, move |machine, now| machine.disconnect_framework(now, &id))
    }

    fn refuse_framework(&self, py: Python<'_>, id: String, seconds: f64) -> PyResult<()> {
        let period = period(seconds)?;
        self.disturb(py, move |machine, now| machine.refuse_framework(now, &id, period))
    }

    fn reject_authentication(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let period = period(seconds)?;
        self.disturb(py, move |machine, now| machine.reject_authentication(now, period))
    }

    fn rescind_offer(&self, py: Python<'_>, id: String) -> PyResult<bool> {
        self.disturb(py, move |machine, _| machine.rescind_offer(&id))
    }

    fn signal_task(
        &self,
        py: Python<'_>,
        agent_id: String,
        framework_id: String,
        task_id: String,
        signal: i32,
    ) -> PyResult<bool> {
        self.disturb(py, move |machine, now| machine.signal_task(now, &agent_id, &framework_id, &task_id, signal))
    }

    fn kill_executor(&self, py: Python<'_>, agent_id: String, framework_id: String, task_id: String) -> PyResult<bool> {
        self.disturb(py, move |machine, now| machine.kill_executor(now, &agent_id, &framework_id, &task_id))
    }

    fn disconnect_agent(&self, py: Python<'_>, id: String, at_once: bool) -> PyResult<bool> {
        self.disturb(py, move |machine, now| machine.disconnect_agent(now, &id, at_once))
    }

    fn reconnect_agent(&self, py: Python<'_>, id: String) -> PyResult<bool> {
        self.disturb(py, move |machine, now| machine.reconnect_agent(now, &id))
    }

    fn restart_agent(&self, py: Python<'_>, id: String, memory: bool, down: f64) -> PyResult<Option<String>> {
        let down = period(down)?;
        self.disturb(py, move |machine, now| machine.restart_agent(now, &id, memory, down))
    }

    fn exhaust_disk(&self, py: Python<'_>, id: String) -> PyResult<bool> {
        self.disturb(py, move |machine, now| machine.exhaust_disk(now, &id))
    }

    fn free_disk(&self, py: Python<'_>, id: String) -> PyResult<()> {
        self.disturb(py, move |machine, _| machine.free_disk(&id))
    }

    fn restart_master(&self, py: Python<'_>, memory: bool) -> PyResult<()> {
        self.disturb(py, move |machine, now| machine.restart_master(now, memory))
    }

    fn updates(&self, py: Python<'_>, delay: f64, duplicate: f64, lose: f64) -> PyResult<()> {
        let faults = UpdateFaults { delay: period(delay)?, duplicate, lose };
        self.disturb(py, move |machine, _| machine.set_update_faults(faults))
    }

    fn drain_agent(&self, py: Python<'_>, id: String, max_grace_period: Option<i64>, mark_gone: bool) -> PyResult<()> {
        let max_grace_period = max_grace_period.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        let drain_agent = call::DrainAgent { agent_id: agent(id), max_grace_period, mark_gone: Some(mark_gone) };
        self.operate(py, Call { drain_agent: Some(drain_agent), ..of(call::Type::DrainAgent) })
    }

    fn deactivate_agent(&self, py: Python<'_>, id: String) -> PyResult<()> {
        let deactivate_agent = Some(call::DeactivateAgent { agent_id: agent(id) });
        self.operate(py, Call { deactivate_agent, ..of(call::Type::DeactivateAgent) })
    }

    fn reactivate_agent(&self, py: Python<'_>, id: String) -> PyResult<()> {
        let reactivate_agent = Some(call::ReactivateAgent { agent_id: agent(id) });
        self.operate(py, Call { reactivate_agent, ..of(call::Type::ReactivateAgent) })
    }

    fn mark_agent_gone(&self, py: Python<'_>, id: String) -> PyResult<()> {
        let mark_agent_gone = Some(call::MarkAgentGone { agent_id: agent(id) });
        self.operate(py, Call { mark_agent_gone, ..of(call::Type::MarkAgentGone) })
    }
}

fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind.into()), ..Default::default() }
}
