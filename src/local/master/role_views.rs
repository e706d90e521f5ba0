//! What `/roles` and GET_ROLES show. Follows `Master::ReadOnlyHandler::roles`, and `Master::RoleResourceBreakdown` in `src/master/master.cpp`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Framework, Master};
use crate::local::allocator::{Quantities, Quota};
use crate::local::roles::UNRESERVED;
use crate::proto::v1::master::response;
use crate::proto::v1::{self, value};

/// The resources that GET_ROLES tells of.
const SHOWN: [&str; 4] = ["cpus", "disk", "gpus", "mem"];

impl Master {
    /// GET_ROLES.
    pub(super) fn all_roles(&self) -> response::GetRoles {
        let members = self.members();
        let role = |name: String| {
            let scalars = self.held_below(&name);
            let scalars = scalars.iter().filter(|(kind, amount)| SHOWN.contains(kind) && *amount > 0.0);
            let ids = members.get(&name).into_iter().flatten();
            v1::Role {
                weight: self.weight(&name),
                frameworks: ids.map(|id| v1::FrameworkId { value: id.clone() }).collect(),
                resources: scalars.map(|(kind, amount)| scalar(kind, amount)).collect(),
                name,
            }
        };
        response::GetRoles { roles: self.known_roles().into_iter().map(role).collect() }
    }

    /// `/roles`.
    pub fn roles_json(&self) -> Value {
        let members = self.members();
        let role = |name: &String| {
            let quota = self.quotas.get(name).cloned().unwrap_or_default();
            let Quota { guarantees, limits } = &quota;
            let (offered, allocated) = self.allocator.held_below(name);
            let reserved = self.agents.values().fold(Quantities::default(), |mut sum, agent| {
                sum.add(&Quantities::of_all(&agent.total.reserved_below(name)));
                sum
            });
            json!({
                "name": name,
                "weight": self.weight(name),
                "quota": {
                    "role": name,
                    "guarantee": amounts(guarantees.iter()),
                    "limit": amounts(limits.iter()),
                    "consumed": amounts(self.allocator.consumed_quota(name).iter()),
                },
                "resources": amounts(self.held_below(name).iter()),
                "allocated": amounts(allocated.iter()),
                "offered": amounts(offered.iter()),
                "reserved": amounts(reserved.iter()),
                "frameworks": members.get(name).into_iter().flatten().collect::<Vec<_>>(),
            })
        };
        json!({ "roles": self.known_roles().iter().map(role).collect::<Vec<_>>() })
    }

    /// The roles that are in use, or that something was set for, and those above them (`Master::knownRoles`). If only some
    /// roles are allowed, these.
    pub(super) fn known_roles(&self) -> BTreeSet<String> {
        let mut roles: BTreeSet<String> = BTreeSet::new();
        if let Some(allowed) = &self.config.roles {
            roles.extend(allowed.iter().cloned().chain([UNRESERVED.to_owned()]));
        } else {
            let frameworks = self.frameworks.values();
            roles.extend(frameworks.clone().flat_map(Framework::roles));
            roles.extend(frameworks.flat_map(|framework| framework.held()).map(|(role, _)| role.to_owned()));
            roles.extend(self.agents.values().flat_map(|agent| agent.total.reservations().into_keys()));
            roles.extend(self.weights.keys().chain(self.quotas.keys()).cloned());
        }
        let above = |role: &String| role.match_indices('/').map(|(at, _)| role[..at].to_owned()).collect::<Vec<_>>();
        let ancestors: Vec<String> = roles.iter().flat_map(above).collect();
        roles.extend(ancestors);
        roles
    }

    /// What is offered to and used by a role and those below it.
    fn held_below(&self, role: &str) -> Quantities {
        let (mut held, used) = self.allocator.held_below(role);
        held.add(&used);
        held
    }

    /// The weight that was set for a role, or that of all others.
    fn weight(&self, role: &str) -> f64 {
        self.weights.get(role).copied().unwrap_or(1.0)
    }

    /// The frameworks that are in a role, or hold something in it.
    fn members(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for framework in self.frameworks.values() {
            let mut roles: BTreeSet<String> = framework.roles().into_iter().collect();
            for (role, _) in framework.held() {
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

fn scalar(name: &str, value: f64) -> v1::Resource {
    let r#type = value::Type::Scalar.into();
    v1::Resource { name: name.to_owned(), r#type, scalar: Some(value::Scalar { value }), ..Default::default() }
}
