//! What a framework refused for a while. Follows `RefusedOfferFilter` and `recoverResources` in
//! `src/master/allocator/mesos/hierarchical.cpp`.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::local::resources::Resources;
use crate::wire::duration::Period;

const REFUSE_DEFAULT: Period = Period::from_secs(5);
const REFUSE_MAX: Period = Period::from_secs(365 * 86_400);

/// How long a refusal counts: 5 seconds if no valid time is given, at most a year, and at least until the next
/// allocation; `None` for 0.
pub fn duration(refuse_seconds: Option<f64>, interval: Period) -> Option<Period> {
    let refused = refuse_seconds.and_then(Period::from_seconds).unwrap_or(REFUSE_DEFAULT).min(REFUSE_MAX);
    (!refused.is_zero()).then(|| refused.max(interval))
}

/// The refusals of one framework, by role and agent.
#[derive(Debug, Default)]
pub struct Filters(BTreeMap<String, BTreeMap<String, Vec<Filter>>>);

#[derive(Debug)]
struct Filter {
    resources: Resources,
    until: Instant,
}

impl Filters {
    /// Refuses these resources, and parts of them.
    pub fn add(&mut self, role: &str, agent_id: &str, resources: Resources, until: Instant) {
        let of_role = self.0.entry(role.to_owned()).or_default();
        of_role.entry(agent_id.to_owned()).or_default().push(Filter { resources, until });
    }

    /// Whether an offer is refused.
    pub fn block(&self, role: &str, agent_id: &str, resources: &Resources, now: Instant) -> bool {
        let here = self.0.get(role).and_then(|of_role| of_role.get(agent_id));
        here.is_some_and(|filters| filters.iter().any(|f| f.until > now && f.resources.contains(resources)))
    }

    /// How many there are in a role.
    pub fn number(&self, role: &str) -> usize {
        self.0.get(role).map_or(0, |of_role| of_role.values().map(Vec::len).sum())
    }

    /// When the first of them ends.
    pub fn first_end(&self) -> Option<Instant> {
        self.0.values().flat_map(BTreeMap::values).flatten().map(|filter| filter.until).min()
    }

    /// Forgets what has ended.
    pub fn expire(&mut self, now: Instant) {
        for of_role in self.0.values_mut() {
            of_role.values_mut().for_each(|filters| filters.retain(|filter| filter.until > now));
            of_role.retain(|_, filters| !filters.is_empty());
        }
        self.0.retain(|_, of_role| !of_role.is_empty());
    }

    /// Forgets the refusals in a role.
    pub fn forget_role(&mut self, role: &str) {
        self.0.remove(role);
    }

    /// Forgets the refusals of an agent.
    pub fn forget_agent(&mut self, agent_id: &str) {
        self.0.values_mut().for_each(|of_role| drop(of_role.remove(agent_id)));
    }

    /// Forgets all refusals.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Resources {
        Resources::parse(text).expect(text)
    }

    #[test]
    fn a_filter_blocks_parts_of_what_was_refused_until_it_ends() {
        let now = Instant::now();
        let second = Period::from_secs(1);
        let mut filters = Filters::default();
        filters.add("*", "S0", parse("cpus:2"), now + second);
        assert!(filters.block("*", "S0", &parse("cpus:1"), now));
        assert!(!filters.block("*", "S0", &parse("cpus:3"), now));
        assert!(!filters.block("*", "S1", &parse("cpus:1"), now));
        assert!(!filters.block("a", "S0", &parse("cpus:1"), now));
        assert!(!filters.block("*", "S0", &parse("cpus:1"), now + second));
        filters.forget_role("a");
        filters.expire(now);
        assert!(filters.block("*", "S0", &parse("cpus:1"), now));
        filters.forget_agent("S0");
        assert!(!filters.block("*", "S0", &parse("cpus:1"), now));
    }

    #[test]
    fn a_refusal_lasts_as_long_as_the_real_one_says() {
        let second = Period::from_secs(1);
        assert_eq!(duration(None, second), Some(second * 5));
        assert_eq!(duration(Some(0.0), second), None);
        assert_eq!(duration(Some(0.1), second), Some(second));
        assert_eq!(duration(Some(-1.0), second), Some(second * 5));
        assert_eq!(duration(Some(f64::MAX), second), Some(REFUSE_MAX));
    }
}
