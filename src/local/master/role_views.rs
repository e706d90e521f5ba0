//! What `/roles` shows. Follows `Master::ReadOnlyHandler::roles`, and `Master::RoleResourceBreakdown` in `src/master/master.cpp`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Master;
use crate::local::allocator::{Quantities, Quota};

impl Master {
    /// `/roles`.
    pub fn roles_json(&self) -> Value {
        let members = self.members();
        let role = |name: &String| {
            let quota = self.quotas.get(name).cloned().unwrap_or_default();
            let Quota { guarantees, limits } = &quota;
            let (offered, allocated) = self.allocator.held_below(name);
            let mut both = allocated.clone();
            both.add(&offered);
            let reserved = self.agents.values().fold(Quantities::default(), |mut sum, agent| {
                sum.add(&Quantities::of_all(&agent.total.reserved_below(name)));
                sum
            });
            json!({
                "name": name,
                "weight": self.weights.get(name).copied().unwrap_or(1.0),
                "quota": {
                    "role": name,
                    "guarantee": amounts(guarantees.iter()),
                    "limit": amounts(limits.iter()),
                    "consumed": amounts(self.allocator.consumed_quota(name).iter()),
                },
                "resources": amounts(both.iter()),
                "allocated": amounts(allocated.iter()),
                "offered": amounts(offered.iter()),
                "reserved": amounts(reserved.iter()),
                "frameworks": members.get(name).into_iter().flatten().collect::<Vec<_>>(),
            })
        };
        json!({ "roles": self.known_roles().iter().map(role).collect::<Vec<_>>() })
    }

    /// The frameworks that are in a role, or hold something in it.
    fn members(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for framework in self.frameworks.values() {
            let mut roles: BTreeSet<String> = framework.roles().into_iter().collect();
            for (role, _) in framework.held(None) {
                if !roles.contains(role) {
                    roles.insert(role.to_owned());
                }
            }
            for role in roles {
                members.entry(role).or_default().insert(framework.id());
            }
        }
        members
    }
}

fn amounts<'a>(amounts: impl Iterator<Item = (&'a str, f64)>) -> Value {
    amounts.map(|(name, amount)| (name.to_owned(), json!(amount))).collect()
}
