//! What operators ask of the master: frameworks removed, agents marked gone, maintenance. Follows `src/master/http.cpp`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Context;
use super::door::only_type;
use crate::local::master::Framework;
use crate::proto::v1;
use crate::wire::json;

/// `/teardown`: removes the framework that the form's `frameworkId` names.
pub async fn teardown(context: State<Context>, headers: HeaderMap, body: String) -> Response {
    if let Err(refusal) = only_type(&headers, "application/x-www-form-urlencoded") {
        return refusal.into_response();
    }
    let form = url::form_urlencoded::parse(body.as_bytes());
    let Some(id) = form.into_iter().find(|(name, _)| name == "frameworkId").map(|(_, id)| id.into_owned()) else {
        return (StatusCode::BAD_REQUEST, "Missing 'frameworkId' query parameter in the request body").into_response();
    };
    remove(&context, id).await
}

async fn remove(context: &Context, id: String) -> Response {
    let removed = context.cluster.ask(move |machine, now| {
        let known = machine.master.frameworks().any(|f: &Framework| f.id() == id && f.unregistered_time.is_none());
        machine.master.remove_framework(now, &id);
        known
    });
    answer(removed.await, "No framework found with specified ID")
}

fn answer(done: Option<bool>, otherwise: &str) -> Response {
    match done {
        Some(true) => StatusCode::OK.into_response(),
        _ => (StatusCode::BAD_REQUEST, otherwise.to_owned()).into_response(),
    }
}

/// `/api/v1` in JSON: MARK_AGENT_GONE and TEARDOWN.
pub async fn call(context: State<Context>, headers: HeaderMap, body: String) -> Response {
    if let Err(refusal) = only_type(&headers, "application/json") {
        return refusal.into_response();
    }
    let Ok(call) = serde_json::from_str::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, "Failed to parse body into JSON").into_response();
    };
    let id = |member: &str, field: &str| call[member][field]["value"].as_str().map(str::to_owned);
    match call["type"].as_str() {
        Some("MARK_AGENT_GONE") => match id("mark_agent_gone", "agent_id") {
            Some(id) => {
                let gone = context.cluster.ask(move |machine, now| machine.master.mark_gone(now, &id));
                if gone.await == Some(true) { StatusCode::OK } else { StatusCode::NOT_FOUND }.into_response()
            }
            None => expected("mark_agent_gone"),
        },
        Some("TEARDOWN") => match id("teardown", "framework_id") {
            Some(id) => remove(&context, id).await,
            None => expected("teardown"),
        },
        Some(other) => {
            let why = format!("The embedded cluster does not have {other}; a real cluster does");
            (StatusCode::NOT_IMPLEMENTED, why).into_response()
        }
        None => expected("type"),
    }
}

fn expected(member: &str) -> Response {
    let why = format!("Failed to validate master::Call: Expecting '{member}' to be present");
    (StatusCode::BAD_REQUEST, why).into_response()
}

/// `/maintenance/schedule`: when which machines will not be there.
pub async fn maintenance(context: State<Context>, headers: HeaderMap, body: String) -> Response {
    if let Err(refusal) = only_type(&headers, "application/json") {
        return refusal.into_response();
    }
    let schedule: v1::maintenance::Schedule = match json::from_json("mesos.v1.maintenance.Schedule", body.as_bytes()) {
        Ok(schedule) => schedule,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    match context.cluster.ask(move |machine, now| machine.master.plan_maintenance(now, schedule)).await {
        Some(Ok(())) => StatusCode::OK.into_response(),
        Some(Err(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
