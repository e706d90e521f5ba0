//! Messages from what a text of JSON says. Follows `3rdparty/stout/include/stout/protobuf.hpp`: fields have the names of
//! the proto files, enums are written by name and bytes in base64, numbers may be texts, and a field that is no list but
//! repeated takes a single value. What is unknown is ignored.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Field};

use super::text::{self, Value};

type Outcome = Result<(), String>;

/// Sets the fields of a message.
pub fn fill(message: &mut DynamicMessage, members: std::collections::BTreeMap<String, Value>) -> Outcome {
    for (name, value) in members {
        if let Some(field) = message.descriptor().get_field_by_name(&name) {
            set(message, &field, value)?;
        }
    }
    Ok(())
}

fn set(message: &mut DynamicMessage, field: &FieldDescriptor, value: Value) -> Outcome {
    match value {
        Value::Null => Ok(()),
        Value::List(items) if field.is_list() || field.is_map() => {
            items.into_iter().try_for_each(|item| set(message, field, item))
        }
        Value::List(_) => unexpected("array", field),
        Value::Object(members) if field.is_map() => members.into_iter().try_for_each(|(key, value)| {
            let Kind::Message(entry) = field.kind() else { return Ok(()) };
            let mut made = DynamicMessage::new(entry.clone());
            set(&mut made, &entry.map_entry_value_field(), value)?;
            let value = made.get_field(&entry.map_entry_value_field()).into_owned();
            if let Some(map) = message.get_field_mut(field).as_map_mut() {
                map.insert(MapKey::String(key), value);
            }
            Ok(())
        }),
        Value::Object(members) => object(message, field, members),
        other => match scalar(field, other)? {
            Some(made) => {
                put(message, field, made);
                Ok(())
            }
            None => Ok(()),
        },
    }
}

fn object(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    members: std::collections::BTreeMap<String, Value>,
) -> Outcome {
    let Kind::Message(kind) = field.kind() else { return unexpected("object", field) };
    let mut made = DynamicMessage::new(kind);
    fill(&mut made, members)?;
    put(message, field, Field::Message(made));
    Ok(())
}

/// Sets a field, or adds to it if it is repeated.
fn put(message: &mut DynamicMessage, field: &FieldDescriptor, value: Field) {
    match message.get_field_mut(field) {
        Field::List(list) if field.is_list() => list.push(value),
        Field::Map(_) => {}
        single => *single = value,
    }
}

fn unexpected<T>(what: &str, field: &FieldDescriptor) -> Result<T, String> {
    Err(format!("Not expecting a JSON {what} for field '{}'", field.name()))
}

/// A value of a field's kind; `None` for an unknown enum.
fn scalar(field: &FieldDescriptor, value: Value) -> Result<Option<Field>, String> {
    let kind = field.kind();
    let what = match value {
        Value::Boolean(_) => "boolean",
        Value::Text(_) => "string",
        _ => "number",
    };
    match (kind, value) {
        (Kind::String, Value::Text(text)) => Ok(Some(Field::String(text))),
        (Kind::Bytes, Value::Text(text)) => {
            let failed = |why| format!("Failed to base64 decode bytes field '{}': {why}", field.name());
            base64(&text).map(|bytes| Some(Field::Bytes(bytes.into()))).map_err(failed)
        }
        (Kind::Enum(kind), Value::Text(text)) => match kind.get_value_by_name(&text) {
            Some(value) => Ok(Some(Field::EnumNumber(value.number()))),
            None if field.is_required() => Err(format!("Failed to find enum for '{text}'")),
            None => Ok(None),
        },
        (Kind::Bool, Value::Boolean(boolean)) => Ok(Some(Field::Bool(boolean))),
        (Kind::Bool, Value::Text(text)) => match in_text(field, &text, "boolean")? {
            Value::Boolean(boolean) => Ok(Some(Field::Bool(boolean))),
            _ => Err(unparsed(field, &text, "boolean", "Unexpected JSON type parsed")),
        },
        (kind, Value::Text(text)) if is_number(&kind) => {
            let floating = matches!(kind, Kind::Double | Kind::Float);
            let number = match text.as_str() {
                "Infinity" if floating => Value::Double(f64::INFINITY),
                "-Infinity" if floating => Value::Double(f64::NEG_INFINITY),
                _ => in_text(field, &text, "number")?,
            };
            let not = || unparsed(field, &text, "number", "Unexpected JSON type parsed");
            number_of(&kind, &number).ok_or_else(not).map(Some)
        }
        (kind, value) => number_of(&kind, &value).map_or_else(|| unexpected(what, field), |made| Ok(Some(made))),
    }
}

