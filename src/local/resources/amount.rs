//! Amounts of one resource and their arithmetic, whoever it belongs to. Follows `src/v1/values.cpp`: scalars have three
//! decimals.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use crate::local::refusal::Invalid;
use crate::proto::v1::{self, value};

const THOUSANDTHS: f64 = 1000.0;
/// The most that one resource may be. In thousandths a thousand agents' worth of it fits into 64 bits several times.
pub const SCALAR_MAX: f64 = 1e12;

/// How much there is of a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Amount {
    /// In thousandths.
    Scalar(i64),
    /// Sorted, disjoint, not adjacent, both ends included.
    Ranges(Vec<(u64, u64)>),
    /// In the order in which the items were given.
    Set(Vec<String>),
}

impl Amount {
    /// Reads the form of `MESOS_RESOURCES`: `8`, `[31000-32000]` or `{a,b}`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text: String = text.split_whitespace().collect();
        if let Some(list) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let mut ranges = Vec::new();
            for range in list.split(',').filter(|range| !range.is_empty()) {
                let ends = range.split_once('-').and_then(|(b, e)| Some((b.parse().ok()?, e.parse().ok()?)));
                let ends = ends.filter(|(begin, end): &(u64, u64)| begin <= end);
                ranges.push(ends.ok_or_else(|| Invalid::new("expected ranges [begin-end,...]"))?);
            }
            return Ok(Self::Ranges(coalesced(ranges)));
        }
        if let Some(list) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            return unique(list.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect());
        }
        let number: f64 = text.parse().map_err(|_| Invalid::new("expected a number, [ranges] or {set}"))?;
        Ok(Self::Scalar(thousandths(number)?))
    }

    /// A number, which is within the bounds of what there can be.
    pub fn of(number: f64) -> Self {
        Self::Scalar(thousandths(number.clamp(0.0, SCALAR_MAX)).unwrap_or_default())
    }

    /// A number without its fraction.
    pub fn whole(number: f64) -> Self {
        Self::of(number.floor())
    }

    /// Takes the amount of a message; fails with the words of `Resources::validate`.
    pub fn from_proto(resource: &v1::Resource) -> Result<Self, Invalid> {
        let invalid = |kind: &str| Invalid::new(format!("Invalid {kind} resource"));
        match value::Type::try_from(resource.r#type) {
            Ok(value::Type::Scalar) => {
                let amount = resource.scalar.as_ref().ok_or_else(|| invalid("scalar"))?.value;
                let is_positive = amount == 0.0 || (amount * THOUSANDTHS).round() > 0.0;
                Invalid::unless(is_positive || amount.is_nan(), "Invalid scalar resource: value <= 0")?;
                Ok(Self::Scalar(thousandths(amount)?))
            }
            Ok(value::Type::Ranges) => {
                let ranges = &resource.ranges.as_ref().ok_or_else(|| invalid("ranges"))?.range;
                let mut ranges: Vec<_> = ranges.iter().map(|range| (range.begin, range.end)).collect();
                Invalid::unless(ranges.iter().all(|(b, e)| b <= e), "Invalid ranges resource: begin > end")?;
                ranges.sort_unstable();
                let apart = ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
                Invalid::unless(apart, "Invalid ranges resource: overlapping ranges")?;
                Ok(Self::Ranges(coalesced(ranges)))
            }
            Ok(value::Type::Set) => unique(resource.set.clone().ok_or_else(|| invalid("set"))?.item),
            _ => Err(Invalid::new("Unsupported resource type")),
        }
    }

    /// A resource with this amount.
    pub fn fill(&self, resource: v1::Resource) -> v1::Resource {
        match self {
            Self::Scalar(amount) => v1::Resource {
                r#type: value::Type::Scalar.into(),
                scalar: Some(value::Scalar { value: *amount as f64 / THOUSANDTHS }),
                ..resource
            },
            Self::Ranges(ranges) => {
                let range = ranges.iter().map(|&(begin, end)| value::Range { begin, end }).collect();
                v1::Resource { r#type: value::Type::Ranges.into(), ranges: Some(value::Ranges { range }), ..resource }
            }
            Self::Set(items) => v1::Resource {
                r#type: value::Type::Set.into(),
                set: Some(value::Set { item: items.clone() }),
                ..resource
            },
        }
    }

    /// The number, if it is a scalar.
    pub fn scalar(&self) -> Option<f64> {
        match self {
            Self::Scalar(amount) => Some(*amount as f64 / THOUSANDTHS),
            _ => None,
        }
    }

    /// How many numbers ranges have, or items a set.
    pub fn count(&self) -> Option<f64> {
        match self {
            Self::Scalar(_) => None,
            Self::Ranges(ranges) => Some(ranges.iter().map(|(b, e)| e.saturating_sub(*b) as f64 + 1.0).sum()),
            Self::Set(items) => Some(items.len() as f64),
        }
    }

    /// Cuts a scalar down to at most this number; it leaves anything else as it is.
    pub fn cut(&mut self, limit: f64) {
        if let Self::Scalar(amount) = self {
            *amount = thousandths(limit.max(0.0)).unwrap_or(i64::MAX).min(*amount);
        }
    }

    /// Whether amounts can be added up: both are numbers, or ranges, or sets.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Scalar(amount) => *amount <= 0,
            Self::Ranges(ranges) => ranges.is_empty(),
            Self::Set(items) => items.is_empty(),
        }
    }

    /// Whether all of `other` is in here.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(have), Self::Scalar(wanted)) => have >= wanted,
            (Self::Ranges(have), Self::Ranges(wanted)) => {
                wanted.iter().all(|&(b, e)| have.iter().any(|&(hb, he)| hb <= b && e <= he))
            }
            (Self::Set(have), Self::Set(wanted)) => {
                let have: HashSet<&String> = have.iter().collect();
                wanted.iter().all(|item| have.contains(item))
            }
            _ => false,
        }
    }

    /// Adds an amount like this one. A sum past 64 bits stays at their end, which is more than anyone has.
    pub fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(mine), Self::Scalar(more)) => *mine = mine.saturating_add(*more),
            (Self::Ranges(mine), Self::Ranges(more)) => {
                mine.extend(more);
                *mine = coalesced(std::mem::take(mine));
            }
            (Self::Set(mine), Self::Set(more)) => {
                let have: HashSet<String> = mine.iter().cloned().collect();
                mine.extend(more.iter().filter(|item| !have.contains(*item)).cloned());
            }
            _ => {}
        }
    }

    /// Takes away what of an amount like this one is in here.
    pub fn subtract(&mut self, other: &Self) {
        match (self, other) {
            (Self::Scalar(mine), Self::Scalar(less)) => *mine = mine.saturating_sub(*less),
            (Self::Ranges(mine), Self::Ranges(less)) => less.iter().for_each(|&range| subtract_range(mine, range)),
            (Self::Set(mine), Self::Set(less)) => {
                let less: HashSet<&String> = less.iter().collect();
                mine.retain(|item| !less.contains(item));
            }
            _ => {}
        }
    }
}

