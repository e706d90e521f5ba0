//! Which calls of operators an agent refuses before it looks at them, in Mesos' words. Follows the namespaces
//! `container` and `agent::call` in `src/slave/validation.cpp`.

use crate::local::ids;
use crate::local::master::{parts, resource_rules};
use crate::local::refusal::{Invalid, Refusal};
use crate::proto::v1;
use crate::proto::v1::agent::Call;
use crate::proto::v1::agent::call::read_log::Source;
use crate::proto::v1::agent::call::{
    LaunchContainer, ReadLog, Type, UpdateContainerMemoryLimit, attach_container_input,
};

/// `MAX_CONTAINER_ID_LENGTH` in `src/slave/constants.hpp`.
const CONTAINER_ID_MAX: usize = 242;

type Checked = Result<(), Invalid>;

/// Whether a call has what its type needs.
///
/// # Errors
///
/// Refuses a call without a type or without the body of its type, ids that no container may have, and containers that
/// could not be launched anywhere.
pub fn validate(call: &Call) -> Result<(), Refusal> {
    check(call).map_err(|why| Refusal::new(400, format!("Failed to validate agent::Call: {why}")))
}

fn check(call: &Call) -> Checked {
    if call.r#type.is_none() {
        return absent("type");
    }
    match call.r#type() {
        Type::GetMetrics => present("get_metrics", call.get_metrics.is_some()),
        Type::SetLoggingLevel => present("set_logging_level", call.set_logging_level.is_some()),
        Type::ListFiles => present("list_files", call.list_files.is_some()),
        Type::ReadFile => present("read_file", call.read_file.is_some()),
        Type::ReadLog => read_log(call.read_log.as_ref()),
        _ => check_container_call(call),
    }
}

/// The calls about containers.
#[allow(deprecated)]
fn check_container_call(call: &Call) -> Checked {
    let nested = |name: &str, id: Option<&v1::ContainerId>| nested(name, id);
    match call.r#type() {
        Type::LaunchNestedContainer => {
            let launch = call.launch_nested_container.as_ref();
            nested("launch_nested_container", launch.map(|launch| &launch.container_id))?;
            launch.map_or(Ok(()), |launch| {
                let (command, container) = (launch.command.as_ref(), launch.container.as_ref());
                parts("launch_nested_container", command, container)?;
                let own = twice_nested(&launch.container_id) && shares_cgroups(container) == Some(false);
                Invalid::unless(!own, format!("'launch_nested_container' is invalid: {OWN_CGROUPS}"))
            })
        }
        Type::LaunchNestedContainerSession => {
            const NAME: &str = "launch_nested_container_session";
            let launch = call.launch_nested_container_session.as_ref();
            nested(NAME, launch.map(|launch| &launch.container_id))?;
            launch.map_or(Ok(()), |launch| {
                let container = launch.container.as_ref();
                parts(NAME, launch.command.as_ref(), container)?;
                let own = shares_cgroups(container) == Some(false);
                let why = "'share_cgroups' cannot be set to 'false' for nested container sessions";
                Invalid::unless(!own, format!("'{NAME}.container.linux_info' is invalid: {why}"))
            })
        }
        Type::WaitNestedContainer => {
            nested("wait_nested_container", call.wait_nested_container.as_ref().map(|wait| &wait.container_id))
        }
        Type::KillNestedContainer => {
            nested("kill_nested_container", call.kill_nested_container.as_ref().map(|kill| &kill.container_id))
        }
        Type::RemoveNestedContainer => {
            nested("remove_nested_container", call.remove_nested_container.as_ref().map(|remove| &remove.container_id))
        }
        Type::AttachContainerOutput => {
            any("attach_container_output", call.attach_container_output.as_ref().map(|attach| &attach.container_id))
        }
        Type::AttachContainerInput => attach_input(call),
        Type::LaunchContainer => {
            any("launch_container", call.launch_container.as_ref().map(|launch| &launch.container_id))?;
            call.launch_container.as_ref().map_or(Ok(()), launch)
        }
        Type::WaitContainer => any("wait_container", call.wait_container.as_ref().map(|wait| &wait.container_id)),
        Type::KillContainer => any("kill_container", call.kill_container.as_ref().map(|kill| &kill.container_id)),
        Type::RemoveContainer => {
            any("remove_container", call.remove_container.as_ref().map(|remove| &remove.container_id))
        }
        Type::UpdateContainerMemoryLimit => memory_limit(call.update_container_memory_limit.as_ref()),
        _ => check_provider_call(call),
    }
}

