//! What `/metrics/snapshot` shows of the allocator. Follows `src/master/allocator/mesos/metrics.cpp`.

use std::collections::BTreeSet;

use super::{Allocator, Quantities};
use crate::local::metrics::Metrics;

impl Allocator {
    /// How often it has shared out what there is, and how much of what there is for these roles.
    pub fn metrics(&self, roles: &BTreeSet<String>) -> Metrics {
        let mut metrics = Metrics::new();
        let mut set = |name: String, value: f64| {
            metrics.insert(format!("allocator/mesos/{name}"), value);
        };
        set("allocation_runs".to_owned(), self.runs as f64);
        set("event_queue_dispatches".to_owned(), 0.0);
        let (mut held, mut root) = (Quantities::default(), Quantities::default());
        for agent in self.agents.values() {
            held.add(&Quantities::of(&agent.offered));
            held.add(&Quantities::of(&agent.used));
        }
        for (name, total) in self.total.iter() {
            set(format!("resources/{name}/total"), total);
            set(format!("resources/{name}/offered_or_allocated"), held.get(name));
        }
        for role in roles {
            let filters: usize = self.frameworks.values().map(|framework| framework.filters.number(role)).sum();
            set(format!("offer_filters/roles/{role}/active"), filters as f64);
            let consumed = self.consumed_quota(role);
            if !role.contains('/') {
                root.add(&consumed);
            }
            set_consumed(&mut set, role, &consumed);
            let (offered, used) = self.held_below(role);
            if self.clients.contains_key(role) {
                let share = |(name, total): (&str, f64)| (offered.get(name) + used.get(name)) / total;
                let dominant = self.total.iter().map(share).fold(0.0, f64::max);
                let weight = self.options.weights.get(role).copied().unwrap_or(1.0);
                set(format!("roles/{role}/shares/dominant"), dominant / weight);
            }
            let Some(quota) = self.ledger.quotas().get(role) else { continue };
            let of = |name: &str, what: &str| format!("quota/roles/{role}/resources/{name}/{what}");
            for (name, amount) in quota.guarantees.iter() {
                set(of(name, "guarantee"), amount);
                set(of(name, "offered_or_allocated"), offered.get(name) + used.get(name));
            }
            for (name, amount) in quota.limits.iter() {
                set(of(name, "limit"), amount);
                set(of(name, "offered_or_allocated"), offered.get(name) + used.get(name));
            }
        }
        set_consumed(&mut set, "", &root);
        metrics
    }
}

fn set_consumed(set: &mut impl FnMut(String, f64), role: &str, consumed: &Quantities) {
    for (name, amount) in consumed.iter().filter(|(name, _)| *name != "ports") {
        set(format!("quota/roles/{role}/resources/{name}/consumed"), amount);
    }
}
