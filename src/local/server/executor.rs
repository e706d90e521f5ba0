//! `/slave(N)/api/v1/executor`. Follows `Http::executor` in `src/slave/http.cpp`: the same checks, in the same order.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nix::unistd::User;

use super::Context;
use super::connections::Connection;
use super::door::{Caller, unknown};
use super::stream::{Events, Format, not_allowed, not_found, queue, read, stopping};
use crate::local::agent;
use crate::local::refusal::Refusal;
use crate::proto::v1::executor::{Call, call};

const CALL: &str = "mesos.v1.executor.Call";
const EVENT: &str = "mesos.v1.executor.Event";

/// Goes on with requests of those who are known, and of users that executors of this agent run as.
pub async fn admit(
    State(context): State<Context>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
    request: Request,
    next: Next,
) -> Response {
    if is_user(&context, caller, path, None).await { next.run(request).await } else { unknown() }
}

/// Whether a caller is known, or the user that this agent's executor runs as, or any of them.
async fn is_user(context: &Context, caller: Caller, path: String, executor: Option<(String, String)>) -> bool {
    let Caller::Stranger(uid) = caller else {
        return true;
    };
    let Some(uid) = uid.filter(|_| nix::unistd::geteuid().is_root()) else {
        // Without root all run as this user, whatever their frameworks say.
        return false;
    };
    let users = context.cluster.ask(move |machine, _| {
        let agent = machine.agent_at(&path)?;
        Some(agent.users(executor.as_ref()).map(str::to_owned).collect::<std::collections::BTreeSet<_>>())
    });
    let is_it =
        |name: &String| User::from_name(name).is_ok_and(|user| user.is_some_and(|user| user.uid.as_raw() == uid));
    users.await.flatten().is_some_and(|users| users.iter().any(is_it))
}

/// One call.
pub async fn handle(
    State(context): State<Context>,
    Extension(connection): Extension<Connection>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(answer) = not_allowed(&["POST"], &method) {
        return answer;
    }
    let call: Call = match read(CALL, &headers, &body) {
        Ok(call) => call,
        Err(refusal) => return refusal.into_response(),
    };
    let executor = (call.framework_id.value.clone(), call.executor_id.value.clone());
    if !is_user(&context, caller, path.clone(), Some(executor)).await {
        return unknown();
    }
    answer(&context, connection, path, call, &headers).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    context: &Context,
    connection: Connection,
    path: String,
    call: Call,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    agent::validate(&call).map_err(|why| Refusal::new(400, format!("Failed to validate Executor::Call: {why}")))?;
    if call.r#type() == call::Type::Subscribe {
        return subscribe(context, connection, path, call, Format::accepted(headers)?).await;
    }
    let outcome = context.cluster.ask(move |machine, now| machine.agent_at(&path).map(|agent| agent.call(now, call)));
    match outcome.await {
        Some(Some(Ok(()))) => Ok(StatusCode::ACCEPTED.into_response()),
        Some(Some(Err(refusal))) => Err(refusal),
        Some(None) => Err(not_found()),
        None => Err(stopping()),
    }
}

async fn subscribe(
    context: &Context,
    connection: Connection,
    path: String,
    call: Call,
    format: Format,
) -> Result<Response, Refusal> {
    let cluster = context.cluster.clone();
    let (sender, events) = queue(context.queue_max, EVENT, format, connection);
    let opened = context.cluster.ask(move |machine, now| {
        let connection = machine.open_executor_stream(sender);
        let of = path.clone();
        let left = move || cluster.tell(move |machine, _| machine.close_executor_stream(&of, connection));
        let events = Events::new(events, left);
        let subscribed = machine.agent_at(&path).map(|agent| agent.subscribe(now, connection, call));
        subscribed.map(|outcome| outcome.map(|()| events))
    });
    let events = match opened.await {
        Some(Some(Ok(events))) => events,
        Some(Some(Err(refusal))) => return Err(refusal),
        Some(None) => return Err(not_found()),
        None => return Err(stopping()),
    };
    let headers = [(header::CONTENT_TYPE, format.media_type())];
    Ok((headers, events.body()).into_response())
}
