//! What became of operations, told to their schedulers until they acknowledge it. Follows
//! `src/status_update_manager/operation.hpp`.

use std::collections::BTreeMap;
use std::time::Instant;

use uuid::Uuid;

use super::updates::{RETRY_MAX, RETRY_MIN};
use crate::proto::v1;
use crate::proto::v1::offer::Operation;
use crate::wire::duration::Period;

/// The statuses that wait for an acknowledgement, by the operation's uuid.
#[derive(Debug, Default)]
pub struct Operations(BTreeMap<Vec<u8>, Outstanding>);

#[derive(Debug)]
struct Outstanding {
    framework_id: String,
    info: Operation,
    status: v1::OperationStatus,
    due: Instant,
    interval: Period,
}

impl Operations {
    /// Keeps a status that was sent.
    pub fn add(
        &mut self,
        now: Instant,
        framework_id: String,
        uuid: Vec<u8>,
        info: Operation,
        status: v1::OperationStatus,
    ) {
        self.0.insert(uuid, Outstanding { framework_id, info, status, due: now + RETRY_MIN, interval: RETRY_MIN });
    }

    /// Those whose status waits, as the operator API shows them.
    pub fn messages(&self, agent_id: &str) -> Vec<v1::Operation> {
        let message = |(uuid, outstanding): (&Vec<u8>, &Outstanding)| v1::Operation {
            framework_id: Some(v1::FrameworkId { value: outstanding.framework_id.clone() }),
            agent_id: Some(v1::AgentId { value: agent_id.to_owned() }),
            info: outstanding.info.clone(),
            latest_status: outstanding.status.clone(),
            statuses: vec![outstanding.status.clone()],
            uuid: v1::Uuid { value: uuid.clone() },
        };
        self.0.iter().map(message).collect()
    }

    /// Takes an acknowledgement. One of another status is ignored.
    pub fn acknowledge(&mut self, uuid: &[u8], status_uuid: &[u8]) {
        let is_it = |status: &v1::OperationStatus| status.uuid.as_ref().is_some_and(|uuid| uuid.value == status_uuid);
        if self.0.get(uuid).is_some_and(|outstanding| is_it(&outstanding.status)) {
            self.0.remove(uuid);
        }
    }

    /// The statuses that wait, for a master that is back; they are sent again at once.
    pub fn resume(&mut self, now: Instant) -> Vec<(String, Vec<u8>, v1::OperationStatus)> {
        for outstanding in self.0.values_mut() {
            (outstanding.interval, outstanding.due) = (RETRY_MIN, now + RETRY_MIN);
        }
        let all = self.0.iter();
        all.map(|(uuid, it)| (it.framework_id.clone(), uuid.clone(), it.status.clone())).collect()
    }

    /// Whether none waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those of a framework that is removed.
    pub fn forget(&mut self, framework_id: &str) {
        self.0.retain(|_, outstanding| outstanding.framework_id != framework_id);
    }

    /// When to call `repeat` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.0.values().map(|outstanding| outstanding.due).min()
    }

    /// The statuses that are due to be sent again, with their frameworks' ids and the operations' uuids.
    pub fn repeat(&mut self, now: Instant) -> Vec<(String, Vec<u8>, v1::OperationStatus)> {
        let mut due = Vec::new();
        for (uuid, outstanding) in self.0.iter_mut().filter(|(_, outstanding)| outstanding.due <= now) {
            outstanding.interval = (outstanding.interval * 2).min(RETRY_MAX);
            outstanding.due = now + outstanding.interval;
            due.push((outstanding.framework_id.clone(), uuid.clone(), outstanding.status.clone()));
        }
        due
    }
}

/// The status of an operation that was done, which an operation on an agent's own resources is at once.
pub fn finished(agent_id: &str, operation_id: String, uuid: Uuid) -> v1::OperationStatus {
    v1::OperationStatus {
        operation_id: Some(v1::OperationId { value: operation_id }),
        state: v1::OperationState::OperationFinished.into(),
        uuid: Some(v1::Uuid { value: uuid.into_bytes().to_vec() }),
        agent_id: Some(v1::AgentId { value: agent_id.to_owned() }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_status_is_repeated_until_it_is_acknowledged() {
        let mut now = Instant::now();
        let mut operations = Operations::default();
        let status = finished("S0", "o".into(), Uuid::from_u128(1));
        operations.add(now, "f".into(), vec![7; 16], Operation::default(), status.clone());
        for seconds in [10, 20, 40, 80, 160, 320, 600, 600] {
            let due = operations.poll_timeout().expect("outstanding");
            assert_eq!(due - now, Duration::from_secs(seconds));
            assert_eq!(operations.repeat(due - Duration::from_millis(1)), []);
            assert_eq!(operations.repeat(due), [("f".to_owned(), vec![7; 16], status.clone())]);
            now = due;
        }
        operations.acknowledge(&[7; 16], &[0; 16]);
        assert!(!operations.is_empty(), "that was another status");
        operations.acknowledge(&[7; 16], Uuid::from_u128(1).as_bytes());
        assert!(operations.is_empty() && operations.poll_timeout().is_none());
    }

    #[test]
    fn a_framework_that_is_removed_is_told_nothing_more() {
        let now = Instant::now();
        let mut operations = Operations::default();
        for framework_id in ["a", "b"] {
            let uuid = framework_id.as_bytes().to_vec();
            let status = finished("S0", "o".into(), Uuid::nil());
            operations.add(now, framework_id.into(), uuid, Operation::default(), status);
        }
        operations.forget("a");
        let due = operations.poll_timeout().expect("b's");
        let frameworks: Vec<_> = operations.repeat(due).into_iter().map(|(framework_id, ..)| framework_id).collect();
        assert_eq!(frameworks, ["b"]);
    }
}
