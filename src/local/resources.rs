//! Amounts of resources and their arithmetic. Follows `src/v1/resources.cpp`: scalars have three decimals.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::proto::v1::{self, value};
use crate::{Error, Result};

/// The role of resources that are reserved for nobody.
pub const UNRESERVED: &str = "*";
const THOUSANDTHS: f64 = 1000.0;
const SCALAR_MAX: f64 = 1e12;

/// Unreserved resources by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// In thousandths.
    scalars: BTreeMap<String, i64>,
    /// Sorted, disjoint, not adjacent, both ends included.
    ranges: BTreeMap<String, Vec<(u64, u64)>>,
    sets: BTreeMap<String, BTreeSet<String>>,
}

/// How a framework wants resources written.
#[derive(Debug, Clone, Default)]
pub struct Format {
    /// With RESERVATION_REFINEMENT the old `role` field is absent.
    pub reservation_refinement: bool,
    /// With MULTI_ROLE resources say which role they are allocated to.
    pub allocated_to: Option<String>,
}

impl Resources {
    /// Reads the form of `MESOS_RESOURCES`: `cpus:8;mem:8192;ports:[31000-32000];disks:{a,b}`.
    ///
    /// Fails, naming what was wrong, also for reservations, which the embedded cluster does not have.
    pub fn parse(text: &str) -> Result<Self> {
        let mut resources = Self::default();
        for item in text.split(';').map(str::trim).filter(|item| !item.is_empty()) {
            resources.parse_item(item).map_err(|why| {
                Error::invalid(format!(
                    "'{text}' is no list of resources: '{item}': {why}, as in cpus:8;mem:8192;ports:[31000-32000]"
                ))
            })?;
        }
        Ok(resources)
    }

