//! Which frameworks and roles hold which resources, for what the master shows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Allocator, Quantities};
use crate::local::resources::Resources;
use crate::local::roles;

/// What is offered to and used by a role.
#[derive(Debug, Default)]
pub struct OfRole {
    pub offered: Resources,
    pub used: Resources,
}

impl Allocator {
    /// The roles in which a framework wants no offers.
    pub fn suppressed(&self, framework_id: &str) -> BTreeSet<String> {
        self.frameworks.get(framework_id).map(|framework| framework.suppressed.clone()).unwrap_or_default()
    }

    /// What of an agent is offered to and used by each role.
    pub fn held_by_role(&self, agent_id: &str) -> BTreeMap<&str, OfRole> {
        let mut by_role: BTreeMap<&str, OfRole> = BTreeMap::new();
        for (role, held) in self.agents.get(agent_id).into_iter().flat_map(|agent| agent.held.values()).flatten() {
            let sum = by_role.entry(role).or_default();
            sum.offered.add(&held.offered);
            sum.used.add(&held.used);
        }
        by_role
    }

    /// What is offered to and used by a role and those below it. Of ranges and sets, how many there are.
    pub fn held_below(&self, role: &str) -> (Quantities, Quantities) {
        // Of each framework at a time: a range that it has of several agents is one.
        let mut by_framework: BTreeMap<&str, OfRole> = BTreeMap::new();
        for (framework_id, held) in self.agents.values().flat_map(|agent| &agent.held) {
            for (_, held) in held.iter().filter(|(holder, _)| roles::covers(role, holder)) {
                let sum = by_framework.entry(framework_id).or_default();
                sum.offered.add(&held.offered);
                sum.used.add(&held.used);
            }
        }
        let (mut offered, mut used) = (Quantities::default(), Quantities::default());
        for held in by_framework.values() {
            offered.add(&Quantities::of_all(&held.offered));
            used.add(&Quantities::of_all(&held.used));
        }
        (offered, used)
    }
}
