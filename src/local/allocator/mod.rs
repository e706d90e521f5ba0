//! Who is offered what: hierarchical dominant resource fairness with weights and quotas. Follows
//! `src/master/allocator/mesos/hierarchical.cpp`. Pure: no clock, no IO.
//!
//! The allocator is told of agents, frameworks and resources as they change, and keeps their sums. `poll_timeout` says
//! when to call `allocate`, which returns the offers to make.

mod constraints;
mod cycle;
mod filters;
mod framework;
mod held;
mod ledger;
mod maintenance;
mod metrics;
mod pattern;
mod quantities;
mod sorter;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::resources::Resources;
use super::roles;
use crate::proto::v1;
use crate::wire::duration::Period;

pub use constraints::Constraints;
use framework::Framework;
pub use framework::Options as FrameworkOptions;
pub use held::OfRole;
use ledger::Ledger;
pub use ledger::Quota;
use maintenance::Maintenance;
pub use quantities::{Limits, Quantities};
use sorter::Sorter;
pub use watched::Watched;

/// How long it takes until what a task gives back is offered. Without it, tasks that take no time would start and end
/// without end at one moment of a virtual clock.
const MOMENT: Period = Period::from_millis(1);

/// How the allocator is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Between batches.
    pub interval: Period,
    /// Whether what tasks and executors give back is offered at once. A real master waits for the next batch.
    pub on_recovery: bool,
    /// An offer has at least one of these; none: any offer will do.
    pub min_allocatable: Vec<Quantities>,
    /// Weights by role, 1 for others.
    pub weights: BTreeMap<String, f64>,
    /// Whether agents with GPUs are for frameworks that know of them only.
    pub filter_gpus: bool,
    /// Where the master is.
    pub domain: Option<v1::DomainInfo>,
}

/// An offer to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    pub framework_id: String,
    pub role: String,
    pub agent_id: String,
    pub resources: Resources,
}

/// What happened to resources before they came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    Offered,
    Used,
}

/// The state of what is shared out.
#[derive(Debug)]
pub struct Allocator {
    options: Options,
    agents: BTreeMap<Arc<str>, Agent>,
    frameworks: BTreeMap<Arc<str>, Framework>,
    /// Of all agents.
    total: Quantities,
    ledger: Ledger,
    /// The roles that a framework is in or holds something in.
    roles: Sorter,
    /// The frameworks of each of them.
    clients: BTreeMap<String, Sorter>,
    /// Agents that the next allocation concerns.
    candidates: BTreeSet<Arc<str>>,
    /// Whether it concerns all of them.
    all_agents: bool,
    /// The frameworks that want offers.
    wanting: BTreeSet<Arc<str>>,
    /// The agents that will be unavailable.
    maintained: BTreeSet<Arc<str>>,
    asked: Vec<(String, String)>,
    due: Option<Instant>,
    next_batch: Option<Instant>,
    /// How often offers were shared out.
    runs: u64,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Agent {
    info: v1::AgentInfo,
    /// Whether its resources are offered.
    active: bool,
    total: Resources,
    /// In outstanding offers.
    offered: Resources,
    used: Resources,
    available: Resources,
    /// Offered or used, by framework and role.
    held: BTreeMap<Arc<str>, BTreeMap<String, Held>>,
    maintenance: Option<Maintenance>,
}

/// What a framework has of an agent in a role.
#[derive(Debug, Clone, Default)]
struct Held {
    offered: Resources,
    used: Resources,
}

impl Held {
    /// What of further resources counts towards its share: a shared volume only once.
    fn counted(&self, resources: &Resources) -> Quantities {
        let shared = resources.shared();
        if shared.is_empty() {
            return Quantities::of(resources);
        }
        let mut counted = resources.clone();
        counted.subtract(&shared.also_in(&self.offered));
        counted.subtract(&shared.also_in(&self.used));
        Quantities::of(&counted)
    }
}

impl Agent {
    fn reckon(&mut self) {
        // A shared volume is there however many use it.
        self.available = self.total.clone();
        self.available.subtract_exclusive(&self.offered);
        self.available.subtract_exclusive(&self.used);
    }

    fn has_gpus(&self) -> bool {
        self.total.scalar("gpus") > 0.0
    }
}

impl Allocator {
    /// An allocator without agents and frameworks; `seed` decides the order in which agents are visited.
    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            roles: Sorter::new(options.weights.clone()),
            options,
            agents: BTreeMap::new(),
            frameworks: BTreeMap::new(),
            total: Quantities::default(),
            ledger: Ledger::default(),
            clients: BTreeMap::new(),
            candidates: BTreeSet::new(),
            all_agents: false,
            wanting: BTreeSet::new(),
            maintained: BTreeSet::new(),
            asked: Vec::new(),
            due: None,
            next_batch: None,
            runs: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// An agent is there. Its resources are offered at once.
    pub fn add_agent(&mut self, now: Instant, id: &str, info: v1::AgentInfo, total: Resources) {
        self.next_batch.get_or_insert(now + self.options.interval);
        self.ledger.reserve(&total);
        self.total.add(&Quantities::of(&total));
        self.total_changed();
        let (offered, used) = (Resources::default(), Resources::default());
        let (available, held) = (total.clone(), BTreeMap::new());
        self.agents
            .insert(id.into(), Agent { info, active: true, total, offered, used, available, held, maintenance: None });
        self.want_agent(now, id);
    }

