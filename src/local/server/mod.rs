//! The embedded cluster over HTTP: the APIs of schedulers and executors, what tools read, the sandboxes, and the web page.

mod agent;
mod answer;
mod body;
mod classic;
mod connections;
mod cors;
mod credentials;
mod door;
mod executor;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod logging;
mod metrics;
mod numbers;
mod operator;
mod page;
mod peer;
mod principals;
mod scheduler;
mod sharing;
mod stream;
mod view_of_files;
mod views;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Uri;
use axum::routing::{any, get};
use axum::{Router, middleware};
use tokio::sync::mpsc::UnboundedReceiver;
use tower_service::Service;

use super::cluster::handle::Handle;
use super::options::Credentials;
use super::token::Token;
use crate::clock::places;
use body::Bodies;
use door::Door;
use principals::Guard;

/// What the routes share.
#[derive(Clone)]
pub struct Context {
    pub cluster: Handle,
    /// Files outside of it are not served.
    pub work_dir: Arc<PathBuf>,
    /// The most bytes that wait for a subscriber.
    pub queue_max: usize,
}

/// How a server is made.
#[derive(Debug)]
pub struct Config {
    /// What `/files` serves.
    pub work_dir: PathBuf,
    /// What lets in who is neither this user nor root.
    pub token: Token,
    /// Hosts that requests may name beside loopback and the address that they come to.
    pub hosts: Vec<String>,
    /// The most bytes that wait for a subscriber before its stream ends.
    pub queue_max: usize,
    /// What schedulers have to present; nothing if `None`.
    pub credentials: Option<Credentials>,
}

/// Serves until its task ends. If drivers of this process have connections of their own, schedulers and executors are
/// served on these alone.
pub async fn serve(
    listener: tokio::net::TcpListener,
    inside: Option<UnboundedReceiver<Box<dyn places::Connection>>>,
    cluster: Handle,
    config: Config,
) {
    let served = served(cluster, config);
    if let (Some(inside), Ok(here)) = (inside, listener.local_addr()) {
        tokio::spawn(connections::serve_inside(inside, here, served.clone()));
    }
    connections::serve(listener, served, connections::most()).await;
}

/// Serves these connections alone, as one that is at this address.
pub async fn serve_inside(
    inside: UnboundedReceiver<Box<dyn places::Connection>>,
    here: SocketAddr,
    cluster: Handle,
    config: Config,
) {
    connections::serve_inside(inside, here, served(cluster, config)).await;
}

/// All that is served, whatever a path looks like.
fn served(cluster: Handle, config: Config) -> Router {
    let Config { work_dir, token, hosts, queue_max, credentials } = config;
    let guard = Guard { credentials: credentials.map(Arc::new), token: token.clone() };
    let context = Context { cluster, work_dir: Arc::new(work_dir), queue_max };
    let routes = routes(context, Door::new(token, hosts), guard);
    Router::new().fallback(move |mut request: Request| {
        *request.uri_mut() = resolve(request.uri());
        routes.clone().call(request)
    })
}

