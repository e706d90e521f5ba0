//! Which tasks a master refuses, in its words and its order. Follows `task::validate` and `task::group::validate` in
//! `src/master/validation.cpp`.

use super::executors::{self, Context, ExecutorUse};
use super::parts::{Checked, because, negative};
use super::{parts, resource_rules};
use crate::local::ids::id;
use crate::local::refusal::Invalid;
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::health_check::Type as HealthCheckType;

/// What a task takes when it is launched.
pub struct Use {
    pub task: Resources,
    pub executor: Option<ExecutorUse>,
}

/// Fills in what frameworks may leave out: the role that resources are allocated to, and the type of a health check,
/// which there was not always.
pub fn upgrade(task: &mut v1::TaskInfo, role: &str) {
    allocate(&mut task.resources, role);
    task.executor.iter_mut().for_each(|executor| allocate(&mut executor.resources, role));
    if let Some(check) = task.health_check.as_mut().filter(|check| check.r#type.is_none()) {
        let kinds =
            [(check.command.is_some(), HealthCheckType::Command), (check.http.is_some(), HealthCheckType::Http)];
        check.r#type = kinds.iter().find(|(given, _)| *given).map(|(_, kind)| (*kind).into());
    }
}

/// Says of resources which role they are allocated to, if they do not.
pub fn allocate(resources: &mut [v1::Resource], role: &str) {
    for resource in resources {
        let allocation = v1::resource::AllocationInfo { role: Some(role.to_owned()) };
        resource.allocation_info.get_or_insert(allocation);
    }
}

/// Whether a task may be launched; what it uses.
pub fn validate(task: &v1::TaskInfo, context: &Context) -> Checked<Use> {
    let (resources, role) = of_itself(task, context)?;
    let both = task.command.is_some() == task.executor.is_some();
    Invalid::unless(!both, "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")?;
    let mut total = resources.clone();
    let mut roles = vec![role];
    let mut used = None;
    if let Some(given) = &task.executor {
        let framework_id = v1::FrameworkId { value: context.framework_id.into() };
        let framework_id = Some(given.framework_id.clone().unwrap_or(framework_id));
        let executor = executors::validate(v1::ExecutorInfo { framework_id, ..*given.clone() }, context)?;
        executors::check_custom(given)?;
        executor.new.iter().for_each(|resources| total.add(resources));
        roles.push(executor.role.clone());
        used = Some(executor);
    }
    let all = || task.resources.iter().chain(task.executor.iter().flat_map(|executor| &executor.resources));
    because(resource_rules::unique_volumes(all()), "Task and its executor use duplicate persistence ID")?;
    because(resource_rules::no_mix(all()), "Task and its executor mix revocable and non-revocable resources")?;
    fits(&total, &roles, context, "task and its executor is")?;
    let shares = task.container.as_deref().is_none_or(shares_cgroups);
    Invalid::unless(shares, "Only tasks in a task group may have 'share_cgroups' set to 'false'")?;
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
    let (mut used, mut roles) = (Vec::new(), Vec::new());
    for (task, known) in tasks.iter().zip(known) {
        let of_task = of_itself(task, &Context { known: *known, ..*context });
        let checked = of_task.and_then(|found| of_group(task).map(|()| found));
        let (resources, role) = because(checked, &format!("Task '{}' is invalid", task.task_id.value))?;
        used.push(resources);
        roles.push(role);
    }
    let executor = executors::validate(given.clone(), context)?;
    executors::check_group(given, tasks)?;
    roles.push(executor.role.clone());
    let all = || given.resources.iter().chain(tasks.iter().flat_map(|task| &task.resources));
    because(resource_rules::unique_volumes(all()), "Task group and executor use duplicate persistence ID")?;
    because(resource_rules::no_mix(all()), "Task group and executor mix revocable and non-revocable resources")?;
    let mut total = Resources::default();
    used.iter().chain(&executor.new).for_each(|resources| total.add(resources));
    fits(&total, &roles, context, "task group and its executor are")?;
    let shares = |task: &v1::TaskInfo| task.container.as_deref().is_none_or(shares_cgroups);
    let same = tasks.windows(2).all(|pair| shares(&pair[0]) == shares(&pair[1]));
    let why = "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a \
               single executor";
    Invalid::unless(same, why)?;
    Ok((used, executor))
}

