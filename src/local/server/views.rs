//! What tools and the web page read.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Context;
use crate::local::cluster::machine::Machine;
use crate::local::host;
use crate::local::master::MESOS_VERSION;

/// `/state`.
pub async fn state(context: State<Context>) -> Response {
    look(&context, |machine| machine.master.state()).await
}

/// `/slaves`.
pub async fn slaves(context: State<Context>) -> Response {
    look(&context, |machine| machine.master.slaves()).await
}

/// `/state-summary`.
pub async fn summary(context: State<Context>) -> Response {
    look(&context, |machine| machine.master.summary()).await
}

/// `/flags`.
pub async fn flags(context: State<Context>) -> Response {
    look(&context, |machine| machine.master.flags()).await
}

/// `/slave(N)/flags`.
pub async fn agent_flags(context: State<Context>, Path(path): Path<String>) -> Response {
    let found = context.cluster.ask(move |machine, _| machine.agent_at(&path).map(|agent| agent.flags()));
    match found.await {
        Some(Some(flags)) => Json(flags).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `/frameworks`.
pub async fn frameworks(context: State<Context>) -> Response {
    look(&context, |machine| machine.master.frameworks_json()).await
}

/// `/tasks`.
pub async fn tasks(context: State<Context>) -> Response {
    look(&context, |machine| machine.master.tasks_json()).await
}

/// `/slave(N)/state`.
pub async fn agent_state(context: State<Context>, Path(path): Path<String>) -> Response {
    let found = context.cluster.ask(move |machine, _| machine.agent_state(&path));
    match found.await {
        Some(Some(state)) => Json(state).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `/metrics/snapshot`.
pub async fn metrics(context: State<Context>) -> Response {
    match context.cluster.ask(|machine, now| machine.metrics(now)).await {
        Some(mut metrics) => {
            metrics.extend(host::metrics());
            Json(metrics).into_response()
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// `/version`.
pub async fn version() -> Json<Value> {
    Json(json!({ "version": MESOS_VERSION, "remesos": env!("CARGO_PKG_VERSION") }))
}

/// `/health`: 200 and nothing more.
pub async fn health() {}

/// `/redirect`: to the leading master, which is this one.
pub async fn redirect(headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, format!("//{host}"))]).into_response()
}

async fn look(context: &Context, view: impl FnOnce(&Machine) -> Value + Send + 'static) -> Response {
    match context.cluster.ask(move |machine, _| view(machine)).await {
        Some(json) => Json(json).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
