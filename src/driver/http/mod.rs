//! HTTP as a subscription speaks it: the heads of its requests, and the responses, cut out of the bytes of its
//! connections. Follows RFC 9112.
//!
//! May touch: the bytes and values given to it.

mod body;
mod head;
mod reply;
pub mod request;

pub use body::Body;
pub use head::{Head, bad_reply};
pub use reply::{Reply, parse};
