//! Quantities of scalar resources by name, and limits of them. Follows `src/common/resource_quantities.cpp`.

use std::collections::BTreeMap;
use std::fmt;

use crate::local::resources::Resources;

const THOUSANDTHS: f64 = 1000.0;

/// How much of each scalar resource, in thousandths. What is not named is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quantities(BTreeMap<String, i64>);

/// At most how much of each scalar resource, in thousandths. What is not named has no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<String, i64>);

impl Quantities {
    /// Takes amounts by name; amounts of zero and less are left out.
    pub fn new<'a>(amounts: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        let mut quantities = Self::default();
        amounts.into_iter().for_each(|(name, amount)| quantities.add_one(name, thousandths(amount)));
        quantities
    }

    /// The scalars among resources, of whatever kind.
    pub fn of(resources: &Resources) -> Self {
        Self::new(resources.scalars())
    }

    /// All resources, of whatever kind: of ranges and sets how many there are.
    pub fn of_all(resources: &Resources) -> Self {
        let mut quantities = Self::new(resources.counts());
        quantities.add(&Self::of(resources));
        quantities
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The quantity of one resource.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).map_or(0.0, |&amount| amount as f64 / THOUSANDTHS)
    }

    /// The quantities by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, &amount)| (name.as_str(), amount as f64 / THOUSANDTHS))
    }

    /// Whether there is at least as much of each as in `other`.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|(name, amount)| self.0.get(name).is_some_and(|have| have >= amount))
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(name, amount)| self.add_one(name, *amount));
    }

    /// Takes away what of `other` is in here.
    pub fn subtract(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            if let Some(mine) = self.0.get_mut(name) {
                *mine = mine.saturating_sub(*amount);
                if *mine <= 0 {
                    self.0.remove(name);
                }
            }
        }
    }

    /// What is in here and not in `other`.
    pub fn less(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.subtract(other);
        rest
    }

    fn add_one(&mut self, name: &str, amount: i64) {
        match self.0.get_mut(name) {
            Some(mine) => *mine = mine.saturating_add(amount),
            None if amount > 0 => drop(self.0.insert(name.to_owned(), amount)),
            None => {}
        }
    }
}

impl Limits {
    /// Takes limits by name.
    pub fn new<'a>(limits: impl IntoIterator<Item = (&'a str, f64)>) -> Self {
        Self(limits.into_iter().map(|(name, limit)| (name.to_owned(), thousandths(limit))).collect())
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limit of one resource, if it has one.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).map(|&limit| limit as f64 / THOUSANDTHS)
    }

    /// The limits by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, &limit)| (name.as_str(), limit as f64 / THOUSANDTHS))
    }

    /// Whether quantities stay within the limits.
    pub fn contains(&self, quantities: &Quantities) -> bool {
        self.0.iter().all(|(name, limit)| quantities.0.get(name).is_none_or(|amount| amount <= limit))
    }

    /// What of the limits is left once quantities are used.
    pub fn less(&self, used: &Quantities) -> Self {
        let rest = |(name, limit): (&String, &i64)| {
            let used = used.0.get(name).copied().unwrap_or_default();
            (name.clone(), limit.saturating_sub(used).max(0))
        };
        Self(self.0.iter().map(rest).collect())
    }
}

/// Written as Mesos does: `cpus:2; mem:1024`, or `{}`.
impl fmt::Display for Quantities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.iter())
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.iter())
    }
}

fn show<'a>(f: &mut fmt::Formatter<'_>, amounts: impl Iterator<Item = (&'a str, f64)>) -> fmt::Result {
    let shown: Vec<_> = amounts.map(|(name, amount)| format!("{name}:{amount}")).collect();
    f.write_str(if shown.is_empty() { "{}" } else { "" })?;
    f.write_str(&shown.join("; "))
}

#[expect(clippy::cast_possible_truncation, reason = "a cast of a float stays within 64 bits")]
fn thousandths(amount: f64) -> i64 {
    (amount * THOUSANDTHS).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_add_up_and_never_fall_below_zero() {
        let mut sum = Quantities::new([("cpus", 0.1), ("mem", 10.0)]);
        sum.add(&Quantities::new([("cpus", 0.2), ("gpus", 1.0)]));
        assert_eq!(sum.to_string(), "cpus:0.3; gpus:1; mem:10");
        assert!(sum.contains(&Quantities::new([("cpus", 0.3)])));
        assert!(!sum.contains(&Quantities::new([("disk", 0.001)])));
        sum.subtract(&Quantities::new([("cpus", 1.0), ("disk", 1.0), ("gpus", 1.0)]));
        assert_eq!(sum, Quantities::new([("mem", 10.0)]));
    }

    #[test]
    fn limits_hold_for_what_they_name() {
        let limits = Limits::new([("cpus", 2.0), ("gpus", 0.0)]);
        assert!(limits.contains(&Quantities::new([("cpus", 2.0), ("mem", 1e6)])));
        assert!(!limits.contains(&Quantities::new([("gpus", 1.0)])));
        let rest = limits.less(&Quantities::new([("cpus", 1.5), ("mem", 1.0)]));
        assert_eq!((rest.get("cpus"), rest.get("gpus"), rest.get("mem")), (Some(0.5), Some(0.0), None));
    }
}
