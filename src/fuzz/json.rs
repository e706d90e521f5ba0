//! JSON as text and as messages.

use arbitrary::Unstructured;
use prost::Message;

use crate::proto::v1;
use crate::wire::json::{Value, encode, from_json, from_protobuf, parse, to_json, to_text};

type Check = fn(&str, &[u8]);

/// Messages that come from outside or are shown, as bytes and as text.
const MESSAGES: [(&str, Check, Check); 12] = [
    ("mesos.v1.scheduler.Call", of_bytes::<v1::scheduler::Call>, of_text::<v1::scheduler::Call>),
    ("mesos.v1.scheduler.Event", of_bytes::<v1::scheduler::Event>, of_text::<v1::scheduler::Event>),
    ("mesos.v1.executor.Call", of_bytes::<v1::executor::Call>, of_text::<v1::executor::Call>),
    ("mesos.v1.executor.Event", of_bytes::<v1::executor::Event>, of_text::<v1::executor::Event>),
    ("mesos.v1.master.Call", of_bytes::<v1::master::Call>, of_text::<v1::master::Call>),
    ("mesos.v1.master.Response", of_bytes::<v1::master::Response>, of_text::<v1::master::Response>),
    ("mesos.v1.master.Event", of_bytes::<v1::master::Event>, of_text::<v1::master::Event>),
    ("mesos.v1.agent.Call", of_bytes::<v1::agent::Call>, of_text::<v1::agent::Call>),
    ("mesos.v1.Offer", of_bytes::<v1::Offer>, of_text::<v1::Offer>),
    ("mesos.v1.TaskInfo", of_bytes::<v1::TaskInfo>, of_text::<v1::TaskInfo>),
    ("mesos.v1.TaskStatus", of_bytes::<v1::TaskStatus>, of_text::<v1::TaskStatus>),
    ("mesos.v1.Resource", of_bytes::<v1::Resource>, of_text::<v1::Resource>),
];

/// A message that was written as JSON and read again is written the same, and texts are read as others read them.
///
/// The input begins with which message it is, and whether it is its bytes or its text.
pub fn json(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((name, bytes, text)) = input.choose(&MESSAGES) else { return };
    let is_text = input.arbitrary().unwrap_or_default();
    let rest = input.take_rest();
    if is_text {
        compare(rest);
        text(name, rest);
    } else {
        bytes(name, rest);
    }
}

fn of_bytes<M: Message + Default>(name: &str, bytes: &[u8]) {
    if let Ok(message) = from_protobuf::<M>(name, bytes) {
        let _ = to_text(name, &message);
        written(name, &message);
    }
}

fn of_text<M: Message + Default>(name: &str, text: &[u8]) {
    let Ok(value) = parse(text) else { return };
    if let Ok(bytes) = encode(name, value) {
        let message = M::decode(bytes.as_slice()).expect("a message of its own bytes");
        written(name, &message);
    }
}

/// What JSON tells of a message is the same after it was read from it.
fn written<M: Message + Default>(name: &str, message: &M) {
    let json = to_json(name, message);
    // Neither Mesos nor this reads the name of what is no number, nor all digits of what does not fit an `int64_t`.
    let large = json.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() >= 19);
    if large || json.windows(5).any(|window| window == b"\"NaN\"") {
        return;
    }
    let again: M = from_json(name, &json).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&json)));
    let (one, other) = (String::from_utf8_lossy(&json), to_json(name, &again));
    assert_eq!(one, String::from_utf8_lossy(&other));
}

/// What serde_json reads is read, and says the same.
fn compare(text: &[u8]) {
    let (Ok(expected), Ok(value)) = (serde_json::from_slice::<serde_json::Value>(text), parse(text)) else { return };
    assert!(is_same(&value, &expected), "{value:?} and {expected:?}");
}

fn is_same(value: &Value, expected: &serde_json::Value) -> bool {
    match (value, expected) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Boolean(one), serde_json::Value::Bool(other)) => one == other,
        (Value::Integer(one), serde_json::Value::Number(other)) => other.as_i64() == Some(*one) || *one == 0,
        (Value::Double(one), serde_json::Value::Number(other)) => {
            // The last digit may be another: serde_json's default is to be fast.
            other.as_f64().is_some_and(|other| (one - other).abs() <= one.abs() * 1e-15 + f64::MIN_POSITIVE)
        }
        (Value::Text(one), serde_json::Value::String(other)) => one == other,
        (Value::List(one), serde_json::Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), serde_json::Value::Object(other)) => {
            let same = |(name, value): (&String, _)| other.get(name).is_some_and(|other| is_same(value, other));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => false,
    }
}
