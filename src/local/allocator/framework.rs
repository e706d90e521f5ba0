//! The frameworks as the allocator knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::constraints::Constraints;
use super::filters::{self, Filters};
use super::quantities::Quantities;
use super::sorter::Sorter;
use super::{Agent, Allocator, Was};
use crate::local::resources::Resources;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::{self, v1};

/// What a framework asks for besides its `FrameworkInfo`.
#[derive(Debug, Default)]
pub struct Options {
    /// The roles in which it wants no offers.
    pub suppressed: BTreeSet<String>,
    /// Of which agents it wants offers.
    pub constraints: Constraints,
}

/// A framework that is subscribed or may come back.
#[derive(Debug)]
pub struct Framework {
    pub roles: BTreeSet<String>,
    pub suppressed: BTreeSet<String>,
    pub active: bool,
    pub filters: Filters,
    pub constraints: Constraints,
    /// By role, in place of what holds for all.
    pub min_allocatable: BTreeMap<String, Vec<Quantities>>,
    pub gpus: bool,
    pub revocable: bool,
    pub refinement: bool,
    pub shared: bool,
    pub regions: bool,
}

impl Framework {
    fn new(info: &v1::FrameworkInfo, options: Options) -> Self {
        let has = |capability| proto::has_capability(info, capability);
        let of_role = |(role, filters): (&String, &v1::OfferFilters)| {
            let quantities = &filters.min_allocatable_resources.as_ref()?.quantities;
            let named = |q: &v1::offer_filters::ResourceQuantities| {
                Quantities::new(q.quantities.iter().map(|(name, amount)| (name.as_str(), amount.value)))
            };
            Some((role.clone(), quantities.iter().map(named).collect()))
        };
        Self {
            roles: proto::roles(info).into_iter().collect(),
            suppressed: options.suppressed,
            active: true,
            filters: Filters::default(),
            constraints: options.constraints,
            min_allocatable: info.offer_filters.iter().filter_map(of_role).collect(),
            gpus: has(Capability::GpuResources),
            revocable: has(Capability::RevocableResources),
            refinement: has(Capability::ReservationRefinement),
            shared: has(Capability::SharedResources),
            regions: has(Capability::RegionAware),
        }
    }

    /// Whether it wants offers in any role.
    pub fn wants_offers(&self) -> bool {
        self.active && self.roles.iter().any(|role| !self.suppressed.contains(role))
    }

    /// Which kinds of resources it understands.
    pub fn understands(&self) -> [bool; 3] {
        [self.refinement, self.revocable, self.shared]
    }

    /// Forgets what it refused of an agent.
    pub fn forget_agent(&mut self, agent_id: &str) {
        self.filters.forget_agent(agent_id);
    }
}

impl Allocator {
    /// A framework subscribed. It is offered what is available at once.
    pub fn add_framework(&mut self, now: Instant, id: &str, info: &v1::FrameworkInfo, options: Options) {
        let framework = Framework::new(info, options);
        for role in &framework.roles {
            self.enter_role(id, role);
            self.turn(id, role, !framework.suppressed.contains(role));
        }
        self.frameworks.insert(id.into(), framework);
        self.note_whether_it_wants(id);
        self.want_all(now);
    }

    /// A framework is gone, with all that it used and was offered.
    pub fn remove_framework(&mut self, id: &str) {
        let held = |(agent_id, agent): (&Arc<str>, &Agent)| Some((agent_id.clone(), agent.held.get(id)?.clone()));
        for (agent_id, roles) in self.agents.iter().filter_map(held).collect::<Vec<_>>() {
            for (role, held) in roles {
                self.recover(id, &agent_id, &role, &held.offered, Was::Offered);
                self.recover(id, &agent_id, &role, &held.used, Was::Used);
            }
        }
        self.wanting.remove(id);
        if let Some(framework) = self.frameworks.remove(id) {
            framework.roles.iter().for_each(|role| self.leave_role(id, role));
        }
    }

    /// A framework may change everything but its id. Offers for that come with the next batch.
    pub fn update_framework(&mut self, now: Instant, id: &str, info: &v1::FrameworkInfo, options: Options) {
        self.skip_batches(now);
        let Some(framework) = self.frameworks.get_mut(id) else {
            return;
        };
        let new = Framework::new(info, options);
        let filters = std::mem::take(&mut framework.filters);
        let old = std::mem::replace(framework, Framework { active: framework.active, filters, ..new });
        let (roles, suppressed) = (framework.roles.clone(), framework.suppressed.clone());
        old.suppressed.difference(&suppressed).for_each(|role| framework.filters.forget_role(role));
        old.roles.difference(&roles).for_each(|role| framework.filters.forget_role(role));
        let active = framework.active;
        for role in &roles {
            self.enter_role(id, role);
            self.turn(id, role, active && !suppressed.contains(role));
        }
        for role in old.roles.difference(&roles) {
            self.turn(id, role, false);
            self.leave_role_if_idle(id, role);
        }
        self.note_whether_it_wants(id);
    }

