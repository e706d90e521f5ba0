//! Which tasks and executors a master refuses, in its words and its order. Follows `task::validate` and
//! `executor::validate` in `src/master/validation.cpp`, and `src/common/validation.cpp`.

use std::collections::BTreeMap;

use super::framework::ExecutorRecord;
use super::validation::id;
use crate::local::refusal::Invalid;
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::environment::variable::Type as VariableType;
use crate::proto::v1::executor_info::Type as ExecutorType;
use crate::proto::v1::volume::source::Type as SourceType;
use crate::proto::v1::{check_info, health_check};
use crate::wire::json;

/// What an executor has to have (`MIN_CPUS`, `MIN_MEM` in `src/slave/constants.hpp`).
const MIN_CPUS: f64 = 0.01;
const MIN_MEM: f64 = 32.0;

type Checked<T = ()> = Result<T, Invalid>;

/// What a task is held against.
pub struct Context<'a> {
    pub framework_id: &'a str,
    pub agent_id: &'a str,
    pub role: &'a str,
    /// Whether a task of this id is known already.
    pub known: bool,
    /// The framework's executors, by agent and id.
    pub executors: Option<&'a BTreeMap<(String, String), ExecutorRecord>>,
    pub available: &'a Resources,
}

/// What a task takes when it is launched.
pub struct Use {
    pub task: Resources,
    pub executor: Option<ExecutorUse>,
}

/// The executor of tasks, its framework's id filled in.
pub struct ExecutorUse {
    pub info: v1::ExecutorInfo,
    /// The resources that it takes, if it does not run yet.
    pub new: Option<Resources>,
}

/// Whether a task may be launched; what it uses.
pub fn validate(task: &v1::TaskInfo, context: &Context) -> Checked<Use> {
    let resources = of_itself(task, context)?;
    let both = task.command.is_some() == task.executor.is_some();
    Invalid::unless(!both, "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")?;
    let mut total = resources.clone();
    let mut used = None;
    if let Some(given) = &task.executor {
        let framework_id = v1::FrameworkId { value: context.framework_id.into() };
        let framework_id = Some(given.framework_id.clone().unwrap_or(framework_id));
        let executor = executor(v1::ExecutorInfo { framework_id, ..given.clone() }, context)?;
        let default = given.r#type() == ExecutorType::Default;
        Invalid::unless(default || given.command.is_some(), "'ExecutorInfo.command' must be set")?;
        Invalid::unless(!default, "'ExecutorInfo.type' must be 'CUSTOM'")?;
        executor.new.iter().for_each(|resources| total.add(resources));
        used = Some(executor);
    }
    fits(&total, context, "task and its executor is")?;
    unsupported(task)?;
    Ok(Use { task: resources, executor: used })
}

