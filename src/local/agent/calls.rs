//! The calls of the executor API. Follows `Http::executor` in `src/slave/http.cpp` and `src/slave/validation.cpp`.

use std::time::Instant;

use super::executor::{Context, Stage};
use super::{Agent, ConnectionId, Key, Output, ToMaster};
use crate::local::refusal::{Invalid, Refusal};
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::executor::{Call, call};
use crate::proto::v1::task_status::Source;

const UUID_BYTES: usize = 16;

impl Agent {
    /// SUBSCRIBE on a new stream.
    ///
    /// Refused if no such executor was started here. If the executor is ending, its stream is closed.
    pub fn subscribe(&mut self, now: Instant, connection: ConnectionId, call: Call) -> Result<(), Refusal> {
        let key = self.key_of(&call)?;
        let subscribe = call.subscribe.unwrap_or_default();
        let info = self.config.info.clone();
        let outputs = &mut self.outputs;
        let mut context = Context { config: &self.config, now, world: &mut self.world, outputs };
        let executor = self.executors.get_mut(&key).expect("key_of gives a key of executors");
        if !executor.subscribe(&mut context, connection, &info, &subscribe.unacknowledged_tasks) {
            self.outputs.push_back(Output::Close(connection));
            return Ok(());
        }
        for update in subscribe.unacknowledged_updates {
            self.with(now, Some(key.clone()), |executor, context| executor.update(context, update.status));
        }
        Ok(())
    }

    /// Any other call.
    pub fn call(&mut self, now: Instant, call: Call) -> Result<(), Refusal> {
        if call.r#type() == call::Type::Heartbeat {
            return Ok(());
        }
        let key = self.key_of(&call)?;
        let stage = self.executors.get(&key).map(|executor| executor.record.stage());
        if stage == Some(Stage::Registering) {
            return Err(Refusal::new(403, "Executor is not subscribed"));
        }
        match call.r#type() {
            call::Type::Update => {
                let status = call.update.map(|update| update.status).unwrap_or_default();
                self.with(now, Some(key), |executor, context| executor.update(context, status));
            }
            // One that is being shut down has nothing to say any more but of its tasks.
            call::Type::Message if stage == Some(Stage::Running) => {
                let (framework_id, executor_id) = key;
                let agent_id = self.config.id.clone();
                let data = call.message.unwrap_or_default().data;
                let message = ToMaster::Message { framework_id, executor_id, agent_id, data };
                self.outputs.push_back(Output::Tell(message));
            }
            _ => {}
        }
        Ok(())
    }

    /// A stream ended.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        self.executors.values_mut().for_each(|executor| executor.disconnected(connection));
    }

    fn key_of(&self, call: &Call) -> Result<Key, Refusal> {
        let key = (call.framework_id.value.clone(), call.executor_id.value.clone());
        if !self.executors.keys().any(|(framework, _)| *framework == key.0) {
            return Err(Refusal::new(400, "Framework cannot be found"));
        }
        match self.executors.get(&key) {
            Some(executor) if executor.record.is_custom() => Ok(key),
            _ => Err(Refusal::new(400, "Executor cannot be found")),
        }
    }
}

/// What is wrong with a call by itself, in the agent's words.
pub fn validate(call: &Call) -> Result<(), Invalid> {
    let present = |name: &str, there: bool| Invalid::unless(there, format!("Expecting '{name}' to be present"));
    present("type", call.r#type.is_some())?;
    match call.r#type() {
        call::Type::Subscribe => present("subscribe", call.subscribe.is_some()),
        call::Type::Message => present("message", call.message.is_some()),
        call::Type::Update => {
            present("update", call.update.is_some())?;
            call.update.as_ref().map_or(Ok(()), |update| validate_status(&update.status, &call.executor_id))
        }
        call::Type::Heartbeat | call::Type::Unknown => Ok(()),
    }
}

fn validate_status(status: &v1::TaskStatus, executor_id: &v1::ExecutorId) -> Result<(), Invalid> {
    let Some(uuid) = &status.uuid else {
        return Err(Invalid::new("Expecting 'uuid' to be present"));
    };
    if uuid.len() != UUID_BYTES {
        return Err(Invalid::new("Not a valid UUID"));
    }
    if let Some(own) = status.executor_id.as_ref().filter(|own| *own != executor_id) {
        let (is, expected) = (&own.value, &executor_id.value);
        return Err(Invalid::new(format!(
            "ExecutorID in Call: {expected} does not match ExecutorID in TaskStatus: {is}"
        )));
    }
    if status.source.is_none() || status.source() != Source::Executor {
        return Err(Invalid::new(format!(
            "Received Call from executor {} with invalid source, expecting 'SOURCE_EXECUTOR'",
            executor_id.value
        )));
    }
    if status.state() == TaskState::TaskStaging {
        return Err(Invalid::new(format!(
            "Received TASK_STAGING from executor {} which is not allowed",
            executor_id.value
        )));
    }
    Ok(())
}