/// What concerns a task alone, whoever runs it: its resources, and the role that they are allocated to.
fn of_itself(task: &v1::TaskInfo, context: &Context) -> Checked<(Resources, String)> {
    id(&task.task_id.value)?;
    Invalid::unless(!context.known, format!("Task has duplicate ID: {}", task.task_id.value))?;
    let (agent, expected) = (&task.agent_id.value, context.agent_id);
    Invalid::unless(agent == expected, format!("Task uses invalid agent {agent} while agent {expected} is expected"))?;
    let grace = task.kill_policy.as_ref().and_then(|p| p.grace_period.as_ref());
    Invalid::unless(!negative(grace), "Task's 'kill_policy.grace_period' must be non-negative")?;
    Invalid::unless(!negative(task.max_completion_time.as_ref()), "Task's `max_completion_time` must be non-negative")?;
    because(task.check.as_ref().map_or(Ok(()), parts::check), "Task uses invalid check")?;
    because(task.health_check.as_deref().map_or(Ok(()), parts::health_check), "Task uses invalid health check")?;
    Invalid::unless(!task.resources.is_empty(), "Task uses no resources")?;
    because(resource_rules::usable(&task.resources), "Task uses invalid resources")?;
    because(resource_rules::unique_volumes(&task.resources), "Task uses duplicate persistence ID")?;
    let role = because(resource_rules::single_role(&task.resources, context.role), "Invalid task resources")?;
    because(resource_rules::no_mix(&task.resources), "Task mixes revocable and non-revocable resources")?;
    let resources = Resources::from_proto(&task.resources)?;
    because(task.command.as_ref().map_or(Ok(()), parts::environment), "Task's `CommandInfo` is invalid")?;
    because(task.container.as_deref().map_or(Ok(()), parts::container), "Task's `ContainerInfo` is invalid")?;
    limits(task, &resources)?;
    Ok((resources, role))
}

/// What concerns a task of a group.
fn of_group(task: &v1::TaskInfo) -> Checked {
    let container = task.container.as_ref();
    let probed = task.health_check.as_deref().map(v1::HealthCheck::r#type);
    let networked = container.is_some_and(|container| !container.network_infos.is_empty());
    let why = "HTTP and TCP health checks are not supported for nested containers not joining parent's network";
    let remote = matches!(probed, Some(HealthCheckType::Http | HealthCheckType::Tcp));
    Invalid::unless(!(networked && remote), why)?;
    let docker = container.is_some_and(|container| container.r#type() == v1::container_info::Type::Docker);
    Invalid::unless(!docker, "Docker ContainerInfo is not supported on the task")?;
    let why = "Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to \
               'false'.";
    Invalid::unless(task.limits.is_empty() || container.is_some_and(|container| !shares_cgroups(container)), why)
}

fn shares_cgroups(container: &v1::ContainerInfo) -> bool {
    container.linux_info.as_ref().is_none_or(v1::LinuxInfo::share_cgroups)
}

/// Whether there is enough, in the role of the offer.
fn fits(total: &Resources, roles: &[String], context: &Context, by: &str) -> Checked {
    let other = roles.iter().find(|role| *role != context.role);
    Invalid::unless(
        other.is_none() && context.available.contains(total),
        format!(
            "Total resources {} required by {by} more than available {}",
            total.show_allocated(other.map_or(context.role, String::as_str)),
            context.available.show_allocated(context.role)
        ),
    )
}

fn limits(task: &v1::TaskInfo, resources: &Resources) -> Checked {
    let known = task.limits.keys().all(|name| name == "cpus" || name == "mem");
    Invalid::unless(known, "Only cpus and mem may be included in a task's resource limits")?;
    for (name, title, shown) in [("cpus", "CPU", "cpu"), ("mem", "memory", "memory")] {
        let Some(limit) = task.limits.get(name) else {
            continue;
        };
        let requested = resources.scalar(name);
        let why = format!("When a {title} limit is specified, a {title} request must also be specified");
        Invalid::unless(requested > 0.0, why)?;
        let why = format!("The {shown} limit must be greater than or equal to the {shown} request");
        Invalid::unless(limit.value >= requested, why)?;
    }
    Ok(())
}
