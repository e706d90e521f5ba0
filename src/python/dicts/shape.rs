//! Dicts of the bytes of messages, without a message in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::encoding::{DecodeContext, WireType, check_wire_type, decode_key, decode_varint, skip_field};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, Value as Field};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString};

use crate::{Error, proto};

/// How a message's fields are read into a dict.
pub struct Shape {
    /// By their numbers, which are small.
    fields: Vec<Option<Member>>,
    /// The numbers of the fields that a dict has even if the message does not: those of which the proto files name a
    /// default and that are not deprecated (`JSON::protobuf` of stout).
    with_default: Vec<usize>,
}

/// A field.
struct Member {
    name: Py<PyString>,
    kind: Kind,
    is_list: bool,
    is_map: bool,
    default: Option<Py<PyAny>>,
    /// The names of an enum's values.
    names: HashMap<i32, Py<PyString>>,
    /// Of the message that the field holds. Made when it is first needed: messages may hold themselves.
    shape: OnceLock<Arc<Shape>>,
}

impl Shape {
    /// Of the message with this full name in `proto/`.
    pub fn of(py: Python<'_>, full_name: &str) -> PyResult<Arc<Self>> {
        let descriptor = proto::message_descriptor(full_name)
            .ok_or_else(|| PyErr::from(Error::invalid(format!("'{full_name}' is not the name of a message"))))?;
        Self::cached(py, &descriptor)
    }

    fn cached(py: Python<'_>, descriptor: &MessageDescriptor) -> PyResult<Arc<Self>> {
        static SHAPES: PyOnceLock<Mutex<HashMap<String, Arc<Shape>>>> = PyOnceLock::new();
        let shapes = SHAPES.get_or_init(py, Mutex::default);
        let known = shapes.lock().unwrap_or_else(PoisonError::into_inner).get(descriptor.full_name()).cloned();
        if let Some(shape) = known {
            return Ok(shape);
        }
        let shape = Arc::new(Self::new(py, descriptor)?);
        let mut shapes = shapes.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(shapes.entry(descriptor.full_name().to_owned()).or_insert(shape).clone())
    }

    fn new(py: Python<'_>, descriptor: &MessageDescriptor) -> PyResult<Self> {
        let most = descriptor.fields().map(|field| field.number()).max().unwrap_or_default();
        let mut fields = (0..=most).map(|_| None).collect::<Vec<_>>();
        let mut with_default = Vec::new();
        for field in descriptor.fields() {
            let member = Member::new(py, &field)?;
            let number = field.number() as usize;
            if member.default.is_some() {
                with_default.push(number);
            }
            if let Some(place) = fields.get_mut(number) {
                *place = Some(member);
            }
        }
        Ok(Self { fields, with_default })
    }

    /// Makes a dict of a message's bytes.
    pub fn dict<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        self.fill(&dict, bytes)?;
        Ok(dict)
    }

    /// Sets the members of a dict that a message's bytes name. A field that comes again is merged, as protobuf says.
    fn fill(&self, dict: &Bound<'_, PyDict>, mut bytes: &[u8]) -> PyResult<()> {
        while !bytes.is_empty() {
            let (number, wire_type) = decode_key(&mut bytes).map_err(malformed)?;
            match self.fields.get(number as usize) {
                Some(Some(member)) => member.read(dict, wire_type, &mut bytes)?,
                _ => skip_field(wire_type, number, &mut bytes, DecodeContext::default()).map_err(malformed)?,
            }
        }
        let members = self.with_default.iter().filter_map(|number| self.fields.get(*number)?.as_ref());
        for Member { name, default, .. } in members {
            let name = name.bind(dict.py());
            if !dict.contains(name)? {
                dict.set_item(name, default)?;
            }
        }
        Ok(())
    }
}

