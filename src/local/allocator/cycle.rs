//! One allocation: what is available is shared out, first to roles below their guarantees, then to all. Follows
//! `__generateOffers` in `src/master/allocator/mesos/hierarchical.cpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::framework::Framework;
use super::quantities::{Limits, Quantities};
use super::{Agent, Allocation, Allocator, Quota};
use crate::local::resources::Resources;

/// What an allocation keeps account of.
#[derive(Debug, Default)]
struct Cycle {
    /// What counts towards the quota of each role that has one.
    consumed: BTreeMap<String, Quantities>,
    /// What has to stay available so that guarantees can be met.
    required: Quantities,
    /// What is available, not reserved and not revocable.
    headroom: Quantities,
    /// The shared volumes that someone is offered already, by agent: each is offered once.
    shared: BTreeMap<Arc<str>, Resources>,
    offers: Vec<Allocation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Guarantees,
    Rest,
}

/// What one framework could be offered of one agent.
struct Portion {
    resources: Resources,
    /// The scalars among them.
    quantities: Quantities,
    /// What of it counts towards the role's guarantees.
    guaranteed: Quantities,
    /// What of it counts towards the role's quota.
    charged: Quantities,
}

impl Allocator {
    /// Shares out what is available of these agents.
    pub(super) fn share_out(&mut self, now: Instant, candidates: &BTreeSet<Arc<str>>) -> Vec<Allocation> {
        let offerable = |id: &Arc<str>| self.agents.get(id).is_some_and(|a| a.active && !a.available.is_empty());
        let mut agents: Vec<_> = candidates.iter().filter(|id| offerable(id)).cloned().collect();
        let mut cycle = self.cycle();
        if self.ledger.quotas().values().any(|quota| !quota.guarantees.is_empty()) {
            self.random.shuffle(&mut agents);
            self.run(now, &mut cycle, &agents, Stage::Guarantees);
        }
        self.random.shuffle(&mut agents);
        self.run(now, &mut cycle, &agents, Stage::Rest);
        cycle.offers
    }

    fn cycle(&self) -> Cycle {
        let mut cycle = Cycle::default();
        if self.ledger.quotas().is_empty() {
            return cycle;
        }
        for (role, quota) in self.ledger.quotas() {
            let held = self.ledger.held(role);
            cycle.required.add(&quota.guarantees.less(&held));
            cycle.consumed.insert(role.clone(), held);
        }
        cycle.headroom = self.total.less(self.roles.allocated_to_all()).less(&self.ledger.idle_reservations());
        for agent in self.agents.values() {
            cycle.headroom.subtract(&Quantities::of(&agent.available.revocable()));
        }
        cycle
    }

    fn run(&mut self, now: Instant, cycle: &mut Cycle, agents: &[Arc<str>], stage: Stage) {
        for agent_id in agents {
            for role in self.roles.sort(&self.total) {
                if self.agents[agent_id].available.is_empty() {
                    break;
                }
                let quota = self.ledger.quotas().get(&*role).cloned().unwrap_or_default();
                if stage == Stage::Guarantees && cycle.unsatisfied(&role, &quota).is_empty() {
                    continue;
                }
                self.serve_role(now, cycle, agent_id, &role, &quota, stage);
            }
        }
    }

    fn serve_role(
        &mut self,
        now: Instant,
        cycle: &mut Cycle,
        agent_id: &Arc<str>,
        role: &str,
        quota: &Quota,
        stage: Stage,
    ) {
        let clients = self.clients.get_mut(role).map(|clients| clients.sort(&self.total)).unwrap_or_default();
        let mut available = self.agents[agent_id].available.available_to(role);
        let mut held = Quantities::of_all(&available);
        // Many frameworks may refuse the same portion.
        let mut portions: BTreeMap<[bool; 3], Option<Portion>> = BTreeMap::new();
        for framework_id in clients {
            if available.is_empty() || (stage == Stage::Guarantees && cycle.unsatisfied(role, quota).is_empty()) {
                return;
            }
            let (agent, framework) = (&self.agents[agent_id], &self.frameworks[&framework_id]);
            let excluded = framework.constraints.exclude(role, &agent.info) || !self.capable(framework, agent);
            if excluded || !self.allocatable(&held, role, framework) {
                continue;
            }
            let portion = portions.entry(framework.understands()).or_insert_with(|| {
                let understood = available.understood_by(framework.refinement, framework.revocable, framework.shared);
                cycle.portion(&cycle.not_shared_yet(agent_id, understood), role, quota, stage)
            });
            let Some(portion) = portion.as_ref().filter(|portion| !portion.resources.is_empty()) else {
                continue;
            };
            let refused = framework.filters.block(role, agent_id, &portion.resources, now);
            if refused || !self.allocatable(&portion.quantities, role, framework) {
                continue;
            }
            self.track(&framework_id, agent_id, role, &portion.resources);
            cycle.share(agent_id, &portion.resources);
            cycle.offer(&framework_id, agent_id, role, portion);
            portions.clear();
            available = self.agents[agent_id].available.available_to(role);
            held = Quantities::of_all(&available);
        }
    }

