//! `/api/v1/scheduler`. Follows `Master::Http::scheduler` in `src/master/http.cpp`: the same checks, in the same order.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use prost::Message;
use tokio::sync::mpsc;

use super::Context;
use crate::local::cluster::Handle;
use crate::local::master::ConnectionId;
use crate::proto::v1::scheduler::{Call, Event, call};
use crate::wire::{json, recordio};

const STREAM_ID: &str = "Mesos-Stream-Id";
const CALL: &str = "mesos.v1.scheduler.Call";
const EVENT: &str = "mesos.v1.scheduler.Event";

/// How bodies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Protobuf,
}

impl Format {
    const ALL: [(Self, &str); 2] = [(Self::Json, "application/json"), (Self::Protobuf, "application/x-protobuf")];

    fn of(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == media_type).map(|(format, _)| format)
    }

    fn media_type(self) -> &'static str {
        if self == Self::Json { Self::ALL[0].1 } else { Self::ALL[1].1 }
    }

    fn encode(self, event: &Event) -> Vec<u8> {
        match self {
            Self::Json => json::to_json(EVENT, event),
            Self::Protobuf => event.encode_to_vec(),
        }
    }
}

/// One call.
pub async fn handle(State(context): State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    answer(&context, &method, &headers, &body).await.unwrap_or_else(IntoResponse::into_response)
}

type Refused = (StatusCode, String);

async fn answer(context: &Context, method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Response, Refused> {
    if method != Method::POST {
        let allow = [(header::ALLOW, "POST")];
        return Ok((
            StatusCode::METHOD_NOT_ALLOWED,
            allow,
            format!("Expecting one of {{ 'POST' }}, but received '{method}'"),
        )
            .into_response());
    }
    let call = read(headers, body)?;
    let stream_id = headers.get(STREAM_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    if call.r#type() == call::Type::Subscribe {
        let accepted = accepted(headers)?;
        if stream_id.is_some() {
            return Err(refused(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header"));
        }
        return subscribe(context, call, accepted).await;
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

fn refused(status: u16, message: impl Into<String>) -> Refused {
    (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), message.into())
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Call, Refused> {
    let media_type =
        headers.get(header::CONTENT_TYPE).ok_or_else(|| refused(400, "Expecting 'Content-Type' to be present"))?;
    let call: Result<Call, _> = match media_type.to_str().ok().and_then(Format::of) {
        Some(Format::Json) => json::from_json(CALL, body),
        Some(Format::Protobuf) => json::from_protobuf(CALL, body),
        None => {
            return Err(refused(415, "Expecting 'Content-Type' of application/json or application/x-protobuf"));
        }
    };
    let call = call.map_err(|e| refused(400, e.to_string()))?;
    let invalid = |why: &str| Err(refused(400, format!("Failed to validate scheduler::Call: {why}")));
    if call.r#type.is_none() {
        return invalid("Expecting 'type' to be present");
    }
    if call.r#type() == call::Type::Subscribe {
        let Some(subscribe) = &call.subscribe else {
            return invalid("Expecting 'subscribe' to be present");
        };
        if call.framework_id.as_ref().is_some_and(|id| Some(id) != subscribe.framework_info.id.as_ref()) {
            return invalid("'framework_id' differs from 'subscribe.framework_info.id'");
        }
    }
    Ok(call)
}

/// JSON where both are accepted, as the real master prefers.
fn accepted(headers: &HeaderMap) -> Result<Format, Refused> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()) else {
        return Ok(Format::Json);
    };
    let ranges: Vec<&str> = accept.split(',').filter_map(|range| range.split(';').next()).map(str::trim).collect();
    let takes = |name: &str| ranges.iter().any(|range| ["*/*", "application/*", name].contains(range));
    let format = Format::ALL.into_iter().find(|(_, name)| takes(name)).map(|(format, _)| format);
    format.ok_or_else(|| refused(406, "Expecting 'Accept' to allow application/json or application/x-protobuf"))
}

async fn subscribe(context: &Context, call: Call, format: Format) -> Result<Response, Refused> {
    let subscribe = call.subscribe.unwrap_or_default();
    let opened = context.cluster.ask(move |machine, now| {
        let (connection, events) = machine.open_stream();
        let stream_id = machine.master.subscribe(now, connection, subscribe);
        (connection, events, stream_id)
    });
    let (connection, events, stream_id) = opened.await.ok_or_else(|| refused(503, "The cluster is stopping"))?;
    let stream = Events { events, format, connection, cluster: context.cluster.clone() };
    let headers = [(header::CONTENT_TYPE.as_str(), format.media_type()), (STREAM_ID, stream_id.as_str())];
    Ok((headers, Body::from_stream(stream)).into_response())
}

/// A subscribed stream. The server drops it when the client leaves.
struct Events {
    events: mpsc::UnboundedReceiver<Event>,
    format: Format,
    connection: ConnectionId,
    cluster: Handle,
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let format = self.format;
        self.events.poll_recv(context).map(|event| event.map(|event| Ok(recordio::encode(&format.encode(&event)))))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let connection = self.connection;
        self.cluster.tell(move |machine, now| machine.close_stream(now, connection));
    }
}