impl Member {
    fn new(py: Python<'_>, field: &FieldDescriptor) -> PyResult<Self> {
        let declared = field.field_descriptor_proto();
        let deprecated = declared.options.as_ref().is_some_and(|options| options.deprecated());
        let kind = field.kind();
        let names = match &kind {
            Kind::Enum(kind) => {
                kind.values().map(|value| (value.number(), PyString::intern(py, value.name()).unbind())).collect()
            }
            _ => HashMap::new(),
        };
        let mut member = Self {
            name: PyString::intern(py, field.name()).unbind(),
            kind,
            is_list: field.is_list(),
            is_map: field.is_map(),
            default: None,
            names,
            shape: OnceLock::new(),
        };
        if declared.default_value.is_some() && !deprecated {
            member.default = member.default_value(py, &Field::default_value_for_field(field))?;
        }
        Ok(member)
    }

    fn default_value(&self, py: Python<'_>, value: &Field) -> PyResult<Option<Py<PyAny>>> {
        Ok(Some(match value {
            Field::Bool(value) => PyBool::new(py, *value).to_owned().into_any().unbind(),
            Field::I32(value) => value.into_pyobject(py)?.into_any().unbind(),
            Field::I64(value) => value.into_pyobject(py)?.into_any().unbind(),
            Field::U32(value) => value.into_pyobject(py)?.into_any().unbind(),
            Field::U64(value) => value.into_pyobject(py)?.into_any().unbind(),
            Field::F32(value) => PyFloat::new(py, widened(*value)).into_any().unbind(),
            Field::F64(value) => PyFloat::new(py, *value).into_any().unbind(),
            Field::String(value) => PyString::new(py, value).into_any().unbind(),
            Field::Bytes(value) => PyString::new(py, &STANDARD.encode(value)).into_any().unbind(),
            Field::EnumNumber(number) => return Ok(self.names.get(number).map(|name| name.clone_ref(py).into_any())),
            Field::Message(_) | Field::List(_) | Field::Map(_) => return Ok(None),
        }))
    }

    /// Reads one occurrence of the field.
    fn read(&self, dict: &Bound<'_, PyDict>, wire_type: WireType, bytes: &mut &[u8]) -> PyResult<()> {
        let py = dict.py();
        let name = self.name.bind(py);
        if let Kind::Message(kind) = &self.kind {
            let inner = length_delimited(wire_type, bytes)?;
            return self.read_message(dict, self.shape(py, kind)?, inner);
        }
        if self.is_list && wire_type == WireType::LengthDelimited && is_packable(&self.kind) {
            let mut packed = length_delimited(wire_type, bytes)?;
            while !packed.is_empty() {
                let value = self.scalar(py, wire_type_of(&self.kind), &mut packed)?;
                self.append(dict, value)?;
            }
            return Ok(());
        }
        let value = self.scalar(py, wire_type, bytes)?;
        if self.is_list {
            self.append(dict, value)?;
        } else if let Some(value) = value {
            dict.set_item(name, value)?;
        }
        Ok(())
    }

    fn read_message(&self, dict: &Bound<'_, PyDict>, shape: &Shape, bytes: &[u8]) -> PyResult<()> {
        let (py, name) = (dict.py(), self.name.bind(dict.py()));
        if self.is_map {
            let entry = shape.dict(py, bytes)?;
            let (key, value) = (entry.get_item("key")?, entry.get_item("value")?);
            let map = match dict.get_item(name)? {
                Some(map) => map.cast_into::<PyDict>()?,
                None => {
                    let map = PyDict::new(py);
                    dict.set_item(name, &map)?;
                    map
                }
            };
            if let (Some(key), Some(value)) = (key, value) {
                map.set_item(key.str()?, value)?;
            }
            return Ok(());
        }
        if self.is_list {
            let message = shape.dict(py, bytes)?;
            return self.append(dict, Some(message.into_any()));
        }
        match dict.get_item(name)? {
            Some(message) => shape.fill(message.cast::<PyDict>()?, bytes)?,
            None => dict.set_item(name, shape.dict(py, bytes)?)?,
        }
        Ok(())
    }