/// Whether a group of tasks may be launched with its executor; what each uses. `known` tells of each task whether one
/// of its id is known already.
pub fn validate_group(
    tasks: &[v1::TaskInfo],
    known: &[bool],
    given: &v1::ExecutorInfo,
    context: &Context,
) -> Checked<(Vec<Resources>, ExecutorUse)> {
    let mut used = Vec::new();
    for (task, known) in tasks.iter().zip(known) {
        let name = &task.task_id.value;
        let of_task = of_itself(task, &Context { known: *known, ..*context }).and_then(|resources| {
            Invalid::unless(!is_docker(task.container.as_ref()), "Docker ContainerInfo is not supported on the task")?;
            Ok(resources)
        });
        used.push(of_task.map_err(|why| Invalid::new(format!("Task '{name}' is invalid: {why}")))?);
    }
    if let Some(task) = tasks.iter().find(|task| task.executor.as_ref().is_some_and(|own| own != given)) {
        let (name, id) = (&task.task_id.value, &given.executor_id.value);
        return Err(Invalid::new(format!("The `ExecutorInfo` of task '{name}' is different from executor '{id}'")));
    }
    let executor = executor(given.clone(), context)?;
    Invalid::unless(given.r#type.is_some(), "'ExecutorInfo.type' must be set")?;
    Invalid::unless(!is_docker(given.container.as_ref()), "Docker ContainerInfo is not supported on the executor")?;
    let own = Resources::from_proto(&given.resources)?;
    let (id, cpus, mem) = (&given.executor_id.value, own.scalar("cpus"), own.scalar("mem"));
    let less = |what: &str, has: f64, least: f64| {
        format!("Executor '{id}' uses less {what} ({has}) than the minimum required ({least})")
    };
    Invalid::unless(cpus >= MIN_CPUS, less("CPUs", cpus, MIN_CPUS))?;
    Invalid::unless(mem >= MIN_MEM, less("memory", mem, MIN_MEM))?;
    let mut total = executor.new.clone().unwrap_or_default();
    used.iter().for_each(|resources| total.add(resources));
    fits(&total, context, "task group and its executor are")?;
    tasks.iter().try_for_each(unsupported)?;
    Ok((used, executor))
}

fn is_docker(container: Option<&v1::ContainerInfo>) -> bool {
    container.is_some_and(|container| container.r#type() == v1::container_info::Type::Docker)
}

/// What concerns a task alone, whoever runs it.
fn of_itself(task: &v1::TaskInfo, context: &Context) -> Checked<Resources> {
    id(&task.task_id.value)?;
    Invalid::unless(!context.known, format!("Task has duplicate ID: {}", task.task_id.value))?;
    let (agent, expected) = (&task.agent_id.value, context.agent_id);
    Invalid::unless(agent == expected, format!("Task uses invalid agent {agent} while agent {expected} is expected"))?;
    let grace = task.kill_policy.as_ref().and_then(|p| p.grace_period.as_ref());
    Invalid::unless(!negative(grace), "Task's 'kill_policy.grace_period' must be non-negative")?;
    Invalid::unless(!negative(task.max_completion_time.as_ref()), "Task's `max_completion_time` must be non-negative")?;
    let checked = task.check.as_ref().map_or(Ok(()), check);
    checked.map_err(|why| Invalid::new(format!("Task uses invalid check: {why}")))?;
    let checked = task.health_check.as_ref().map_or(Ok(()), health_check);
    checked.map_err(|why| Invalid::new(format!("Task uses invalid health check: {why}")))?;
    Invalid::unless(!task.resources.is_empty(), "Task uses no resources")?;
    let resources = Resources::from_proto(&task.resources)?;
    resources.validate_use().map_err(|why| Invalid::new(format!("Task uses invalid resources: {why}")))?;
    let command = task.command.as_ref().map_or(Ok(()), environment);
    command.map_err(|why| Invalid::new(format!("Task's `CommandInfo` is invalid: {why}")))?;
    let container = task.container.as_ref().map_or(Ok(()), container);
    container.map_err(|why| Invalid::new(format!("Task's `ContainerInfo` is invalid: {why}")))?;
    limits(task, &resources)?;
    Ok(resources)
}

fn fits(total: &Resources, context: &Context, by: &str) -> Checked {
    Invalid::unless(
        context.available.contains(total),
        format!(
            "Total resources {} required by {by} more than available {}",
            total.show_allocated(context.role),
            context.available.show_allocated(context.role)
        ),
    )
}

fn negative(duration: Option<&v1::DurationInfo>) -> bool {
    duration.is_some_and(|duration| duration.nanoseconds < 0)
}

/// An executor, and the resources that it uses if it is new.
fn executor(info: v1::ExecutorInfo, context: &Context) -> Checked<ExecutorUse> {
    id(&info.executor_id.value)?;
    match info.r#type.map(|_| info.r#type()) {
        Some(ExecutorType::Default) => {
            Invalid::unless(info.command.is_none(), "'ExecutorInfo.command' must not be set for 'DEFAULT' executor")?;
        }
        Some(ExecutorType::Custom) => {
            Invalid::unless(info.command.is_some(), "'ExecutorInfo.command' must be set for 'CUSTOM' executor")?;
        }
        _ => {}
    }
    let place = (context.agent_id.to_owned(), info.executor_id.value.clone());
    let running = context.executors.and_then(|executors| executors.get(&place));
    if let Some(running) = running {
        compatible(&info, &running.info)?;
    }
    let framework =
        info.framework_id.as_ref().ok_or_else(|| Invalid::new("'ExecutorInfo.framework_id' must be set"))?;
    let (actual, expected) = (&framework.value, context.framework_id);
    let why = format!("ExecutorInfo has an invalid FrameworkID (Actual: {actual} vs Expected: {expected})");
    Invalid::unless(actual == expected, why)?;
    let grace = info.shutdown_grace_period.as_ref();
    Invalid::unless(!negative(grace), "ExecutorInfo's 'shutdown_grace_period' must be non-negative")?;
    let resources = Resources::from_proto(&info.resources)?;
    resources.validate_use().map_err(|why| Invalid::new(format!("Executor uses invalid resources: {why}")))?;
    let command = info.command.as_ref().map_or(Ok(()), environment);
    command.map_err(|why| Invalid::new(format!("Executor's `CommandInfo` is invalid: {why}")))?;
    let container = info.container.as_ref().map_or(Ok(()), container);
    container.map_err(|why| Invalid::new(format!("Executor's `ContainerInfo` is invalid: {why}")))?;
    Ok(ExecutorUse { info, new: running.is_none().then_some(resources) })
}

/// An executor of one id is one executor, on one agent.
fn compatible(info: &v1::ExecutorInfo, running: &v1::ExecutorInfo) -> Checked {
    const LINE: &str = "------------------------------------------------------------\n";
    let show =
        |info: &v1::ExecutorInfo| String::from_utf8_lossy(&json::to_json("mesos.v1.ExecutorInfo", info)).into_owned();
    Invalid::unless(
        info == running,
        format!(
            "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n{LINE}\
             Existing ExecutorInfo:\n{}\n{LINE}Task's ExecutorInfo:\n{}\n{LINE}",
            show(running),
            show(info)
        ),
    )
}

fn environment(command: &v1::CommandInfo) -> Checked {
    for variable in command.environment.iter().flat_map(|e| &e.variables) {
        let name = &variable.name;
        let (kind, wanted, unwanted) = match variable.r#type() {
            VariableType::Secret => ("SECRET", variable.secret.is_some(), variable.value.is_some()),
            _ => ("VALUE", variable.value.is_some(), variable.secret.is_some()),
        };
        let (own, other) = if kind == "SECRET" { ("secret", "value") } else { ("value", "secret") };
        Invalid::unless(wanted, format!("Environment variable '{name}' of type '{kind}' must have a {own} set"))?;
        Invalid::unless(
            !unwanted,
            format!("Environment variable '{name}' of type '{kind}' must not have a {other} set"),
        )?;
    }
    Ok(())
}

