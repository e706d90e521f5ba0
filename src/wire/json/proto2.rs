//! What protobuf's own runtime for C++ does of itself, and prost-reflect leaves to others: required fields are looked
//! for, and numbers that an enum does not have are left out.

use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value};

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

fn is_known(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Enum(kind), Value::EnumNumber(number)) => kind.get_value(*number).is_some(),
        _ => true,
    }
}
