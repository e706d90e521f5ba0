//! The events of drivers as dicts: those of the v1 API, `{"type": "UPDATE", "update": {"status": {...}}}`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::shape::Shape;
use crate::driver;
use crate::python::dispatcher::Callbacks;
use crate::session::executor::{self, ExecutorSession};
use crate::session::scheduler::{self, SchedulerSession};

/// The events of a scheduler. The target's `event` is called with the driver and a dict, and its `disconnected` with the
/// driver.
pub struct SchedulerEvents {
    subscribed: Arc<Shape>,
    offer: Arc<Shape>,
    inverse_offer: Arc<Shape>,
    offer_id: Arc<Shape>,
    task_status: Arc<Shape>,
    operation_status: Arc<Shape>,
    executor_id: Arc<Shape>,
    agent_id: Arc<Shape>,
}

/// The events of an executor, as [`SchedulerEvents`].
pub struct ExecutorEvents {
    subscribed: Arc<Shape>,
    acknowledged: Arc<Shape>,
    task_info: Arc<Shape>,
    task_id: Arc<Shape>,
    kill_policy: Arc<Shape>,
}

impl SchedulerEvents {
    /// Looks the messages up.
    pub fn new(py: Python<'_>) -> PyResult<Self> {
        let shape = |name: &str| Shape::of(py, &format!("mesos.v1.{name}"));
        Ok(Self {
            subscribed: shape("scheduler.Event.Subscribed")?,
            offer: shape("Offer")?,
            inverse_offer: shape("InverseOffer")?,
            offer_id: shape("OfferID")?,
            task_status: shape("TaskStatus")?,
            operation_status: shape("OperationStatus")?,
            executor_id: shape("ExecutorID")?,
            agent_id: shape("AgentID")?,
        })
    }
}

impl ExecutorEvents {
    /// Looks the messages up.
    pub fn new(py: Python<'_>) -> PyResult<Self> {
        let shape = |name: &str| Shape::of(py, &format!("mesos.v1.{name}"));
        Ok(Self {
            subscribed: shape("executor.Event.Subscribed")?,
            acknowledged: shape("executor.Event.Acknowledged")?,
            task_info: shape("TaskInfo")?,
            task_id: shape("TaskID")?,
            kill_policy: shape("KillPolicy")?,
        })
    }
}

/// An event, with what the field of its type holds.
fn event<'py>(py: Python<'py>, kind: &str, field: Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let event = PyDict::new(py);
    event.set_item("type", kind)?;
    event.set_item(kind.to_lowercase(), field)?;
    Ok(event)
}

/// An event without a field.
fn bare<'py>(py: Python<'py>, kind: &str) -> PyResult<Bound<'py, PyDict>> {
    let event = PyDict::new(py);
    event.set_item("type", kind)?;
    Ok(event)
}

/// An event whose field has one member.
fn with<'py>(py: Python<'py>, kind: &str, name: &str, value: impl IntoPyObject<'py>) -> PyResult<Bound<'py, PyDict>> {
    let field = PyDict::new(py);
    field.set_item(name, value)?;
    event(py, kind, field)
}

fn dicts<'py>(py: Python<'py>, shape: &Shape, messages: &[Bytes]) -> PyResult<Bound<'py, PyList>> {
    let dicts = messages.iter().map(|message| shape.dict(py, message)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, dicts)
}

impl Callbacks for SchedulerEvents {
    type Session = SchedulerSession;
    type Core = driver::SchedulerDriver;
    const LAST_WORDS: Duration = Duration::from_secs(2);

