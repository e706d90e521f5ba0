//! JSON as Mesos writes it: the fields of a message in the order of the proto files, those of which the proto files name
//! a default also if they are not set, and numbers as rapidjson writes them. Follows
//! `3rdparty/stout/include/stout/{protobuf,jsonify}.hpp`.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::{CharEscape, Formatter};

/// Writes a value as Mesos would.
pub fn write(value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, Rapid);
    value.serialize(&mut serializer).expect("a value is serializable, and a Vec takes all");
    json
}

/// A message whose enums have no unknown numbers.
pub struct Written<'a>(pub &'a DynamicMessage);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in declared(self.0) {
            map.serialize_entry(field.name(), &Item(&field.kind(), &self.0.get_field(&field)))?;
        }
        map.end()
    }
}

/// The fields to write, in the order of the proto file.
fn declared(message: &DynamicMessage) -> impl Iterator<Item = FieldDescriptor> {
    let descriptor = message.descriptor();
    let fields = descriptor.descriptor_proto().field.iter();
    let fields: Vec<_> = fields.filter_map(|field| descriptor.get_field_by_name(field.name())).collect();
    fields.into_iter().filter(|field| message.has_field(field) || has_default(field))
}

/// Whether the proto file names a default of a field that is not deprecated.
fn has_default(field: &FieldDescriptor) -> bool {
    let declared = field.field_descriptor_proto();
    declared.default_value.is_some() && !declared.options.as_ref().is_some_and(|options| options.deprecated())
}

/// One field's value, or a part of it.
struct Item<'a>(&'a Kind, &'a Value);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(kind, value) = *self;
        match value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I32(number) => serializer.serialize_i32(*number),
            Value::I64(number) => serializer.serialize_i64(*number),
            Value::U32(number) => serializer.serialize_u32(*number),
            Value::U64(number) => serializer.serialize_u64(*number),
            Value::F32(number) => double(f64::from(*number), serializer),
            Value::F64(number) => double(*number, serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_str(&BASE64.encode(bytes)),
            Value::EnumNumber(number) => match kind.as_enum().and_then(|kind| kind.get_value(*number)) {
                Some(value) => serializer.serialize_str(value.name()),
                None => serializer.serialize_i32(*number),
            },
            Value::Message(inner) => Written(inner).serialize(serializer),
            Value::List(items) => serializer.collect_seq(items.iter().map(|item| Item(kind, item))),
            Value::Map(map) => {
                let Kind::Message(entry) = kind else { return serializer.serialize_unit() };
                let kind = entry.map_entry_value_field().kind();
                let mut items: Vec<_> = map.iter().map(|(key, value)| (name(key), value)).collect();
                items.sort_by(|(one, _), (other, _)| one.cmp(other));
                serializer.collect_map(items.into_iter().map(|(key, value)| (key, Item(&kind, value))))
            }
        }
    }
}

/// Mesos ends at a number that JSON does not have. These are the names that it reads.
fn double<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        number if number.is_finite() => serializer.serialize_f64(number),
        number if number.is_nan() => serializer.serialize_str("NaN"),
        number => serializer.serialize_str(if number > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

fn name(key: &MapKey) -> String {
    match key {
        MapKey::String(text) => text.clone(),
        MapKey::Bool(value) => value.to_string(),
        MapKey::I32(number) => number.to_string(),
        MapKey::I64(number) => number.to_string(),
        MapKey::U32(number) => number.to_string(),
        MapKey::U64(number) => number.to_string(),
    }
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
