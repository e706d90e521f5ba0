//! The events of a master's operator API, as far as whoever subscribes has to understand them.

use bytes::Bytes;
use prost::Message;

use crate::proto::v1::master::event::Type;
use crate::{Error, Result};

/// How requests, answers and events are written.
///
/// ```
/// use remesos::wire::operator::Format;
///
/// assert_eq!(Format::Json.media_type(), "application/json");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, as Mesos writes it.
    Json,
    /// The v1 messages in protobuf.
    Protobuf,
}

impl Format {
    /// Returns its name in headers.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        }
    }
}

/// An event that otherwise stays the bytes that it is.
///
/// ```
/// use remesos::wire::operator::{Event, Format};
///
/// let event = Event::read(Format::Json, br#"{"type":"HEARTBEAT"}"#.as_slice().into())?;
/// assert!(!event.is_subscribed);
/// assert!(Event::read(Format::Json, b"[]".as_slice().into()).is_err());
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Whether it is SUBSCRIBED.
    pub is_subscribed: bool,
    /// The seconds between heartbeats, of which SUBSCRIBED tells.
    pub heartbeat_seconds: Option<f64>,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The type of a `mesos.v1.master.Event`, and what SUBSCRIBED says of heartbeats.
#[derive(Clone, PartialEq, prost::Message)]
struct EventView {
    #[prost(enumeration = "Type", optional, tag = "1")]
    kind: Option<i32>,
    #[prost(message, optional, tag = "2")]
    subscribed: Option<SubscribedView>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SubscribedView {
    #[prost(double, optional, tag = "2")]
    heartbeat_interval_seconds: Option<f64>,
}

impl Event {
    /// Reads a record of the stream.
    ///
    /// Fails if it is not an event.
    pub fn read(format: Format, bytes: Bytes) -> Result<Self> {
        match format {
            Format::Json => Self::read_json(bytes),
            Format::Protobuf => Self::read_protobuf(bytes),
        }
    }

    fn read_json(bytes: Bytes) -> Result<Self> {
        let bad = || Error::protocol("the event is not an event of the operator API in JSON");
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| bad().caused_by(e))?;
        let kind = value.get("type").and_then(|kind| kind.as_str()).ok_or_else(bad)?;
        let is_subscribed = kind == Type::Subscribed.as_str_name();
        let heartbeat_seconds = value.get("subscribed").and_then(|of| of.get("heartbeat_interval_seconds")?.as_f64());
        Ok(Self { is_subscribed, heartbeat_seconds, bytes })
    }

    fn read_protobuf(bytes: Bytes) -> Result<Self> {
        let view = EventView::decode(bytes.clone());
        let view = view.map_err(|e| Error::protocol("the event is not an event of the operator API").caused_by(e))?;
        let heartbeat_seconds = view.subscribed.as_ref().and_then(|of| of.heartbeat_interval_seconds);
        Ok(Self { is_subscribed: view.kind() == Type::Subscribed, heartbeat_seconds, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::master;

    #[test]
    fn both_formats_tell_the_same() {
        let subscribed = master::event::Subscribed { heartbeat_interval_seconds: Some(15.0), ..Default::default() };
        let event =
            master::Event { r#type: Some(Type::Subscribed.into()), subscribed: Some(subscribed), ..Default::default() };
        let json = crate::wire::json::to_json("mesos.v1.master.Event", &event);
        for (format, bytes) in [(Format::Json, json), (Format::Protobuf, event.encode_to_vec())] {
            let read = Event::read(format, bytes.clone().into()).expect("an event");
            assert_eq!(read, Event { is_subscribed: true, heartbeat_seconds: Some(15.0), bytes: bytes.into() });
        }
        assert!(Event::read(Format::Protobuf, b"\x08".as_slice().into()).expect_err("cut off").is_protocol());
    }
}
