//! What the framework asks: sent if subscribed, and else answered here.

use bytes::Bytes;
use prost::Message;

use super::ending::Mode;
use super::{Callback, SchedulerSession};
use crate::Error;
use crate::proto::v1;
use crate::session::framework::Framework;
use crate::session::subscription::refused_authentication;
use crate::wire::scheduler::{Call, call};
use crate::wire::views::TaskView;

impl SchedulerSession {
    pub(super) fn on_call(&mut self, call: Call, timestamp: f64) {
        if self.mode != Mode::Running {
            return;
        }
        match &call {
            Call::Suppress(call::Roles { roles }) => self.note_suppressed(roles, true),
            Call::Revive(call::Roles { roles }) => self.note_suppressed(roles, false),
            Call::UpdateFramework(update) => {
                if let Err(error) = self.note_update(update) {
                    return self.abort_with(error);
                }
            }
            _ => {}
        }
        if self.is_subscribed() {
            self.forget_offers(&call);
            self.transmit(call);
        } else {
            self.answer_here(&call, timestamp);
        }
    }

    /// libmesos' master takes back a framework's update by an error; other calls are refused without a word to it.
    pub(super) fn on_call_refused(&mut self, call: &Call, status: u16, body: String) {
        tracing::warn!("The master refused {:?}: HTTP {status}: {body}", call.kind());
        // As `src/scheduler/scheduler.cpp` does: no call can be made any more.
        if status == 401 && self.mode == Mode::Running {
            return self.end_by_master(refused_authentication(self.identity.as_deref()));
        }
        if matches!(call, Call::UpdateFramework(_)) && self.mode == Mode::Running {
            self.abort_with(Error::refused(body));
        }
    }

    pub(super) fn on_acknowledge(&mut self, status: &Bytes) {
        let Some(acknowledge) = call::Acknowledge::of(status) else {
            return;
        };
        if self.mode == Mode::Running && self.is_subscribed() {
            self.transmit(acknowledge.into());
        }
    }

    /// What the framework asked cannot reach the master: what `src/sched/sched.cpp` does then.
    pub(super) fn answer_here(&mut self, call: &Call, timestamp: f64) {
        let Call::Accept(accept) = call else {
            return tracing::debug!("Dropping {:?}: not connected to a master", call.kind());
        };
        for task in accept.operations.iter().flat_map(call::launched_tasks) {
            let status = self.lost(&task, timestamp);
            // Nobody waits for an acknowledgement of it.
            self.deliver(Callback::StatusUpdate { status, acknowledge: false });
        }
    }

    fn lost(&self, task: &Bytes, timestamp: f64) -> Bytes {
        let id = TaskView::decode(task.clone()).ok().and_then(|t| v1::TaskId::decode(t.task_id).ok());
        let state = if self.framework.partition_aware() { v1::TaskState::TaskDropped } else { v1::TaskState::TaskLost };
        let status = v1::TaskStatus {
            task_id: id.unwrap_or_default(),
            state: state.into(),
            source: Some(v1::task_status::Source::Master.into()),
            reason: Some(v1::task_status::Reason::MasterDisconnected.into()),
            message: Some("Master disconnected".to_owned()),
            timestamp: Some(timestamp),
            ..Default::default()
        };
        status.encode_to_vec().into()
    }

    fn note_suppressed(&mut self, roles: &[String], suppress: bool) {
        let all = if roles.is_empty() { self.framework.roles().to_vec() } else { roles.to_vec() };
        for role in all {
            if suppress {
                self.suppressed.insert(role);
            } else {
                self.suppressed.remove(&role);
            }
        }
    }

    /// Takes a new `FrameworkInfo`.
    ///
    /// Fails if it cannot be taken; libmesos aborts the driver then.
    fn note_update(&mut self, update: &call::Subscribe) -> Result<(), Error> {
        let Some(id) = self.framework.id().filter(|_| self.was_registered) else {
            let why = "must not be called prior to registration with the master";
            return Err(Error::invalid(format!("MesosSchedulerDriver::updateFramework() {why}")));
        };
        let new = Framework::new(update.framework_info.clone(), "", "")
            .map_err(|error| Error::invalid("UpdateFramework").caused_by(error))?;
        if new.id() != Some(id) {
            let got = new.id().unwrap_or_default();
            return Err(Error::invalid(format!(
                "The 'FrameworkInfo.id' provided to MesosSchedulerDriver::updateFramework() ({got}) must be equal to \
                 the value known to the MesosSchedulerDriver ({id})"
            )));
        }
        self.framework = new;
        self.suppressed = update.suppressed_roles.iter().cloned().collect();
        Ok(())
    }

    fn forget_offers(&mut self, call: &Call) {
        let answered = match call {
            Call::Accept(accept) => &accept.offer_ids,
            Call::Decline(decline) => &decline.offer_ids,
            _ => return,
        };
        for id in answered {
            self.offers.remove(id);
        }
    }
}