    fn parse_item(&mut self, item: &str) -> std::result::Result<(), String> {
        let (name, value) = item.split_once(':').ok_or("expected name:value")?;
        let (name, value) = (name.trim().trim_end_matches("(*)"), value.trim());
        if name.is_empty() || name.contains(['(', ')']) {
            return Err("expected a name without a reservation".to_owned());
        }
        if let Some(list) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
            for range in list.split(',') {
                let ends =
                    range.split_once('-').and_then(|(b, e)| Some((b.trim().parse().ok()?, e.trim().parse().ok()?)));
                let (begin, end) =
                    ends.filter(|(b, e): &(u64, u64)| b <= e).ok_or("expected ranges [begin-end,...]")?;
                add_range(self.ranges.entry(name.to_owned()).or_default(), (begin, end));
            }
        } else if let Some(list) = value.strip_prefix('{').and_then(|v| v.strip_suffix('}')) {
            let items = list.split(',').map(|i| i.trim().to_owned()).filter(|i| !i.is_empty());
            self.sets.entry(name.to_owned()).or_default().extend(items);
        } else {
            let number: f64 = value.parse().map_err(|_| "expected a number, [ranges] or {set}")?;
            *self.scalars.entry(name.to_owned()).or_default() += thousandths(number)?;
        }
        Ok(())
    }

    /// Takes the resources of a message.
    ///
    /// Fails with the words of the real master (`src/v1/resources.cpp`, `Resources::validate`).
    pub fn from_proto(list: &[v1::Resource]) -> std::result::Result<Self, String> {
        let mut resources = Self::default();
        for resource in list {
            let invalid = |why: String| format!("Resource '{}' is invalid: {why}", show(resource));
            resources.add_proto(resource).map_err(invalid)?;
        }
        Ok(resources)
    }

    fn add_proto(&mut self, resource: &v1::Resource) -> std::result::Result<(), String> {
        let name = resource.name.clone();
        if name.is_empty() {
            return Err("Empty resource name".to_owned());
        }
        check_plain(resource)?;
        match value::Type::try_from(resource.r#type) {
            Ok(value::Type::Scalar) => {
                let amount = resource.scalar.as_ref().ok_or("Invalid scalar resource")?.value;
                if amount <= 0.0 {
                    return Err("Invalid scalar resource: value <= 0".to_owned());
                }
                if name == "gpus" && amount.fract() != 0.0 {
                    return Err("The 'gpus' resource must be an unsigned integer".to_owned());
                }
                *self.scalars.entry(name).or_default() += thousandths(amount)?;
            }
            Ok(value::Type::Ranges) => {
                let ranges = resource.ranges.as_ref().ok_or("Invalid ranges resource")?;
                for range in &ranges.range {
                    if range.begin > range.end {
                        return Err("Invalid ranges resource: begin > end".to_owned());
                    }
                    let ends = (range.begin, range.end);
                    let present = self.ranges.entry(name.clone()).or_default();
                    if present.iter().any(|&(b, e)| ends.0 <= e && b <= ends.1) {
                        return Err("Invalid ranges resource: overlapping ranges".to_owned());
                    }
                    add_range(present, ends);
                }
            }
            Ok(value::Type::Set) => {
                let set = resource.set.as_ref().ok_or("Invalid set resource")?;
                self.sets.entry(name).or_default().extend(set.item.iter().cloned());
            }
            _ => return Err("Unsupported resource type".to_owned()),
        }
        Ok(())
    }

    /// As messages, the way a framework wants them.
    #[allow(deprecated)]
    pub fn to_proto(&self, format: &Format) -> Vec<v1::Resource> {
        let base = |name: &String, kind: value::Type| v1::Resource {
            name: name.clone(),
            r#type: kind.into(),
            role: (!format.reservation_refinement).then(|| UNRESERVED.to_owned()),
            allocation_info: format.allocated_to.clone().map(|role| v1::resource::AllocationInfo { role: Some(role) }),
            ..Default::default()
        };
        let scalars = self.scalars.iter().map(|(name, &amount)| v1::Resource {
            scalar: Some(value::Scalar { value: amount as f64 / THOUSANDTHS }),
            ..base(name, value::Type::Scalar)
        });
        let ranges = self.ranges.iter().map(|(name, ranges)| v1::Resource {
            ranges: Some(value::Ranges {
                range: ranges.iter().map(|&(begin, end)| value::Range { begin, end }).collect(),
            }),
            ..base(name, value::Type::Ranges)
        });
        let sets = self.sets.iter().map(|(name, items)| v1::Resource {
            set: Some(value::Set { item: items.iter().cloned().collect() }),
            ..base(name, value::Type::Set)
        });
        scalars.chain(ranges).chain(sets).collect()
    }

    /// The amount of a scalar.
    pub fn scalar(&self, name: &str) -> f64 {
        self.scalars.get(name).map_or(0.0, |&amount| amount as f64 / THOUSANDTHS)
    }

    /// The scalars, by name.
    pub fn scalars(&self) -> impl Iterator<Item = (&str, f64)> {
        self.scalars.iter().map(|(name, &amount)| (name.as_str(), amount as f64 / THOUSANDTHS))
    }

    /// Ranges and sets by name, written as `/state` has them: `[31000-32000]`.
    pub fn others(&self) -> impl Iterator<Item = (&str, String)> {
        let ranges = self.ranges.iter().map(|(name, ranges)| (name.as_str(), show_ranges(ranges)));
        ranges.chain(self.sets.iter().map(|(name, set)| (name.as_str(), show_set(set))))
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.scalars.is_empty() && self.ranges.is_empty() && self.sets.is_empty()
    }

    /// Whether all of `other` is in here.
    pub fn contains(&self, other: &Self) -> bool {
        let scalar = |(name, amount): (&String, &i64)| self.scalars.get(name).is_some_and(|have| have >= amount);
        let range = |(name, wanted): (&String, &Vec<(u64, u64)>)| {
            let have = self.ranges.get(name).map_or(&[][..], Vec::as_slice);
            wanted.iter().all(|&(b, e)| have.iter().any(|&(hb, he)| hb <= b && e <= he))
        };
        let set = |(name, wanted): (&String, &BTreeSet<String>)| {
            self.sets.get(name).is_some_and(|have| have.is_superset(wanted))
        };
        other.scalars.iter().all(scalar) && other.ranges.iter().all(range) && other.sets.iter().all(set)
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.scalars {
            *self.scalars.entry(name.clone()).or_default() += amount;
        }
        for (name, ranges) in &other.ranges {
            let mine = self.ranges.entry(name.clone()).or_default();
            ranges.iter().for_each(|&range| add_range(mine, range));
        }
        for (name, set) in &other.sets {
            self.sets.entry(name.clone()).or_default().extend(set.iter().cloned());
        }
    }

    /// Takes away what of `other` is in here.
    pub fn subtract(&mut self, other: &Self) {
        for (name, amount) in &other.scalars {
            if let Some(mine) = self.scalars.get_mut(name) {
                *mine -= amount;
            }
        }
        self.scalars.retain(|_, amount| *amount > 0);
        for (name, ranges) in &other.ranges {
            if let Some(mine) = self.ranges.get_mut(name) {
                ranges.iter().for_each(|&range| subtract_range(mine, range));
            }
        }
        self.ranges.retain(|_, ranges| !ranges.is_empty());
        for (name, set) in &other.sets {
            if let Some(mine) = self.sets.get_mut(name) {
                mine.retain(|item| !set.contains(item));
            }
        }
        self.sets.retain(|_, set| !set.is_empty());
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scalars = self.scalars().map(|(name, amount)| format!("{name}:{amount}"));
        let others = self.others().map(|(name, value)| format!("{name}:{value}"));
        f.write_str(&scalars.chain(others).collect::<Vec<_>>().join("; "))
    }
}