/// Written as Mesos does: `0.5`, `[31000-32000]`, `{a, b}`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(amount) => write!(f, "{}", *amount as f64 / THOUSANDTHS),
            Self::Ranges(ranges) => f.write_str(&show_ranges(ranges.iter().copied())),
            Self::Set(items) => write!(f, "{{{}}}", items.join(", ")),
        }
    }
}

fn unique(items: Vec<String>) -> Result<Amount, Invalid> {
    let is_unique = items.iter().collect::<BTreeSet<_>>().len() == items.len();
    Invalid::unless(is_unique, "Invalid set resource: duplicated elements")?;
    Ok(Amount::Set(items))
}

#[expect(clippy::cast_possible_truncation, reason = "what is in range fits")]
fn thousandths(number: f64) -> Result<i64, Invalid> {
    let in_range = (0.0..=SCALAR_MAX).contains(&number);
    Invalid::unless(in_range, format!("expected a number from 0 to {SCALAR_MAX}"))?;
    Ok((number * THOUSANDTHS).round() as i64)
}

/// Ranges in order, those that touch one another as one.
fn coalesced(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (begin, end) in ranges {
        match merged.last_mut() {
            Some(last) if begin <= last.1.saturating_add(1) => last.1 = last.1.max(end),
            _ => merged.push((begin, end)),
        }
    }
    merged
}

fn subtract_range(ranges: &mut Vec<(u64, u64)>, (from, to): (u64, u64)) {
    let left_over = |&(begin, end): &(u64, u64)| {
        let before = (begin < from).then(|| (begin, end.min(from.saturating_sub(1))));
        let after = (end > to).then(|| (begin.max(to.saturating_add(1)), end));
        before.into_iter().chain(after)
    };
    *ranges = ranges.iter().flat_map(left_over).collect();
}

fn show_ranges(ranges: impl Iterator<Item = (u64, u64)>) -> String {
    format!("[{}]", ranges.map(|(begin, end)| format!("{begin}-{end}")).collect::<Vec<_>>().join(", "))
}

/// The amount of a message, valid or not, as an error names it.
pub fn show_value(resource: &v1::Resource) -> String {
    match value::Type::try_from(resource.r#type) {
        Ok(value::Type::Scalar) => resource.scalar.as_ref().map_or(0.0, |s| s.value).to_string(),
        Ok(value::Type::Ranges) => {
            show_ranges(resource.ranges.iter().flat_map(|ranges| &ranges.range).map(|range| (range.begin, range.end)))
        }
        Ok(value::Type::Set) => {
            let items = resource.set.iter().flat_map(|set| &set.item).cloned().collect::<Vec<_>>();
            format!("{{{}}}", items.join(", "))
        }
        _ => String::new(),
    }
}
