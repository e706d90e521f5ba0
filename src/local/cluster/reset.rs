//! A cluster as at its start, without starting another one.

use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};

use super::LocalCluster;
use super::agents::Agents;
use super::answers::Answers;
use super::holds::Holds;
use super::machine::Machine;
use super::network::Network;

/// How long the former containers may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

impl LocalCluster {
    /// Makes the cluster as it was at its start, and waits until the former tasks are gone. Does nothing to a cluster that
    /// is stopped, and in a forked child.
    pub fn reset(&self) {
        let (reply, answer) = std::sync::mpsc::channel();
        let begun = self.ask(move |machine, now| {
            let ended = machine.reset(now);
            machine.route(now);
            let (litter, before) = (machine.maker.litter.clone(), machine.maker.first_directory());
            let busy = machine.time.as_skipping().map(|clock| clock.busy());
            tokio::spawn(async move {
                ended.await;
                let removed = tokio::task::spawn_blocking(move || litter.remove(before)).await;
                drop(busy);
                // Nobody waits any more if it took long.
                let _ = reply.send(removed.is_ok());
            });
        });
        if begun.is_some() && answer.recv_timeout(PATIENCE).is_err() {
            tracing::warn!("The former tasks of the embedded cluster have not ended yet");
        }
    }
}

impl Machine {
    /// Forgets frameworks, tasks and all that was set, and starts the agents of the beginning. The future is ready when
    /// the former containers are gone.
    fn reset(&mut self, now: Instant) -> BoxFuture<'static, ()> {
        tracing::info!("The embedded cluster is reset");
        let mut former = std::mem::take(&mut self.agents).into_backends();
        former.extend(std::mem::take(&mut self.departed).into_iter().map(|departed| departed.backend));
        let ended = join_all(former.iter_mut().map(|backend| backend.end()));
        self.end_all_streams();
        self.agents = Agents::default();
        self.network = Network::new(self.network.random.u64(..));
        self.answers = Answers::default();
        self.new_agents.clear();
        self.holds = Holds::default();
        self.waiters.clear();
        self.history = self.history.anew();
        self.master.reset(now);
        self.maker.begin_again();
        if let Err(error) = self.begin(now) {
            tracing::error!("The embedded cluster is not as at its start: {error}");
        }
        Box::pin(async move { drop(ended.await) })
    }
}
