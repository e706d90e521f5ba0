//! Messages as JSON, the way Mesos writes them: fields in the order of the proto files, numbers as rapidjson writes them,
//! bytes in base64. Follows `json(ObjectWriter*, const Message&)` in `3rdparty/stout/include/stout/protobuf.hpp`, and
//! `jsonifyGetTasks` and its kin in `src/master/readonly_handler.cpp`, which write lists even if they are empty.

use std::io::{self, Write};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor};
use prost_reflect::{ReflectMessage, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::{CharEscape, Formatter};

/// Messages of the operator APIs whose lists are written even if they are empty.
const WITH_LISTS: [&str; 7] = [
    "mesos.v1.master.Response.GetAgents",
    "mesos.v1.master.Response.GetExecutors",
    "mesos.v1.master.Response.GetFrameworks",
    "mesos.v1.master.Response.GetTasks",
    "mesos.v1.agent.Response.GetExecutors",
    "mesos.v1.agent.Response.GetFrameworks",
    "mesos.v1.agent.Response.GetTasks",
];

/// What the operator API's JSON tells of an agent, of which the master writes a `SlaveInfo`.
const AGENT: &str = "mesos.v1.master.Response.GetAgents.Agent";

/// Writes a value as Mesos would.
pub fn write(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, Rapid);
    value.serialize(&mut serializer).expect("a value is serializable, and a Vec takes all");
    json
}

/// A message that is to be written.
pub struct Written<'a>(pub &'a DynamicMessage);

/// An AgentInfo with the field that only a `SlaveInfo` has. Every agent checkpoints.
struct Checkpointing<'a>(&'a DynamicMessage);

impl Serialize for Checkpointing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(info) = self;
        let mut map = serializer.serialize_map(None)?;
        for field in declared(&info.descriptor()).filter(|field| info.has_field(field)) {
            map.serialize_entry(field.name(), &Item(&info.get_field(&field), &field.kind()))?;
        }
        map.serialize_entry("checkpoint", &true)?;
        map.end()
    }
}

/// A value of a field of this kind.
struct Item<'a>(&'a Value, &'a Kind);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message) = self;
        let descriptor = message.descriptor();
        let lists = WITH_LISTS.contains(&descriptor.full_name());
        let mut map = serializer.serialize_map(None)?;
        for field in declared(&descriptor) {
            // A required field that is not set has its default, which a map's entries do not keep.
            let set = message.has_field(&field) || field.is_required();
            let value = message.get_field(&field);
            match &*value {
                Value::Message(info) if set && descriptor.full_name() == AGENT && field.name() == "agent_info" => {
                    map.serialize_entry(field.name(), &Checkpointing(info))?;
                }
                value if set || (lists && field.is_list() && !is_deprecated(&field)) => {
                    map.serialize_entry(field.name(), &Item(value, &field.kind()))?;
                }
                _ => {}
            }
        }
        map.end()
    }
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, kind) = *self;
        match value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I32(number) => serializer.serialize_i32(*number),
            Value::I64(number) => serializer.serialize_i64(*number),
            Value::U32(number) => serializer.serialize_u32(*number),
            Value::U64(number) => serializer.serialize_u64(*number),
            Value::F32(number) => number_or_name(serializer, (*number).into()),
            Value::F64(number) => number_or_name(serializer, *number),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.collect_str(&Base64Display::new(bytes, &STANDARD)),
            Value::EnumNumber(number) => match kind.as_enum().and_then(|kind| kind.get_value(*number)) {
                Some(value) => serializer.serialize_str(value.name()),
                None => serializer.serialize_i32(*number),
            },
            Value::Message(message) => Written(message).serialize(serializer),
            Value::List(items) => serializer.collect_seq(items.iter().map(|item| Item(item, kind))),
            Value::Map(entries) => {
                let kind = kind.as_message().map(|entry| entry.map_entry_value_field().kind());
                let kind = kind.unwrap_or(Kind::Bytes);
                let mut entries: Vec<_> =
                    entries.iter().map(|(key, value)| (key_of(key), Item(value, &kind))).collect();
                entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                serializer.collect_map(entries)
            }
        }
    }
}

/// JSON has no words for these, so they are text.
fn number_or_name<S: Serializer>(serializer: S, number: f64) -> Result<S::Ok, S::Error> {
    match number {
        number if number.is_finite() => serializer.serialize_f64(number),
        number if number.is_nan() => serializer.serialize_str("NaN"),
        number if number > 0.0 => serializer.serialize_str("Infinity"),
        _ => serializer.serialize_str("-Infinity"),
    }
}

fn key_of(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

/// The fields of a message in the order of the proto file; those of a descriptor come by their numbers.
fn declared(descriptor: &MessageDescriptor) -> impl Iterator<Item = FieldDescriptor> {
    let fields = descriptor.descriptor_proto().field.iter();
    fields.filter_map(|field| descriptor.get_field(u32::try_from(field.number()).ok()?))
}

fn is_deprecated(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().options.as_ref().is_some_and(|options| options.deprecated())
}

/// How rapidjson writes numbers and what it escapes.
struct Rapid;

impl Formatter for Rapid {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04X}"),
            other => serde_json::ser::CompactFormatter.write_char_escape(writer, other),
        }
    }
}

/// The shortest digits that stand for a number, with a point or an exponent as rapidjson sets them (`Prettify`).
fn number(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let written = match exponent {
        0..=20 => {
            let whole = usize::try_from(exponent).unwrap_or_default().saturating_add(1);
            match digits.split_at_checked(whole) {
                Some((whole, rest)) if !rest.is_empty() => format!("{whole}.{rest}"),
                _ => format!("{digits:0<whole$}.0"),
            }
        }
        -6..=-1 => {
            let zeros = usize::try_from(exponent.saturating_neg().saturating_sub(1)).unwrap_or_default();
            format!("0.{:0<zeros$}{digits}", "")
        }
        _ => format!("{mantissa}e{exponent}"),
    };
    format!("{sign}{written}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_rapidjson_does() {
        for (value, written) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (8.0, "8.0"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (20_000.0, "20000.0"),
            (1_764_409_876.118_049, "1764409876.118049"),
            (1e18, "1000000000000000000.0"),
            (1e20, "100000000000000000000.0"),
            (1e21, "1e21"),
            (1.234e33, "1.234e33"),
            (0.001_234, "0.001234"),
            (1e-6, "0.000001"),
            (1.23e-7, "1.23e-7"),
        ] {
            assert_eq!(number(value), written);
        }
    }

    #[test]
    fn control_characters_are_escaped_in_capitals() {
        assert_eq!(write(&"a\"\\/\n\u{1f}\u{7f}ä"), "\"a\\\"\\\\/\\n\\u001F\u{7f}ä\"".as_bytes());
    }
}
