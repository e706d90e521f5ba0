//! The web page. Its files are part of the program, and all addresses in it are relative, since a proxy may have it
//! under another path.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

use super::Context;
use super::connections::Connection;
use super::operator;
use super::stream::{self, Format};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        [$(($name, SCRIPT, include_str!(concat!("../webui/", $name)))),*]
    };
}

const STYLE: (&str, &str, &str) = ("style.css", CSS, include_str!("../webui/style.css"));
const SCRIPTS: [(&str, &str, &str); 16] = scripts![
    "main.js",
    "clock.js",
    "cluster.js",
    "dom.js",
    "feed.js",
    "format.js",
    "messages.js",
    "pager.js",
    "recordio.js",
    "table.js",
    "pages/agents.js",
    "pages/files.js",
    "pages/frameworks.js",
    "pages/operators.js",
    "pages/task.js",
    "pages/tasks.js",
];

/// `/`.
pub async fn index() -> Response {
    answer(HTML, include_str!("../webui/index.html"))
}

/// `/webui/`: what the page consists of.
pub async fn file(Path(path): Path<String>) -> Response {
    match SCRIPTS.iter().chain([&STYLE]).find(|(name, ..)| *name == path) {
        Some((_, kind, text)) => answer(kind, text),
        None => stream::not_found().into_response(),
    }
}

/// `/webui/events`: the stream of the call SUBSCRIBE. Proxies hold an answer back unless it is asked for, or marked, as
/// they know it: jupyter-server-proxy takes an `Accept` of `text/event-stream` alone, which the operator API refuses, and
/// nginx a header of its own.
pub async fn events(context: State<Context>, Extension(connection): Extension<Connection>) -> Response {
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    match operator::subscribe(&context, connection, Format::Json).await {
        Ok(stream) => ([(header::CACHE_CONTROL, "no-store")], unbuffered, stream).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Another version of the cluster may be at the same address next time.
fn answer(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
