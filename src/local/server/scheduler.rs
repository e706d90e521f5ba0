//! `/api/v1/scheduler`. Follows `Master::Http::scheduler` in `src/master/http.cpp`: the same checks, in the same order.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Context;
use super::connections::Connection;
use super::principals::Authenticated;
use super::stream::{Events, Format, not_allowed, queue, read, stopping};
use crate::local::master::{self, OfFramework, Request};
use crate::local::refusal::Refusal;
use crate::proto::v1::scheduler::{Call, call};

const STREAM_ID: &str = "Mesos-Stream-Id";
const CALL: &str = "mesos.v1.scheduler.Call";
const EVENT: &str = "mesos.v1.scheduler.Event";

/// One call.
pub async fn handle(
    State(context): State<Context>,
    Extension(connection): Extension<Connection>,
    Extension(authenticated): Extension<Authenticated>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&context, connection, &authenticated, &method, &headers, &body)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    context: &Context,
    connection: Connection,
    authenticated: &Authenticated,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refusal> {
    if let Some(answer) = not_allowed(&["POST"], method) {
        return Ok(answer);
    }
    let call: Call = read(CALL, headers, body)?;
    let invalid = |why| Refusal::new(400, format!("Failed to validate scheduler::Call: {why}"));
    let stream_id = headers.get(STREAM_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    match master::validate(call).map_err(invalid)? {
        Request::Subscribe(wanted) => {
            authenticated.check(&wanted.framework_info)?;
            let accepted = Format::accepted(headers)?;
            if stream_id.is_some() {
                return Err(Refusal::new(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header"));
            }
            subscribe(context, connection, *wanted, accepted).await
        }
        Request::Of(framework_id, request) => {
            if matches!(request, OfFramework::ReconcileOperations(_)) {
                Format::accepted(headers)?;
            }
            call_of(context, stream_id, framework_id, request).await
        }
    }
}

async fn call_of(
    context: &Context,
    stream_id: Option<String>,
    framework_id: String,
    request: OfFramework,
) -> Result<Response, Refusal> {
    let done = if matches!(request, OfFramework::UpdateFramework(_)) { StatusCode::OK } else { StatusCode::ACCEPTED };
    let outcome = context.cluster.ask(move |machine, now| {
        machine.refusal(now, None)?;
        machine.call(now, stream_id.as_deref(), &framework_id, request)
    });
    match outcome.await {
        Some(Ok(())) => Ok(done.into_response()),
        Some(Err(refusal)) => Err(refusal),
        None => Err(stopping()),
    }
}

async fn subscribe(
    context: &Context,
    connection: Connection,
    subscribe: call::Subscribe,
    format: Format,
) -> Result<Response, Refusal> {
    let cluster = context.cluster.clone();
    let (sender, events) = queue(context.queue_max, EVENT, format, connection);
    let opened = context.cluster.ask(move |machine, now| {
        let id = subscribe.framework_info.id.as_ref().map(|id| id.value.as_str());
        machine.refusal(now, id)?;
        let connection = machine.open_stream(sender);
        let stream_id = machine.subscribe(now, connection, subscribe);
        let left = move || cluster.tell(move |machine, now| machine.close_stream(now, connection));
        Ok((stream_id, Events::new(events, left)))
    });
    let (stream_id, events) = opened.await.unwrap_or_else(|| Err(stopping()))?;
    let headers = [(header::CONTENT_TYPE.as_str(), format.media_type()), (STREAM_ID, stream_id.as_str())];
    Ok((headers, events.body()).into_response())
}
