//! What a master refuses, in its words. Follows `src/master/validation.cpp` and `src/common/validation.cpp`.

use std::collections::BTreeSet;

use crate::local::resources::{Resources, UNRESERVED};
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::scheduler::{Call, call};
use crate::proto::{has_capability, roles, v1};

const ID_MAX: usize = 255;
/// The longest `Duration` of Mesos, in seconds: 64 bits of nanoseconds.
const DURATION_MAX: f64 = i64::MAX as f64 / 1e9;

/// Whether a call has what its type needs.
pub fn call(call: &Call) -> Result<(), String> {
    let present = |name: &str, present: bool| {
        if present { Ok(()) } else { Err(format!("Expecting '{name}' to be present")) }
    };
    present("type", call.r#type.is_some())?;
    present("framework_id", call.framework_id.is_some())?;
    match call.r#type() {
        call::Type::Accept => present("accept", call.accept.is_some()),
        call::Type::Decline => present("decline", call.decline.is_some()),
        call::Type::Kill => present("kill", call.kill.is_some()),
        call::Type::Shutdown => present("shutdown", call.shutdown.is_some()),
        call::Type::Acknowledge => {
            present("acknowledge", call.acknowledge.is_some())?;
            let uuid = call.acknowledge.as_ref().map_or(0, |a| a.uuid.len());
            if uuid == 16 { Ok(()) } else { Err("Not a valid UUID".to_owned()) }
        }
        call::Type::Reconcile => present("reconcile", call.reconcile.is_some()),
        call::Type::Message => present("message", call.message.is_some()),
        call::Type::Request => present("request", call.request.is_some()),
        call::Type::UpdateFramework => {
            present("update_framework", call.update_framework.is_some())?;
            let inner = call.update_framework.as_ref().and_then(|u| u.framework_info.id.as_ref());
            if inner == call.framework_id.as_ref() {
                Ok(())
            } else {
                Err("'framework_id' differs from 'update_framework.framework_info.id'".to_owned())
            }
        }
        _ => Ok(()),
    }
}

/// Whether a framework may subscribe like this.
#[allow(deprecated)]
pub fn framework(info: &v1::FrameworkInfo, suppressed: &[String]) -> Result<(), String> {
    if has_capability(info, Capability::MultiRole) {
        if info.role.is_some() {
            return Err("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable".to_owned());
        }
        let distinct: BTreeSet<_> = info.roles.iter().collect();
        if distinct.len() < info.roles.len() {
            return Err("'FrameworkInfo.roles' must not contain duplicate items".to_owned());
        }
    } else if !info.roles.is_empty() {
        return Err("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable".to_owned());
    }
    let roles = roles(info);
    roles.iter().try_for_each(|name| role(name))?;
    if let Some(stranger) = suppressed.iter().find(|name| !roles.contains(name)) {
        return Err(format!("Suppressed role '{stranger}' is not contained in the list of roles"));
    }
    if let Some(name) = info.id.as_ref().map(|id| &id.value).filter(|id| !id.is_empty()) {
        id(name)?;
    }
    let timeout = info.failover_timeout();
    if !timeout.is_finite() || timeout.abs() > DURATION_MAX {
        return Err(format!("The framework failover_timeout ({timeout}) is invalid"));
    }
    Ok(())
}

/// Whether a subscribed framework may become this (`validateFrameworkUpdate`).
pub fn framework_update(old: &v1::FrameworkInfo, new: &v1::FrameworkInfo) -> Result<(), String> {
    let unchanged = |same: bool, name: &str| {
        if same { Ok(()) } else { Err(format!("Updating '{name}' is unsupported")) }
    };
    unchanged(old.principal == new.principal, "FrameworkInfo.principal")?;
    unchanged(old.user == new.user, "FrameworkInfo.user")?;
    unchanged(old.checkpoint() == new.checkpoint(), "FrameworkInfo.checkpoint")
}

