//! Updates on their way to the agent: kept until it acknowledged them, and one of them under way at a time.
//!
//! One at a time, because an agent whose connection breaks while it handles pipelined calls can lose the first of them
//! and still take the others (libprocess discards the request whose reply is due next). The lost one is told again, but
//! after those that came later, the end of its task among them. What has to be waited for is the answer to the call; an
//! acknowledgement, which comes sooner, tells as much, but of a task that the agent does not know there is none.

use std::collections::VecDeque;

use bytes::Bytes;

use super::unacknowledged::Unacknowledged;

/// Serialized updates, each with its uuid.
#[derive(Debug, Default)]
pub struct Updates {
    kept: Unacknowledged,
    /// The one that is under way.
    told: Option<Bytes>,
    /// Those that wait for it, with their uuids.
    waiting: VecDeque<(Bytes, Bytes)>,
}

impl Updates {
    /// Keeps an update, which waits to be told.
    pub fn insert(&mut self, uuid: Bytes, update: Bytes) {
        self.waiting.push_back((uuid.clone(), update.clone()));
        self.kept.insert(uuid, update);
    }

    /// The next update, if none is under way; it is then.
    pub fn tell(&mut self) -> Option<Bytes> {
        if self.told.is_some() {
            return None;
        }
        let (uuid, update) = self.waiting.pop_front()?;
        self.told = Some(uuid);
        Some(update)
    }

    /// All updates, the oldest first, for a SUBSCRIBE: the agent has taken all when it answers that.
    pub fn tell_all(&mut self) -> Vec<Bytes> {
        self.waiting.clear();
        self.told = None;
        self.kept.messages().collect()
    }

    /// The agent answered the call with this update.
    pub fn answered(&mut self, uuid: &[u8]) {
        self.told.take_if(|told| told == uuid);
    }

    /// Forgets an update.
    pub fn remove(&mut self, uuid: &[u8]) {
        self.answered(uuid);
        self.kept.remove(uuid);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
