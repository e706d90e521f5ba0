//! `/api/v1/scheduler`. Follows `Master::Http::scheduler` in `src/master/http.cpp`: the same checks, in the same order.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Context;
use super::connections::Connection;
use super::stream::{Events, Format, Refused, not_allowed, queue, read, refused};
use crate::proto::v1::scheduler::{Call, call};

const STREAM_ID: &str = "Mesos-Stream-Id";
const CALL: &str = "mesos.v1.scheduler.Call";
const EVENT: &str = "mesos.v1.scheduler.Event";

/// One call.
pub async fn handle(
    State(context): State<Context>,
    Extension(connection): Extension<Connection>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&context, connection, &method, &headers, &body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    context: &Context,
    connection: Connection,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refused> {
    if let Some(answer) = not_allowed(&["POST"], method) {
        return Ok(answer);
    }
    let call: Call = read(CALL, headers, body)?;
    validate(&call).map_err(|why| refused(400, format!("Failed to validate scheduler::Call: {why}")))?;
    let stream_id = headers.get(STREAM_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    if call.r#type() == call::Type::Subscribe {
        let accepted = Format::accepted(headers)?;
        if stream_id.is_some() {
            return Err(refused(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header"));
        }
        return subscribe(context, connection, call, accepted).await;
    }
    let outcome = context.cluster.ask(move |machine, now| {
        let outcome = machine.master.call(now, stream_id.as_deref(), call.clone());
        (outcome, call.r#type() == call::Type::UpdateFramework)
    });
    match outcome.await {
        Some((Ok(()), true)) => Ok(StatusCode::OK.into_response()),
        Some((Ok(()), false)) => Ok(StatusCode::ACCEPTED.into_response()),
        Some((Err(refusal), _)) => Err(refused(refusal.status, refusal.message)),
        None => Err(refused(503, "The cluster is stopping")),
    }
}

fn validate(call: &Call) -> Result<(), String> {
    if call.r#type.is_none() {
        return Err("Expecting 'type' to be present".to_owned());
    }
    if call.r#type() == call::Type::Subscribe {
        let Some(subscribe) = &call.subscribe else {
            return Err("Expecting 'subscribe' to be present".to_owned());
        };
        if call.framework_id.as_ref().is_some_and(|id| Some(id) != subscribe.framework_info.id.as_ref()) {
            return Err("'framework_id' differs from 'subscribe.framework_info.id'".to_owned());
        }
    }
    Ok(())
}

async fn subscribe(context: &Context, connection: Connection, call: Call, format: Format) -> Result<Response, Refused> {
    let subscribe = call.subscribe.unwrap_or_default();
    let cluster = context.cluster.clone();
    let (sender, events) = queue(context.queue_max, EVENT, format, connection);
    let opened = context.cluster.ask(move |machine, now| {
        let connection = machine.open_stream(sender);
        let stream_id = machine.master.subscribe(now, connection, subscribe);
        let left = move || cluster.tell(move |machine, now| machine.close_stream(now, connection));
        (stream_id, Events::new(events, left))
    });
    let (stream_id, events) = opened.await.ok_or_else(|| refused(503, "The cluster is stopping"))?;
    let headers = [(header::CONTENT_TYPE.as_str(), format.media_type()), (STREAM_ID, stream_id.as_str())];
    Ok((headers, events.body()).into_response())
}