/// `roles::validate` in `src/common/roles.cpp`.
fn role(name: &str) -> Result<(), String> {
    if name == UNRESERVED {
        return Ok(());
    }
    let bad = |why: &str| Err(format!("Role name '{name}' is invalid: {why}"));
    for part in name.split('/') {
        match part {
            "" => return bad("empty component"),
            "." | ".." => return bad("'.' and '..' are disallowed"),
            UNRESERVED => return bad("'*' is disallowed as a component"),
            _ if part.starts_with('-') => return bad("a component must not start with '-'"),
            _ if part.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                return bad("white space");
            }
            _ => {}
        }
    }
    Ok(())
}

/// `common::validation::validateID`.
fn id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("ID must not be empty".to_owned());
    }
    if id.len() > ID_MAX {
        return Err(format!("ID must not be greater than {ID_MAX} characters"));
    }
    if id == "." || id == ".." {
        return Err(format!("'{id}' is disallowed"));
    }
    if id.contains(|c: char| c.is_ascii_control() || c == '/' || c == '\\') {
        return Err(format!("'{id}' contains invalid characters"));
    }
    Ok(())
}

/// What a task is held against.
pub struct TaskContext<'a> {
    pub agent_id: &'a str,
    /// Whether a task of this id is known already.
    pub known: bool,
    pub available: &'a Resources,
}

/// Whether a task may be launched, in the order of the real checks; what it uses.
pub fn task(task: &v1::TaskInfo, context: &TaskContext) -> Result<Resources, String> {
    id(&task.task_id.value)?;
    if context.known {
        return Err(format!("Task has duplicate ID: {}", task.task_id.value));
    }
    if task.agent_id.value != context.agent_id {
        return Err(format!(
            "Task uses invalid agent {} while agent {} is expected",
            task.agent_id.value, context.agent_id
        ));
    }
    task_durations(task)?;
    if task.resources.is_empty() {
        return Err("Task uses no resources".to_owned());
    }
    let resources =
        Resources::from_proto(&task.resources).map_err(|why| format!("Task uses invalid resources: {why}"))?;
    if let Some(command) = &task.command {
        environment(command).map_err(|why| format!("Task's `CommandInfo` is invalid: {why}"))?;
    }
    if task.command.is_some() == task.executor.is_some() {
        return Err("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present".to_owned());
    }
    if !context.available.contains(&resources) {
        return Err(format!(
            "Total resources {resources} required by task and its executor is more than available {}",
            context.available
        ));
    }
    unsupported(task)?;
    Ok(resources)
}

fn task_durations(task: &v1::TaskInfo) -> Result<(), String> {
    let negative = |duration: Option<&v1::DurationInfo>| duration.is_some_and(|d| d.nanoseconds < 0);
    if negative(task.kill_policy.as_ref().and_then(|p| p.grace_period.as_ref())) {
        return Err("Task's 'kill_policy.grace_period' must be non-negative".to_owned());
    }
    if negative(task.max_completion_time.as_ref()) {
        return Err("Task's `max_completion_time` must be non-negative".to_owned());
    }
    Ok(())
}

fn environment(command: &v1::CommandInfo) -> Result<(), String> {
    let variables = command.environment.iter().flat_map(|e| &e.variables);
    for variable in variables {
        if variable.value.is_none() {
            return Err(format!("Environment variable '{}' of type 'VALUE' must have a value set", variable.name));
        }
    }
    Ok(())
}

/// What the real agent can do and the embedded one cannot: better said than silently left out.
fn unsupported(task: &v1::TaskInfo) -> Result<(), String> {
    let uris = task.command.as_ref().is_some_and(|c| !c.uris.is_empty());
    let lacking = [
        (task.executor.is_some(), "custom executors"),
        (task.container.is_some(), "containers"),
        (uris, "the fetching of URIs"),
        (task.health_check.is_some() || task.check.is_some(), "checks and health checks"),
        (!task.limits.is_empty(), "resource limits"),
        (task.max_completion_time.is_some(), "max_completion_time"),
    ];
    match lacking.iter().find(|(used, _)| *used) {
        Some((_, what)) => Err(format!("The embedded cluster does not have {what}; a real cluster does")),
        None => Ok(()),
    }
}
