//! How an embedded cluster is made, from arguments and from the environment that libmesos' `local` reads.

mod agents;
mod flags;
mod initial;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::allocator::Quantities;
use super::backend::Simulate;
use super::backend::posix::Containers;
use super::master::{ALLOCATION_INTERVAL, MAX_COMPLETED_FRAMEWORKS, MAX_COMPLETED_TASKS};
use super::resources::Declared;
use super::token::Token;
use crate::clock::Clock;
use crate::environment::variable;
use crate::proto::v1;
use crate::wire::duration::Period;
use crate::{Error, Result};

pub use agents::AgentOptions;
pub use flags::Credentials;
pub use initial::Initial;

const PORTS: RangeInclusive<i64> = 0..=65535;
const QUEUE_MAX: usize = 256 << 20;
/// `EXECUTOR_REGISTRATION_TIMEOUT` and `DEFAULT_EXECUTOR_SHUTDOWN_GRACE_PERIOD` in `src/slave/constants.hpp`.
const REGISTRATION_TIMEOUT: Period = Period::from_secs(60);
const SHUTDOWN_GRACE_PERIOD: Period = Period::from_secs(5);

/// More than a real agent shows (150), because each task that is over counts, and its sandbox with it.
const MAX_COMPLETED_EXECUTORS: usize = 1000;

/// What an embedded cluster is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on. One beyond loopback lets other machines in, if they have the token.
    pub ip: IpAddr,
    /// The port there, 0 for any free one; at most 65535.
    pub port: i64,
    /// The token for callers other than this user and root; a random one if `None`.
    pub token: Option<Token>,
    /// The agents, 1 to 1000, and in what each differs from the others.
    pub agents: Vec<AgentOptions>,
    /// What the cluster begins with besides, or instead of these agents.
    pub initial: Option<Initial>,
    /// The resources of each agent, which adds those of the machine that are missing.
    pub resources: Declared,
    /// What frameworks tell agents apart by.
    pub attributes: Vec<v1::Attribute>,
    /// The name of master and agents; if `None`, `localhost` on an address of loopback, or else the machine's.
    pub hostname: Option<String>,
    /// Region and zone of master and agents.
    pub domain: Option<v1::DomainInfo>,
    /// What the cluster is called.
    pub cluster: Option<String>,
    /// The roles that there are; any if `None`.
    pub roles: Option<BTreeSet<String>>,
    /// What the shares of roles are divided by; 1 for those that are not among them.
    pub weights: BTreeMap<String, f64>,
    /// How long an offer stands; as long as it is not answered if `None`.
    pub offer_timeout: Option<Period>,
    /// An offer has at least one of these; if `None`, what Mesos sets.
    pub min_allocatable_resources: Option<Vec<Quantities>>,
    /// Whether schedulers have to present one of `credentials`.
    pub authenticate_http_frameworks: bool,
    /// Whether agents with GPUs are offered only to frameworks with GPU_RESOURCES.
    pub filter_gpu_resources: bool,
    /// Who may subscribe.
    pub credentials: Option<Credentials>,
    /// How many frameworks that are over the master shows.
    pub max_completed_frameworks: usize,
    /// How many tasks that are over the master shows of each framework.
    pub max_completed_tasks_per_framework: usize,
    /// How many executors that are over an agent shows of each framework.
    pub max_completed_executors_per_framework: usize,
    /// The environment of executors and tasks besides what an agent sets.
    pub executor_environment_variables: BTreeMap<String, String>,
    /// The text of the options that were given, by name.
    pub given: BTreeMap<&'static str, String>,
    /// Whether the log has the end of a failed task's stderr.
    pub stderr_in_log: bool,
    /// Where the sandboxes of tasks that failed are kept, if they would be removed.
    pub keep: Option<PathBuf>,
    /// The directory of the sandboxes; a temporary one, removed at the end, if `None`.
    pub work_dir: Option<PathBuf>,
    /// Whether time moves only when it is told to.
    pub skip_time: bool,
    /// What all that is left to chance follows from, if time moves only when it is told to.
    pub seed: u64,
    /// Between batch allocations.
    pub allocation_interval: Period,
    /// Whether what tasks give back is offered at once, not with the next batch.
    pub allocate_on_recovery: bool,
    /// An executor has so long to subscribe.
    pub executor_registration_timeout: Period,
    /// How long an executor that is asked to end may take before it is killed, unless it sets another time.
    pub executor_shutdown_grace_period: Period,
    /// What is done with tasks whose containers want an image.
    pub containers: Containers,
    /// The program that runs containers with images, if `containers` says so; `docker` or `podman` if `None`.
    pub docker: Option<PathBuf>,
    /// Names and addresses, without ports, that the Host of a request may have beside those of loopback.
    pub hosts: Vec<String>,
    /// Says of each task how it goes, if it is not to be run. Not among the texts.
    pub simulate: Option<Simulate>,
    /// The most bytes that wait for a subscriber before its stream ends.
    pub queue_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            token: None,
            agents: vec![AgentOptions::default()],
            initial: None,
            resources: Declared::default(),
            attributes: Vec::new(),
            hostname: None,
            domain: None,
            cluster: None,
            roles: None,
            weights: BTreeMap::new(),
            offer_timeout: None,
            min_allocatable_resources: None,
            authenticate_http_frameworks: false,
            filter_gpu_resources: true,
            credentials: None,
            max_completed_frameworks: MAX_COMPLETED_FRAMEWORKS,
            max_completed_tasks_per_framework: MAX_COMPLETED_TASKS,
            max_completed_executors_per_framework: MAX_COMPLETED_EXECUTORS,
            executor_environment_variables: BTreeMap::new(),
            given: BTreeMap::new(),
            stderr_in_log: true,
            keep: None,
            work_dir: None,
            skip_time: false,
            seed: 0,
            allocation_interval: ALLOCATION_INTERVAL,
            allocate_on_recovery: false,
            executor_registration_timeout: REGISTRATION_TIMEOUT,
            executor_shutdown_grace_period: SHUTDOWN_GRACE_PERIOD,
            containers: Containers::default(),
            docker: None,
            hosts: Vec::new(),
            simulate: None,
            queue_max: QUEUE_MAX,
        }
    }
}