/// The calls about resource providers.
fn check_provider_call(call: &Call) -> Checked {
    let without_id = |name: &str, info: Option<&v1::ResourceProviderInfo>| {
        present(name, info.is_some())?;
        let unset = info.is_some_and(|info| info.id.is_none());
        Invalid::unless(unset, format!("Expecting '{name}.info.id' to be unset"))
    };
    match call.r#type() {
        Type::AddResourceProviderConfig => {
            without_id("add_resource_provider_config", call.add_resource_provider_config.as_ref().map(|add| &add.info))
        }
        Type::UpdateResourceProviderConfig => without_id(
            "update_resource_provider_config",
            call.update_resource_provider_config.as_ref().map(|update| &update.info),
        ),
        Type::RemoveResourceProviderConfig => {
            present("remove_resource_provider_config", call.remove_resource_provider_config.is_some())
        }
        Type::MarkResourceProviderGone => {
            present("mark_resource_provider_gone", call.mark_resource_provider_gone.is_some())
        }
        _ => Ok(()),
    }
}

/// The call of clusterd, in its words.
fn read_log(read: Option<&ReadLog>) -> Checked {
    let Some(read) = read else { return absent("read_log") };
    match (read.source(), &read.container_id) {
        (Source::Unknown, _) => Err(Invalid::new("'read_log.source' must be CONTAINER or AGENT")),
        (Source::Container, None) => Err(Invalid::new("Expecting 'read_log.container_id' for CONTAINER source")),
        (Source::Container, id) => any("read_log", id.as_ref()),
        (Source::Agent, id) => {
            Invalid::unless(id.is_none(), "'read_log.container_id' is only valid for CONTAINER source")
        }
    }
}

/// The call of clusterd, in its words.
fn memory_limit(update: Option<&UpdateContainerMemoryLimit>) -> Checked {
    const NAME: &str = "update_container_memory_limit";
    any(NAME, update.map(|update| &update.container_id))?;
    let Some(update) = update else { return absent(NAME) };
    let nested = update.container_id.parent.is_some();
    Invalid::unless(!nested, format!("'{NAME}.container_id' must identify a top-level task container"))?;
    let limit = update.memory_limit.value;
    let why = format!("'{NAME}.memory_limit.value' must be positive and finite");
    Invalid::unless(limit.is_finite() && limit > 0.0, why)
}

fn attach_input(call: &Call) -> Checked {
    const NAME: &str = "attach_container_input";
    let Some(attach) = &call.attach_container_input else { return absent(NAME) };
    present(&format!("{NAME}.type"), attach.r#type.is_some())?;
    match attach.r#type() {
        attach_container_input::Type::Unknown => Err(Invalid::new(format!("'{NAME}.type' is unknown"))),
        attach_container_input::Type::ContainerId => {
            let id = attach.container_id.clone().unwrap_or_default();
            any(NAME, Some(&id))
        }
        attach_container_input::Type::ProcessIo => Ok(()),
    }
}

const OWN_CGROUPS: &str = "containers nested at the second level or greater cannot set 'share_cgroups' to 'false'";

