//! What a master refuses, in its words. Follows `src/master/validation.cpp` and `src/common/validation.cpp`.

use std::collections::BTreeSet;
use std::num::FpCategory;

use crate::local::ids::{id, uuid};
use crate::local::refusal::Invalid;
use crate::local::roles;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::scheduler::{Call, call};
use crate::proto::{self, has_capability, v1};

/// The digits that C++ streams write of a number.
pub const STREAM_DIGITS: usize = 6;
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
    AcknowledgeOperationStatus(call::AcknowledgeOperationStatus),
    AcceptInverseOffers(call::AcceptInverseOffers),
    DeclineInverseOffers(call::DeclineInverseOffers),
    Reconcile(call::Reconcile),
    ReconcileOperations(call::ReconcileOperations),
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
        if !same_id(&call.framework_id, &subscribe.framework_info.id) {
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
            uuid(&acknowledge.uuid)?;
            OfFramework::Acknowledge(acknowledge)
        }
        call::Type::AcknowledgeOperationStatus => {
            let acknowledge = needed(call.acknowledge_operation_status, "acknowledge_operation_status")?;
            uuid(&acknowledge.uuid)?;
            needed(acknowledge.agent_id.as_ref(), "agent_id")?;
            OfFramework::AcknowledgeOperationStatus(acknowledge)
        }
        call::Type::AcceptInverseOffers => {
            OfFramework::AcceptInverseOffers(needed(call.accept_inverse_offers, "accept_inverse_offers")?)
        }
        call::Type::DeclineInverseOffers => {
            OfFramework::DeclineInverseOffers(needed(call.decline_inverse_offers, "decline_inverse_offers")?)
        }
        call::Type::Reconcile => OfFramework::Reconcile(needed(call.reconcile, "reconcile")?),
        call::Type::ReconcileOperations => {
            OfFramework::ReconcileOperations(needed(call.reconcile_operations, "reconcile_operations")?)
        }
        call::Type::Message => OfFramework::Message(needed(call.message, "message")?),
        call::Type::UpdateFramework => {
            let update = needed(call.update_framework, "update_framework")?;
            if !same_id(&update.framework_info.id, &call.framework_id) {
                return Err(Invalid::new("'framework_id' differs from 'update_framework.framework_info.id'"));
            }
            OfFramework::UpdateFramework(Box::new(update))
        }
        call::Type::Request => needed(call.request, "request").map(|_| OfFramework::Ignored(kind))?,
        _ => OfFramework::Ignored(kind),
    })
}

/// Whether two ids are the same; one that is not there is empty.
fn same_id(one: &Option<v1::FrameworkId>, other: &Option<v1::FrameworkId>) -> bool {
    let value = |id: &Option<v1::FrameworkId>| id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
    value(one) == value(other)
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
    let several = has_capability(info, Capability::MultiRole);
    let what = if several { "roles' contains invalid role" } else { "role' is not a valid role" };
    let invalid = |why| Invalid::new(format!("'FrameworkInfo.{what}: {why}"));
    roles.iter().try_for_each(|name| roles::validate(name).map_err(invalid))?;
    if let Some(stranger) = suppressed.iter().find(|name| !roles.contains(name)) {
        return Err(Invalid::new(format!("Suppressed role '{stranger}' is not contained in the list of roles")));
    }
    if let Some(name) = info.id.as_ref().map(|id| &id.value).filter(|id| !id.is_empty()) {
        id(name)?;
    }
    info.offer_filters.values().try_for_each(offer_filters)?;
    let timeout = info.failover_timeout();
    if !timeout.is_finite() || timeout.abs() > DURATION_MAX {
        return Err(Invalid::new(format!(
            "The framework failover_timeout ({}) is invalid",
            general(timeout, STREAM_DIGITS)
        )));
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

/// `common::validation::validateOfferFilters`.
fn offer_filters(filters: &v1::OfferFilters) -> Result<(), Invalid> {
    for quantities in filters.min_allocatable_resources.iter().flat_map(|minimum| &minimum.quantities) {
        Invalid::unless(!quantities.quantities.is_empty(), "Resource quantities must contain at least one quantity")?;
        for (name, quantity) in &quantities.quantities {
            let invalid = |why| Invalid::new(format!("Invalid resource quantity for '{name}': {why}"));
            input_scalar(quantity.value).map_err(invalid)?;
        }
    }
    Ok(())
}

/// `common::validation::validateInputScalarValue`.
fn input_scalar(value: f64) -> Result<(), &'static str> {
    match value.classify() {
        FpCategory::Infinite => Err("Infinite values not supported"),
        FpCategory::Nan => Err("NaN not supported"),
        FpCategory::Subnormal => Err("Subnormal values not supported"),
        FpCategory::Normal if value < 0.0 => Err("Negative values not supported"),
        FpCategory::Zero | FpCategory::Normal => Ok(()),
    }
}

/// A number as C++ streams write it, with so many digits: `0.001`, `9.22337e+18`.
pub fn general(number: f64, digits: usize) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if !number.is_finite() {
        return number.to_string();
    }
    let decimals = digits.saturating_sub(1);
    let scientific = format!("{number:.decimals$e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    let places = i32::try_from(decimals).unwrap_or(i32::MAX).saturating_sub(exponent);
    match usize::try_from(places) {
        Ok(places) if exponent >= -4 => trimmed(&format!("{number:.places$}")),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_streams_do() {
        for (number, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.001, "0.001"),
            (0.123_456_789, "0.123457"),
            (123_456.7, "123457"),
            (1e6, "1e+06"),
            (9_223_372_036_854_775_807.0, "9.22337e+18"),
            (1e-5, "1e-05"),
            (1e300, "1e+300"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(general(number, STREAM_DIGITS), text);
        }
    }
}