/// An option: its name, the variable that sets it if no argument does, and how its text is read.
type Setting = (&'static str, &'static str, fn(&mut Options, &str) -> Result<()>);

/// The flags of libmesos' `local` (`src/local/flags.hpp`), of masters and of agents, which it reads from the same
/// environment, and what is our own.
pub(super) const SETTINGS: [Setting; 31] = [
    ("port", "", |o, text| set(&mut o.port, whole(text))),
    ("ip", "", |o, text| set(&mut o.ip, ip(text))),
    ("agents", "MESOS_NUM_SLAVES", |o, text| set(&mut o.agents, agents::agents(text))),
    ("initial", "REMESOS_LOCAL_INITIAL", |o, text| set(&mut o.initial, Initial::parse(text).map(Some))),
    ("resources", "MESOS_RESOURCES", |o, text| set(&mut o.resources, Declared::parse(text))),
    ("attributes", "MESOS_ATTRIBUTES", |o, text| set(&mut o.attributes, flags::attributes(text))),
    ("hostname", "MESOS_HOSTNAME", |o, text| set(&mut o.hostname, flags::hostname(text).map(Some))),
    ("domain", "MESOS_DOMAIN", |o, text| set(&mut o.domain, flags::domain(text).map(Some))),
    ("cluster", "MESOS_CLUSTER", |o, text| set(&mut o.cluster, flags::name(text).map(Some))),
    ("roles", "MESOS_ROLES", |o, text| set(&mut o.roles, flags::roles(text).map(Some))),
    ("weights", "MESOS_WEIGHTS", |o, text| set(&mut o.weights, flags::weights(text))),
    ("allocation_interval", "MESOS_ALLOCATION_INTERVAL", |o, text| {
        set(&mut o.allocation_interval, Period::parse(text))
    }),
    ("allocate_on_recovery", "REMESOS_LOCAL_ALLOCATE_ON_RECOVERY", |o, text| {
        set(&mut o.allocate_on_recovery, flags::switch(text))
    }),
    ("offer_timeout", "MESOS_OFFER_TIMEOUT", |o, text| set(&mut o.offer_timeout, Period::parse(text).map(Some))),
    ("min_allocatable_resources", "MESOS_MIN_ALLOCATABLE_RESOURCES", |o, text| {
        set(&mut o.min_allocatable_resources, flags::min_allocatable(text).map(Some))
    }),
    ("filter_gpu_resources", "MESOS_FILTER_GPU_RESOURCES", |o, text| {
        set(&mut o.filter_gpu_resources, flags::switch(text))
    }),
    ("authenticate_http_frameworks", "MESOS_AUTHENTICATE_HTTP_FRAMEWORKS", |o, text| {
        set(&mut o.authenticate_http_frameworks, flags::switch(text))
    }),
    ("credentials", "MESOS_CREDENTIALS", |o, text| set(&mut o.credentials, flags::credentials(text).map(Some))),
    ("max_completed_frameworks", "MESOS_MAX_COMPLETED_FRAMEWORKS", |o, text| {
        set(&mut o.max_completed_frameworks, flags::count(text))
    }),
    ("max_completed_tasks_per_framework", "MESOS_MAX_COMPLETED_TASKS_PER_FRAMEWORK", |o, text| {
        set(&mut o.max_completed_tasks_per_framework, flags::count(text))
    }),
    ("max_completed_executors_per_framework", "MESOS_MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK", |o, text| {
        set(&mut o.max_completed_executors_per_framework, flags::count(text))
    }),
    ("executor_environment_variables", "MESOS_EXECUTOR_ENVIRONMENT_VARIABLES", |o, text| {
        set(&mut o.executor_environment_variables, flags::environment(text))
    }),
    ("executor_registration_timeout", "MESOS_EXECUTOR_REGISTRATION_TIMEOUT", |o, text| {
        set(&mut o.executor_registration_timeout, Period::parse(text))
    }),
    ("executor_shutdown_grace_period", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", |o, text| {
        set(&mut o.executor_shutdown_grace_period, Period::parse(text))
    }),
    ("time", "REMESOS_LOCAL_TIME", |o, text| set(&mut o.skip_time, flags::skips_time(text))),
    ("seed", "REMESOS_LOCAL_SEED", |o, text| set(&mut o.seed, flags::seed(text))),
    ("containers", "REMESOS_LOCAL_CONTAINERS", |o, text| set(&mut o.containers, flags::containers(text))),
    ("hosts", "REMESOS_LOCAL_HOSTS", |o, text| set(&mut o.hosts, hosts(text))),
    ("queue_mb", "REMESOS_LOCAL_QUEUE_MB", |o, text| set(&mut o.queue_max, megabytes(text))),
    ("stderr_in_log", "", |o, text| set(&mut o.stderr_in_log, flags::switch(text))),
    ("token", "REMESOS_LOCAL_TOKEN", |o, text| set(&mut o.token, Token::parse(text).map(Some))),
];

