//! What tools and the web page read.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Context;
use super::answer::{self, Arguments};
use super::stream::{not_found, stopping};
use crate::local::cluster::machine::Machine;
use crate::local::host;
use crate::local::master::{MESOS_VERSION, Shown, TaskFilter};
use crate::local::refusal::Refusal;

/// `/state`.
pub async fn state(context: State<Context>, arguments: Arguments) -> Response {
    look(&context, &arguments, |machine| Some(machine.master.state())).await
}

/// `/slaves?slave_id=`.
pub async fn slaves(context: State<Context>, arguments: Arguments) -> Response {
    let only = arguments.get("slave_id").cloned();
    look(&context, &arguments, move |machine| Some(machine.master.slaves(only.as_deref()))).await
}

/// `/state-summary`.
pub async fn summary(context: State<Context>, arguments: Arguments) -> Response {
    look(&context, &arguments, |machine| Some(machine.master.summary())).await
}

/// `/flags`.
pub async fn flags(context: State<Context>, arguments: Arguments) -> Response {
    look(&context, &arguments, |machine| Some(machine.master.flags())).await
}

/// `/slave(N)/flags`.
pub async fn agent_flags(context: State<Context>, Path(path): Path<String>, arguments: Arguments) -> Response {
    look(&context, &arguments, move |machine| machine.agents.at(&path).map(|agent| agent.flags())).await
}

/// `/frameworks?framework_id=`.
pub async fn frameworks(context: State<Context>, arguments: Arguments) -> Response {
    let only = arguments.get("framework_id").cloned();
    look(&context, &arguments, move |machine| Some(machine.master.frameworks_json(only.as_deref()))).await
}

/// `/tasks?framework_id=&task_id=&limit=&offset=&order=`. A value that is not a number is ignored.
pub async fn tasks(context: State<Context>, arguments: Arguments) -> Response {
    let number = |name: &str| arguments.get(name).and_then(|text| text.parse::<i32>().ok());
    let filter = TaskFilter {
        framework_id: arguments.get("framework_id").cloned(),
        task_id: arguments.get("task_id").cloned(),
        limit: number("limit").map(i64::from),
        offset: number("offset").map_or(0, i64::from),
        oldest_first: arguments.get("order").is_some_and(|order| order == "asc"),
    };
    look(&context, &arguments, move |machine| Some(machine.master.tasks_json(&filter))).await
}

/// `/roles`.
pub async fn roles(context: State<Context>, arguments: Arguments) -> Response {
    look(&context, &arguments, |machine| Some(machine.master.roles_json())).await
}

/// `/slave(N)/state`.
pub async fn agent_state(context: State<Context>, Path(path): Path<String>, arguments: Arguments) -> Response {
    look(&context, &arguments, move |machine| machine.agent_state(&path)).await
}

/// `/version`.
pub async fn version(arguments: Arguments) -> Response {
    let version = json!({
        "build_date": "",
        "build_time": 0.0,
        "build_user": "remesos",
        "remesos": env!("CARGO_PKG_VERSION"),
        "version": MESOS_VERSION,
    });
    answer::value(&version, &arguments)
}

/// `/system/stats.json`: the load and the memory of this machine.
pub async fn stats(arguments: Arguments) -> Response {
    answer::value(&host::stats(), &arguments)
}

/// `/health`: 200 and nothing more.
pub async fn health() {}

/// `/redirect`: to the leading master, which is this one, by the name by which it was asked: its host name may be made up.
pub async fn redirect(headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("//{host}"))]).into_response()
}

async fn look<T: Into<Shown>>(
    context: &Context,
    arguments: &Arguments,
    view: impl FnOnce(&Machine) -> Option<T> + Send + 'static,
) -> Response {
    let shown = context.cluster.ask(move |machine, _| view(machine).map(Into::into));
    let Some(shown) = shown.await else {
        return stopping().into_response();
    };
    let Some(shown) = shown else {
        return not_found().into_response();
    };
    if !shown.is_large() {
        return answer::in_json(shown.to_json(), arguments);
    }
    // Neither the cluster nor other requests wait until it is written.
    match tokio::task::spawn_blocking(move || shown.to_json()).await {
        Ok(json) => answer::in_json(json, arguments),
        Err(_) => Refusal::new(500, "").into_response(),
    }
}
