//! What is measured: `/metrics/snapshot` as the real one has it, and the same numbers as Prometheus reads them. Follows
//! libprocess' `metrics.cpp`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answer::{self, Arguments};
use super::stream::stopping;
use super::{Context, numbers};
use crate::local::host;
use crate::local::metrics::{Metrics, is_counter};
use crate::local::refusal::Refusal;
use crate::proto::v1::Metric;

/// `/metrics/snapshot?timeout=`: numbers by name. They are there at once, so nothing times out.
pub async fn snapshot(context: State<Context>, arguments: Arguments) -> Result<Response, Refusal> {
    if let Some(timeout) = arguments.get("timeout") {
        let refused = |why| Refusal::new(400, format!("Invalid timeout '{timeout}': {why}.\n"));
        numbers::duration(timeout).map_err(refused)?;
    }
    Ok(answer::value(&json!(measured(&context).await?), &arguments))
}

/// `/metrics`: the same in Prometheus' text format.
pub async fn prometheus(context: State<Context>) -> Result<Response, Refusal> {
    let text = text(&measured(&context).await?);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// The same as messages, for GET_METRICS of master and agents.
pub async fn messages(context: &Context) -> Result<Vec<Metric>, Refusal> {
    let metric = |(name, value)| Metric { name, value: Some(value) };
    Ok(measured(context).await?.into_iter().map(metric).collect())
}

async fn measured(context: &Context) -> Result<Metrics, Refusal> {
    let measured = context.cluster.ask(|machine, now| machine.metrics(now)).await;
    let mut metrics = measured.ok_or_else(stopping)?;
    metrics.extend(host::metrics());
    Ok(metrics)
}

/// The numbers of one name are together, and have frameworks and roles as labels.
fn text(metrics: &Metrics) -> String {
    let mut families: BTreeMap<String, (bool, String)> = BTreeMap::new();
    for (name, value) in metrics {
        let (family, labels) = split(name);
        let family = valid(&family);
        let shown: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let shown = if shown.is_empty() { String::new() } else { format!("{{{}}}", shown.join(",")) };
        let line = format!("{family}{shown} {value}\n");
        families.entry(family).or_insert_with(|| (is_counter(name), String::new())).1.push_str(&line);
    }
    let family = |(name, (counts, lines)): (String, (bool, String))| {
        format!("# TYPE {name} {}\n{lines}", if counts { "counter" } else { "gauge" })
    };
    families.into_iter().map(family).collect()
}

/// The name without the names in it, and these.
fn split(name: &str) -> (String, Vec<(&'static str, &str)>) {
    let parts: Vec<&str> = name.split('/').collect();
    if let ["master", "frameworks", framework, id, rest @ ..] = &parts[..] {
        let rest_at = name.len().saturating_sub(rest.iter().map(|part| part.len().saturating_add(1)).sum());
        let rest = name.get(rest_at..).unwrap_or_default();
        let mut labels = vec![("framework", *framework), ("framework_id", *id)];
        let (rest, role) = without_role(rest, "/roles/", "/suppressed");
        labels.extend(role.map(|role| ("role", role)));
        return (format!("master/frameworks{rest}"), labels);
    }
    if let Some((principal, what)) = name.strip_prefix("frameworks/").and_then(|rest| rest.rsplit_once('/')) {
        return (format!("frameworks/{what}"), vec![("principal", principal)]);
    }
    let ends = ["/active", "/resources/", "/shares/"];
    let found = ends.iter().map(|end| without_role(name, "/roles/", end)).find(|(_, role)| role.is_some());
    let (name, role) = found.unwrap_or((name.to_owned(), None));
    (name, role.map(|role| ("role", role)).into_iter().collect())
}

/// Takes the role out that is between these.
fn without_role<'a>(name: &'a str, before: &str, after: &str) -> (String, Option<&'a str>) {
    let cut = name.split_once(before).and_then(|(begin, rest)| {
        let at = rest.rfind(after)?;
        Some((format!("{begin}{before}{}", rest.get(at..)?.trim_start_matches('/')), rest.get(..at)?))
    });
    cut.map_or_else(|| (name.to_owned(), None), |(name, role)| (name, Some(role)))
}

/// A name of letters, digits and underscores.
fn valid(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "mesos_".chars().chain(letters).collect()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frameworks_and_roles_are_labels() {
        let metrics: Metrics = [
            ("master/cpus_total", 2.5),
            ("master/frameworks/a%20b/ID-0000/calls/accept", 1.0),
            ("master/frameworks/b/ID-0001/calls/accept", 2.0),
            ("master/frameworks/b/ID-0001/roles/r/s/suppressed", 0.0),
            ("allocator/mesos/quota/roles/r/s/resources/cpus/consumed", 3.0),
            ("allocator/mesos/offer_filters/roles/*/active", 4.0),
            ("frameworks/p/messages_received", 5.0),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let expected = r#"# TYPE mesos_allocator_mesos_offer_filters_roles_active gauge
mesos_allocator_mesos_offer_filters_roles_active{role="*"} 4
# TYPE mesos_allocator_mesos_quota_roles_resources_cpus_consumed gauge
mesos_allocator_mesos_quota_roles_resources_cpus_consumed{role="r/s"} 3
# TYPE mesos_frameworks_messages_received counter
mesos_frameworks_messages_received{principal="p"} 5
# TYPE mesos_master_cpus_total gauge
mesos_master_cpus_total 2.5
# TYPE mesos_master_frameworks_calls_accept counter
mesos_master_frameworks_calls_accept{framework="a%20b",framework_id="ID-0000"} 1
mesos_master_frameworks_calls_accept{framework="b",framework_id="ID-0001"} 2
# TYPE mesos_master_frameworks_roles_suppressed gauge
mesos_master_frameworks_roles_suppressed{framework="b",framework_id="ID-0001",role="r/s"} 0
"#;
        assert_eq!(text(&metrics), expected);
        assert_eq!(escaped("a\"\\\n"), r#"a\"\\\n"#);
    }
}
