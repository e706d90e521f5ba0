//! What a master tells a scheduler.

use bytes::Bytes;

use super::FrameworkMessage;
/// The type of an event. See [`Event`] for an example.
pub use crate::proto::v1::scheduler::event::Type as EventType;
use crate::wire::views::{ErrorMessage, Wrapped};

/// `mesos.v1.scheduler.Event`. What is rare is boxed, so that the others are moved at less cost.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::wire::scheduler::{Event, EventType};
///
/// let real = v1::scheduler::Event {
///     r#type: Some(EventType::Rescind.into()),
///     rescind: Some(v1::scheduler::event::Rescind { offer_id: v1::OfferId { value: "offer".to_owned() } }),
///     ..Default::default()
/// };
/// let event = Event::decode(real.encode_to_vec().as_slice())?;
/// assert_eq!(event.kind(), EventType::Rescind);
/// assert_eq!(v1::OfferId::decode(event.rescind.expect("a RESCIND").inner)?.value, "offer");
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Event {
    #[prost(enumeration = "EventType", tag = "1")]
    pub kind: i32,
    #[prost(message, optional, boxed, tag = "2")]
    pub subscribed: Option<Box<Subscribed>>,
    #[prost(message, optional, tag = "3")]
    pub offers: Option<Offers>,
    #[prost(message, optional, tag = "4")]
    pub rescind: Option<Wrapped>,
    #[prost(message, optional, tag = "5")]
    pub update: Option<Wrapped>,
    #[prost(message, optional, boxed, tag = "6")]
    pub message: Option<Box<FrameworkMessage>>,
    #[prost(message, optional, boxed, tag = "7")]
    pub failure: Option<Box<Failure>>,
    #[prost(message, optional, boxed, tag = "8")]
    pub error: Option<Box<ErrorMessage>>,
    #[prost(message, optional, boxed, tag = "9")]
    pub inverse_offers: Option<Box<Offers>>,
    #[prost(message, optional, boxed, tag = "10")]
    pub rescind_inverse_offer: Option<Box<Wrapped>>,
    #[prost(message, optional, boxed, tag = "11")]
    pub update_operation_status: Option<Box<Wrapped>>,
}

/// `Event.Subscribed`. See [`Event`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Subscribed {
    #[prost(bytes = "bytes", tag = "1")]
    pub framework_id: Bytes,
    #[prost(double, optional, tag = "2")]
    pub heartbeat_interval_seconds: Option<f64>,
    #[prost(bytes = "bytes", tag = "3")]
    pub master_info: Bytes,
}

/// `Event.Offers` and `Event.InverseOffers`. See [`Event`] for an example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Offers {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub offers: Vec<Bytes>,
}

/// `Event.Failure`. If `executor_id` is set, that executor has ended; otherwise the agent is lost. See [`Event`] for an
/// example.
#[derive(Clone, PartialEq, prost::Message)]
#[allow(missing_docs)]
pub struct Failure {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub agent_id: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub executor_id: Option<Bytes>,
    #[prost(int32, optional, tag = "3")]
    pub status: Option<i32>,
}
