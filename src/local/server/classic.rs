//! The endpoints by which operators change something, and which are older than the calls of the operator API that do the
//! same: `/teardown`, `/maintenance`, `/machine`, `/reserve` and their like. Follows `src/master/http.cpp`.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use prost::Message;

use super::Context;
use super::answer::{self, Arguments};
use super::door::only_type;
use super::operator::{ask, ask_for, of};
use super::stream::only;
use crate::local::refusal::Refusal;
use crate::local::show;
use crate::proto::v1::maintenance::Schedule;
use crate::proto::v1::master::call::{CreateVolumes, DestroyVolumes, ReserveResources, Type, UnreserveResources};
use crate::proto::v1::master::{Call, call};
use crate::proto::v1::{AgentId, FrameworkId, MachineId, Resource};
use crate::wire::json;

const FORM: &str = "application/x-www-form-urlencoded";
const SCHEDULE: &str = "mesos.v1.maintenance.Schedule";
const STATUS: &str = "mesos.v1.maintenance.ClusterStatus";
const MACHINE: &str = "mesos.v1.MachineID";
const RESOURCE: &str = "mesos.v1.Resource";

type Answer = Result<Response, Refusal>;

/// `/teardown`: the call TEARDOWN with the `frameworkId` of a form.
pub async fn teardown(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let answer = async {
        let form = form(&headers, &body)?;
        let value = field(&form, "frameworkId")?;
        let teardown = Some(call::Teardown { framework_id: FrameworkId { value } });
        changed(&context, Call { teardown, ..of(Type::Teardown) }).await
    };
    only_post(&method, answer).await
}

/// `/reserve`: the call RESERVE_RESOURCES with `slaveId`, `resources` and perhaps `source` of a form.
pub async fn reserve(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let answer = async {
        let form = form(&headers, &body)?;
        let agent_id = AgentId { value: field(&form, "slaveId")? };
        let resources = listed(&form, "resources", "Error parsing")?;
        let source = if form.contains_key("source") { listed(&form, "source", "Error parsing")? } else { Vec::new() };
        let reserve_resources = Some(ReserveResources { agent_id, source, resources });
        accepted(&context, Call { reserve_resources, ..of(Type::ReserveResources) }).await
    };
    only_post(&method, answer).await
}

/// `/unreserve`: the call UNRESERVE_RESOURCES with `slaveId` and `resources` of a form.
pub async fn unreserve(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let answer = async {
        let (agent_id, resources) = on_agent(&headers, &body, "resources")?;
        let unreserve_resources = Some(UnreserveResources { agent_id, resources });
        accepted(&context, Call { unreserve_resources, ..of(Type::UnreserveResources) }).await
    };
    only_post(&method, answer).await
}

/// `/create-volumes`: the call CREATE_VOLUMES with `slaveId` and `volumes` of a form.
pub async fn create_volumes(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let answer = async {
        let (agent_id, volumes) = on_agent(&headers, &body, "volumes")?;
        accepted(
            &context,
            Call { create_volumes: Some(CreateVolumes { agent_id, volumes }), ..of(Type::CreateVolumes) },
        )
        .await
    };
    only_post(&method, answer).await
}

/// `/destroy-volumes`: the call DESTROY_VOLUMES with `slaveId` and `volumes` of a form.
pub async fn destroy_volumes(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let answer = async {
        let (agent_id, volumes) = on_agent(&headers, &body, "volumes")?;
        let destroy_volumes = Some(DestroyVolumes { agent_id, volumes });
        accepted(&context, Call { destroy_volumes, ..of(Type::DestroyVolumes) }).await
    };
    only_post(&method, answer).await
}

/// `/maintenance/schedule`: the calls GET_MAINTENANCE_SCHEDULE and UPDATE_MAINTENANCE_SCHEDULE.
pub async fn schedule(
    context: State<Context>,
    method: Method,
    arguments: Arguments,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = async {
        if method == Method::GET {
            let response = ask_for(&context, Type::GetMaintenanceSchedule).await?;
            let schedule = response.get_maintenance_schedule.unwrap_or_default().schedule;
            return Ok(message(SCHEDULE, &schedule, &arguments));
        }
        only_type(&headers, "application/json")?;
        let object = parsed(&body, |value| matches!(value, json::Value::Object(_)))?;
        let schedule: Schedule = json::from_value(SCHEDULE, object).map_err(|why| bad(&why))?;
        let update_maintenance_schedule = Some(call::UpdateMaintenanceSchedule { schedule });
        changed(&context, Call { update_maintenance_schedule, ..of(Type::UpdateMaintenanceSchedule) }).await
    };
    only(&["GET", "POST"], &method, answer).await
}

/// `/maintenance/status`: the call GET_MAINTENANCE_STATUS.
pub async fn status(context: State<Context>, method: Method, arguments: Arguments) -> Response {
    let answer = async {
        let response = ask_for(&context, Type::GetMaintenanceStatus).await?;
        let status = response.get_maintenance_status.unwrap_or_default().status;
        Ok(message(STATUS, &status, &arguments))
    };
    only(&["GET"], &method, answer).await
}

