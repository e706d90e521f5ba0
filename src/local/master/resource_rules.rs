//! Which resources a framework may name, before anything is known of what there is. Follows `Resources::validate` in
//! `src/common/resources.cpp` and `resource::validate` in `src/master/validation.cpp`: their checks, in their order and
//! their words.

use std::collections::{BTreeMap, BTreeSet};

use super::validation::general;
use crate::local::ids::id;
use crate::local::refusal::Invalid;
use crate::local::roles::{self, UNRESERVED};
use crate::proto::v1::resource::DiskInfo;
use crate::proto::v1::resource::disk_info::source::Type as SourceType;
use crate::proto::v1::resource::reservation_info::Type as ReservationType;
use crate::proto::v1::{self, value};

/// The digits that a `double` has in Mesos' words.
const DIGITS: usize = 15;

type Checked<T = ()> = Result<T, Invalid>;

fn failed<T>(why: impl Into<String>) -> Checked<T> {
    Err(Invalid::new(why))
}

/// Whether each is well-formed.
pub fn structure(list: &[v1::Resource]) -> Checked {
    list.iter().try_for_each(|resource| {
        one(resource).map_err(|why| Invalid::new(format!("Resource '{}' is invalid: {why}", shown(resource))))
    })
}

fn one(resource: &v1::Resource) -> Checked {
    Invalid::unless(!resource.name.is_empty(), "Empty resource name")?;
    amount(resource)?;
    if let Some(disk) = &resource.disk {
        let why = format!("DiskInfo should not be set for {} resource", resource.name);
        Invalid::unless(resource.name == "disk", why)?;
        disk.source.as_ref().map_or(Ok(()), source)?;
    }
    reservations(resource)?;
    if resource.shared.is_some() {
        Invalid::unless(resource.name == "disk", format!("Resource {} cannot be shared", resource.name))?;
        let volume = resource.disk.as_ref().is_some_and(|disk| disk.persistence.is_some());
        Invalid::unless(volume, "Only persistent volumes can be shared")?;
    }
    Ok(())
}

fn amount(resource: &v1::Resource) -> Checked {
    let given = (resource.scalar.is_some(), resource.ranges.is_some(), resource.set.is_some());
    match value::Type::try_from(resource.r#type) {
        Ok(value::Type::Scalar) => {
            Invalid::unless(given == (true, false, false), "Invalid scalar resource")?;
            let value = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
            Invalid::unless(value == 0.0 || thousandths(value) > 0, "Invalid scalar resource: value <= 0")
        }
        Ok(value::Type::Ranges) => {
            Invalid::unless(given == (false, true, false), "Invalid ranges resource")?;
            let ranges = resource.ranges.as_ref().map_or(&[][..], |ranges| &ranges.range);
            for (at, range) in ranges.iter().enumerate() {
                Invalid::unless(range.begin <= range.end, "Invalid ranges resource: begin > end")?;
                let mut later = ranges.iter().skip(at.saturating_add(1));
                let overlaps = later.any(|other| (range.begin..=range.end).contains(&other.begin));
                Invalid::unless(!overlaps, "Invalid ranges resource: overlapping ranges")?;
            }
            Ok(())
        }
        Ok(value::Type::Set) => {
            Invalid::unless(given == (false, false, true), "Invalid set resource")?;
            let items = resource.set.as_ref().map_or(&[][..], |set| &set.item);
            let different = items.iter().collect::<BTreeSet<_>>().len();
            Invalid::unless(different == items.len(), "Invalid set resource: duplicated elements")
        }
        _ => failed("Unsupported resource type"),
    }
}

fn source(source: &v1::resource::disk_info::Source) -> Checked {
    let kind = match source.r#type() {
        SourceType::Path | SourceType::Mount => return Ok(()),
        SourceType::Unknown => return failed("Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'"),
        kind => kind.as_str_name(),
    };
    Invalid::unless(source.mount.is_none(), format!("Mount should not be set for {kind} disk source"))?;
    Invalid::unless(source.path.is_none(), format!("Path should not be set for {kind} disk source"))
}

