//! How requests reach an agent, which lives on the cluster's thread.

use std::time::Instant;

use crate::local::agent::Agent;
use crate::local::refusal::Refusal;
use crate::local::server::Context;
use crate::local::server::stream::{not_found, stopping};
use crate::proto::v1::agent;

/// What a call comes to: a response, or nothing to say.
pub type Answer = Result<Option<agent::Response>, Refusal>;

/// Does something with the agent at a path, on the cluster's thread.
pub async fn with<T: Send + 'static>(
    context: &Context,
    path: String,
    act: impl FnOnce(&mut Agent, Instant) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let asked = context.cluster.ask(move |machine, now| machine.agent_at(&path).map(|agent| act(agent, now)));
    asked.await.ok_or_else(stopping)?.ok_or_else(not_found)
}
