//! Amounts of resources and their arithmetic, without regard to whose they are. Follows `src/v1/values.cpp`: scalars
//! have three decimals.

use std::collections::{BTreeMap, BTreeSet};

use crate::local::refusal::Invalid;
use crate::proto::v1::{self, value};

const THOUSANDTHS: f64 = 1000.0;
/// The most that one resource may be. In thousandths a thousand agents' worth of it fits into 64 bits several times.
pub const SCALAR_MAX: f64 = 1e12;

/// Amounts by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Amounts {
    /// In thousandths.
    scalars: BTreeMap<String, i64>,
    /// Sorted, disjoint, not adjacent, both ends included.
    ranges: BTreeMap<String, Vec<(u64, u64)>>,
    sets: BTreeMap<String, BTreeSet<String>>,
}

impl Amounts {
    /// Adds what `name:value` says, with the value as in `MESOS_RESOURCES`.
    pub fn parse_item(&mut self, item: &str) -> Result<(), Invalid> {
        let (name, value) = item.split_once(':').ok_or_else(|| Invalid::new("expected name:value"))?;
        let (name, value) = (name.trim().trim_end_matches("(*)"), value.trim());
        if name.is_empty() || name.contains(['(', ')']) {
            return Err(Invalid::new("expected a name without a reservation"));
        }
        if let Some(list) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
            for range in list.split(',') {
                let ends =
                    range.split_once('-').and_then(|(b, e)| Some((b.trim().parse().ok()?, e.trim().parse().ok()?)));
                let (begin, end) = ends
                    .filter(|(b, e): &(u64, u64)| b <= e)
                    .ok_or_else(|| Invalid::new("expected ranges [begin-end,...]"))?;
                add_range(self.ranges.entry(name.to_owned()).or_default(), (begin, end));
            }
        } else if let Some(list) = value.strip_prefix('{').and_then(|v| v.strip_suffix('}')) {
            let items = list.split(',').map(|i| i.trim().to_owned()).filter(|i| !i.is_empty());
            self.sets.entry(name.to_owned()).or_default().extend(items);
        } else {
            let number: f64 = value.parse().map_err(|_| Invalid::new("expected a number, [ranges] or {set}"))?;
            let amount = add_scalar(&mut self.scalars, name, thousandths(number)?);
            scalar_in_range(amount as f64 / THOUSANDTHS)?;
        }
        Ok(())
    }

    /// Adds the amount of a message; fails with the words of `Resources::validate`.
    pub fn add_proto(&mut self, resource: &v1::Resource) -> Result<(), Invalid> {
        let name = resource.name.clone();
        if name.is_empty() {
            return Err(Invalid::new("Empty resource name"));
        }
        match value::Type::try_from(resource.r#type) {
            Ok(value::Type::Scalar) => {
                let amount = resource.scalar.as_ref().ok_or_else(|| Invalid::new("Invalid scalar resource"))?.value;
                if amount < 0.0 {
                    return Err(Invalid::new("Invalid scalar resource: value <= 0"));
                }
                let amount = thousandths(amount)?;
                // Nothing of a resource is as if it were not there.
                if amount > 0 {
                    add_scalar(&mut self.scalars, &name, amount);
                }
            }
            Ok(value::Type::Ranges) => {
                let ranges = resource.ranges.as_ref().ok_or_else(|| Invalid::new("Invalid ranges resource"))?;
                for range in &ranges.range {
                    if range.begin > range.end {
                        return Err(Invalid::new("Invalid ranges resource: begin > end"));
                    }
                    let ends = (range.begin, range.end);
                    let present = self.ranges.entry(name.clone()).or_default();
                    if present.iter().any(|&(b, e)| ends.0 <= e && b <= ends.1) {
                        return Err(Invalid::new("Invalid ranges resource: overlapping ranges"));
                    }
                    add_range(present, ends);
                }
            }
            Ok(value::Type::Set) => {
                let set = resource.set.as_ref().ok_or_else(|| Invalid::new("Invalid set resource"))?;
                if set.item.iter().collect::<BTreeSet<_>>().len() < set.item.len() {
                    return Err(Invalid::new("Invalid set resource: duplicated elements"));
                }
                self.sets.entry(name).or_default().extend(set.item.iter().cloned());
            }
            _ => return Err(Invalid::new("Unsupported resource type")),
        }
        Ok(())
    }

    /// As messages, each made from `base` by name.
    pub fn to_proto(&self, base: &v1::Resource) -> Vec<v1::Resource> {
        let base =
            |name: &String, kind: value::Type| v1::Resource { name: name.clone(), r#type: kind.into(), ..base.clone() };
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

    /// Every amount by name, written as Mesos does.
    pub fn shown(&self) -> impl Iterator<Item = (&str, String)> {
        self.scalars().map(|(name, amount)| (name, amount.to_string())).chain(self.others())
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
            add_scalar(&mut self.scalars, name, *amount);
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
                *mine = mine.saturating_sub(*amount);
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

fn scalar_in_range(number: f64) -> Result<f64, Invalid> {
    let in_range = (0.0..=SCALAR_MAX).contains(&number);
    in_range.then_some(number).ok_or_else(|| Invalid::new(format!("expected a number from 0 to {SCALAR_MAX}")))
}

#[expect(clippy::cast_possible_truncation, reason = "what is in range fits")]
fn thousandths(number: f64) -> Result<i64, Invalid> {
    Ok((scalar_in_range(number)? * THOUSANDTHS).round() as i64)
}

/// Adds to an amount, which it returns. A sum past 64 bits stays at their end, which is more than anyone has.
fn add_scalar(scalars: &mut BTreeMap<String, i64>, name: &str, amount: i64) -> i64 {
    let sum = scalars.entry(name.to_owned()).or_default();
    *sum = sum.saturating_add(amount);
    *sum
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

/// A resource as an error names it: `cpus:0.1`.
pub fn show_value(resource: &v1::Resource) -> String {
    match value::Type::try_from(resource.r#type) {
        Ok(value::Type::Scalar) => resource.scalar.as_ref().map_or(0.0, |s| s.value).to_string(),
        Ok(value::Type::Ranges) => {
            let ranges = resource.ranges.iter().flat_map(|r| &r.range).map(|r| (r.begin, r.end));
            show_ranges(&ranges.collect::<Vec<_>>())
        }
        Ok(value::Type::Set) => {
            let items = resource.set.iter().flat_map(|s| &s.item).cloned().collect::<Vec<_>>();
            format!("{{{}}}", items.join(", "))
        }
        _ => String::new(),
    }
}
