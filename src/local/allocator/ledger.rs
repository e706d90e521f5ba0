//! What roles hold, and the quotas that it is held against. Follows `Role` and `RoleTree` in
//! `src/master/allocator/mesos/hierarchical.cpp`.

use std::collections::BTreeMap;

use super::quantities::{Limits, Quantities};
use crate::local::resources::Resources;

/// What a role is promised at least and allowed at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    pub guarantees: Quantities,
    pub limits: Limits,
}

/// What a role and the roles below it hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sums {
    /// Reserved, whether a framework has it or not.
    reserved: Quantities,
    /// Reserved, and offered or used.
    reserved_held: Quantities,
    /// Not reserved, not revocable, and offered or used.
    charged_held: Quantities,
}

/// Sums and quotas by role. The root, the empty path, has the sums of all roles.
#[derive(Debug, Default)]
pub struct Ledger {
    sums: BTreeMap<String, Sums>,
    quotas: BTreeMap<String, Quota>,
}

impl Ledger {
    /// The roles that have a quota.
    pub fn quotas(&self) -> &BTreeMap<String, Quota> {
        &self.quotas
    }

    /// Sets a role's quota. The default is as none.
    pub fn set_quota(&mut self, role: &str, quota: Quota) {
        if quota == Quota::default() {
            self.quotas.remove(role);
        } else {
            self.quotas.insert(role.to_owned(), quota);
        }
    }

    /// An agent's resources are there.
    pub fn reserve(&mut self, total: &Resources) {
        for (role, reserved) in &total.reservations() {
            let quantities = Quantities::of(reserved);
            self.change(role, |sums| sums.reserved.add(&quantities));
        }
    }

    /// An agent's resources are gone.
    pub fn unreserve(&mut self, total: &Resources) {
        for (role, reserved) in &total.reservations() {
            let quantities = Quantities::of(reserved);
            self.change(role, |sums| sums.reserved.subtract(&quantities));
        }
    }

    /// Resources are offered to a role.
    pub fn hold(&mut self, role: &str, resources: &Resources) {
        let (reserved, charged) = (Quantities::of(&resources.reserved()), Quantities::of(&resources.by_charge().0));
        self.change(role, |sums| {
            sums.reserved_held.add(&reserved);
            sums.charged_held.add(&charged);
        });
    }

    /// Resources are no longer offered to or used by a role.
    pub fn release(&mut self, role: &str, resources: &Resources) {
        let (reserved, charged) = (Quantities::of(&resources.reserved()), Quantities::of(&resources.by_charge().0));
        self.change(role, |sums| {
            sums.reserved_held.subtract(&reserved);
            sums.charged_held.subtract(&charged);
        });
    }

    /// What counts towards a role's quota: reservations, and what else is offered or used.
    pub fn held(&self, role: &str) -> Quantities {
        let mut held = self.sums(role).reserved;
        held.add(&self.sums(role).charged_held);
        held
    }

    /// What is reserved, for whomever, and neither offered nor used.
    pub fn idle_reservations(&self) -> Quantities {
        let all = self.sums("");
        all.reserved.less(&all.reserved_held)
    }

    fn sums(&self, role: &str) -> Sums {
        self.sums.get(role).cloned().unwrap_or_default()
    }

    /// Changes the sums of a role and of all above it.
    fn change(&mut self, role: &str, change: impl Fn(&mut Sums)) {
        let mut path = role;
        loop {
            if !self.sums.contains_key(path) {
                self.sums.insert(path.to_owned(), Sums::default());
            }
            if let Some(sums) = self.sums.get_mut(path) {
                change(sums);
                if *sums == Sums::default() {
                    self.sums.remove(path);
                }
            }
            path = match path.rsplit_once('/') {
                Some((parent, _)) => parent,
                None if path.is_empty() => return,
                None => "",
            };
        }
    }
}
