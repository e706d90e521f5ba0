//! An agent's operator API, `/slave(N)/api/v1`, and what tools read of its containers. Follows `Http::api`, `containers`
//! and `statistics` in `src/slave/http.cpp`.

mod access;
mod containers;
mod request;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use self::access::{Answer, with};
use self::containers::{attach_input, launch, session, wait};
use self::request::{Accepted, Given, accept_types, content_types, first_record, parse};
use super::answer::{self, Arguments};
use super::stream::{not_allowed, not_found, stopping, written};
use super::{Context, files, logging, metrics};
use crate::local::agent::operator::{Listed, Shown, of, statistics, validate};
use crate::local::backend::{Meter, Usage};
use crate::local::refusal::Refusal;
use crate::proto::v1;
use crate::proto::v1::agent::call::{self, Type};
use crate::proto::v1::agent::{self, Call, response};

const RESPONSE: &str = "mesos.v1.agent.Response";

/// `/slave(N)/api/v1`: one call, in JSON or protobuf.
pub async fn handle(
    State(context): State<Context>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Some(refused) = not_here(&context, &path).await {
        return refused.into_response();
    }
    if let Some(answer) = not_allowed(&["POST"], &method) {
        return answer;
    }
    let answer = async {
        let given = content_types(&headers)?;
        let accepted = accept_types(&headers)?;
        let call = match given {
            Given::Whole(format) => parse(format, &whole(body).await?)?,
            Given::Stream(format) => parse(format, &first_record(body).await?)?,
        };
        validate(&call)?;
        fits(&call, given, accepted)?;
        note(&context, &path, &call);
        let answered = carry_out(&context, path, call).await?;
        match (answered, accepted) {
            (Some(response), Accepted::Whole(format)) => written(RESPONSE, format, response).await,
            _ => Ok(StatusCode::OK.into_response()),
        }
    };
    answer.await.unwrap_or_else(|refusal: Refusal| {
        // What has no words has no type either: a launch that was done before.
        if refusal.status == 202 { StatusCode::ACCEPTED.into_response() } else { refusal.into_response() }
    })
}

/// Has the history of the cluster tell of calls that change something.
fn note(context: &Context, path: &str, call: &Call) {
    let name = call.r#type().as_str_name();
    if !["GET_", "LIST_", "READ_", "WAIT_", "ATTACH_"].iter().any(|asks| name.starts_with(asks)) {
        let path = path.to_owned();
        context.cluster.tell(move |machine, now| machine.note_agent_call(now, &path, name));
    }
}

/// A body that was read before.
async fn whole(body: Body) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, usize::MAX).await.map_err(|e| Refusal::new(400, format!("Cannot read the body: {e}\n")))
}

/// Streams are for the calls that are made for them.
fn fits(call: &Call, given: Given, accepted: Accepted) -> Result<(), Refusal> {
    let name = call.r#type().as_str_name();
    match given {
        Given::Stream(_) if call.r#type() != Type::AttachContainerInput => {
            let why = format!("Streaming 'Content-Type' application/recordio is not supported for {name} call");
            return Err(Refusal::new(415, why));
        }
        Given::Whole(_) if call.r#type() == Type::AttachContainerInput => {
            let why = format!("Expecting 'Content-Type' to be application/recordio for {name} call");
            return Err(Refusal::new(415, why));
        }
        _ => {}
    }
    let streams = matches!(call.r#type(), Type::AttachContainerOutput | Type::LaunchNestedContainerSession);
    if accepted == Accepted::Stream && !streams {
        return Err(Refusal::new(406, format!("Streaming response is not supported for {name} call")));
    }
    Ok(())
}