#[allow(deprecated)]
fn reservations(resource: &v1::Resource) -> Checked {
    let Some((first, refined)) = resource.reservations.split_first() else {
        return before_refinement(resource);
    };
    for reservation in &resource.reservations {
        let field = |name: &str| format!("Invalid reservation: 'Resource.ReservationInfo.{name}' field must be set.");
        Invalid::unless(reservation.r#type.is_some(), field("type"))?;
        Invalid::unless(reservation.role.is_some(), field("role"))?;
        roles::validate(reservation.role())?;
        let why = "Invalid reservation: role \"*\" cannot be reserved";
        Invalid::unless(reservation.role() != UNRESERVED, why)?;
    }
    let mut ancestor = first.role();
    for reservation in refined {
        let why = "Invalid refined reservation: A refined reservation cannot be STATIC";
        Invalid::unless(reservation.r#type() != ReservationType::Static, why)?;
        let role = reservation.role();
        let below = role.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with('/'));
        let why = format!("Invalid refined reservation: role '{role}' is not a refinement of '{ancestor}'");
        Invalid::unless(below, why)?;
        ancestor = role;
    }
    if refined.is_empty() { both_formats(resource, first) } else { after_refinement(resource) }
}

/// What the fields from before refinement must not say.
#[allow(deprecated)]
fn before_refinement(resource: &v1::Resource) -> Checked {
    roles::validate(resource.role())?;
    let Some(reservation) = &resource.reservation else {
        return Ok(());
    };
    let unset =
        |name: &str| format!("'Resource.ReservationInfo.{name}' must not be set for the 'Resource.reservation' field");
    Invalid::unless(reservation.r#type.is_none(), unset("type"))?;
    Invalid::unless(reservation.role.is_none(), unset("role"))?;
    let why = "Invalid reservation: role \"*\" cannot be dynamically reserved";
    Invalid::unless(resource.role() != UNRESERVED, why)
}

/// A single reservation may be written in both formats, if they say the same.
#[allow(deprecated)]
fn both_formats(resource: &v1::Resource, reservation: &v1::resource::ReservationInfo) -> Checked {
    if resource.role.is_some() && resource.role() != reservation.role() {
        return failed(format!(
            "Invalid resource format: 'Resource.role' field with '{}' does not match the role '{}' in \
             'Resource.reservations'",
            resource.role(),
            reservation.role()
        ));
    }
    let single = "if the single reservation in 'Resource.reservations' is";
    match reservation.r#type() {
        ReservationType::Unknown => failed("Unsupported 'Resource.ReservationInfo.Type'"),
        ReservationType::Static => Invalid::unless(
            resource.reservation.is_none(),
            format!("Invalid resource format: 'Resource.reservation' must not be set {single} STATIC"),
        ),
        ReservationType::Dynamic => {
            let why = format!(
                "Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or both \
                 not set {single} DYNAMIC"
            );
            Invalid::unless(resource.role.is_some() == resource.reservation.is_some(), why)?;
            let Some(old) = &resource.reservation else {
                return Ok(());
            };
            let why = format!(
                "Invalid resource format: 'Resource.reservation.principal' field with '{}' does not match the \
                 principal '{}' in 'Resource.reservations'",
                old.principal(),
                reservation.principal()
            );
            Invalid::unless(old.principal() == reservation.principal(), why)?;
            let why = "Invalid resource format: 'Resource.reservation.labels' field does not match the labels in \
                       'Resource.reservations'";
            Invalid::unless(old.labels == reservation.labels, why)
        }
    }
}

#[allow(deprecated)]
fn after_refinement(resource: &v1::Resource) -> Checked {
    let unset = |name: &str| {
        format!(
            "Invalid resource format: '{name}' must not be set if there is more than one reservation in \
             'Resource.reservations'"
        )
    };
    Invalid::unless(resource.role.is_none(), unset("Resource.role"))?;
    Invalid::unless(resource.reservation.is_none(), unset("Resource.reservation"))
}

/// Whether there are whole GPUs (`common::validation::validateGpus`).
pub fn gpus(list: &[v1::Resource]) -> Checked {
    let scalars = list.iter().filter(|resource| resource.name == "gpus").filter_map(|r| r.scalar.as_ref());
    let gpus: i64 = scalars.map(|scalar| thousandths(scalar.value)).fold(0, i64::saturating_add);
    Invalid::unless(gpus % 1000 == 0, "The 'gpus' resource must be an unsigned integer")
}

/// Whether a task or an executor may use well-formed resources (`resource::validate`).
pub fn usable(list: &[v1::Resource]) -> Checked {
    gpus(list).map_err(|why| Invalid::new(format!("Invalid 'gpus' resource: {why}")))?;
    for resource in list {
        disk(resource).map_err(|why| Invalid::new(format!("Invalid DiskInfo: {why}")))?;
    }
    let dynamic = |resource: &&v1::Resource| resource.revocable.is_some() && is_dynamic(resource);
    list.iter().find(dynamic).map_or(Ok(()), |resource| {
        failed(format!(
            "Invalid ReservationInfo: Dynamically reserved resource {} cannot be created from revocable resources",
            shown(resource)
        ))
    })
}

#[allow(deprecated)]
fn is_dynamic(resource: &v1::Resource) -> bool {
    let innermost = resource.reservations.last();
    resource.reservation.is_some() || innermost.is_some_and(|r| r.r#type() == ReservationType::Dynamic)
}

#[allow(deprecated)]
fn disk(resource: &v1::Resource) -> Checked {
    let Some(disk) = &resource.disk else {
        return Ok(());
    };
    let Some(persistence) = &disk.persistence else {
        Invalid::unless(disk.volume.is_none(), "Non-persistent volume not supported")?;
        return Invalid::unless(disk.source.is_some(), "DiskInfo is set but empty");
    };
    let revocable = "Persistent volumes cannot be created from revocable resources";
    Invalid::unless(resource.revocable.is_none(), revocable)?;
    let reserved = !resource.reservations.is_empty() || resource.role() != UNRESERVED;
    Invalid::unless(reserved, "Persistent volumes cannot be created from unreserved resources")?;
    let missing = || Invalid::new("Expecting 'volume' to be set for persistent volume");
    let volume = disk.volume.as_ref().ok_or_else(missing)?;
    Invalid::unless(volume.host_path.is_none(), "Expecting 'host_path' to be unset for persistent volume")?;
    let invalid = |why| Invalid::new(format!("Invalid persistence ID for persistent volume: {why}"));
    id(&persistence.id).map_err(invalid)
}

/// Whether each persistent volume is named once in its role (`validateUniquePersistenceID`).
#[allow(deprecated)]
pub fn unique_volumes<'a>(list: impl IntoIterator<Item = &'a v1::Resource>) -> Checked {
    let mut seen = BTreeSet::new();
    for resource in list {
        let innermost = resource.reservations.last().map_or(resource.role(), |reservation| reservation.role());
        let volume = resource.disk.as_ref().and_then(|disk| disk.persistence.as_ref());
        // The same volume may be shared by several.
        if let Some(volume) = volume.filter(|_| resource.shared.is_none()) {
            let why = format!("Persistence ID '{}' is not unique", volume.id);
            Invalid::unless(seen.insert((innermost, &volume.id)), why)?;
        }
    }
    Ok(())
}

/// The one role that resources are allocated to (`validateAllocatedToSingleRole`). Those that do not say are allocated
/// to that of the offer.
pub fn single_role(list: &[v1::Resource], offered: &str) -> Checked<String> {
    let mut single: Option<&str> = None;
    for resource in list {
        let role = match &resource.allocation_info {
            Some(allocation) => allocation.role.as_deref().ok_or("The resources are not allocated to a role"),
            None => Ok(offered),
        };
        let role = role.map_err(Invalid::new)?;
        let single = *single.get_or_insert(role);
        let why = format!(
            "The resources have multiple allocation roles ('{role}' and '{single}') but only one allocation role is \
             allowed"
        );
        Invalid::unless(role == single, why)?;
    }
    Ok(single.unwrap_or(offered).to_owned())
}

/// Whether none are revocable of which others are not (`validateRevocableAndNonRevocableResources`).
pub fn no_mix<'a>(list: impl IntoIterator<Item = &'a v1::Resource>) -> Checked {
    let mut kinds: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for resource in list {
        kinds.entry(&resource.name).or_default().insert(resource.revocable.is_some());
    }
    let mixed = kinds.iter().find(|(_, kinds)| kinds.len() > 1);
    mixed.map_or(Ok(()), |(name, _)| {
        failed(format!("Cannot use both revocable and non-revocable '{name}' at the same time"))
    })
}

