//! Bytes only: framing and envelopes. Knows [`crate::proto`] and nothing else of the crate but its errors.
#![warn(clippy::arithmetic_side_effects)]

pub mod call;
pub mod duration;
pub mod envelope;
pub mod executor;
pub mod json;
pub mod recordio;
mod weight;

/// A call that is POSTed to a master or an agent.
pub trait Post: prost::Message + Send + Sync + 'static {
    /// Its type's name in the API, for logs.
    fn name(&self) -> &'static str;

    /// Whether it counts that it was answered, also where it was not refused.
    fn answer_counts(&self) -> bool {
        false
    }
}