#[allow(deprecated)]
async fn carry_out(context: &Context, path: String, call: Call) -> Answer {
    match call.r#type() {
        Type::GetMetrics => get_metrics(context).await.map(Some),
        Type::GetLoggingLevel | Type::SetLoggingLevel => logging_level(context, call).await,
        Type::ListFiles | Type::ReadFile => file(context, call).await.map(Some),
        Type::ReadLog => read_log(context, path, call.read_log.unwrap_or_default()).await.map(Some),
        Type::GetContainers => list_containers(context, path, call.get_containers.unwrap_or_default()).await.map(Some),
        Type::LaunchNestedContainer | Type::LaunchContainer => launch(context, path, call).await.map(|()| None),
        Type::LaunchNestedContainerSession => session(context, path, call).await.map(|()| None),
        Type::WaitNestedContainer | Type::WaitContainer => wait(context, path, call).await.map(Some),
        Type::KillNestedContainer | Type::KillContainer => {
            let nested = call.kill_nested_container.map(|kill| (kill.container_id, kill.signal));
            let other = || call.kill_container.map(|kill| (kill.container_id, kill.signal)).unwrap_or_default();
            let (id, signal) = nested.unwrap_or_else(other);
            let signal = signal.unwrap_or(libc::SIGKILL);
            with(context, path, move |agent, now| agent.kill_container(now, &id, signal)).await??;
            Ok(None)
        }
        Type::RemoveNestedContainer | Type::RemoveContainer => {
            let nested = call.remove_nested_container.map(|remove| remove.container_id);
            let id = nested.or(call.remove_container.map(|remove| remove.container_id)).unwrap_or_default();
            with(context, path, move |agent, _| agent.remove_container(&id)).await??;
            Ok(None)
        }
        Type::UpdateContainerMemoryLimit => {
            let id = call.update_container_memory_limit.unwrap_or_default().container_id;
            with(context, path, move |agent, _| agent.limit_memory(&id)).await??;
            Ok(None)
        }
        Type::AttachContainerInput => attach_input(context, path, call).await,
        Type::AttachContainerOutput => {
            let id = call.attach_container_output.unwrap_or_default().container_id;
            Err(with(context, path, move |agent, _| agent.attach_container(&id)).await?)
        }
        _ => with(context, path, move |agent, _| agent.operator_call(&call)).await?,
    }
}

async fn not_here(context: &Context, path: &str) -> Option<Refusal> {
    let path = path.to_owned();
    let here = context.cluster.ask(move |machine, _| machine.agents.at(&path).is_some()).await;
    match here {
        Some(true) => None,
        Some(false) => Some(not_found()),
        None => Some(stopping()),
    }
}

/// GET_METRICS: those of `/metrics/snapshot`, of the process that master and agents share.
async fn get_metrics(context: &Context) -> Result<agent::Response, Refusal> {
    let get_metrics = Some(response::GetMetrics { metrics: metrics::messages(context).await? });
    Ok(agent::Response { get_metrics, ..of(response::Type::GetMetrics) })
}

/// GET_LOGGING_LEVEL, and SET_LOGGING_LEVEL, which has no response.
async fn logging_level(context: &Context, call: Call) -> Answer {
    if let Some(set) = call.set_logging_level {
        let seconds = set.duration.nanoseconds as f64 / 1e9;
        return logging::set_level(context, set.level, seconds).await.map(|()| None);
    }
    let get_logging_level = Some(response::GetLoggingLevel { level: logging::level(context).await? });
    Ok(Some(agent::Response { get_logging_level, ..of(response::Type::GetLoggingLevel) }))
}

/// LIST_FILES and READ_FILE, of what `/files` serves.
async fn file(context: &Context, call: Call) -> Result<agent::Response, Refusal> {
    if let Some(wanted) = call.list_files {
        let file_infos = files::list(context, &wanted.path).await?;
        let list_files = Some(response::ListFiles { file_infos });
        return Ok(agent::Response { list_files, ..of(response::Type::ListFiles) });
    }
    let read = call.read_file.unwrap_or_default();
    let (size, data) = files::part(context, &read.path, read.offset, read.length).await?;
    let read_file = Some(response::ReadFile { size, data });
    Ok(agent::Response { read_file, ..of(response::Type::ReadFile) })
}

/// READ_LOG of clusterd, `Http::readLog` in its `src/slave/http.cpp`: what a container has written. The agent's own log is
/// not in a file.
async fn read_log(context: &Context, path: String, wanted: call::ReadLog) -> Result<agent::Response, Refusal> {
    if wanted.source() != call::read_log::Source::Container {
        return Err(Refusal::new(404, ""));
    }
    let id = wanted.container_id.clone().unwrap_or_default();
    let agent = path.clone();
    let sandbox = with(context, path, move |agent, _| agent.sandbox_of_executor(&id)).await??;
    let files = context.cluster.ask(move |machine, _| machine.files_at(&agent, &sandbox)).await.flatten();
    let files = files.ok_or_else(not_found)?;
    let part = async |name: &str, offset| {
        let file = files.join(name);
        let (size, data) = files::part(context, &file.to_string_lossy(), offset, wanted.length).await?;
        Ok(Some(response::read_log::Data { size, data }))
    };
    let stdout = part("stdout", wanted.stdout_offset()).await?;
    let stderr = part("stderr", wanted.stderr_offset()).await?;
    let read_log = Some(response::ReadLog { stdout, stderr });
    Ok(agent::Response { read_log, ..of(response::Type::ReadLog) })
}