fn seconds(checks: [(&str, Option<f64>); 4]) -> Checked {
    let below = checks.iter().find(|(_, seconds)| seconds.is_some_and(|s| s < 0.0));
    below.map_or(Ok(()), |(name, _)| Err(Invalid::new(format!("Expecting '{name}_seconds' to be non-negative"))))
}

fn check(check: &v1::CheckInfo) -> Checked {
    use check_info::Type;
    let expected = |name: &str, kind: &str| Invalid::new(format!("Expecting '{name}' to be set for {kind} check"));
    match check.r#type.map(|_| check.r#type()) {
        None => return Err(Invalid::new("CheckInfo must specify 'type'")),
        Some(Type::Unknown) => return Err(Invalid::new("'UNKNOWN' is not a valid check type")),
        Some(Type::Command) => {
            let command = check.command.as_ref().ok_or_else(|| expected("command", "COMMAND"))?;
            environment(&command.command)
                .map_err(|why| Invalid::new(format!("Check's `CommandInfo` is invalid: {why}")))?;
        }
        Some(Type::Http) => {
            let http = check.http.as_ref().ok_or_else(|| expected("http", "HTTP"))?;
            path(http.path.as_deref(), "HTTP check")?;
        }
        Some(Type::Tcp) => drop(check.tcp.as_ref().ok_or_else(|| expected("tcp", "TCP"))?),
    }
    let given =
        [("delay", check.delay_seconds), ("interval", check.interval_seconds), ("timeout", check.timeout_seconds)];
    seconds([given[0], given[1], given[2], ("", None)])
}

