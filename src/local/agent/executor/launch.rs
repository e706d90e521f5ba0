//! What an agent's containers are started with. Follows `executorEnvironment` in `src/slave/slave.cpp` and
//! `src/slave/paths.cpp`.

use std::sync::Arc;

use super::{Config, Record};
use crate::local::backend::{Launch, Run, Sandbox, Volume};
use crate::local::task::duration;
use crate::proto::v1;

/// The `PATH` of executors and tasks (`os::host_default_path`).
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// `RECOVERY_TIMEOUT` and `EXECUTOR_REREGISTER_TIMEOUT` in `src/slave/constants.hpp`.
const RECOVERY_TIMEOUT: &str = "15mins";
const SUBSCRIPTION_BACKOFF_MAX: &str = "2secs";

/// A persistent volume with its role.
pub type RoleVolume = (String, v1::resource::DiskInfo);

/// Volumes as a backend knows them.
pub fn volumes(volumes: &[RoleVolume]) -> Vec<Volume> {
    let volume = |(role, disk): &RoleVolume| Volume {
        role: role.clone(),
        id: disk.persistence.clone().unwrap_or_default().id,
        path: disk.volume.clone().unwrap_or_default().container_path,
    };
    volumes.iter().map(volume).collect()
}

/// A container to start, in the agent's words.
pub struct Start<'a> {
    pub container: &'a str,
    pub sandbox: Sandbox,
    pub command: v1::CommandInfo,
    pub container_info: Option<v1::ContainerInfo>,
    pub volumes: &'a [RoleVolume],
    /// What is pretended in place of running it.
    pub run: Option<Arc<Run>>,
}

/// What starts an executor, or a task of it with a directory of its own. The agent's own environment is not inherited;
/// the backend adds the variables that name the sandbox. Of two of one name the later one counts.
pub fn launch(config: &Config, executor: &Record, start: Start) -> Launch {
    let Start { container, sandbox, command, container_info, volumes: wanted, run } = start;
    let environment = if run.is_some() { Vec::new() } else { environment(config, executor, &command) };
    let user = user(&executor.framework, Some(&command)).map(str::to_owned);
    let (container, volumes) = (container.to_owned(), volumes(wanted));
    Launch { container, sandbox, command, container_info, environment, user, volumes, run }
}

fn environment(config: &Config, executor: &Record, command: &v1::CommandInfo) -> Vec<(String, String)> {
    let grace = executor.info.shutdown_grace_period.as_ref().map_or(config.shutdown_grace_period, duration);
    let checkpoint = executor.framework.checkpoint();
    let mut environment = vec![("PATH".to_owned(), PATH.to_owned())];
    environment.extend(config.environment.clone());
    environment.extend(
        [
            ("LIBPROCESS_PORT", "0".to_owned()),
            ("MESOS_AGENT_ENDPOINT", config.endpoint.clone()),
            ("MESOS_CHECKPOINT", u8::from(checkpoint).to_string()),
            ("MESOS_EXECUTOR_ID", executor.info.executor_id.value.clone()),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", grace.to_string()),
            ("MESOS_FRAMEWORK_ID", executor.framework_id()),
            ("MESOS_HTTP_COMMAND_EXECUTOR", "0".to_owned()),
            ("MESOS_SLAVE_ID", config.id.clone()),
            ("MESOS_SLAVE_PID", format!("{}@{}", config.path, config.endpoint)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if checkpoint {
        environment.push(("MESOS_RECOVERY_TIMEOUT".to_owned(), RECOVERY_TIMEOUT.to_owned()));
        environment.push(("MESOS_SUBSCRIPTION_BACKOFF_MAX".to_owned(), SUBSCRIPTION_BACKOFF_MAX.to_owned()));
    }
    if !executor.is_custom() {
        environment.push(("MESOS_ALLOCATION_ROLE".to_owned(), executor.role.clone()));
    }
    environment.extend(command.environment.iter().flat_map(|e| &e.variables).map(variable));
    environment
}

/// Whom a command runs as, if the framework says so.
pub fn user<'a>(framework: &'a v1::FrameworkInfo, command: Option<&'a v1::CommandInfo>) -> Option<&'a str> {
    let own = command.and_then(|command| command.user.as_deref());
    own.into_iter().chain([framework.user.as_str()]).find(|user| !user.is_empty())
}

/// A variable's name and value.
pub fn variable(variable: &v1::environment::Variable) -> (String, String) {
    let secret = variable.secret.as_ref().and_then(|secret| secret.value.as_ref());
    let secret = secret.map(|value| String::from_utf8_lossy(&value.data).into_owned());
    (variable.name.clone(), variable.value.clone().or(secret).unwrap_or_default())
}