    /// Whether this is enough to be offered at all.
    fn allocatable(&self, held: &Quantities, role: &str, framework: &Framework) -> bool {
        let least = framework.min_allocatable.get(role).unwrap_or(&self.options.min_allocatable);
        least.is_empty() || least.iter().any(|quantities| held.contains(quantities))
    }

    /// Whether a framework knows what to do with an agent of this kind.
    fn capable(&self, framework: &Framework, agent: &Agent) -> bool {
        (framework.gpus || !self.options.filter_gpus || !agent.has_gpus())
            && (framework.regions || !self.is_remote(agent))
    }

    fn is_remote(&self, agent: &Agent) -> bool {
        let region =
            |domain: &crate::proto::v1::DomainInfo| domain.fault_domain.as_ref().map(|d| d.region.name.clone());
        let theirs = agent.info.domain.as_ref().and_then(region);
        theirs.is_some() && theirs != self.options.domain.as_ref().and_then(region)
    }
}

impl Cycle {
    fn not_shared_yet(&self, agent_id: &Arc<str>, mut resources: Resources) -> Resources {
        if let Some(shared) = self.shared.get(agent_id) {
            resources.subtract(shared);
        }
        resources
    }

    fn share(&mut self, agent_id: &Arc<str>, resources: &Resources) {
        let shared = resources.shared();
        if !shared.is_empty() {
            self.shared.entry(agent_id.clone()).or_default().add(&shared);
        }
    }

    /// What of a role's guarantees it does not have yet.
    fn unsatisfied(&self, role: &str, quota: &Quota) -> Quantities {
        self.consumed.get(role).map(|consumed| quota.guarantees.less(consumed)).unwrap_or_default()
    }

    /// What of available resources a role may be offered; nothing if it would not come closer to its guarantees in the
    /// stage for these.
    fn portion(&self, available: &Resources, role: &str, quota: &Quota, stage: Stage) -> Option<Portion> {
        let (charged, mut resources) = available.by_charge();
        let mut guaranteed = Resources::default();
        if stage == Stage::Guarantees {
            let unsatisfied = self.unsatisfied(role, quota);
            guaranteed = charged.cut(|name| Some(unsatisfied.get(name)));
            if guaranteed.is_empty() {
                return None;
            }
        }
        let mut more = charged;
        more.subtract(&guaranteed);
        if !quota.limits.is_empty() {
            let rest = self.within_limits(role, &quota.limits, &guaranteed);
            more = more.cut(|name| rest.get(name));
        }
        if !self.required.is_empty() && !more.is_empty() {
            let surplus = self.headroom.less(&self.required);
            more = more.cut(|name| Some(surplus.get(name)));
        }
        let mut charged = Quantities::of(&guaranteed);
        charged.add(&Quantities::of(&more));
        resources.add(&guaranteed);
        resources.add(&more);
        let quantities = Quantities::of_all(&resources);
        Some(Portion { resources, quantities, guaranteed: Quantities::of(&guaranteed), charged })
    }

    fn within_limits(&self, role: &str, limits: &Limits, guaranteed: &Resources) -> Limits {
        let mut used = self.consumed.get(role).cloned().unwrap_or_default();
        used.add(&Quantities::of(guaranteed));
        limits.less(&used)
    }

    fn offer(&mut self, framework_id: &str, agent_id: &str, role: &str, portion: &Portion) {
        if let Some(consumed) = self.consumed.get_mut(role) {
            consumed.add(&portion.charged);
        }
        self.required.subtract(&portion.guaranteed);
        self.headroom.subtract(&portion.charged);
        let same = |offer: &&mut Allocation| {
            offer.framework_id == framework_id && offer.agent_id == agent_id && offer.role == role
        };
        // Both stages may give to the same framework, if there are two: that is one offer.
        let two = !self.consumed.is_empty();
        match self.offers.iter_mut().find(|offer| two && same(offer)) {
            Some(offer) => offer.resources.add(&portion.resources),
            None => self.offers.push(Allocation {
                framework_id: framework_id.to_owned(),
                role: role.to_owned(),
                agent_id: agent_id.to_owned(),
                resources: portion.resources.clone(),
            }),
        }
    }
}