/// The path that serves a path: slashes at its ends do not count, and what is below an API is the API's
/// (`ProcessBase::consume` of libprocess).
fn resolve(uri: &Uri) -> Uri {
    let path = uri.path().trim_matches('/');
    let served = match path.split_once("api/v1/") {
        Some((above, below)) if above.is_empty() || above.ends_with('/') => {
            match below.trim_start_matches('/').split('/').next() {
                Some(name @ ("scheduler" | "executor")) => format!("{above}api/v1/{name}"),
                _ => format!("{above}api/v1"),
            }
        }
        _ => path.to_owned(),
    };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = format!("/{served}{query}").parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// Paths as in Mesos: what the master serves is there with and without `/master`.
fn routes(context: Context, door: Door, guard: Guard) -> Router {
    let (calls, others) = Bodies::limits();
    let other_bodies = others.clone();
    let calls = middleware::from_fn_with_state(calls, body::whole);
    let others = middleware::from_fn_with_state(others, body::whole);
    let agents = any(agent::handle).layer(middleware::from_fn_with_state(other_bodies, body::whole_but_streams));
    let executors = any(executor::handle).layer(calls.clone());
    let executors = executors.layer(middleware::from_fn_with_state(context.clone(), executor::admit));
    let in_process = middleware::from_fn_with_state(context.clone(), connections::only_inside);
    let executors = executors.layer(in_process.clone());
    let schedulers = middleware::from_fn_with_state(guard, principals::authenticate);
    let master = Router::new()
        .route("/teardown", any(classic::teardown))
        .route("/reserve", any(classic::reserve))
        .route("/unreserve", any(classic::unreserve))
        .route("/create-volumes", any(classic::create_volumes))
        .route("/destroy-volumes", any(classic::destroy_volumes))
        .route("/maintenance/schedule", any(classic::schedule))
        .route("/maintenance/status", any(classic::status))
        .route("/machine/down", any(classic::machine_down))
        .route("/machine/up", any(classic::machine_up))
        .route("/weights", any(sharing::weights))
        .route("/quota", any(sharing::quota))
        .route("/quota/{*role}", any(sharing::quota_of))
        .route_layer(others.clone())
        .route("/api/v1/scheduler", any(scheduler::handle).layer(calls).layer(schedulers).layer(in_process))
        .route("/state", any(views::state))
        .route("/state-summary", any(views::summary))
        .route("/flags", any(views::flags))
        .route("/slaves", any(views::slaves))
        .route("/frameworks", any(views::frameworks))
        .route("/tasks", any(views::tasks))
        .route("/roles", any(views::roles))
        .route("/health", any(views::health))
        .route("/redirect", any(views::redirect))
        .route("/api/v1", any(operator::handle).layer(others));
    Router::new()
        .merge(master.clone())
        .nest("/master", master)
        .route("/version", any(views::version))
        .route("/metrics", any(metrics::prometheus))
        .route("/metrics/snapshot", any(metrics::snapshot))
        .route("/system/stats.json", any(views::stats))
        .route("/logging/toggle", any(logging::toggle))
        .route("/{agent}/state", any(views::agent_state))
        .route("/{agent}/flags", any(views::agent_flags))
        .route("/files/read", any(files::read))
        .route("/files/browse", any(files::browse))
        .route("/files/download", any(files::download))
        .route("/files/debug", any(files::debug))
        .route("/{agent}/api/v1", agents)
        .route("/{agent}/health", any(agent::health))
        .route("/{agent}/containers", any(agent::list))
        .route("/{agent}/monitor/statistics", any(agent::usage))
        .route("/{agent}/containerizer/debug", any(agent::debug))
        .route("/", get(page::index))
        .route("/webui/events", get(page::events))
        .route("/webui/{*file}", get(page::file))
        .fallback(async || stream::not_found())
        .layer(middleware::from_fn(door::only_known))
        .route("/{agent}/api/v1/executor", executors)
        .layer(middleware::from_fn(answer::compressed))
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::new(door), door::guard))
        .with_state(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_resolved() {
        for (path, served) in [
            ("/", "/"),
            ("/state/?a=/b/", "/state?a=/b/"),
            ("//api/v1/scheduler//", "/api/v1/scheduler"),
            ("/master/api/v1/scheduler/a/b", "/master/api/v1/scheduler"),
            ("/slave(1)/api/v1/executor/", "/slave(1)/api/v1/executor"),
            ("/api/v1/schedulers", "/api/v1"),
            ("/xapi/v1/scheduler/a", "/xapi/v1/scheduler/a"),
            ("http://localhost:5050/state/", "http://localhost:5050/state"),
        ] {
            assert_eq!(resolve(&path.parse().expect(path)).to_string(), served, "{path}");
        }
    }
}
