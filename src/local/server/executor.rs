//! `/slave(N)/api/v1/executor`. Follows `Http::executor` in `src/slave/http.cpp`: the same checks, in the same order.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Context;
use super::connections::Connection;
use super::stream::{Events, Format, Refused, not_allowed, queue, read, refused};
use crate::local::agent;
use crate::proto::v1::executor::{Call, call};

const CALL: &str = "mesos.v1.executor.Call";
const EVENT: &str = "mesos.v1.executor.Event";

/// One call.
pub async fn handle(
    State(context): State<Context>,
    Extension(connection): Extension<Connection>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&context, connection, path, &method, &headers, &body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    context: &Context,
    connection: Connection,
    path: String,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refused> {
    if let Some(answer) = not_allowed(&["POST"], method) {
        return Ok(answer);
    }
    let call: Call = read(CALL, headers, body)?;
    agent::validate(&call).map_err(|why| refused(400, format!("Failed to validate Executor::Call: {why}")))?;
    if call.r#type() == call::Type::Subscribe {
        return subscribe(context, connection, path, call, Format::accepted(headers)?).await;
    }
    let outcome = context.cluster.ask(move |machine, now| machine.agent_at(&path).map(|agent| agent.call(now, call)));
    match outcome.await {
        Some(Some(Ok(()))) => Ok(StatusCode::ACCEPTED.into_response()),
        Some(Some(Err(refusal))) => Err(refused(refusal.status, refusal.message)),
        Some(None) => Err(refused(404, "")),
        None => Err(refused(503, "The cluster is stopping")),
    }
}

async fn subscribe(
    context: &Context,
    connection: Connection,
    path: String,
    call: Call,
    format: Format,
) -> Result<Response, Refused> {
    let cluster = context.cluster.clone();
    let (sender, events) = queue(context.queue_max, EVENT, format, connection);
    let opened = context.cluster.ask(move |machine, now| {
        let connection = machine.open_executor_stream(sender);
        let left = move || cluster.tell(move |machine, _| machine.close_executor_stream(connection));
        let events = Events::new(events, left);
        let subscribed = machine.agent_at(&path).map(|agent| agent.subscribe(now, connection, call));
        subscribed.map(|outcome| outcome.map(|()| events))
    });
    let events = match opened.await {
        Some(Some(Ok(events))) => events,
        Some(Some(Err(refusal))) => return Err(refused(refusal.status, refusal.message)),
        Some(None) => return Err(refused(404, "")),
        None => return Err(refused(503, "The cluster is stopping")),
    };
    let headers = [(header::CONTENT_TYPE, format.media_type())];
    Ok((headers, events.body()).into_response())
}
