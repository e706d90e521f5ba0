//! How a session ends: stopped or aborted by the framework, or by the master.

use std::time::Instant;

use super::{Callback, Output, SchedulerSession};
use crate::Error;
use crate::session::subscription::State;
use crate::wire::duration::Period;
use crate::wire::scheduler::{Call, call};

/// A driver that is stopped waits so long for the answer to a SUBSCRIBE: a master that has it and is left would keep the
/// framework, and all that it offers to it.
const STOP_TIMEOUT: Period = Period::from_secs(5);

/// Whether the framework still takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Running,
    Aborted,
    /// The driver is stopped, and waits until then for the answer to its SUBSCRIBE.
    Stopping {
        until: Instant,
        failover: bool,
    },
    Stopped,
}

impl SchedulerSession {
    /// A SUBSCRIBE that is on its way is waited for: the framework is removed, or left for another scheduler, then.
    pub(super) fn on_stop(&mut self, now: Instant, failover: bool) {
        match self.mode {
            Mode::Stopping { .. } | Mode::Stopped => {}
            _ if self.subscription.is_sent() => {
                self.mode = Mode::Stopping { until: now + STOP_TIMEOUT, failover };
            }
            _ => self.finish(failover),
        }
    }

    pub(super) fn finish_if_stopping(&mut self) {
        if let Mode::Stopping { failover, .. } = self.mode {
            self.finish(failover);
        }
    }

    pub(super) fn finish(&mut self, failover: bool) {
        self.mode = Mode::Stopped;
        let subscribed = self.is_subscribed();
        if subscribed && !failover {
            self.transmit(Call::Teardown);
        }
        self.outputs.push_back(Output::Finished { linger: subscribed && failover });
    }

    /// HTTP has no DEACTIVATE: the stream stays open, so that the tasks live, and no offer is kept.
    pub(super) fn on_abort(&mut self) {
        if self.mode != Mode::Running {
            return;
        }
        self.mode = Mode::Aborted;
        match self.subscription.state() {
            State::Subscribed { .. } => self.suppress_all(),
            // Done when SUBSCRIBED comes.
            State::Subscribing { sent: true, .. } => {}
            _ => self.leave_stream(),
        }
    }

    pub(super) fn suppress_all(&mut self) {
        self.transmit(Call::Suppress(call::Roles::default()));
        let ids = self.offers.take();
        self.decline_all(ids);
    }

    /// The framework asked what cannot be: it is told, and the driver aborted as the framework itself would.
    pub(super) fn abort_with(&mut self, error: Error) {
        self.deliver(Callback::Error(error));
        self.on_abort();
    }

    /// The master ended it: the driver is aborted, and told why.
    pub(super) fn end_by_master(&mut self, error: Error) {
        tracing::debug!("Aborting: {error}");
        self.deliver(Callback::Error(error));
        if self.mode == Mode::Running {
            self.mode = Mode::Aborted;
        }
        self.leave_stream();
        self.finish_if_stopping();
    }
}