/// GET_CONTAINERS.
async fn list_containers(
    context: &Context,
    path: String,
    wanted: call::GetContainers,
) -> Result<agent::Response, Refusal> {
    let shown = Shown { nested: wanted.show_nested(), standalone: wanted.show_standalone() };
    let measured = measured(context, path, shown).await?;
    let containers: Vec<_> = measured.into_iter().map(|(listed, statistics)| listed.message(statistics)).collect();
    // Mesos makes this message of JSON, in which an empty list is none.
    let get_containers = (!containers.is_empty()).then_some(response::GetContainers { containers });
    Ok(agent::Response { get_containers, ..of(response::Type::GetContainers) })
}

/// The containers of an agent with what they use.
async fn measured(
    context: &Context,
    path: String,
    shown: Shown,
) -> Result<Vec<(Listed, v1::ResourceStatistics)>, Refusal> {
    let asked = context.cluster.ask(move |machine, now| {
        let agent = machine.agents.at(&path)?;
        let backend = machine.agents.backend(&agent.config().id);
        let meters = |listed: &Listed| {
            let meters = listed.measured.iter().filter_map(|container| backend?.meter(container));
            meters.collect::<Vec<Meter>>()
        };
        let listed = agent.listed(shown).into_iter().map(|listed| (meters(&listed), listed));
        Some((machine.timestamp(now), listed.collect::<Vec<_>>()))
    });
    let (time, listed) = asked.await.ok_or_else(stopping)?.ok_or_else(not_found)?;
    let measure = move || {
        let used = |meters: Vec<Meter>| meters.into_iter().filter_map(|meter| meter()).reduce(Usage::and);
        let statistics = |(meters, listed): (Vec<Meter>, Listed)| {
            let usage: Option<Usage> = used(meters);
            let statistics = statistics(&listed, usage, time);
            (listed, statistics)
        };
        listed.into_iter().map(statistics).collect()
    };
    tokio::task::spawn_blocking(measure).await.map_err(|_| stopping())
}

/// `/slave(N)/health`: 200 and nothing more.
pub async fn health(State(context): State<Context>, Path(path): Path<String>) -> Response {
    let refused = not_here(&context, &path).await;
    refused.map_or_else(|| StatusCode::OK.into_response(), IntoResponse::into_response)
}

/// `/slave(N)/containers`: the containers of executors, with what they use.
pub async fn list(State(context): State<Context>, Path(path): Path<String>, arguments: Arguments) -> Response {
    let wanted = arguments.get("container_id");
    show(&context, path, &arguments, true, move |listed| wanted.is_none_or(|id| listed.is(id))).await
}

/// `/slave(N)/monitor/statistics`: what executors use.
pub async fn usage(State(context): State<Context>, Path(path): Path<String>, arguments: Arguments) -> Response {
    show(&context, path, &arguments, false, |_| true).await
}

/// `/slave(N)/containerizer/debug`: what its containers are waited for with, which is nothing.
pub async fn debug(State(context): State<Context>, Path(path): Path<String>, arguments: Arguments) -> Response {
    let refused = not_here(&context, &path).await;
    let pending = || answer::value(&serde_json::json!({ "pending": [] }), &arguments);
    refused.map_or_else(pending, IntoResponse::into_response)
}

async fn show(
    context: &Context,
    path: String,
    arguments: &Arguments,
    status: bool,
    wanted: impl Fn(&Listed) -> bool,
) -> Response {
    match measured(context, path, Shown::default()).await {
        Ok(measured) => {
            let wanted = measured.into_iter().filter(|(listed, _)| wanted(listed));
            let shown = wanted.filter_map(|(listed, statistics)| listed.shown(&statistics, status));
            answer::value(&shown.collect::<Value>(), arguments)
        }
        Err(refusal) => refusal.into_response(),
    }
}