/// The value that a text has in it.
fn in_text(field: &FieldDescriptor, text: &str, what: &str) -> Result<Value, String> {
    text::parse(text.as_bytes()).map_err(|why| unparsed(field, text, what, &why))
}

fn unparsed(field: &FieldDescriptor, text: &str, what: &str, why: &str) -> String {
    format!("Failed to parse '{text}' as a JSON {what} for field '{}': {why}", field.name())
}

fn is_number(kind: &Kind) -> bool {
    number_of(kind, &Value::Integer(0)).is_some()
}

/// A number as one of this kind. What is too large is converted as C++ does it on the machines that Mesos runs on.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "as in C++")]
fn number_of(kind: &Kind, number: &Value) -> Option<Field> {
    let (double, signed, unsigned, small) = match *number {
        Value::Integer(integer) => (integer as f64, integer, integer as u64, integer as i32),
        Value::Double(double) => (double, signed(double), unsigned(double), small(double)),
        _ => return None,
    };
    Some(match kind {
        Kind::Double => Field::F64(double),
        Kind::Float => Field::F32(double as f32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Field::I64(signed),
        Kind::Uint64 | Kind::Fixed64 => Field::U64(unsigned),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Field::I32(small),
        Kind::Uint32 | Kind::Fixed32 => Field::U32(signed as u32),
        _ => return None,
    })
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// `static_cast<int64_t>` on x86-64: the instruction `cvttsd2si` gives the least number for all that does not fit.
#[expect(clippy::cast_possible_truncation, reason = "it fits")]
fn signed(double: f64) -> i64 {
    if (-TWO_TO_63..TWO_TO_63).contains(&double) { double as i64 } else { i64::MIN }
}

/// `static_cast<uint64_t>` on x86-64, which makes it of the same instruction: a negative number wraps, and one that is too
/// large is 0.
fn unsigned(double: f64) -> u64 {
    if double < TWO_TO_63 {
        signed(double).cast_unsigned()
    } else {
        signed(double - TWO_TO_63).cast_unsigned() ^ i64::MIN.cast_unsigned()
    }
}

/// `static_cast<int32_t>` on x86-64.
#[expect(clippy::cast_possible_truncation, reason = "it fits")]
fn small(double: f64) -> i32 {
    if double > -2_147_483_649.0 && double < 2_147_483_648.0 { double as i32 } else { i32::MIN }
}

/// Standard base64 as `3rdparty/stout/include/stout/base64.hpp` reads it: blanks are skipped, and all that follows the
/// first `=`.
fn base64(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    for character in text.bytes().take_while(|character| *character != b'=') {
        let sextet = match character {
            b'A'..=b'Z' => character.wrapping_sub(b'A'),
            b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            b' ' | b'\t' | b'\n' | b'\r' | 11 | 12 => continue,
            other => return Err(format!("Invalid character '{}'", char::from(other))),
        };
        bits = (bits << 6) | u32::from(sextet);
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            bytes.push(((bits >> count) & 0xff) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{base64, signed, small, unsigned};

    #[test]
    fn base64_is_read_as_mesos_does() {
        for (text, bytes) in [
            ("", &[][..]),
            ("AAEC", &[0, 1, 2]),
            ("AAE=", &[0, 1]),
            ("AAE", &[0, 1]),
            ("AA==rubbish", &[0]),
            ("A A\nE C", &[0, 1, 2]),
            ("A", &[]),
            ("/+8=", &[255, 239]),
        ] {
            assert_eq!(base64(text), Ok(bytes.to_vec()), "{text}");
        }
        assert_eq!(base64("_-8="), Err("Invalid character '_'".to_owned()));
    }

    #[test]
    fn numbers_are_converted_as_mesos_does() {
        for (double, as_signed, as_unsigned, as_small) in [
            (1.9, 1, 1, 1),
            (-1.9, -1, u64::MAX, -1),
            (-2_147_483_648.9, -(1 << 31), (1 << 63) + ((1 << 63) - (1 << 31)), i32::MIN),
            (4_294_967_301.0, (1 << 32) + 5, (1 << 32) + 5, i32::MIN),
            (9_223_372_036_854_777_856.0, i64::MIN, (1 << 63) + 2048, i32::MIN),
            (18_446_744_073_709_551_616.0, i64::MIN, 0, i32::MIN),
            (1e300, i64::MIN, 0, i32::MIN),
            (-1e300, i64::MIN, 1 << 63, i32::MIN),
            (f64::INFINITY, i64::MIN, 0, i32::MIN),
        ] {
            assert_eq!(
                (signed(double), unsigned(double), small(double)),
                (as_signed, as_unsigned, as_small),
                "{double}"
            );
        }
    }
}