    /// A framework is connected again. It is offered what is available at once.
    pub fn activate_framework(&mut self, now: Instant, id: &str) {
        let Some(framework) = self.frameworks.get_mut(id) else {
            return;
        };
        framework.active = true;
        let wanting: Vec<_> = framework.roles.difference(&framework.suppressed).cloned().collect();
        wanting.iter().for_each(|role| self.turn(id, role, true));
        self.note_whether_it_wants(id);
        self.want_all(now);
    }

    /// A framework is disconnected. What it refused is forgotten, what it holds is not.
    pub fn deactivate_framework(&mut self, id: &str) {
        let Some(framework) = self.frameworks.get_mut(id) else {
            return;
        };
        framework.active = false;
        framework.filters.clear();
        framework.roles.clone().iter().for_each(|role| self.turn(id, role, false));
        self.note_whether_it_wants(id);
        self.forget_inverse_refusals(id);
    }

    /// A framework wants no offers in these roles, or, if there are none, in any.
    pub fn suppress(&mut self, id: &str, roles: &[String]) {
        for role in self.roles_or_all(id, roles) {
            self.turn(id, &role, false);
            if let Some(framework) = self.frameworks.get_mut(id) {
                framework.suppressed.insert(role);
            }
        }
        self.note_whether_it_wants(id);
    }

    /// A framework wants offers in these roles, or, if there are none, in all: at once, and what it refused as well.
    pub fn revive(&mut self, now: Instant, id: &str, roles: &[String]) {
        for role in self.roles_or_all(id, roles) {
            self.turn(id, &role, true);
            if let Some(framework) = self.frameworks.get_mut(id) {
                framework.suppressed.remove(&role);
                framework.filters.forget_role(&role);
            }
        }
        self.note_whether_it_wants(id);
        self.forget_inverse_refusals(id);
        self.want_all(now);
    }

    /// A framework does not want these resources, nor parts of them, for a while.
    pub fn refuse(
        &mut self,
        now: Instant,
        framework_id: &str,
        agent_id: &str,
        role: &str,
        resources: Resources,
        refuse_seconds: Option<f64>,
    ) {
        let duration = filters::duration(refuse_seconds, self.options.interval);
        if let (Some(framework), Some(duration)) = (self.frameworks.get_mut(framework_id), duration)
            && !resources.is_empty()
        {
            framework.filters.add(role, agent_id, resources, now + duration);
        }
    }

    fn roles_or_all(&self, id: &str, roles: &[String]) -> Vec<String> {
        let all = || self.frameworks.get(id).map(|framework| framework.roles.iter().cloned().collect());
        if roles.is_empty() { all().unwrap_or_default() } else { roles.to_vec() }
    }

    fn note_whether_it_wants(&mut self, id: &str) {
        if self.frameworks.get(id).is_some_and(Framework::wants_offers) {
            self.wanting.insert(id.into());
        } else {
            self.wanting.remove(id);
        }
    }

    fn turn(&mut self, id: &str, role: &str, active: bool) {
        match self.clients.get_mut(role) {
            Some(clients) if active => clients.activate(id),
            Some(clients) => clients.deactivate(id),
            None => {}
        }
    }

    /// A framework counts for a role from now on.
    fn enter_role(&mut self, id: &str, role: &str) {
        let clients = self.clients.entry(role.to_owned()).or_insert_with(|| {
            self.roles.add(role);
            self.roles.activate(role);
            Sorter::default()
        });
        if !clients.contains(id) {
            clients.add(id);
        }
    }

    fn leave_role(&mut self, id: &str, role: &str) {
        let Some(clients) = self.clients.get_mut(role) else {
            return;
        };
        clients.remove(id);
        if clients.is_empty() {
            self.clients.remove(role);
            self.roles.remove(role);
        }
    }

    /// A framework counts for a role that it left as long as it holds something in it.
    pub(super) fn leave_role_if_idle(&mut self, id: &str, role: &str) {
        let left = self.frameworks.get(id).is_none_or(|framework| !framework.roles.contains(role));
        let holds = |agent: &Agent| agent.held.get(id).is_some_and(|roles| roles.contains_key(role));
        if left && !self.agents.values().any(holds) {
            self.leave_role(id, role);
        }
    }
}