/// In thousandths; what is too large for 64 bits becomes the lowest number, as in C++.
#[expect(clippy::cast_possible_truncation, reason = "what is too large was looked for")]
fn thousandths(value: f64) -> i64 {
    let thousandths = (value * 1000.0).round();
    if thousandths.abs() < i64::MAX as f64 { thousandths as i64 } else { i64::MIN }
}

/// A resource as an error names it: `cpus(allocated: role){REV}:0.1`.
fn shown(resource: &v1::Resource) -> String {
    let allocated = resource.allocation_info.as_ref().map(|info| format!("(allocated: {})", info.role()));
    let reservations: Vec<_> = resource.reservations.iter().map(reservation).collect();
    let reservations = (!reservations.is_empty()).then(|| format!("(reservations: [{}])", reservations.join(",")));
    let disk = resource.disk.as_ref().map(|disk| format!("[{}]", shown_disk(disk)));
    let marks = [("{REV}", resource.revocable.is_some()), ("<SHARED>", resource.shared.is_some())];
    let marks: String = marks.iter().filter(|(_, given)| *given).map(|(mark, _)| *mark).collect();
    let parts = [allocated, reservations, disk].map(Option::unwrap_or_default).concat();
    format!("{}{parts}{marks}:{}", resource.name, value(resource))
}

