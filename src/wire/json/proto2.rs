//! What protobuf's own runtime for C++ does of itself, and prost-reflect leaves to others: required fields are looked
//! for, numbers that an enum does not have are left out, and messages are written as text.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};

/// The required fields that a message does not have, as `InitializationErrorString` names them; empty if there are none.
pub fn missing(message: &DynamicMessage) -> String {
    let mut names = Vec::new();
    find_missing(message, "", &mut names);
    names.join(", ")
}

fn find_missing(message: &DynamicMessage, path: &str, names: &mut Vec<String>) {
    let descriptor = message.descriptor();
    let declared = descriptor.descriptor_proto().field.iter().filter_map(|f| descriptor.get_field_by_name(f.name()));
    for field in declared.filter(|field| field.is_required() && !message.has_field(field)) {
        names.push(format!("{path}{}", field.name()));
    }
    for (field, value) in message.fields() {
        let name = format!("{path}{}", field.name());
        match value {
            Value::Message(inner) => find_missing(inner, &format!("{name}."), names),
            Value::List(list) => {
                for (at, inner) in list.iter().filter_map(Value::as_message).enumerate() {
                    find_missing(inner, &format!("{name}[{at}]."), names);
                }
            }
            Value::Map(map) => {
                for (at, inner) in map.values().filter_map(Value::as_message).enumerate() {
                    find_missing(inner, &format!("{name}[{at}].value."), names);
                }
            }
            _ => {}
        }
    }
}

/// Leaves out what no value of its enum has. Returns whether there was any.
pub fn forget_unknown_enums(message: &mut DynamicMessage) -> bool {
    let mut found = false;
    let mut unknown = Vec::new();
    for (field, value) in message.fields_mut() {
        match value {
            Value::EnumNumber(_) if !is_known(&field.kind(), value) => unknown.push(field),
            Value::Message(inner) => found |= forget_unknown_enums(inner),
            Value::List(list) => {
                let before = list.len();
                list.retain(|item| is_known(&field.kind(), item));
                found |= list.len() != before;
                let inner = list.iter_mut().filter_map(Value::as_message_mut);
                found |= inner.fold(false, |found, inner| forget_unknown_enums(inner) | found);
            }
            Value::Map(map) => {
                let inner = map.values_mut().filter_map(Value::as_message_mut);
                found |= inner.fold(false, |found, inner| forget_unknown_enums(inner) | found);
            }
            _ => {}
        }
    }
    unknown.iter().for_each(|field| message.clear_field(field));
    found || !unknown.is_empty()
}

/// Sets the fields of which the proto files name a default and that are not deprecated (`JSON::protobuf` of stout).
pub fn set_defaults(message: &mut DynamicMessage) {
    for field in message.descriptor().fields() {
        let declared = field.field_descriptor_proto();
        let deprecated = declared.options.as_ref().is_some_and(|options| options.deprecated());
        if declared.default_value.is_some() && !deprecated && !message.has_field(&field) {
            let default = Value::default_value_for_field(&field);
            message.set_field(&field, default);
        }
    }
    for (_, value) in message.fields_mut() {
        match value {
            Value::Message(inner) => set_defaults(inner),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(set_defaults),
            Value::Map(map) => map.values_mut().filter_map(Value::as_message_mut).for_each(set_defaults),
            _ => {}
        }
    }
}

fn is_known(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Enum(kind), Value::EnumNumber(number)) => kind.get_value(*number).is_some(),
        _ => true,
    }
}

/// A message in the text format, each line after an indentation (`DebugString`).
pub fn text(message: &DynamicMessage, indentation: &str) -> String {
    let lines = message.fields().flat_map(|(field, value)| match value {
        Value::List(items) => items.iter().map(|item| line(&field, item, indentation)).collect::<Vec<_>>(),
        Value::Map(_) => Vec::new(),
        single => vec![line(&field, single, indentation)],
    });
    lines.collect()
}

fn line(field: &FieldDescriptor, value: &Value, indentation: &str) -> String {
    let name = field.name();
    let shown = match value {
        Value::Message(inner) => {
            let inner = text(inner, &format!("{indentation}  "));
            return format!("{indentation}{name} {{\n{inner}{indentation}}}\n");
        }
        Value::String(text) => format!("\"{}\"", escaped(text.as_bytes())),
        Value::Bytes(bytes) => format!("\"{}\"", escaped(bytes)),
        Value::EnumNumber(number) => match field.kind() {
            Kind::Enum(kind) => kind.get_value(*number).map_or(number.to_string(), |value| value.name().to_owned()),
            _ => number.to_string(),
        },
        Value::Bool(value) => value.to_string(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::F32(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::List(_) | Value::Map(_) => String::new(),
    };
    format!("{indentation}{name}: {shown}\n")
}

fn escaped(bytes: &[u8]) -> String {
    let octal = |byte: &u8| !byte.is_ascii_graphic() && !b" \n\r\t".contains(byte);
    let written = bytes.iter().map(|byte| match octal(byte) {
        true => format!("\\{byte:03o}"),
        false => byte.escape_ascii().to_string(),
    });
    written.collect()
}
