//! Bytes only: framing, events and calls. Knows [`crate::proto`] and nothing else of the crate but its errors.
#![warn(clippy::arithmetic_side_effects)]

pub mod duration;
pub mod executor;
pub mod json;
pub mod operator;
pub mod recordio;
pub mod scheduler;
pub mod states;
pub mod views;
mod weight;

use bytes::{Bytes, BytesMut};

/// A call that is POSTed to a master or an agent.
///
/// ```
/// use remesos::wire::Post;
/// use remesos::wire::scheduler::{Call, Envelope};
///
/// let envelope = Envelope { framework_id: None, call: Call::Teardown };
/// assert_eq!(envelope.name(), "TEARDOWN");
/// assert_eq!(envelope.to_bytes().len(), envelope.encoded_len());
/// assert!(!envelope.answer_counts());
/// ```
pub trait Post: Send + Sync + 'static {
    /// Returns the name of its type in the API, for logs.
    fn name(&self) -> &'static str;

    /// Whether the session has to be told of the answer even if the call was not refused.
    fn answer_counts(&self) -> bool {
        false
    }

    /// Returns its length in bytes on the wire.
    fn encoded_len(&self) -> usize;

    /// Appends its bytes.
    fn encode(&self, buffer: &mut BytesMut);

    /// Returns its bytes.
    fn to_bytes(&self) -> Bytes {
        let mut buffer = BytesMut::with_capacity(self.encoded_len());
        self.encode(&mut buffer);
        buffer.freeze()
    }
}
