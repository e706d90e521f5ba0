//! What a master refuses, in its words. Follows `src/master/validation.cpp` and `src/common/validation.cpp`.

use std::collections::BTreeSet;

use crate::local::refusal::Invalid;
use crate::local::roles;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::scheduler::{Call, call};
use crate::proto::{self, has_capability, v1};

const ID_MAX: usize = 255;
const UUID_BYTES: usize = 16;
/// The longest `Duration` of Mesos, in seconds: 64 bits of nanoseconds.
const DURATION_MAX: f64 = i64::MAX as f64 / 1e9;

/// A call that has what its type needs.
#[derive(Debug)]
pub enum Request {
    Subscribe(Box<call::Subscribe>),
    /// Of the framework with this id.
    Of(String, OfFramework),
}

/// What a framework asks for.
#[derive(Debug)]
pub enum OfFramework {
    Teardown,
    Accept(call::Accept),
    Decline(call::Decline),
    Revive(call::Revive),
    Suppress(call::Suppress),
    Kill(call::Kill),
    Shutdown(call::Shutdown),
    Acknowledge(call::Acknowledge),
    Reconcile(call::Reconcile),
    Message(call::Message),
    UpdateFramework(Box<call::UpdateFramework>),
    /// There is nothing to do for this type here.
    Ignored(call::Type),
}

/// Takes a call that has what its type needs, or says what is missing.
pub fn call(call: Call) -> Result<Request, Invalid> {
    if call.r#type.is_none() {
        return Err(missing("type"));
    }
    if call.r#type() == call::Type::Subscribe {
        let subscribe = needed(call.subscribe, "subscribe")?;
        if call.framework_id.is_some() && call.framework_id != subscribe.framework_info.id {
            return Err(Invalid::new("'framework_id' differs from 'subscribe.framework_info.id'"));
        }
        return Ok(Request::Subscribe(Box::new(subscribe)));
    }
    let kind = call.r#type();
    let framework_id = needed(call.framework_id.clone(), "framework_id")?;
    Ok(Request::Of(framework_id.value, of_framework(kind, call)?))
}

fn of_framework(kind: call::Type, call: Call) -> Result<OfFramework, Invalid> {
    Ok(match kind {
        call::Type::Teardown => OfFramework::Teardown,
        call::Type::Accept => OfFramework::Accept(needed(call.accept, "accept")?),
        call::Type::Decline => OfFramework::Decline(needed(call.decline, "decline")?),
        call::Type::Revive => OfFramework::Revive(call.revive.unwrap_or_default()),
        call::Type::Suppress => OfFramework::Suppress(call.suppress.unwrap_or_default()),
        call::Type::Kill => OfFramework::Kill(needed(call.kill, "kill")?),
        call::Type::Shutdown => OfFramework::Shutdown(needed(call.shutdown, "shutdown")?),
        call::Type::Acknowledge => {
            let acknowledge = needed(call.acknowledge, "acknowledge")?;
            if acknowledge.uuid.len() != UUID_BYTES {
                return Err(Invalid::new("Not a valid UUID"));
            }
            OfFramework::Acknowledge(acknowledge)
        }
        call::Type::Reconcile => OfFramework::Reconcile(needed(call.reconcile, "reconcile")?),
        call::Type::Message => OfFramework::Message(needed(call.message, "message")?),
        call::Type::UpdateFramework => {
            let update = needed(call.update_framework, "update_framework")?;
            if update.framework_info.id != call.framework_id {
                return Err(Invalid::new("'framework_id' differs from 'update_framework.framework_info.id'"));
            }
            OfFramework::UpdateFramework(Box::new(update))
        }
        call::Type::Request => needed(call.request, "request").map(|_| OfFramework::Ignored(kind))?,
        _ => OfFramework::Ignored(kind),
    })
}

fn needed<T>(field: Option<T>, name: &str) -> Result<T, Invalid> {
    field.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Invalid {
    Invalid::new(format!("Expecting '{name}' to be present"))
}

/// Whether a framework may subscribe like this.
#[allow(deprecated)]
pub fn framework(info: &v1::FrameworkInfo, suppressed: &[String]) -> Result<(), Invalid> {
    if has_capability(info, Capability::MultiRole) {
        if info.role.is_some() {
            return Err(Invalid::new("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"));
        }
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<_> = info.roles.iter().filter(|role| !seen.insert(*role)).cloned().collect();
        if !twice.is_empty() {
            let shown = twice.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Invalid::new(format!("'FrameworkInfo.roles' contains duplicate items: {{ {shown} }}")));
        }
    } else if !info.roles.is_empty() {
        return Err(Invalid::new("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"));
    }
    let roles = proto::roles(info);
    let field = if has_capability(info, Capability::MultiRole) { "roles" } else { "role" };
    let invalid = |why| Invalid::new(format!("'FrameworkInfo.{field}' is not a valid role: {why}"));
    roles.iter().try_for_each(|name| roles::validate(name).map_err(invalid))?;
    if let Some(stranger) = suppressed.iter().find(|name| !roles.contains(name)) {
        return Err(Invalid::new(format!("Suppressed role '{stranger}' is not contained in the list of roles")));
    }
    if let Some(name) = info.id.as_ref().map(|id| &id.value).filter(|id| !id.is_empty()) {
        id(name)?;
    }
    let timeout = info.failover_timeout();
    if !timeout.is_finite() || timeout.abs() > DURATION_MAX {
        return Err(Invalid::new(format!("The framework failover_timeout ({}) is invalid", scientific(timeout))));
    }
    Ok(())
}

/// Whether a subscribed framework may become this (`validateFrameworkUpdate`).
pub fn framework_update(old: &v1::FrameworkInfo, new: &v1::FrameworkInfo) -> Result<(), Invalid> {
    if old.principal != new.principal {
        return Err(Invalid::new("Changing framework's principal is not allowed."));
    }
    let unchanged = |name: &str, old: &str, new: &str| {
        let why =
            format!("Updating 'FrameworkInfo.{name}' is unsupported; attempted to update from '{old}' to '{new}'");
        Invalid::unless(old == new, why)
    };
    unchanged("user", &old.user, &new.user)?;
    unchanged("checkpoint", &old.checkpoint().to_string(), &new.checkpoint().to_string())
}

/// `common::validation::validateID`.
pub fn id(id: &str) -> Result<(), Invalid> {
    if id.is_empty() {
        return Err(Invalid::new("ID must not be empty"));
    }
    if id.len() > ID_MAX {
        return Err(Invalid::new(format!("ID must not be greater than {ID_MAX} characters")));
    }
    if id == "." || id == ".." {
        return Err(Invalid::new(format!("'{id}' is disallowed")));
    }
    if id.contains(|c: char| c.is_ascii_control() || c == '/' || c == '\\') {
        return Err(Invalid::new(format!("'{id}' contains invalid characters")));
    }
    Ok(())
}

/// A number as C++ streams write it: large ones as `1e+300`.
fn scientific(number: f64) -> String {
    let text = if number.abs() < 1e6 || !number.is_finite() { number.to_string() } else { format!("{number:e}") };
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}
