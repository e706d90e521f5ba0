//! The agents of a cluster with their backends, and which of them have something to do: an event costs the same however
//! many there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use crate::local::agent::Agent;
use crate::local::backend::Backend;
use crate::local::timers::Timers;

/// An agent and what runs its containers.
struct Member {
    agent: Agent,
    backend: Box<dyn Backend>,
}

impl Member {
    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout().into_iter().chain(self.backend.poll_timeout()).min()
    }
}

/// The agents by their ids. Whoever is given one to change may have made it say something, which [`Agents::touched`] tells.
#[derive(Default)]
pub struct Agents {
    members: BTreeMap<String, Member>,
    /// By their places in URLs.
    ids: HashMap<String, String>,
    touched: BTreeSet<String>,
    timers: Timers<String>,
}

impl Agents {
    /// Adds an agent, in place of one with this id.
    pub fn insert(&mut self, agent: Agent, backend: Box<dyn Backend>) {
        let (id, path) = (agent.config().id.clone(), agent.config().path.clone());
        self.ids.insert(path, id.clone());
        self.touched.insert(id.clone());
        self.members.insert(id, Member { agent, backend });
    }

    /// Removes an agent. Its containers end when its backend is dropped.
    pub fn remove(&mut self, id: &str) -> Option<(Agent, Box<dyn Backend>)> {
        let Member { agent, backend } = self.members.remove(id)?;
        self.ids.remove(&agent.config().path);
        self.touched.remove(id);
        self.timers.set(&id.to_owned(), None);
        Some((agent, backend))
    }

    /// Takes the backends of all agents.
    pub fn into_backends(self) -> Vec<Box<dyn Backend>> {
        self.members.into_values().map(|member| member.backend).collect()
    }

    /// The agent of this id.
    pub fn get(&self, id: &str) -> Option<&Agent> {
        self.members.get(id).map(|member| &member.agent)
    }

    /// The agent of this id, which may be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Agent> {
        self.touch(id).map(|member| &mut member.agent)
    }

    /// The agent at `/slave(N)`.
    pub fn at(&self, path: &str) -> Option<&Agent> {
        self.get(self.ids.get(path)?)
    }

    /// The agent at `/slave(N)`, which may be changed.
    pub fn at_mut(&mut self, path: &str) -> Option<&mut Agent> {
        let id = self.ids.get(path)?.clone();
        self.get_mut(&id)
    }

    /// What runs an agent's containers.
    pub fn backend(&self, id: &str) -> Option<&dyn Backend> {
        self.members.get(id).map(|member| &*member.backend)
    }

    /// What runs an agent's containers, to be given orders.
    pub fn backend_mut(&mut self, id: &str) -> Option<&mut Box<dyn Backend>> {
        self.touch(id).map(|member| &mut member.backend)
    }

    /// All agents, by their ids.
    pub fn values(&self) -> impl Iterator<Item = &Agent> + Clone {
        self.members.values().map(|member| &member.agent)
    }

    /// All agents, which may be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Agent> {
        self.touched.extend(self.members.keys().cloned());
        self.members.values_mut().map(|member| &mut member.agent)
    }

    /// The ids of the agents that may have something to say, in order. Whoever hears one out
    /// calls [`Agents::settle`] when it has nothing left to say.
    pub fn touched(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.touched)
    }

    /// An agent has nothing left to say: notes when it wants to be looked at again.
    pub fn settle(&mut self, id: &str) {
        self.touched.remove(id);
        let due = self.members.get(id).and_then(Member::poll_timeout);
        self.timers.set(&id.to_owned(), due);
    }

    /// When the first of them wants to be looked at.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first()
    }

    /// Has agents and backends do what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for id in self.timers.due(now) {
            if let Some(member) = self.touch(&id) {
                member.agent.handle_timeout(now);
                member.backend.handle_timeout(now);
            }
        }
    }

    fn touch(&mut self, id: &str) -> Option<&mut Member> {
        let member = self.members.get_mut(id)?;
        if !self.touched.contains(id) {
            self.touched.insert(id.to_owned());
        }
        Some(member)
    }
}
