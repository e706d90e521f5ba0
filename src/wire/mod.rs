//! Bytes only: framing and envelopes. Knows [`crate::proto`] and nothing else of the crate but its errors.

pub mod call;
pub mod duration;
pub mod envelope;
pub mod json;
pub mod recordio;
