//! Makes the agents of a cluster: those that it begins with, and those that are added.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::litter::Litter;
use crate::local::agent;
use crate::local::backend::Backend;
use crate::local::options::{AgentOptions, Options};
use crate::local::resources::{Declared, Format, Host, Resources};
use crate::proto::v1;

/// Makes the backend of the agent with an id, whose directory has a number.
pub type MakeBackend = Box<dyn FnMut(&str, u32) -> Box<dyn Backend>>;

/// What agents are made with.
pub struct Maker {
    pub options: Options,
    /// The host name of agents that are given none.
    pub hostname: String,
    /// What the machine has.
    pub host: Host,
    pub address: SocketAddr,
    pub backend: MakeBackend,
    pub litter: Litter,
    /// The number of the next agent.
    next: u32,
    /// The number of the first agent's directory, since former agents have other ones.
    first_directory: u32,
}

/// An agent that is to start.
pub struct Made {
    pub config: agent::Config,
    pub total: Resources,
    pub backend: Box<dyn Backend>,
}

impl Maker {
    /// Makes agents at this address.
    pub fn new(options: Options, hostname: String, host: Host, address: SocketAddr, backend: MakeBackend) -> Self {
        let litter = Litter::default();
        Self { options, hostname, host, address, backend, litter, next: 0, first_directory: 0 }
    }

    /// Begins again with the first number.
    pub fn begin_again(&mut self) {
        self.first_directory = self.first_directory.saturating_add(self.next);
        self.next = 0;
    }

    /// The number of the first agent's directory.
    pub fn first_directory(&self) -> u32 {
        self.first_directory
    }

    /// An agent with an id, which is as all agents are if nothing else is said.
    pub fn make(&mut self, id: String, wanted: &AgentOptions, start_time: f64) -> Made {
        let options = &self.options;
        let number = self.next;
        self.next = number.saturating_add(1);
        let declared = wanted.resources.as_ref().unwrap_or(&options.resources);
        for (given, meant) in wanted.resources.iter().flat_map(Declared::misspelt) {
            tracing::warn!(
                "Agent {id} has a resource '{given}', which frameworks do not look for: did you mean '{meant}'?"
            );
        }
        let declared = if wanted.is_complete { declared.resources() } else { declared.completed(&self.host) };
        let info = v1::AgentInfo {
            hostname: wanted.hostname.clone().unwrap_or_else(|| self.hostname.clone()),
            port: Some(self.address.port().into()),
            resources: declared.to_proto(&Format { reservation_refinement: true, ..Format::default() }),
            attributes: wanted.attributes.clone().unwrap_or_else(|| options.attributes.clone()),
            domain: wanted.domain.clone().or_else(|| options.domain.clone()),
            id: Some(v1::AgentId { value: id.clone() }),
        };
        let given = wanted.given.iter().map(|(name, text)| ((*name).to_owned(), text.clone()));
        let config = agent::Config {
            info,
            id: id.clone(),
            path: format!("slave({})", number.saturating_add(1)),
            endpoint: self.address.to_string(),
            registration_timeout: options.executor_registration_timeout,
            shutdown_grace_period: options.executor_shutdown_grace_period,
            max_completed_executors_per_framework: options.max_completed_executors_per_framework,
            environment: options.executor_environment_variables.clone(),
            flags: options.flags_of_agent(self.address.port()).into_iter().chain(given).collect::<BTreeMap<_, _>>(),
            reregistration_timeout: agent::REREGISTRATION_TIMEOUT,
            start_time,
        };
        let total = wanted.total.clone().unwrap_or(declared);
        let backend = (self.backend)(&id, self.first_directory.saturating_add(number));
        Made { config, total, backend }
    }
}