impl Options {
    /// Takes options by name, which are text as in a variable or on a command line, and those that are not among them from
    /// the environment.
    ///
    /// Fails, naming the option or the variable, if a value is not valid.
    pub fn new(given: &HashMap<String, OsString>) -> Result<Self> {
        let mut options = Self::default();
        for (name, of_environment, read) in SETTINGS {
            let given = given.get(name);
            let source = if given.is_some() { name } else { of_environment };
            let text = match given {
                Some(text) => Some(argument(name, text)?.to_owned()),
                None if of_environment.is_empty() => None,
                None => variable(of_environment)?,
            };
            if let Some(text) = text {
                let text = if name == "credentials" { Ok(text) } else { flags::fetched(&text) };
                let done = text.map_err(Error::from).and_then(|text| {
                    read(&mut options, &text)?;
                    options.given.insert(name, text);
                    Ok(())
                });
                done.map_err(|error| named(source, &error))?;
            }
        }
        let path = |name: &str, of_environment: &str| {
            let path = given.get(name).cloned().or_else(|| std::env::var_os(of_environment));
            path.filter(|path| !path.is_empty()).map(PathBuf::from)
        };
        options.work_dir = path("work_dir", "MESOS_WORK_DIR");
        options.keep = path("keep", "REMESOS_LOCAL_KEEP");
        options.docker = path("docker", "MESOS_DOCKER");
        options.check()?;
        Ok(options)
    }

    /// From the environment alone.
    pub fn from_environment() -> Result<Self> {
        Self::new(&HashMap::new())
    }

    /// The clock of a cluster with these options.
    pub fn clock(&self) -> Clock {
        if self.skip_time { Clock::skipping(self.seed) } else { Clock::real() }
    }

    /// The port to listen on, 0 for any free one.
    ///
    /// Fails, naming its bounds, if it is not within them.
    pub fn checked_port(&self) -> Result<u16> {
        within("port", self.port, &PORTS)
    }

    /// What a master shows of its flags: those that decide how this one works.
    pub fn flags_of_master(&self, port: u16) -> BTreeMap<String, String> {
        const NAMES: [&str; 9] = [
            "authenticate_http_frameworks",
            "cluster",
            "domain",
            "hostname",
            "max_completed_frameworks",
            "max_completed_tasks_per_framework",
            "min_allocatable_resources",
            "roles",
            "weights",
        ];
        let fixed = [
            ("agent_ping_timeout", "15secs"),
            ("agent_reregister_timeout", "10mins"),
            ("allocator", "hierarchical"),
            ("authenticate_agents", "false"),
            ("authenticate_frameworks", "false"),
            ("authenticate_http_readonly", "false"),
            ("authenticate_http_readwrite", "false"),
            ("framework_sorter", "drf"),
            ("max_agent_ping_timeouts", "5"),
            ("max_unreachable_tasks_per_framework", "1000"),
            ("publish_per_framework_metrics", "true"),
            ("require_agent_domain", "false"),
            ("role_sorter", "drf"),
            ("root_submissions", "true"),
        ];
        let set = [
            ("allocation_interval", self.allocation_interval.to_string()),
            ("authenticate_http_frameworks", self.authenticate_http_frameworks.to_string()),
            ("filter_gpu_resources", self.filter_gpu_resources.to_string()),
            ("max_completed_frameworks", self.max_completed_frameworks.to_string()),
            ("max_completed_tasks_per_framework", self.max_completed_tasks_per_framework.to_string()),
            ("min_allocatable_resources", "cpus:0.01|mem:32".to_owned()),
            ("port", port.to_string()),
        ];
        let timeout = self.offer_timeout.map(|timeout| ("offer_timeout", timeout.to_string()));
        let fixed = fixed.into_iter().map(|(name, value)| (name, value.to_owned()));
        self.flags(fixed.chain(set).chain(timeout).collect(), &NAMES)
    }

