//! Looks how a task is: runs a command, asks over HTTP, connects. The IO of checks; when, and what it means, is decided
//! in [`crate::local::task`]. Follows `src/checks/checker_process.cpp`.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::command::{Inside, Surroundings, program};
use super::reaper::Output;
use crate::local::backend::{Outcome, Probe, ProbeKind};
use crate::proto::v1;

/// What is seen, `Failed` if nothing is within the probe's time.
pub async fn probe(probe: Probe, surroundings: Surroundings) -> Outcome {
    let (timeout, kind) = (probe.timeout.get(), probe.kind);
    let look = async move {
        match kind {
            ProbeKind::Command(command) => run(&command, &surroundings).await,
            ProbeKind::Http { scheme, port, path } => ask(&format!("{scheme}://127.0.0.1:{port}{path}")).await,
            ProbeKind::Tcp { port } => connect(port).await,
        }
    };
    if timeout.is_zero() {
        return look.await;
    }
    let late = |_| Outcome::Failed(format!("no answer within {timeout:?}"));
    tokio::time::timeout(timeout, look).await.unwrap_or_else(late)
}

/// Its processes are a container of its own: all of them are killed when the command ends, or this is dropped.
async fn run(info: &v1::CommandInfo, surroundings: &Surroundings) -> Outcome {
    let program = match &surroundings.inside {
        Some(Inside { docker, container }) => docker.exec(container, info, &surroundings.directory),
        None => match program(info, surroundings, Output::Nowhere) {
            Ok(mut program) => {
                let variables = info.environment.iter().flat_map(|e| &e.variables);
                program.environment.extend(variables.map(|v| (v.name.clone().into(), v.value().into())));
                program
            }
            Err(why) => return Outcome::Failed(why.to_string()),
        },
    };
    match surroundings.spawner.spawn(&program).await {
        Ok((_reaper, mut ending)) => match ending.wait().await.map(ExitStatus::from_raw).and_then(|s| s.code()) {
            Some(code) => Outcome::Exited(code),
            None => Outcome::Failed("killed by a signal".to_owned()),
        },
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// As curl is called there: redirects are followed, certificates are not looked at.
async fn ask(url: &str) -> Outcome {
    let client = reqwest::Client::builder().danger_accept_invalid_certs(true).no_proxy().build();
    let answer = match client {
        Ok(client) => client.get(url).send().await,
        Err(error) => Err(error),
    };
    answer.map_or_else(|e| Outcome::Failed(e.to_string()), |answer| Outcome::Http(answer.status().as_u16()))
}

async fn connect(port: u32) -> Outcome {
    let Ok(port) = u16::try_from(port) else {
        return Outcome::Failed(format!("{port} is not a valid port"));
    };
    let connecting = tokio::net::TcpStream::connect(("127.0.0.1", port));
    Outcome::Tcp(connecting.await.is_ok())
}