    fn append(&self, dict: &Bound<'_, PyDict>, value: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let (py, name) = (dict.py(), self.name.bind(dict.py()));
        let Some(value) = value else { return Ok(()) };
        match dict.get_item(name)? {
            Some(list) => list.cast::<PyList>()?.append(value),
            None => dict.set_item(name, PyList::new(py, [value])?),
        }
    }

    fn shape(&self, py: Python<'_>, descriptor: &MessageDescriptor) -> PyResult<&Arc<Shape>> {
        if let Some(shape) = self.shape.get() {
            return Ok(shape);
        }
        let shape = Shape::cached(py, descriptor)?;
        Ok(self.shape.get_or_init(|| shape))
    }

    /// A value of the field's kind; `None` for a number that its enum does not have.
    fn scalar<'py>(
        &self,
        py: Python<'py>,
        wire_type: WireType,
        bytes: &mut &[u8],
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let context = DecodeContext::default;
        macro_rules! number {
            ($kind:ident, $type:ty) => {{
                let mut value = <$type>::default();
                prost::encoding::$kind::merge(wire_type, &mut value, bytes, context()).map_err(malformed)?;
                value
            }};
        }
        macro_rules! python {
            ($value:expr) => {
                $value.into_pyobject(py)?.to_owned().into_any()
            };
        }
        Ok(Some(match &self.kind {
            Kind::Double => python!(number!(double, f64)),
            Kind::Float => python!(widened(number!(float, f32))),
            Kind::Int32 => python!(number!(int32, i32)),
            Kind::Int64 => python!(number!(int64, i64)),
            Kind::Uint32 => python!(number!(uint32, u32)),
            Kind::Uint64 => python!(number!(uint64, u64)),
            Kind::Sint32 => python!(number!(sint32, i32)),
            Kind::Sint64 => python!(number!(sint64, i64)),
            Kind::Fixed32 => python!(number!(fixed32, u32)),
            Kind::Fixed64 => python!(number!(fixed64, u64)),
            Kind::Sfixed32 => python!(number!(sfixed32, i32)),
            Kind::Sfixed64 => python!(number!(sfixed64, i64)),
            Kind::Bool => python!(number!(bool, bool)),
            Kind::Enum(_) => match self.names.get(&number!(int32, i32)) {
                Some(name) => name.bind(py).clone().into_any(),
                None => return Ok(None),
            },
            Kind::String => {
                let text = length_delimited(wire_type, bytes)?;
                match std::str::from_utf8(text) {
                    Ok(text) => PyString::new(py, text).into_any(),
                    Err(_) => PyString::new(py, &String::from_utf8_lossy(text)).into_any(),
                }
            }
            Kind::Bytes => PyString::new(py, &STANDARD.encode(length_delimited(wire_type, bytes)?)).into_any(),
            Kind::Message(_) => return Ok(None),
        }))
    }
}

/// A number of 32 bits as the one of 64 bits with the same digits, as JSON carries it.
fn widened(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

fn is_packable(kind: &Kind) -> bool {
    !matches!(kind, Kind::String | Kind::Bytes | Kind::Message(_))
}

fn wire_type_of(kind: &Kind) -> WireType {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::SixtyFourBit,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::ThirtyTwoBit,
        _ => WireType::Varint,
    }
}

/// Takes what a field of variable length holds.
fn length_delimited<'a>(wire_type: WireType, bytes: &mut &'a [u8]) -> PyResult<&'a [u8]> {
    check_wire_type(WireType::LengthDelimited, wire_type).map_err(malformed)?;
    let length = usize::try_from(decode_varint(bytes).map_err(malformed)?).unwrap_or(usize::MAX);
    let (taken, rest) = bytes.split_at_checked(length).ok_or_else(|| malformed("it ends too early"))?;
    *bytes = rest;
    Ok(taken)
}

fn malformed(why: impl std::fmt::Display) -> PyErr {
    Error::protocol(format!("failed to decode a Protobuf message: {why}")).into()
}