    /// An agent is gone, with all that was used and offered of it.
    pub fn remove_agent(&mut self, id: &str) {
        let held = self.agents.get(id).map(|agent| agent.held.clone()).unwrap_or_default();
        for (framework_id, roles) in held {
            for (role, held) in roles {
                self.recover(&framework_id, id, &role, &held.offered, Was::Offered);
                self.recover(&framework_id, id, &role, &held.used, Was::Used);
            }
        }
        if let Some(agent) = self.agents.remove(id) {
            self.ledger.unreserve(&agent.total);
            self.total.subtract(&Quantities::of(&agent.total));
        }
        self.total_changed();
        self.candidates.remove(id);
        self.maintained.remove(id);
        self.frameworks.values_mut().for_each(|framework| framework.forget_agent(id));
    }

    /// Whether an agent's resources are offered.
    pub fn set_agent_active(&mut self, id: &str, active: bool) {
        if let Some(agent) = self.agents.get_mut(id) {
            agent.active = active;
        }
    }

    /// Resources that are offered to a framework change their kind.
    pub fn convert_offered(
        &mut self,
        framework_id: &str,
        agent_id: &str,
        role: &str,
        before: &Resources,
        after: &Resources,
    ) {
        if let Some(agent) = self.agents.get_mut(agent_id) {
            agent.offered.subtract(before);
            agent.offered.add(after);
            if let Some(held) = agent.held.get_mut(framework_id).and_then(|roles| roles.get_mut(role)) {
                held.offered.subtract(before);
                held.offered.add(after);
            }
        }
        self.ledger.release(role, before);
        self.ledger.hold(role, after);
        self.convert_total(agent_id, before, after);
    }

    /// What of an agent is neither offered nor used.
    pub fn available(&self, agent_id: &str) -> Resources {
        self.agents.get(agent_id).map(|agent| agent.available.clone()).unwrap_or_default()
    }

    /// Changes the kind of resources in an agent's total. The caller has checked that nobody holds them in their old kind.
    pub fn convert_total(&mut self, agent_id: &str, before: &Resources, after: &Resources) {
        if let Some(agent) = self.agents.get_mut(agent_id) {
            self.ledger.unreserve(&agent.total);
            agent.total.subtract(before);
            agent.total.add(after);
            self.ledger.reserve(&agent.total);
            agent.reckon();
        }
    }

    /// Offered resources are used from now on.
    pub fn use_offered(&mut self, framework_id: &str, agent_id: &str, role: &str, resources: &Resources) {
        let Some(agent) = self.agents.get_mut(agent_id) else {
            return;
        };
        if let Some(held) = agent.held.get_mut(framework_id).and_then(|roles| roles.get_mut(role)) {
            held.offered.subtract(resources);
            held.used.add(resources);
            agent.offered.subtract(resources);
            agent.used.add(resources);
        }
    }

    /// Another task uses shared volumes that the framework was offered once and uses already.
    pub fn share(&mut self, framework_id: &str, agent_id: &str, role: &str, shared: &Resources) {
        self.track(&framework_id.into(), agent_id, role, shared);
    }

    /// A framework uses these resources of an agent that came back.
    pub fn hold(&mut self, framework_id: &str, agent_id: &str, role: &str, resources: &Resources) {
        self.track(&framework_id.into(), agent_id, role, resources);
        self.use_offered(framework_id, agent_id, role, resources);
    }

    /// Resources are available again.
    pub fn recover(&mut self, framework_id: &str, agent_id: &str, role: &str, resources: &Resources, was: Was) {
        let Some(agent) = self.agents.get_mut(agent_id).filter(|_| !resources.is_empty()) else {
            return;
        };
        let Some(roles) = agent.held.get_mut(framework_id) else {
            return;
        };
        let Some(held) = roles.get_mut(role) else {
            return;
        };
        let (of_framework, of_agent) = match was {
            Was::Offered => (&mut held.offered, &mut agent.offered),
            Was::Used => (&mut held.used, &mut agent.used),
        };
        of_framework.subtract(resources);
        of_agent.subtract(resources);
        let quantities = held.counted(resources);
        if held.offered.is_empty() && held.used.is_empty() {
            roles.remove(role);
        }
        if roles.is_empty() {
            agent.held.remove(framework_id);
        }
        agent.reckon();
        self.ledger.release(role, resources);
        self.roles.unallocated(role, &quantities);
        if let Some(clients) = self.clients.get_mut(role) {
            clients.unallocated(framework_id, &quantities);
        }
        self.leave_role_if_idle(framework_id, role);
    }