    /// What an agent shows of its flags.
    pub fn flags_of_agent(&self, port: u16) -> BTreeMap<String, String> {
        const NAMES: [&str; 5] = ["attributes", "domain", "executor_environment_variables", "hostname", "resources"];
        let defaults = [
            ("authenticate_http_executors", "false".to_owned()),
            ("authenticate_http_readonly", "false".to_owned()),
            ("authenticate_http_readwrite", "false".to_owned()),
            ("containerizers", "mesos".to_owned()),
            ("default_role", "*".to_owned()),
            ("executor_registration_timeout", self.executor_registration_timeout.to_string()),
            ("executor_shutdown_grace_period", self.executor_shutdown_grace_period.to_string()),
            ("launcher", "posix".to_owned()),
            ("max_completed_executors_per_framework", self.max_completed_executors_per_framework.to_string()),
            ("port", port.to_string()),
        ];
        self.flags(defaults.into(), &NAMES)
    }

    fn flags(&self, defaults: Vec<(&str, String)>, names: &[&str]) -> BTreeMap<String, String> {
        let given = self.given.iter().filter(|(name, _)| names.contains(name));
        let given = given.map(|(name, text)| (*name, text.clone()));
        defaults.into_iter().chain(given).map(|(name, text)| (name.to_owned(), text)).collect()
    }

    /// What options have to do with one another.
    fn check(&self) -> Result<()> {
        flags::check_weights(&self.weights, self.roles.as_ref()).map_err(|why| named("weights", &why.into()))?;
        if self.authenticate_http_frameworks && self.credentials.is_none() {
            let why = "expected credentials too, for frameworks to authenticate with";
            return Err(named("authenticate_http_frameworks", &Error::invalid(why)));
        }
        Ok(())
    }
}

/// Reads an address to listen on.
pub fn ip(text: &str) -> Result<IpAddr> {
    let address = text.trim().trim_start_matches('[').trim_end_matches(']').parse();
    address.map_err(|_| Error::invalid(format!("'{text}' is not a valid IP address: expected one such as 127.0.0.1")))
}

fn within<T: TryFrom<i64>>(name: &str, value: i64, bounds: &RangeInclusive<i64>) -> Result<T> {
    let number = T::try_from(value).ok().filter(|_| bounds.contains(&value));
    let (least, most) = (bounds.start(), bounds.end());
    number.ok_or_else(|| Error::invalid(format!("expected {least} to {most} as {name}, got {value}")))
}

fn set<T, E: Into<Error>>(place: &mut T, value: std::result::Result<T, E>) -> Result<()> {
    *place = value.map_err(Into::into)?;
    Ok(())
}

fn argument<'a>(name: &str, text: &'a OsStr) -> Result<&'a str> {
    text.to_str().ok_or_else(|| Error::invalid(format!("expected text in UTF-8 as {name}")))
}

/// Reads a whole number.
fn whole(text: &str) -> Result<i64> {
    text.trim().parse().map_err(|_| Error::invalid(format!("'{text}' is not valid: expected a whole number")))
}

/// Reads names and addresses of hosts, IPv6 in brackets.
fn hosts(text: &str) -> Result<Vec<String>> {
    let host = |host: &str| match url::Host::parse(host) {
        Ok(host) => Ok(host.to_string()),
        Err(_) => {
            Err(Error::invalid(format!("'{host}' is not a valid host: expected a name or an address without a port")))
        }
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(host).collect()
}

/// Reads a number of megabytes, in bytes.
fn megabytes(text: &str) -> Result<usize> {
    let number = text.trim().parse().ok().filter(|n: &usize| *n > 0);
    let bytes = number.and_then(|n| n.checked_mul(1 << 20));
    bytes.ok_or_else(|| Error::invalid(format!("'{text}' is not a size: expected a number of megabytes, 1 or more")))
}

fn named(name: &str, error: &Error) -> Error {
    Error::invalid(format!("{name}: {error}"))
}
