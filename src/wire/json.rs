//! Bodies in JSON, as the v1 API takes and gives them: field names as in the proto files, bytes in base64, enums by
//! name. Follows `3rdparty/stout/include/stout/protobuf.hpp`.

use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, Kind, MessageDescriptor, ReflectMessage, SerializeOptions};

use super::weight;
use crate::proto;
use crate::{Error, Result};

/// The most memory that a body may take when it is decoded, in bytes: about that of a RECONCILE of 100,000 tasks.
const MEMORY_MAX: usize = 256 << 20;
/// The most members and elements in JSON.
const JSON_PARTS_MAX: usize = 800_000;

/// Reads a message from JSON. Unknown fields are ignored, missing required ones are named in the error.
///
/// ```
/// use remesos::proto::v1::scheduler::{Call, call};
/// use remesos::wire::json::{from_json, to_json};
///
/// const NAME: &str = "mesos.v1.scheduler.Call";
/// let call: Call = from_json(NAME, br#"{"type":"TEARDOWN"}"#)?;
/// assert_eq!(call.r#type(), call::Type::Teardown);
/// assert_eq!(to_json(NAME, &call), br#"{"type":"TEARDOWN"}"#);
/// assert!(from_json::<Call>(NAME, b"{").is_err());
/// # Ok::<(), remesos::Error>(())
/// ```
pub fn from_json<M: Message + Default>(full_name: &str, json: &[u8]) -> Result<M> {
    limit(weight::of_json(json), JSON_PARTS_MAX, "members and elements")?;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let message = DynamicMessage::deserialize_with_options(descriptor(full_name), &mut deserializer, &options)
        .map_err(|e| Error::invalid(format!("Failed to parse body into JSON: {e}")))?;
    require(&message)?;
    let bytes = message.encode_to_vec();
    drop(message);
    limit(weight::of_protobuf(&descriptor(full_name), &bytes, MEMORY_MAX), MEMORY_MAX, "bytes of memory")?;
    M::decode(&bytes[..]).map_err(|e| Error::invalid(format!("Failed to convert JSON into {full_name}: {e}")))
}

/// Reads a message from its bytes, with the same check for required fields.
pub fn from_protobuf<M: Message + Default>(full_name: &str, bytes: &[u8]) -> Result<M> {
    limit(weight::of_protobuf(&descriptor(full_name), bytes, MEMORY_MAX), MEMORY_MAX, "bytes of memory")?;
    let message = DynamicMessage::decode(descriptor(full_name), bytes)
        .map_err(|e| Error::invalid(format!("Failed to parse body into {full_name} protobuf: {e}")))?;
    require(&message)?;
    drop(message);
    M::decode(bytes).map_err(|e| Error::invalid(format!("Failed to parse body into {full_name} protobuf: {e}")))
}

/// Writes a message as JSON.
pub fn to_json<M: Message>(full_name: &str, message: &M) -> Vec<u8> {
    let mut dynamic = DynamicMessage::new(descriptor(full_name));
    dynamic.transcode_from(message).expect("the descriptors are of the same files as the types");
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    let mut json = Vec::new();
    dynamic
        .serialize_with_options(&mut serde_json::Serializer::new(&mut json), &options)
        .expect("a message is serializable, and a Vec takes all");
    json
}

fn limit(found: usize, most: usize, what: &str) -> Result<()> {
    let why = || {
        Error::invalid(format!("Failed to parse body: it would take {found} {what} or more, expected at most {most}"))
    };
    if found <= most { Ok(()) } else { Err(why()) }
}

fn descriptor(full_name: &str) -> MessageDescriptor {
    proto::message_descriptor(full_name).expect("the caller names a message of proto/")
}

fn require(message: &DynamicMessage) -> Result<()> {
    let mut missing = Vec::new();
    find_missing(message, "", &mut missing);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid(format!("Missing required fields: {}", missing.join(", "))))
    }
}

