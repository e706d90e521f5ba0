//! The updates of one task on their way to the scheduler: one outstanding at a time, repeated until acknowledged.
//! Follows `src/slave/task_status_update_manager.cpp`.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use crate::proto::v1;
use crate::wire::duration::Period;

/// `STATUS_UPDATE_RETRY_INTERVAL_MIN` and `_MAX` in `src/slave/constants.hpp`.
pub(super) const RETRY_MIN: Period = Period::from_secs(10);
pub(super) const RETRY_MAX: Period = Period::from_secs(600);

/// A queue of updates whose first is outstanding.
#[derive(Debug, Default)]
pub struct Updates {
    queue: VecDeque<v1::TaskStatus>,
    /// The uuids of those that came, acknowledged ones too.
    known: HashSet<Vec<u8>>,
    retry: Option<(Instant, Period)>,
}

impl Updates {
    /// Queues an update; returns it if it is to be sent at once.
    pub fn push(&mut self, now: Instant, status: v1::TaskStatus) -> Option<v1::TaskStatus> {
        self.known.extend(status.uuid.clone());
        self.queue.push_back(status);
        if self.queue.len() == 1 { self.send_first(now) } else { None }
    }

    /// Takes an acknowledgement of the outstanding update, and gives the next one to send. Others are ignored.
    pub fn acknowledge(&mut self, now: Instant, uuid: &[u8]) -> Option<v1::TaskStatus> {
        if self.queue.front().is_some_and(|s| s.uuid.as_deref() == Some(uuid)) {
            self.queue.pop_front();
            self.retry = None;
            return self.send_first(now);
        }
        None
    }

    /// The outstanding update, if it is due to be sent again.
    pub fn repeat(&mut self, now: Instant) -> Option<v1::TaskStatus> {
        let (due, interval) = self.retry?;
        if due > now {
            return None;
        }
        let interval = (interval * 2).min(RETRY_MAX);
        self.retry = Some((now + interval, interval));
        self.queue.front().cloned()
    }

    /// The outstanding update, for a scheduler that is back (`TaskStatusUpdateManagerProcess::resume`).
    pub fn resume(&mut self, now: Instant) -> Option<v1::TaskStatus> {
        self.send_first(now)
    }

    /// Whether an update of this uuid came before.
    pub fn knows(&self, uuid: &[u8]) -> bool {
        self.known.contains(uuid)
    }

    /// When to ask for a repetition.
    pub fn due(&self) -> Option<Instant> {
        self.retry.map(|(due, _)| due)
    }

    /// The state of the last update that was sent and not acknowledged.
    pub fn outstanding(&self) -> Option<v1::TaskState> {
        self.queue.front().map(v1::TaskStatus::state)
    }

    /// Whether nothing waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn send_first(&mut self, now: Instant) -> Option<v1::TaskStatus> {
        let first = self.queue.front().cloned()?;
        self.retry = Some((now + RETRY_MIN, RETRY_MIN));
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn update(n: u8) -> v1::TaskStatus {
        v1::TaskStatus { uuid: Some(vec![n; 16]), ..Default::default() }
    }

    #[test]
    fn the_next_update_waits_for_the_acknowledgement_of_the_one_before() {
        let now = Instant::now();
        let mut updates = Updates::default();
        assert_eq!(updates.push(now, update(1)), Some(update(1)));
        assert_eq!(updates.push(now, update(2)), None);
        assert_eq!(updates.acknowledge(now, &[2; 16]), None, "not the outstanding one");
        assert_eq!(updates.acknowledge(now, &[1; 16]), Some(update(2)));
        assert_eq!(updates.acknowledge(now, &[1; 16]), None, "a duplicate");
        assert_eq!(updates.acknowledge(now, &[2; 16]), None);
        assert!(updates.is_empty() && updates.due().is_none());
    }

    #[test]
    fn an_update_is_repeated_after_ten_seconds_then_twenty_up_to_ten_minutes() {
        let mut now = Instant::now();
        let mut updates = Updates::default();
        updates.push(now, update(1));
        for seconds in [10, 20, 40, 80, 160, 320, 600, 600] {
            let due = updates.due().expect("outstanding");
            assert_eq!(due - now, Duration::from_secs(seconds));
            assert_eq!(updates.repeat(due - Duration::from_millis(1)), None);
            assert_eq!(updates.repeat(due), Some(update(1)));
            now = due;
        }
        assert_eq!(updates.resume(now), Some(update(1)));
        assert_eq!(updates.due(), Some(now + RETRY_MIN));
    }
}