    /// A task or an executor gave something of an agent back, which is offered in a moment if that is chosen. What frameworks
    /// decline waits for the next batch in any case, or they would be offered it without end.
    pub fn given_back(&mut self, now: Instant, agent_id: &str) {
        if self.options.on_recovery {
            let due = now + MOMENT;
            self.candidates.insert(agent_id.into());
            self.due = Some(self.due.map_or(due, |known| known.min(due)));
        }
    }

    /// A role is weighed anew. What is offered already stays with whom it is offered to.
    pub fn set_weight(&mut self, role: &str, weight: f64) {
        self.roles.set_weight(role, weight);
    }

    /// A role has another quota; the default is as none.
    pub fn set_quota(&mut self, role: &str, quota: Quota) {
        self.ledger.set_quota(role, quota);
    }

    /// Something about an agent has changed. What is available of it is offered at once.
    pub fn reconsider(&mut self, now: Instant, agent_id: &str) {
        self.want_agent(now, agent_id);
    }

    /// What counts towards a role's quota: what the role and those below it use, and what is reserved for them and not
    /// used. Unlike what is offered by it, it has what is no scalar, too.
    pub fn consumed_quota(&self, role: &str) -> Quantities {
        let mut consumed = Quantities::default();
        for agent in self.agents.values() {
            let mut idle = Quantities::of_all(&agent.total.reserved_below(role));
            for (holder, held) in agent.held.values().flatten() {
                idle.subtract(&Quantities::of_all(&held.used.reserved_below(role)));
                if roles::covers(role, holder) {
                    consumed.add(&Quantities::of_all(&held.used));
                }
            }
            consumed.add(&idle);
        }
        consumed
    }

    /// What of an agent is used.
    pub fn used(&self, agent_id: &str) -> Resources {
        self.agents.get(agent_id).map(|agent| agent.used.clone()).unwrap_or_default()
    }

    /// What of an agent is offered.
    pub fn offered(&self, agent_id: &str) -> Resources {
        self.agents.get(agent_id).map(|agent| agent.offered.clone()).unwrap_or_default()
    }

    /// When to call `allocate` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        // As long as someone wants offers there are batches: filters end and resources come back at any time.
        let wanted = !self.wanting.is_empty();
        [self.due, self.next_batch.filter(|_| wanted || self.plans_maintenance())].into_iter().flatten().min()
    }

    /// When the first of the refusals ends that frameworks gave.
    fn first_end_of_refusals(&self) -> Option<Instant> {
        self.frameworks.values().filter_map(|framework| framework.filters.first_end()).min()
    }

    /// The offers to make now, none if nothing is due.
    pub fn allocate(&mut self, now: Instant) -> Vec<Allocation> {
        if self.skip_batches(now) {
            self.want_all(now);
            // Until then they only take room.
            self.frameworks.values_mut().for_each(|framework| framework.filters.expire(now));
        }
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.due = None;
        self.runs = self.runs.saturating_add(1);
        let mut candidates = std::mem::take(&mut self.candidates);
        if std::mem::take(&mut self.all_agents) {
            candidates.extend(self.agents.keys().cloned());
        }
        let offers = self.share_out(now, &candidates);
        self.asked = self.ask_back(now, &candidates);
        offers
    }

    /// The frameworks that the last allocation found to ask for agents, with the ids of these.
    pub fn take_asked(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.asked)
    }

    /// Returns whether a batch was due, and sets when the next one is.
    fn skip_batches(&mut self, now: Instant) -> bool {
        let due = self.next_batch.filter(|due| *due <= now);
        if let Some(due) = due {
            self.next_batch = Some(next_beat(due, now, self.options.interval));
        }
        due.is_some()
    }

    fn want_agent(&mut self, now: Instant, id: &str) {
        self.candidates.insert(id.into());
        self.due = Some(now);
    }

    fn want_all(&mut self, now: Instant) {
        self.all_agents = true;
        self.due = Some(now);
    }

    fn total_changed(&mut self) {
        self.roles.total_changed();
        self.clients.values_mut().for_each(Sorter::total_changed);
    }

    /// Resources of an agent go to a framework.
    fn track(&mut self, framework_id: &Arc<str>, agent_id: &str, role: &str, resources: &Resources) {
        let Some(agent) = self.agents.get_mut(agent_id) else {
            return;
        };
        let roles = agent.held.entry(framework_id.clone()).or_default();
        let held = roles.entry(role.to_owned()).or_default();
        let quantities = held.counted(resources);
        held.offered.add(resources);
        agent.offered.add(resources);
        agent.reckon();
        self.ledger.hold(role, resources);
        self.roles.allocated(role, &quantities, &self.total);
        if let Some(clients) = self.clients.get_mut(role) {
            clients.allocated(framework_id, &quantities, &self.total);
        }
    }
}

/// When the beat comes next that came at `last`.
fn next_beat(last: Instant, now: Instant, interval: Period) -> Instant {
    let late = now.saturating_duration_since(last).as_nanos();
    let over = late.checked_rem(interval.get().as_nanos()).unwrap_or_default();
    let since = Period::from_nanoseconds(i64::try_from(over).unwrap_or_default());
    now + interval.saturating_sub(since)
}