fn find_missing(message: &DynamicMessage, path: &str, missing: &mut Vec<String>) {
    for field in message.descriptor().fields() {
        let name = format!("{path}{}", field.name());
        if field.is_required() && !message.has_field(&field) {
            missing.push(name);
        } else if matches!(field.kind(), Kind::Message(_)) && message.has_field(&field) && !field.is_map() {
            match message.get_field(&field).as_ref() {
                prost_reflect::Value::Message(inner) => find_missing(inner, &format!("{name}."), missing),
                prost_reflect::Value::List(list) => list.iter().filter_map(|v| v.as_message()).for_each(|inner| {
                    find_missing(inner, &format!("{name}."), missing);
                }),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::scheduler::{Call, call};

    const NAME: &str = "mesos.v1.scheduler.Call";

    #[test]
    fn a_call_survives_json_both_ways() {
        let json = br#"{"type":"ACKNOWLEDGE","new_field":1,"framework_id":{"value":"f"},
            "acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"AAEC"}}"#;
        let call: Call = from_json(NAME, json).expect("valid");
        assert_eq!(call.r#type(), call::Type::Acknowledge);
        assert_eq!(call.acknowledge.as_ref().expect("set").uuid, [0, 1, 2]);
        let written: serde_json::Value = serde_json::from_slice(&to_json(NAME, &call)).expect("JSON");
        assert_eq!(written["acknowledge"]["agent_id"]["value"], "a");
        assert_eq!(written["acknowledge"]["uuid"], "AAEC");
    }

    #[test]
    fn a_body_that_would_grow_out_of_bounds_is_refused() {
        // Empty operations of an ACCEPT, empty strings of a SUBSCRIBE's suppressed roles, unknown fields, groups.
        let field = |key: u8, inner: Vec<u8>| {
            let mut bytes = vec![key];
            prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
            [bytes, inner].concat()
        };
        for (bytes, what) in [
            (field(0x22, b"\x12\x00".repeat(100_000)), "operations"),
            (field(0x1a, b"\x12\x00".repeat(5_000_000)), "roles"),
            (b"\x78\x01".repeat(5_000_000), "unknown"),
            (b"\x7b\x7c".repeat(5_000_000), "groups"),
        ] {
            let error = from_protobuf::<Call>(NAME, &bytes).expect_err(what).to_string();
            assert!(error.contains("bytes of memory or more, expected at most 268435456"), "{what}: {error}");
        }
        let json = format!(r#"{{"accept":{{"operations":[{}]}}}}"#, vec!["{}"; 100_000].join(","));
        let error = from_json::<Call>(NAME, json.as_bytes()).expect_err("large").to_string();
        assert!(error.contains("bytes of memory"), "{error}");
        let json = format!(r#"{{"accept":{{"filters":[{}]}}}}"#, vec!["{}"; JSON_PARTS_MAX / 2].join(","));
        assert!(from_json::<Call>(NAME, json.as_bytes()).expect_err("large").to_string().contains("800002 members"));
    }

    #[test]
    fn a_large_call_is_within_bounds() {
        let task = serde_json::json!({ "task_id": { "value": "t" }, "agent_id": { "value": "a" } });
        let json =
            serde_json::json!({ "type": "RECONCILE", "reconcile": { "tasks": vec![task; 100_000] } }).to_string();
        let reconcile: Call = from_json(NAME, json.as_bytes()).expect("within bounds");
        assert!(from_protobuf::<Call>(NAME, &reconcile.encode_to_vec()).is_ok());
        let text = "{,\\\"[".repeat(1_000_000);
        let uuid = text.clone().into_bytes();
        let acknowledge = crate::proto::v1::scheduler::call::Acknowledge { uuid, ..Default::default() };
        let call =
            Call { acknowledge: Some(acknowledge), r#type: Some(call::Type::Acknowledge.into()), ..Default::default() };
        assert!(from_protobuf::<Call>(NAME, &call.encode_to_vec()).is_ok());
        let json = serde_json::json!({ "type": "ACKNOWLEDGE", "text": text }).to_string();
        assert!(from_json::<Call>(NAME, json.as_bytes()).is_ok());
    }

    #[test]
    fn missing_required_fields_are_named() {
        let json = br#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u"}}}"#;
        let error = from_json::<Call>(NAME, json).expect_err("no name");
        assert_eq!(error.to_string(), "Missing required fields: subscribe.framework_info.name");
        assert!(from_json::<Call>(NAME, b"{").is_err());
        assert!(from_protobuf::<Call>(NAME, &[0xff]).is_err());
    }
}