fn reservation(info: &v1::resource::ReservationInfo) -> String {
    let principal = info.principal.as_ref().map(|principal| format!(",{principal}")).unwrap_or_default();
    format!("({},{}{principal})", info.r#type().as_str_name(), info.role())
}

fn shown_disk(disk: &DiskInfo) -> String {
    let source = disk.source.as_ref().map(|source| {
        let root = match source.r#type() {
            SourceType::Mount => source.mount.as_ref().and_then(|mount| mount.root.as_ref()),
            SourceType::Path => source.path.as_ref().and_then(|path| path.root.as_ref()),
            _ => None,
        };
        format!("{}{}", source.r#type().as_str_name(), root.map(|root| format!(":{root}")).unwrap_or_default())
    });
    let id = disk.persistence.as_ref().map(|persistence| persistence.id.clone());
    let volume = disk.volume.as_ref().map(|volume| {
        let host = volume
            .host_path
            .as_ref()
            .map(|host| (format!("{host}:"), if volume.mode() == v1::volume::Mode::Ro { ":ro" } else { ":rw" }));
        let (before, after) = host.unwrap_or_default();
        format!(":{before}{}{after}", volume.container_path)
    });
    let named: Vec<String> = source.into_iter().chain(id).collect();
    format!("{}{}", named.join(","), volume.unwrap_or_default())
}

fn value(resource: &v1::Resource) -> String {
    match value::Type::try_from(resource.r#type) {
        Ok(value::Type::Scalar) => {
            let fixed = thousandths(resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value));
            general(fixed as f64 / 1000.0, DIGITS)
        }
        Ok(value::Type::Ranges) => {
            let ranges = resource.ranges.iter().flat_map(|ranges| &ranges.range);
            format!("[{}]", ranges.map(|r| format!("{}-{}", r.begin, r.end)).collect::<Vec<_>>().join(", "))
        }
        Ok(value::Type::Set) => {
            format!("{{{}}}", resource.set.as_ref().map(|set| set.item.join(", ")).unwrap_or_default())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(value: f64) -> v1::Resource {
        v1::Resource {
            name: "cpus".into(),
            r#type: value::Type::Scalar.into(),
            scalar: Some(value::Scalar { value }),
            ..Default::default()
        }
    }

    #[test]
    fn amounts_have_three_decimals() {
        for value in [0.0, 0.0005, 0.001, 1e12] {
            assert!(structure(&[cpus(value)]).is_ok(), "{value}");
        }
        for (value, written) in [(0.0004, "0"), (-1e-9, "0"), (-0.1, "-0.1"), (1e300, "-9.22337203685478e+15")] {
            let why = structure(&[cpus(value)]).expect_err("invalid").to_string();
            assert_eq!(why, format!("Resource 'cpus:{written}' is invalid: Invalid scalar resource: value <= 0"));
        }
    }

    #[test]
    fn resources_are_allocated_to_one_role() {
        let to = |role: Option<&str>| v1::Resource {
            allocation_info: Some(v1::resource::AllocationInfo { role: role.map(str::to_owned) }),
            ..cpus(1.0)
        };
        assert_eq!(single_role(&[cpus(1.0), to(Some("a"))], "a"), Ok("a".to_owned()));
        assert_eq!(single_role(&[to(Some("b"))], "a"), Ok("b".to_owned()));
        assert!(single_role(&[to(None)], "a").is_err());
        let why = single_role(&[to(Some("b")), cpus(1.0)], "a").expect_err("two roles").to_string();
        assert!(why.contains("('a' and 'b')"), "{why}");
    }

    #[test]
    fn revocable_resources_do_not_mix_with_others() {
        let revocable = v1::Resource { revocable: Some(v1::resource::RevocableInfo {}), ..cpus(1.0) };
        assert!(no_mix(std::slice::from_ref(&revocable)).is_ok());
        assert!(no_mix(&[revocable, cpus(1.0)]).is_err());
    }
}
