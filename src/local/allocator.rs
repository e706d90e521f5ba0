//! Who is offered what: dominant resource fairness over roles and frameworks, coarse grained.
//! Follows `src/master/allocator/mesos/hierarchical.cpp` and `sorter/drf/sorter.cpp`. Pure: no clock, no IO.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::resources::Resources;
use crate::wire::duration::Period;

/// Leftovers below both of these are not offered (`MIN_CPUS`, `MIN_MEM` in `src/master/constants.hpp`).
const MIN_CPUS: f64 = 0.01;
const MIN_MEM: f64 = 32.0;
const REFUSE_DEFAULT: Period = Period::from_secs(5);
const REFUSE_MAX: Period = Period::from_secs(365 * 86_400);

/// A framework that wants offers in a role.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub framework_id: String,
    pub role: String,
    /// What it holds or is offered, over all agents.
    pub allocated: Resources,
}

/// Resources refused for a while.
#[derive(Debug, Clone)]
pub struct Filter {
    pub agent_id: String,
    pub role: String,
    pub resources: Resources,
    pub until: Instant,
}

impl Filter {
    /// How long a refusal counts: 5 seconds if no valid time is given, at most a year, and at least until the
    /// next allocation; `None` for 0.
    pub fn duration(refuse_seconds: Option<f64>, interval: Period) -> Option<Period> {
        let refused = refuse_seconds.and_then(Period::from_seconds).unwrap_or(REFUSE_DEFAULT).min(REFUSE_MAX);
        (!refused.is_zero()).then(|| refused.max(interval))
    }

    /// Whether it blocks an offer: only of a part of what was refused.
    pub fn blocks(&self, agent_id: &str, role: &str, resources: &Resources, now: Instant) -> bool {
        self.until > now && self.agent_id == agent_id && self.role == role && self.resources.contains(resources)
    }
}

/// An offer to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    pub framework_id: String,
    pub role: String,
    pub agent_id: String,
    pub resources: Resources,
}

/// Shares out what is free: of each agent the candidate with the lowest share that does not refuse it gets all that is
/// open to its role; what is reserved for other roles goes on to the next. `free` comes in the order in which agents
/// are to be visited.
pub fn allocate(
    total: &Resources,
    free: Vec<(String, Resources)>,
    mut candidates: Vec<Candidate>,
    refuses: impl Fn(&Candidate, &str, &Resources) -> bool,
) -> Vec<Allocation> {
    let mut allocations = Vec::new();
    for (agent_id, mut rest) in free {
        sort(total, &mut candidates);
        for candidate in &mut candidates {
            let resources = rest.available_to(&candidate.role);
            let too_little = resources.scalar("cpus") < MIN_CPUS && resources.scalar("mem") < MIN_MEM;
            if too_little || refuses(candidate, &agent_id, &resources) {
                continue;
            }
            rest.subtract(&resources);
            candidate.allocated.add(&resources);
            let (framework_id, role) = (candidate.framework_id.clone(), candidate.role.clone());
            allocations.push(Allocation { framework_id, role, agent_id: agent_id.clone(), resources });
        }
    }
    allocations
}

/// Roles by their share, within a role frameworks by theirs; ties by name.
fn sort(total: &Resources, candidates: &mut [Candidate]) {
    let mut roles: BTreeMap<String, Resources> = BTreeMap::new();
    for candidate in candidates.iter() {
        roles.entry(candidate.role.clone()).or_default().add(&candidate.allocated);
    }
    let shares: HashMap<String, f64> = roles.iter().map(|(role, r)| (role.clone(), share(total, r))).collect();
    let key = |c: &Candidate| (shares[&c.role], share(total, &c.allocated));
    candidates.sort_by(|a, b| {
        let ((role_a, own_a), (role_b, own_b)) = (key(a), key(b));
        role_a
            .total_cmp(&role_b)
            .then_with(|| a.role.cmp(&b.role))
            .then_with(|| own_a.total_cmp(&own_b))
            .then_with(|| a.framework_id.cmp(&b.framework_id))
    });
}

/// The largest part that is held of any scalar.
fn share(total: &Resources, allocated: &Resources) -> f64 {
    let part = |(name, amount): (&str, f64)| {
        let all = total.scalar(name);
        if all > 0.0 { amount / all } else { 0.0 }
    };
    allocated.scalars().map(part).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Resources {
        Resources::parse(text).expect(text)
    }

    fn candidate(id: &str, role: &str, allocated: &str) -> Candidate {
        Candidate { framework_id: id.into(), role: role.into(), allocated: parse(allocated) }
    }

    #[test]
    fn the_lowest_dominant_share_is_served_first() {
        let total = parse("cpus:16;mem:1600");
        let free = vec![("S0".to_owned(), parse("cpus:8;mem:800")), ("S1".to_owned(), parse("cpus:4;mem:400"))];
        let candidates = vec![candidate("a", "*", "cpus:1;mem:300"), candidate("b", "*", "cpus:2;mem:100")];
        let allocations = allocate(&total, free, candidates, |_, _, _| false);
        let given: Vec<_> = allocations.iter().map(|a| (a.agent_id.as_str(), a.framework_id.as_str())).collect();
        assert_eq!(given, [("S0", "b"), ("S1", "a")]);
    }

    #[test]
    fn what_is_too_small_or_refused_is_not_offered() {
        let total = parse("cpus:16;mem:1600");
        let free = || vec![("S0".to_owned(), parse("cpus:0.005;mem:31")), ("S1".to_owned(), parse("mem:32"))];
        let offered = allocate(&total, free(), vec![candidate("a", "*", "")], |_, _, _| false);
        assert_eq!(offered.len(), 1);
        assert_eq!(offered[0].agent_id, "S1");
        assert_eq!(allocate(&total, free(), vec![candidate("a", "*", "")], |_, _, _| { true }), []);
    }

    #[test]
    fn a_filter_blocks_parts_of_what_was_refused_until_it_ends() {
        let now = Instant::now();
        let second = Period::from_secs(1);
        let filter =
            Filter { agent_id: "S0".into(), role: "*".into(), resources: parse("cpus:2"), until: now + second };
        assert!(filter.blocks("S0", "*", &parse("cpus:1"), now));
        assert!(!filter.blocks("S0", "*", &parse("cpus:3"), now));
        assert!(!filter.blocks("S1", "*", &parse("cpus:1"), now));
        assert!(!filter.blocks("S0", "*", &parse("cpus:1"), now + second));
        assert_eq!(Filter::duration(None, second), Some(second * 5));
        assert_eq!(Filter::duration(Some(0.0), second), None);
        assert_eq!(Filter::duration(Some(0.1), second), Some(second));
        assert_eq!(Filter::duration(Some(-1.0), second), Some(second * 5));
        assert_eq!(Filter::duration(Some(f64::MAX), second), Some(REFUSE_MAX));
    }
}