fn health_check(check: &v1::HealthCheck) -> Checked {
    use health_check::Type;
    let expected =
        |name: &str, kind: &str| Invalid::new(format!("Expecting '{name}' to be set for {kind} health check"));
    match check.r#type.map(|_| check.r#type()) {
        None => return Err(Invalid::new("HealthCheck must specify 'type'")),
        Some(Type::Unknown) => return Err(Invalid::new("'UNKNOWN' is not a valid health check type")),
        Some(Type::Command) => {
            let command = check.command.as_ref().ok_or_else(|| expected("command", "COMMAND"))?;
            environment(command)
                .map_err(|why| Invalid::new(format!("Health check's `CommandInfo` is invalid: {why}")))?;
        }
        Some(Type::Http) => {
            let http = check.http.as_ref().ok_or_else(|| expected("http", "HTTP"))?;
            let scheme = http.scheme.as_deref().unwrap_or("http");
            Invalid::unless(
                matches!(scheme, "http" | "https"),
                format!("Unsupported HTTP health check scheme: '{scheme}'"),
            )?;
            path(http.path.as_deref(), "HTTP health check")?;
        }
        Some(Type::Tcp) => drop(check.tcp.as_ref().ok_or_else(|| expected("tcp", "TCP"))?),
    }
    seconds([
        ("delay", check.delay_seconds),
        ("grace_period", check.grace_period_seconds),
        ("interval", check.interval_seconds),
        ("timeout", check.timeout_seconds),
    ])
}

fn path(path: Option<&str>, of: &str) -> Checked {
    let path = path.unwrap_or("/");
    Invalid::unless(path.starts_with('/'), format!("The path '{path}' of {of} must start with '/'"))
}

fn container(container: &v1::ContainerInfo) -> Checked {
    container
        .volumes
        .iter()
        .try_for_each(|v| volume(v).map_err(|why| Invalid::new(format!("Invalid volume: {why}"))))?;
    let docker = container.r#type() == v1::container_info::Type::Docker;
    Invalid::unless(
        !docker || container.docker.is_some(),
        "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo",
    )
}

fn volume(volume: &v1::Volume) -> Checked {
    let given = [volume.host_path.is_some(), volume.image.is_some(), volume.source.is_some()];
    let one = given.into_iter().filter(|given| *given).count() == 1;
    Invalid::unless(one, "Only one of them should be set: 'host_path', 'image' and 'source'")?;
    let Some(source) = &volume.source else {
        return Ok(());
    };
    let (missing, name, kind) = match source.r#type() {
        SourceType::DockerVolume => (source.docker_volume.is_none(), "docker_volume", "DOCKER_VOLUME"),
        SourceType::HostPath => (source.host_path.is_none(), "host_path", "HOST_PATH"),
        SourceType::SandboxPath => (source.sandbox_path.is_none(), "sandbox_path", "SANDBOX_PATH"),
        SourceType::Secret => (source.secret.is_none(), "secret", "SECRET"),
        _ => (false, "", ""),
    };
    Invalid::unless(!missing, format!("'source.{name}' is not set for {kind} volume"))
}

fn limits(task: &v1::TaskInfo, resources: &Resources) -> Checked {
    let known = task.limits.keys().all(|name| name == "cpus" || name == "mem");
    Invalid::unless(known, "Only cpus and mem may be included in a task's resource limits")?;
    for (name, shown, of) in [("cpus", "cpu", "cpu"), ("mem", "memory", "memory")] {
        let below = task.limits.get(name).is_some_and(|limit| limit.value < resources.scalar(name));
        Invalid::unless(!below, format!("The {shown} limit must be greater than or equal to the {of} request"))?;
    }
    Ok(())
}

/// What the real agent can do and the embedded one cannot: better said than silently left out.
fn unsupported(task: &v1::TaskInfo) -> Checked {
    Invalid::unless(task.limits.is_empty(), "The embedded cluster does not have resource limits; a real cluster does")
}