/// `/machine/down`: the call START_MAINTENANCE with a list of machines.
pub async fn machine_down(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let answer = async {
        let start_maintenance = Some(call::StartMaintenance { machines: machines(&headers, &body)? });
        changed(&context, Call { start_maintenance, ..of(Type::StartMaintenance) }).await
    };
    only_post(&method, answer).await
}

/// `/machine/up`: the call STOP_MAINTENANCE with a list of machines.
pub async fn machine_up(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let answer = async {
        let stop_maintenance = Some(call::StopMaintenance { machines: machines(&headers, &body)? });
        changed(&context, Call { stop_maintenance, ..of(Type::StopMaintenance) }).await
    };
    only_post(&method, answer).await
}

async fn changed(context: &Context, call: Call) -> Answer {
    ask(context, call).await.map(|_| StatusCode::OK.into_response())
}

async fn accepted(context: &Context, call: Call) -> Answer {
    ask(context, call).await.map(|_| StatusCode::ACCEPTED.into_response())
}

async fn only_post(method: &Method, answer: impl Future<Output = Answer>) -> Response {
    only(&["POST"], method, answer).await
}

fn message(name: &str, message: &impl Message, arguments: &Arguments) -> Response {
    answer::value(&answer::sorted(show::message(name, message)), arguments)
}

fn machines(headers: &HeaderMap, body: &[u8]) -> Result<Vec<MachineId>, Refusal> {
    only_type(headers, "application/json")?;
    let json::Value::List(items) = parsed(body, |value| matches!(value, json::Value::List(_)))? else {
        return Ok(Vec::new());
    };
    items.into_iter().map(|item| json::from_value(MACHINE, item).map_err(|why| bad(&why))).collect()
}

/// Reads JSON that has to be of a kind (`JSON::parse<T>`).
fn parsed(body: &[u8], is_expected: impl Fn(&json::Value) -> bool) -> Result<json::Value, Refusal> {
    let value = json::parse_named(body, |why| why).map_err(|why| bad(&why))?;
    if is_expected(&value) { Ok(value) } else { Err(Refusal::new(400, "Unexpected JSON type parsed")) }
}

fn bad(why: &crate::Error) -> Refusal {
    Refusal::new(400, why.to_string())
}

/// The fields of a form (`process::http::query::decode`).
fn form(headers: &HeaderMap, body: &[u8]) -> Result<HashMap<String, String>, Refusal> {
    only_type(headers, FORM)?;
    if let Some(part) = body.split(|byte| matches!(byte, b'&' | b';')).find(|part| !is_escaped(part)) {
        let part = String::from_utf8_lossy(part);
        let at = part.split('=').find(|half| !is_escaped(half.as_bytes())).unwrap_or_default();
        let escape: String = at.chars().skip_while(|c| *c != '%').take(3).collect();
        let why = format!("Unable to decode query string: Malformed % escape in '{at}': '{escape}'");
        return Err(Refusal::new(400, why));
    }
    Ok(url::form_urlencoded::parse(body).into_owned().collect())
}

/// Whether every `%` has two hexadecimal digits after it.
fn is_escaped(part: &[u8]) -> bool {
    let mut after = part.split(|byte| *byte == b'%').skip(1);
    after.all(|rest| rest.len() >= 2 && rest.iter().take(2).all(u8::is_ascii_hexdigit))
}

fn field(form: &HashMap<String, String>, name: &str) -> Result<String, Refusal> {
    let missing = || Refusal::new(400, format!("Missing '{name}' query parameter in the request body"));
    form.get(name).cloned().ok_or_else(missing)
}

fn on_agent(headers: &HeaderMap, body: &[u8], name: &str) -> Result<(AgentId, Vec<Resource>), Refusal> {
    let form = form(headers, body)?;
    let agent_id = AgentId { value: field(&form, "slaveId")? };
    Ok((agent_id, listed(&form, name, "Error in parsing")?))
}

/// A field that has a list of resources in JSON.
fn listed(form: &HashMap<String, String>, name: &str, what: &str) -> Result<Vec<Resource>, Refusal> {
    let text = field(form, name)?;
    let named = |refusal: Refusal| {
        Refusal::new(400, format!("{what} '{name}' query parameter in the request body: {}", refusal.message))
    };
    let json::Value::List(items) =
        parsed(text.as_bytes(), |value| matches!(value, json::Value::List(_))).map_err(named)?
    else {
        return Ok(Vec::new());
    };
    let resource = |item| json::from_value(RESOURCE, item).map_err(|why| named(bad(&why)));
    items.into_iter().map(resource).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_or_refused_in_the_real_one_s_words() {
        let headers = HeaderMap::from_iter([(axum::http::header::CONTENT_TYPE, FORM.parse().expect("a value"))]);
        let fields = form(&headers, b"a=b+c%26&d").expect("valid");
        assert_eq!((fields["a"].as_str(), fields["d"].as_str()), ("b c&", ""));
        let refusal = form(&headers, b"a=b&%zz=1").expect_err("not escaped");
        assert_eq!(refusal.message, "Unable to decode query string: Malformed % escape in '%zz': '%zz'");
        assert!(form(&HeaderMap::new(), b"").is_err());
    }
}