fn launch(launch: &LaunchContainer) -> Checked {
    let because = |of: &str, checked: Checked| checked.map_err(|why| Invalid::new(format!("{of}: {why}")));
    let (id, resources) = (&launch.container_id, &launch.resources);
    because("Invalid resources", resource_rules::structure(resources))?;
    because("Invalid GPU resources", resource_rules::gpus(resources))?;
    if id.parent.is_none() {
        resources.iter().try_for_each(standalone)?;
    }
    let container = launch.container.as_ref();
    parts("launch_container", launch.command.as_ref(), container)?;
    let shared = shares_cgroups(container);
    let refused = |wrong: bool, why: &str| Invalid::unless(!wrong, format!("'launch_container' is invalid: {why}"));
    let twice = twice_nested(id);
    let second = "containers nested at the second level or greater cannot specify";
    refused(twice && !resources.is_empty(), &format!("{second} resources"))?;
    refused(twice && !launch.limits.is_empty(), &format!("{second} resource limits"))?;
    refused(twice && shared == Some(false), OWN_CGROUPS)?;
    let why = "containers without a parent cannot set 'share_cgroups' to 'true'";
    refused(id.parent.is_none() && shared == Some(true), why)
}

/// What a container without an executor may use: nobody accounts for it.
#[allow(deprecated)]
fn standalone(resource: &v1::Resource) -> Checked {
    let role = resource.role.as_deref().is_some_and(|role| role != crate::local::roles::UNRESERVED);
    let reserved = role || resource.reservation.is_some() || !resource.reservations.is_empty();
    Invalid::unless(!reserved, "'launch_container.resources' must be unreserved")?;
    let persistent = resource.disk.as_ref().is_some_and(|disk| disk.persistence.is_some());
    Invalid::unless(!persistent, "'launch_container.resources' may not use persistent volumes")?;
    Invalid::unless(resource.revocable.is_none(), "'launch_container.resources' must be non-revocable")
}

/// What is to run, and the surroundings that it is to have.
fn parts(name: &str, command: Option<&v1::CommandInfo>, container: Option<&v1::ContainerInfo>) -> Checked {
    let because = |part: &str, checked: Checked| {
        checked.map_err(|why| Invalid::new(format!("'{name}.{part}' is invalid: {why}")))
    };
    because("command", command.map_or(Ok(()), parts::environment))?;
    because("container", container.map_or(Ok(()), parts::container))
}

fn shares_cgroups(container: Option<&v1::ContainerInfo>) -> Option<bool> {
    container?.linux_info.as_ref()?.share_cgroups
}

fn twice_nested(id: &v1::ContainerId) -> bool {
    id.parent.as_ref().is_some_and(|parent| parent.parent.is_some())
}

/// The body of a call about any container.
fn any(name: &str, id: Option<&v1::ContainerId>) -> Checked {
    let Some(id) = id else { return absent(name) };
    container_id(id).map_err(|why| Invalid::new(format!("'{name}.container_id' is invalid: {why}")))
}

/// The body of a call about a container within another.
fn nested(name: &str, id: Option<&v1::ContainerId>) -> Checked {
    any(name, id)?;
    present(&format!("{name}.container_id.parent"), id.is_some_and(|id| id.parent.is_some()))
}

/// `validateContainerId`.
fn container_id(id: &v1::ContainerId) -> Checked {
    let value = &id.value;
    ids::id(value)?;
    let why = || format!("'ContainerID.value' '{value}' exceeds the maximum length ({CONTAINER_ID_MAX})");
    Invalid::unless(value.len() <= CONTAINER_ID_MAX, why())?;
    // Dots separate the ids of containers within one another.
    let why = format!("'ContainerID.value' '{value}' contains invalid characters");
    Invalid::unless(!value.contains(['.', ' ']), why)?;
    let parent = id.parent.as_deref().map_or(Ok(()), container_id);
    parent.map_err(|why| Invalid::new(format!("'ContainerID.parent' is invalid: {why}")))
}

fn present(name: &str, there: bool) -> Checked {
    if there { Ok(()) } else { absent(name) }
}

fn absent(name: &str) -> Checked {
    Err(Invalid::new(format!("Expecting '{name}' to be present")))
}
