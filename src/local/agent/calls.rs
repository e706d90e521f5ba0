//! The calls of the executor API. Follows `Http::executor` in `src/slave/http.cpp` and `src/slave/validation.cpp`.

use std::time::Instant;

use super::executor::Stage;
use super::{Agent, ConnectionId, Key, Output, ToMaster};
use crate::local::ids::uuid;
use crate::local::refusal::{Invalid, Refusal};
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::check_info::Type as CheckType;
use crate::proto::v1::executor::{Call, Event, call, event};
use crate::proto::v1::task_status::Source;

impl Agent {
    /// SUBSCRIBE on a new stream.
    ///
    /// Refused if no such executor was started here. If the executor is ending, it is told so and its stream is closed.
    pub fn subscribe(&mut self, now: Instant, connection: ConnectionId, call: Call) -> Result<(), Refusal> {
        let key = self.key_of(&call)?;
        let subscribe = call.subscribe.unwrap_or_default();
        let info = self.config.info.clone();
        let taken = self.with(now, Some(key.clone()), |executor, context| {
            executor.subscribe(context, connection, &info, &subscribe.unacknowledged_tasks)
        });
        if taken != Some(true) {
            let shutdown = Box::new(Event::of(event::Type::Shutdown));
            self.outputs.extend([Output::Send(connection, shutdown), Output::Close(connection)]);
            return Ok(());
        }
        self.streams.insert(connection, key.clone());
        for update in subscribe.unacknowledged_updates {
            self.update(now, &key, update.status);
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
                self.update(now, &key, call.update.map(|update| update.status).unwrap_or_default());
            }
            // One that is being shut down has nothing to say any more but of its tasks.
            call::Type::Message if stage == Some(Stage::Running) => {
                let (framework_id, executor_id) = key;
                let agent_id = self.config.id.clone();
                let data = call.message.unwrap_or_default().data;
                let message = ToMaster::Message { framework_id, executor_id, agent_id, data };
                self.outputs.push_back(Output::Tell(message));
            }
            call::Type::Unknown => return Err(Refusal::new(501, "501 Not Implemented.")),
            _ => {}
        }
        Ok(())
    }

    /// What an executor tells of a task (`Slave::statusUpdate`). Ignored without a uuid, or if it is about another agent.
    fn update(&mut self, now: Instant, key: &Key, status: v1::TaskStatus) {
        let elsewhere = status.agent_id.as_ref().is_some_and(|agent| agent.value != self.config.id);
        if status.uuid.is_none() || elsewhere {
            return tracing::warn!(
                "Ignoring an update of task '{}' without a uuid or of another agent",
                status.task_id.value
            );
        }
        let timestamp = status.timestamp.unwrap_or_else(|| self.world.timestamp(now));
        let source = Some(Source::Executor.into());
        let status = v1::TaskStatus { timestamp: Some(timestamp), source, ..status };
        self.with(now, Some(key.clone()), |executor, context| executor.update(context, status));
    }

    /// A stream ended.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        let key = self.streams.remove(&connection);
        if let Some(executor) = key.and_then(|key| self.executors.get_mut(&key)) {
            executor.disconnected(connection);
        }
    }

    fn key_of(&self, call: &Call) -> Result<Key, Refusal> {
        let key = (call.framework_id.value.clone(), call.executor_id.value.clone());
        if self.of_framework(&key.0).next().is_none() {
            return Err(Refusal::new(400, "Framework cannot be found"));
        }
        match self.executors.get(&key) {
            Some(executor) if executor.record.is_custom() => Ok(key),
            _ => Err(Refusal::new(400, "Executor cannot be found")),
        }
    }
}

/// What is wrong with a call by itself, in the agent's words (`validateExecutorCall`).
pub fn validate(call: &Call) -> Result<(), Invalid> {
    let present = |name: &str, there: bool| Invalid::unless(there, format!("Expecting '{name}' to be present"));
    present("type", call.r#type.is_some())?;
    match call.r#type() {
        call::Type::Subscribe => present("subscribe", call.subscribe.is_some()),
        call::Type::Message => present("message", call.message.is_some()),
        call::Type::Update => {
            present("update", call.update.is_some())?;
            call.update.as_ref().map_or(Ok(()), |update| validate_status(&update.status, call))
        }
        call::Type::Heartbeat | call::Type::Unknown => Ok(()),
    }
}

fn validate_status(status: &v1::TaskStatus, call: &Call) -> Result<(), Invalid> {
    uuid(status.uuid.as_ref().ok_or_else(|| Invalid::new("Expecting 'uuid' to be present"))?)?;
    let (executor, framework) = (&call.executor_id.value, &call.framework_id.value);
    let own = status.executor_id.as_ref().map_or(executor, |own| &own.value);
    let why = format!("ExecutorID in Call: {executor} does not match ExecutorID in TaskStatus: {own}");
    Invalid::unless(own == executor, why)?;
    let from = format!("from executor {executor} of framework {framework}");
    let why = format!("Received Call {from} with invalid source, expecting 'SOURCE_EXECUTOR'");
    Invalid::unless(status.source.is_some() && status.source() == Source::Executor, why)?;
    let why = format!("Received TASK_STAGING {from} which is not allowed");
    Invalid::unless(status.state() != TaskState::TaskStaging, why)?;
    status.check_status.as_ref().map_or(Ok(()), validate_check_status)
}

fn validate_check_status(status: &v1::CheckStatusInfo) -> Result<(), Invalid> {
    let (kind, name, given) = match status.r#type.map(|_| status.r#type()) {
        None => return Err(Invalid::new("CheckStatusInfo must specify 'type'")),
        Some(CheckType::Unknown) => return Err(Invalid::new("'UNKNOWN' is not a valid check's status type")),
        Some(CheckType::Command) => ("COMMAND", "command", status.command.is_some()),
        Some(CheckType::Http) => ("HTTP", "http", status.http.is_some()),
        Some(CheckType::Tcp) => ("TCP", "tcp", status.tcp.is_some()),
    };
    Invalid::unless(given, format!("Expecting '{name}' to be set for {kind} check's status"))
}
