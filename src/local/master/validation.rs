//! What a master refuses, in its words. Follows `src/master/validation.cpp` and `src/common/validation.cpp`.

use std::collections::BTreeSet;

use crate::local::roles;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::scheduler::{Call, call};
use crate::proto::{self, has_capability, v1};

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
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<_> = info.roles.iter().filter(|role| !seen.insert(*role)).cloned().collect();
        if !twice.is_empty() {
            let shown = twice.into_iter().collect::<Vec<_>>().join(", ");
            return Err(format!("'FrameworkInfo.roles' contains duplicate items: {{ {shown} }}"));
        }
    } else if !info.roles.is_empty() {
        return Err("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable".to_owned());
    }
    let roles = proto::roles(info);
    let field = if has_capability(info, Capability::MultiRole) { "roles" } else { "role" };
    let invalid = |why| format!("'FrameworkInfo.{field}' is not a valid role: {why}");
    roles.iter().try_for_each(|name| roles::validate(name).map_err(invalid))?;
    if let Some(stranger) = suppressed.iter().find(|name| !roles.contains(name)) {
        return Err(format!("Suppressed role '{stranger}' is not contained in the list of roles"));
    }
    if let Some(name) = info.id.as_ref().map(|id| &id.value).filter(|id| !id.is_empty()) {
        id(name)?;
    }
    let timeout = info.failover_timeout();
    if !timeout.is_finite() || timeout.abs() > DURATION_MAX {
        return Err(format!("The framework failover_timeout ({}) is invalid", scientific(timeout)));
    }
    Ok(())
}

/// Whether a subscribed framework may become this (`validateFrameworkUpdate`).
pub fn framework_update(old: &v1::FrameworkInfo, new: &v1::FrameworkInfo) -> Result<(), String> {
    if old.principal != new.principal {
        return Err("Changing framework's principal is not allowed.".to_owned());
    }
    let unchanged = |name: &str, old: &str, new: &str| {
        let why =
            format!("Updating 'FrameworkInfo.{name}' is unsupported; attempted to update from '{old}' to '{new}'");
        if old == new { Ok(()) } else { Err(why) }
    };
    unchanged("user", &old.user, &new.user)?;
    unchanged("checkpoint", &old.checkpoint().to_string(), &new.checkpoint().to_string())
}

/// `common::validation::validateID`.
pub fn id(id: &str) -> Result<(), String> {
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

/// A number as C++ streams write it: large ones as `1e+300`.
fn scientific(number: f64) -> String {
    let text = if number.abs() < 1e6 || !number.is_finite() { number.to_string() } else { format!("{number:e}") };
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}
