//! How an embedded cluster is made, from arguments and from the environment that libmesos' `local` reads.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

pub use super::backend::posix::Containers;
use super::resources::Resources;
use super::token::Token;
use crate::environment::variable;
use crate::wire::duration::Period;
use crate::{Error, Result};

const ALLOCATION_INTERVAL: Period = Period::from_secs(1);
const AGENTS: RangeInclusive<i64> = 1..=1000;
const PORTS: RangeInclusive<i64> = 0..=65535;
const QUEUE_MAX: usize = 256 << 20;
/// `EXECUTOR_REGISTRATION_TIMEOUT` and `DEFAULT_EXECUTOR_SHUTDOWN_GRACE_PERIOD` in `src/slave/constants.hpp`.
const REGISTRATION_TIMEOUT: Period = Period::from_secs(60);
const SHUTDOWN_GRACE_PERIOD: Period = Period::from_secs(5);

/// What an embedded cluster is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on. One beyond loopback lets other machines in, if they have the token.
    pub ip: IpAddr,
    /// The port there, 0 for any free one; at most 65535.
    pub port: i64,
    /// The token for callers other than this user and root; a random one if `None`.
    pub token: Option<Token>,
    /// How many agents, 1 to 1000.
    pub agents: i64,
    /// The resources of each agent; those of the machine if `None`.
    pub resources: Option<Resources>,
    /// The directory of the sandboxes; a temporary one, removed at the end, if `None`.
    pub work_dir: Option<PathBuf>,
    /// Between batch allocations.
    pub allocation_interval: Period,
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
    /// The most bytes that wait for a subscriber before its stream ends.
    pub queue_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            token: None,
            agents: 1,
            resources: None,
            work_dir: None,
            allocation_interval: ALLOCATION_INTERVAL,
            executor_registration_timeout: REGISTRATION_TIMEOUT,
            executor_shutdown_grace_period: SHUTDOWN_GRACE_PERIOD,
            containers: Containers::default(),
            docker: None,
            hosts: Vec::new(),
            queue_max: QUEUE_MAX,
        }
    }
}

impl Options {
    /// Takes numbers that are within their bounds.
    ///
    /// Fails, naming the number and its bounds, if one is not.
    pub fn validate(&self) -> Result<Numbers> {
        Ok(Numbers { port: within("port", self.port, &PORTS)?, agents: within("agents", self.agents, &AGENTS)? })
    }

    /// From `MESOS_NUM_SLAVES`, `MESOS_RESOURCES`, `MESOS_WORK_DIR`, `MESOS_ALLOCATION_INTERVAL`,
    /// `MESOS_EXECUTOR_REGISTRATION_TIMEOUT` and `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD` (`src/local/flags.hpp`, and the
    /// flags of master and agent, which libmesos reads from the same environment), `MESOS_DOCKER`, `REMESOS_LOCAL_CONTAINERS`, and from `REMESOS_LOCAL_HOSTS`, names
    /// and addresses with commas between them, `REMESOS_LOCAL_QUEUE_MB`, a number of megabytes, and `REMESOS_LOCAL_TOKEN`.
    ///
    /// Fails, naming the variable, if a value is not valid.
    pub fn from_environment() -> Result<Self> {
        let mut options = Self::default();
        if let Some(text) = variable("MESOS_NUM_SLAVES")? {
            options.agents = whole(&text).map_err(|e| named("MESOS_NUM_SLAVES", &e))?;
            let invalid = |e| Error::invalid(format!("'{text}' is not valid: {e}"));
            options.validate().map_err(|e| named("MESOS_NUM_SLAVES", &invalid(e)))?;
        }
        if let Some(text) = variable("MESOS_RESOURCES")? {
            options.resources = Some(Resources::parse(&text).map_err(|e| named("MESOS_RESOURCES", &e))?);
        }
        for (name, period) in [
            ("MESOS_ALLOCATION_INTERVAL", &mut options.allocation_interval),
            ("MESOS_EXECUTOR_REGISTRATION_TIMEOUT", &mut options.executor_registration_timeout),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", &mut options.executor_shutdown_grace_period),
        ] {
            if let Some(text) = variable(name)? {
                *period = Period::parse(&text).map_err(|e| named(name, &e))?;
            }
        }
        if let Some(text) = variable("REMESOS_LOCAL_CONTAINERS")? {
            options.containers = containers(&text).map_err(|e| named("REMESOS_LOCAL_CONTAINERS", &e))?;
        }
        options.docker = std::env::var_os("MESOS_DOCKER").filter(|path| !path.is_empty()).map(PathBuf::from);
        if let Some(text) = variable("REMESOS_LOCAL_HOSTS")? {
            options.hosts = hosts(&text).map_err(|e| named("REMESOS_LOCAL_HOSTS", &e))?;
        }
        if let Some(text) = variable("REMESOS_LOCAL_QUEUE_MB")? {
            options.queue_max = megabytes(&text).map_err(|e| named("REMESOS_LOCAL_QUEUE_MB", &e))?;
        }
        if let Some(text) = variable("REMESOS_LOCAL_TOKEN")? {
            options.token = Some(Token::parse(&text).map_err(|e| named("REMESOS_LOCAL_TOKEN", &e))?);
        }
        options.work_dir = std::env::var_os("MESOS_WORK_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok(options)
    }
}

/// Reads an address to listen on.
pub fn ip(text: &str) -> Result<IpAddr> {
    let address = text.trim().trim_start_matches('[').trim_end_matches(']').parse();
    address.map_err(|_| Error::invalid(format!("'{text}' is not a valid IP address: expected one such as 127.0.0.1")))
}

/// Reads what is done with tasks whose containers want an image.
pub fn containers(text: &str) -> Result<Containers> {
    match text.trim() {
        "" => Ok(Containers::Unsupported),
        "ignore-image" => Ok(Containers::IgnoreImage),
        "docker" => Ok(Containers::Docker),
        _ => Err(Error::invalid(format!("expected 'ignore-image' or 'docker' as containers, got '{text}'"))),
    }
}

/// The numbers of [`Options`], within their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The port to listen on, 0 for any free one.
    pub port: u16,
    /// How many agents.
    pub agents: u32,
}

fn within<T: TryFrom<i64>>(name: &str, value: i64, bounds: &RangeInclusive<i64>) -> Result<T> {
    let number = T::try_from(value).ok().filter(|_| bounds.contains(&value));
    let (least, most) = (bounds.start(), bounds.end());
    number.ok_or_else(|| Error::invalid(format!("expected {least} to {most} as {name}, got {value}")))
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