    fn name(callback: &scheduler::Callback) -> &'static str {
        if matches!(callback, scheduler::Callback::Disconnected) { "disconnected" } else { "event" }
    }

    fn arguments<'py>(&self, py: Python<'py>, callback: &scheduler::Callback) -> PyResult<Vec<Bound<'py, PyAny>>> {
        use scheduler::Callback;
        let event = match callback {
            Callback::Disconnected => return Ok(vec![]),
            Callback::Registered(of) | Callback::Reregistered(of) => {
                event(py, "SUBSCRIBED", self.subscribed.dict(py, &of.encode_to_vec())?)
            }
            Callback::ResourceOffers(offers) => with(py, "OFFERS", "offers", dicts(py, &self.offer, offers)?),
            Callback::InverseOffers(offers) => {
                with(py, "INVERSE_OFFERS", "inverse_offers", dicts(py, &self.inverse_offer, offers)?)
            }
            Callback::OfferRescinded(id) => with(py, "RESCIND", "offer_id", self.offer_id.dict(py, id)?),
            Callback::InverseOfferRescinded(id) => {
                with(py, "RESCIND_INVERSE_OFFER", "inverse_offer_id", self.offer_id.dict(py, id)?)
            }
            Callback::StatusUpdate { status, .. } => with(py, "UPDATE", "status", self.task_status.dict(py, status)?),
            Callback::OperationUpdate(status) => {
                with(py, "UPDATE_OPERATION_STATUS", "status", self.operation_status.dict(py, status)?)
            }
            Callback::FrameworkMessage { executor_id, agent_id, data } => {
                let message = PyDict::new(py);
                message.set_item("agent_id", self.agent_id.dict(py, agent_id)?)?;
                message.set_item("executor_id", self.executor_id.dict(py, executor_id)?)?;
                message.set_item("data", STANDARD.encode(data))?;
                event(py, "MESSAGE", message)
            }
            Callback::AgentLost(id) => with(py, "FAILURE", "agent_id", self.agent_id.dict(py, id)?),
            Callback::ExecutorLost { executor_id, agent_id, status } => {
                let failure = PyDict::new(py);
                failure.set_item("agent_id", self.agent_id.dict(py, agent_id)?)?;
                failure.set_item("executor_id", self.executor_id.dict(py, executor_id)?)?;
                failure.set_item("status", status)?;
                event(py, "FAILURE", failure)
            }
            Callback::Heartbeat => bare(py, "HEARTBEAT"),
            Callback::Error(error) => with(py, "ERROR", "message", error.to_string()),
        };
        Ok(vec![event?.into_any()])
    }
}

impl Callbacks for ExecutorEvents {
    type Session = ExecutorSession;
    type Core = driver::ExecutorDriver;
    const LAST_WORDS: Duration = Duration::from_secs(5);

    fn name(callback: &executor::Callback) -> &'static str {
        if matches!(callback, executor::Callback::Disconnected) { "disconnected" } else { "event" }
    }

    fn arguments<'py>(&self, py: Python<'py>, callback: &executor::Callback) -> PyResult<Vec<Bound<'py, PyAny>>> {
        use executor::Callback;
        let event = match callback {
            Callback::Disconnected => return Ok(vec![]),
            Callback::Registered(of) | Callback::Reregistered(of) => {
                event(py, "SUBSCRIBED", self.subscribed.dict(py, &of.encode_to_vec())?)
            }
            Callback::LaunchTask(task) => with(py, "LAUNCH", "task", self.task_info.dict(py, task)?),
            Callback::LaunchGroup(tasks) => {
                let group = PyDict::new(py);
                group.set_item("tasks", dicts(py, &self.task_info, tasks)?)?;
                with(py, "LAUNCH_GROUP", "task_group", group)
            }
            Callback::KillTask { task_id, kill_policy } => {
                let kill = PyDict::new(py);
                kill.set_item("task_id", self.task_id.dict(py, task_id)?)?;
                if let Some(policy) = kill_policy {
                    kill.set_item("kill_policy", self.kill_policy.dict(py, policy)?)?;
                }
                event(py, "KILL", kill)
            }
            Callback::Acknowledged(of) => event(py, "ACKNOWLEDGED", self.acknowledged.dict(py, &of.encode_to_vec())?),
            Callback::FrameworkMessage(data) => with(py, "MESSAGE", "data", STANDARD.encode(data)),
            Callback::Shutdown => bare(py, "SHUTDOWN"),
            Callback::Error(error) => with(py, "ERROR", "message", error.to_string()),
        };
        Ok(vec![event?.into_any()])
    }
}
