//! Bodies in JSON, as the v1 API takes and gives them: field names as in the proto files, bytes in base64, enums by
//! name. Follows `3rdparty/stout/include/stout/protobuf.hpp`.

mod message;
mod proto2;
mod text;
mod write;

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::weight;
use crate::proto;
use crate::{Error, Result};

pub use text::Value;
pub use write::write;

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
///
/// # Errors
///
/// If the text is not JSON, or does not fit the message, or would take too much memory.
pub fn from_json<M: Message + Default>(full_name: &str, json: &[u8]) -> Result<M> {
    from_value(full_name, parse(json)?)
}

/// Reads a text of JSON.
///
/// # Errors
///
/// If it is not JSON, or has too many parts.
pub fn parse(json: &[u8]) -> Result<Value> {
    parse_named(json, |why| format!("Failed to parse body into JSON: {why}"))
}

/// Reads a text of JSON as [`parse`] does, with an error in words of the caller's, who is given what is wrong.
///
/// ```
/// use remesos::wire::json::parse_named;
///
/// let error = parse_named(b"x", |why| format!("a schedule: {why}")).unwrap_err();
/// assert_eq!(error.to_string(), "a schedule: syntax error at line 1 near: x");
/// ```
///
/// # Errors
///
/// If it is not JSON, or has too many parts.
pub fn parse_named(json: &[u8], named: impl FnOnce(String) -> String) -> Result<Value> {
    limit(weight::of_json(json), JSON_PARTS_MAX, "members and elements")?;
    text::parse(json).map_err(|why| Error::invalid(named(why)))
}

/// Makes a message from a text of JSON that was read.
///
/// # Errors
///
/// If it is no object, if a member is of another type than the field of its name, or if a required field is missing.
pub fn from_value<M: Message + Default>(full_name: &str, value: Value) -> Result<M> {
    let bytes = encode(full_name, value)?;
    check_weight(full_name, &bytes)?;
    M::decode(&bytes[..]).map_err(|e| Error::invalid(format!("Failed to convert JSON into {full_name}: {e}")))
}

/// Makes the bytes of a message from a text of JSON that was read.
///
/// ```
/// use remesos::wire::json::{encode, parse};
///
/// assert_eq!(encode("mesos.v1.TaskID", parse(br#"{"value":"t"}"#)?)?, b"\n\x01t");
/// # Ok::<(), remesos::Error>(())
/// ```
///
/// # Errors
///
/// If it is no object, if a member is of another type than the field of its name, or if a required field is missing.
pub fn encode(full_name: &str, value: Value) -> Result<Vec<u8>> {
    let Value::Object(members) = value else {
        return Err(Error::invalid("Expecting a JSON object"));
    };
    let mut message = DynamicMessage::new(descriptor(full_name));
    message::fill(&mut message, members).map_err(Error::invalid)?;
    require(&message)?;
    Ok(message.encode_to_vec())
}

/// Whether a message may be read from these bytes: it must not take too much memory.
///
/// # Errors
///
/// If it would take too much memory.
pub fn check_weight(full_name: &str, bytes: &[u8]) -> Result<()> {
    limit(weight::of_protobuf(&descriptor(full_name), bytes, MEMORY_MAX), MEMORY_MAX, "bytes of memory")
}

/// Reads a message from its bytes, with the same check for required fields. The caller has checked their weight.
///
/// # Errors
///
/// If the bytes are no such message, or if a required field is missing.
pub fn from_protobuf<M: Message + Default>(full_name: &str, bytes: &[u8]) -> Result<M> {
    let failed = |e| Error::invalid(format!("Failed to parse body into {full_name} protobuf: {e}"));
    let mut message = DynamicMessage::decode(descriptor(full_name), bytes).map_err(failed)?;
    if proto2::forget_unknown_enums(&mut message) {
        require(&message)?;
        return M::decode(&message.encode_to_vec()[..]).map_err(failed);
    }
    require(&message)?;
    drop(message);
    M::decode(bytes).map_err(failed)
}

/// Writes a message as JSON, as Mesos writes it. Fields that are not set are in it if the proto files name a default, and
/// so are the empty lists of the state that the operator APIs tell.
pub fn to_json<M: Message>(full_name: &str, message: &M) -> Vec<u8> {
    let mut dynamic = DynamicMessage::new(descriptor(full_name));
    dynamic.transcode_from(message).expect("the descriptors are of the same files as the types");
    proto2::forget_unknown_enums(&mut dynamic);
    proto2::set_defaults(&mut dynamic);
    write(&write::Written(&dynamic))
}

/// Writes a message in protobuf's text format, as errors and logs of Mesos do.
pub fn to_text<M: Message>(full_name: &str, message: &M) -> String {
    let mut dynamic = DynamicMessage::new(descriptor(full_name));
    dynamic.transcode_from(message).expect("the descriptors are of the same files as the types");
    proto2::text(&dynamic, "")
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
    let missing = proto2::missing(message);
    if missing.is_empty() { Ok(()) } else { Err(Error::invalid(format!("Missing required fields: {missing}"))) }
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
            let error = check_weight(NAME, &bytes).expect_err(what).to_string();
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
        let bytes = reconcile.encode_to_vec();
        assert!(check_weight(NAME, &bytes).is_ok() && from_protobuf::<Call>(NAME, &bytes).is_ok());
        let text = "{,\\\"[".repeat(1_000_000);
        let uuid = text.clone().into_bytes();
        let acknowledge = crate::proto::v1::scheduler::call::Acknowledge { uuid, ..Default::default() };
        let call =
            Call { acknowledge: Some(acknowledge), r#type: Some(call::Type::Acknowledge.into()), ..Default::default() };
        assert!(check_weight(NAME, &call.encode_to_vec()).is_ok());
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
