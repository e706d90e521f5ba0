//! The calls of an agent's operator API that start containers or wait for them: they are answered when something has
//! happened.

use super::access::{Answer, with};
use crate::local::agent::Agent;
use crate::local::agent::nested::{Wanted, not_in_local_mode};
use crate::local::agent::operator::of;
use crate::local::backend::{Sandbox, StartError};
use crate::local::refusal::Refusal;
use crate::local::server::Context;
use crate::local::server::stream::{not_found, stopping};
use crate::proto::v1;
use crate::proto::v1::agent::call::attach_container_input;
use crate::proto::v1::agent::{self, Call, response};

/// LAUNCH_NESTED_CONTAINER and LAUNCH_CONTAINER. That a container runs already is told as a refusal with the status 202.
#[allow(deprecated)]
pub async fn launch(context: &Context, path: String, call: Call) -> Result<(), Refusal> {
    let wanted = match (call.launch_nested_container, call.launch_container) {
        (Some(nested), _) => Wanted {
            id: nested.container_id,
            command: nested.command.unwrap_or_default(),
            container: nested.container,
            resources: Vec::new(),
        },
        (None, launch) => {
            let launch = launch.unwrap_or_default();
            Wanted {
                id: launch.container_id,
                command: launch.command.unwrap_or_default(),
                container: launch.container,
                resources: launch.resources,
            }
        }
    };
    start(context, path, wanted).await
}

/// LAUNCH_NESTED_CONTAINER_SESSION: a container whose output is attached to, which is not possible, and ends it.
pub async fn session(context: &Context, path: String, call: Call) -> Result<(), Refusal> {
    let session = call.launch_nested_container_session.unwrap_or_default();
    let id = session.container_id;
    let wanted = Wanted {
        id: id.clone(),
        command: session.command.unwrap_or_default(),
        container: session.container,
        resources: Vec::new(),
    };
    start(context, path.clone(), wanted).await?;
    // It may have ended by itself.
    let _ = with(context, path, move |agent, now| agent.kill_container(now, &id, libc::SIGKILL)).await?;
    Err(not_in_local_mode())
}

async fn start(context: &Context, path: String, wanted: Wanted) -> Result<(), Refusal> {
    let id = wanted.id.clone();
    if !with(context, path.clone(), move |agent, _| agent.launch_container(wanted)).await?? {
        return Err(Refusal::new(202, ""));
    }
    let sandbox = path.clone();
    match until(context, path, move |agent| agent.launched(&id)).await? {
        Ok(()) => Ok(()),
        Err((why, of)) => Err(not_started(context, sandbox, why, of).await),
    }
}

/// Why a container did not start, in the words of Mesos if it has some.
async fn not_started(context: &Context, path: String, why: StartError, sandbox: Sandbox) -> Refusal {
    let StartError::NoUser(user) = &why else { return Refusal::new(400, why.to_string()) };
    let files = context.cluster.ask(move |machine, _| machine.files_at(&path, &sandbox)).await.flatten();
    let stdout = files.unwrap_or_default().join("stdout");
    let why = format!("Failed to chown '{}' to user '{user}' : No such user '{user}'", stdout.display());
    Refusal::new(400, why)
}

/// WAIT_NESTED_CONTAINER and WAIT_CONTAINER.
#[allow(deprecated)]
pub async fn wait(context: &Context, path: String, call: Call) -> Result<agent::Response, Refusal> {
    let nested = call.wait_nested_container.map(|wait| wait.container_id);
    let deprecated = nested.is_some();
    let id = nested.or(call.wait_container.map(|wait| wait.container_id)).unwrap_or_default();
    let awaited = id.clone();
    with(context, path.clone(), move |agent, _| agent.await_container(&awaited)).await??;
    let exit_status = until(context, path, move |agent| agent.ended(&id)).await?;
    Ok(if deprecated {
        let wait_nested_container = Some(response::WaitNestedContainer { exit_status, ..Default::default() });
        agent::Response { wait_nested_container, ..of(response::Type::WaitNestedContainer) }
    } else {
        let wait_container = Some(response::WaitContainer { exit_status, ..Default::default() });
        agent::Response { wait_container, ..of(response::Type::WaitContainer) }
    })
}

/// ATTACH_CONTAINER_INPUT, whose first record says to what.
pub async fn attach_input(context: &Context, path: String, call: Call) -> Answer {
    let attach = call.attach_container_input.unwrap_or_default();
    if attach.r#type() != attach_container_input::Type::ContainerId {
        return Err(Refusal::new(400, "Expecting 'attach_container_input.type' to be CONTAINER_ID"));
    }
    let id: v1::ContainerId = attach.container_id.unwrap_or_default();
    Err(with(context, path, move |agent, _| agent.attach_container(&id)).await?)
}

/// Waits until something holds of an agent. Fails if that is gone.
async fn until<T: Send + 'static>(
    context: &Context,
    path: String,
    mut found: impl FnMut(&Agent) -> Option<T> + Send + 'static,
) -> Result<T, Refusal> {
    let waiting = context.cluster.ask(move |machine, _| {
        let id = machine.agents.at(&path).map(|agent| agent.config().id.clone());
        machine.when(move |machine| match machine.agents.at(&path) {
            Some(agent) if Some(&agent.config().id) == id.as_ref() => found(agent).map(Some),
            // Another one may be in its place.
            _ => Some(None),
        })
    });
    let found = waiting.await.ok_or_else(stopping)?.await;
    found.map_err(|_| stopping())?.ok_or_else(not_found)
}
