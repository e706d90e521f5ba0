//! The master's operator API: `/api/v1`. Follows `Master::Http::api` in `src/master/http.cpp`.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::connections::Connection;
use super::files::{list, part};
use super::stream::{Events, Format, only, queue, read, stopping, written};
use super::{Context, logging, metrics};
use crate::local::cluster::machine::Machine;
use crate::local::master::{self as local, Done};
use crate::local::refusal::Refusal;
use crate::proto::v1::master::{self, Call, call, response};

const CALL: &str = "mesos.v1.master.Call";
const RESPONSE: &str = "mesos.v1.master.Response";
const EVENT: &str = "mesos.v1.master.Event";

/// `/api/v1`: one call, in JSON or protobuf.
pub async fn handle(
    context: State<Context>,
    Extension(connection): Extension<Connection>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = async {
        let call: Call = read(CALL, &headers, &body)?;
        local::validate_operator(&call)?;
        let format = Format::accepted(&headers)?;
        let response = match call.r#type() {
            call::Type::Subscribe => return subscribe(&context, connection, format).await,
            call::Type::GetMetrics => Some(get_metrics(&context).await?),
            call::Type::ListFiles | call::Type::ReadFile => Some(files(&context, call).await?),
            // The call of clusterd, whose masters answer so if their log is not in a file.
            call::Type::ReadLog => return Err(Refusal::new(404, "")),
            call::Type::GetLoggingLevel | call::Type::SetLoggingLevel => logging_level(&context, call).await?,
            _ => match ask(&context, call).await? {
                Done::Answer(response) => Some(*response),
                Done::Changed => None,
                Done::Accepted => return Ok(StatusCode::ACCEPTED.into_response()),
            },
        };
        match response {
            Some(response) => written(RESPONSE, format, response).await,
            None => Ok(StatusCode::OK.into_response()),
        }
    };
    only(&["POST"], &method, answer).await
}

/// SUBSCRIBE: a stream of what happens.
pub(super) async fn subscribe(context: &Context, connection: Connection, format: Format) -> Result<Response, Refusal> {
    let cluster = context.cluster.clone();
    let (sender, events) = queue(context.queue_max, EVENT, format, connection);
    let opened = context.cluster.ask(move |machine, now| {
        let watcher = machine.watch(now, sender);
        Events::new(events, move || cluster.tell(move |machine, _| machine.unwatch(watcher)))
    });
    let events = opened.await.ok_or_else(stopping)?;
    Ok(([(header::CONTENT_TYPE, format.media_type())], events.body()).into_response())
}

/// GET_METRICS: those of `/metrics/snapshot`.
async fn get_metrics(context: &Context) -> Result<master::Response, Refusal> {
    let get_metrics = Some(response::GetMetrics { metrics: metrics::messages(context).await? });
    Ok(master::Response { get_metrics, ..answer(response::Type::GetMetrics) })
}

/// LIST_FILES and READ_FILE, of what `/files` serves.
async fn files(context: &Context, call: Call) -> Result<master::Response, Refusal> {
    if let Some(wanted) = call.list_files {
        let file_infos = list(context, &wanted.path).await?;
        let list_files = Some(response::ListFiles { file_infos });
        return Ok(master::Response { list_files, ..answer(response::Type::ListFiles) });
    }
    let read = call.read_file.unwrap_or_default();
    let (size, data) = part(context, &read.path, read.offset, read.length).await?;
    let read_file = Some(response::ReadFile { size, data });
    Ok(master::Response { read_file, ..answer(response::Type::ReadFile) })
}

/// GET_LOGGING_LEVEL, and SET_LOGGING_LEVEL, which has no response.
async fn logging_level(context: &Context, call: Call) -> Result<Option<master::Response>, Refusal> {
    if let Some(set) = call.set_logging_level {
        let seconds = set.duration.nanoseconds as f64 / 1e9;
        return logging::set_level(context, set.level, seconds).await.map(|()| None);
    }
    let get_logging_level = Some(response::GetLoggingLevel { level: logging::level(context).await? });
    Ok(Some(master::Response { get_logging_level, ..answer(response::Type::GetLoggingLevel) }))
}

pub(super) async fn ask(context: &Context, call: Call) -> Result<Done, Refusal> {
    let answer = move |machine: &mut Machine, now| {
        let answer = machine.operator_call(now, call);
        // Frameworks hear of it before the operator does.
        machine.route(now);
        answer
    };
    let outcome = context.cluster.ask(answer).await;
    outcome.ok_or_else(stopping)?
}

/// The response to a call that only asks.
pub(super) async fn ask_for(context: &Context, kind: call::Type) -> Result<master::Response, Refusal> {
    ask(context, of(kind)).await.map(|done| done.response().unwrap_or_default())
}

fn answer(kind: response::Type) -> master::Response {
    master::Response { r#type: Some(kind.into()), ..Default::default() }
}

pub(super) fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind.into()), ..Default::default() }
}