fn thousandths(number: f64) -> std::result::Result<i64, String> {
    if !number.is_finite() || !(0.0..=SCALAR_MAX).contains(&number) {
        return Err(format!("expected a number from 0 to {SCALAR_MAX}"));
    }
    Ok((number * THOUSANDTHS).round() as i64)
}

/// The embedded cluster has no reservations, volumes, shared or revocable resources.
#[allow(deprecated)]
fn check_plain(resource: &v1::Resource) -> std::result::Result<(), String> {
    let reserved = resource.role.as_deref().is_some_and(|role| role != UNRESERVED)
        || resource.reservation.is_some()
        || !resource.reservations.is_empty();
    let special = [
        (reserved, "reserved resources"),
        (resource.disk.is_some(), "persistent volumes and disk sources"),
        (resource.revocable.is_some(), "revocable resources"),
        (resource.shared.is_some(), "shared resources"),
        (resource.provider_id.is_some(), "resource providers"),
    ];
    match special.iter().find(|(present, _)| *present) {
        Some((_, what)) => Err(format!("the embedded cluster has no {what}")),
        None => Ok(()),
    }
}

fn add_range(ranges: &mut Vec<(u64, u64)>, range: (u64, u64)) {
    ranges.push(range);
    ranges.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for &(begin, end) in ranges.iter() {
        match merged.last_mut() {
            Some(last) if begin <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => merged.push((begin, end)),
        }
    }
    *ranges = merged;
}

fn subtract_range(ranges: &mut Vec<(u64, u64)>, (from, to): (u64, u64)) {
    let left_over = |&(begin, end): &(u64, u64)| {
        let before = (begin < from).then(|| (begin, end.min(from.saturating_sub(1))));
        let after = (end > to).then(|| (begin.max(to.saturating_add(1)), end));
        before.into_iter().chain(after)
    };
    *ranges = ranges.iter().flat_map(left_over).collect();
}

fn show_ranges(ranges: &[(u64, u64)]) -> String {
    format!("[{}]", ranges.iter().map(|(b, e)| format!("{b}-{e}")).collect::<Vec<_>>().join(", "))
}

fn show_set(set: &BTreeSet<String>) -> String {
    format!("{{{}}}", set.iter().cloned().collect::<Vec<_>>().join(", "))
}

fn show(resource: &v1::Resource) -> String {
    let value = match (&resource.scalar, &resource.ranges, &resource.set) {
        (Some(scalar), _, _) => scalar.value.to_string(),
        (_, Some(ranges), _) => show_ranges(&ranges.range.iter().map(|r| (r.begin, r.end)).collect::<Vec<_>>()),
        (_, _, Some(set)) => show_set(&set.item.iter().cloned().collect()),
        _ => String::new(),
    };
    format!("{}:{value}", resource.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Resources {
        Resources::parse(text).expect(text)
    }

    #[test]
    fn sums_and_differences_come_back_to_where_they_began() {
        let total = parse("cpus:8;mem:1024;ports:[31000-32000];disks:{a,b}");
        let part = parse("cpus:0.1;mem:10;ports:[31000-31009,31500-31500];disks:{a}");
        assert!(total.contains(&part) && !part.contains(&total));
        let mut rest = total.clone();
        rest.subtract(&part);
        assert_eq!(rest.to_string(), "cpus:7.9; mem:1014; ports:[31010-31499, 31501-32000]; disks:{b}");
        assert!(!rest.contains(&part));
        rest.add(&part);
        assert_eq!(rest, total);
        rest.subtract(&total);
        assert!(rest.is_empty());
    }

    #[test]
    fn messages_carry_the_same_amounts() {
        let total = parse("cpus:8;ports:[1-2,4-5];disks:{a}");
        let messages = total.to_proto(&Format::default());
        assert_eq!(Resources::from_proto(&messages).expect("valid"), total);
        let mut negative = messages;
        negative[0].scalar = Some(value::Scalar { value: -1.0 });
        let why = Resources::from_proto(&negative).expect_err("negative");
        assert_eq!(why, "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0");
    }

    #[test]
    fn rubbish_is_named() {
        for bad in ["cpus", "cpus:x", "ports:[2-1]", "cpus(role):2", ":1", "cpus:-1", "cpus:inf"] {
            let error = Resources::parse(bad).expect_err(bad);
            assert!(error.to_string().contains(bad), "{error}");
        }
    }
}
