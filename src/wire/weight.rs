//! How much a body will hold when it is decoded, told before it is: an empty message takes two bytes on the wire, and
//! up to many thousand in memory.

use std::cell::RefCell;
use std::collections::HashMap;

use prost::encoding::{WireType, decode_key, decode_varint};
use prost_reflect::{Cardinality, Kind, MessageDescriptor};

/// As deep as prost decodes.
const DEPTH_MAX: usize = 100;
/// What a dynamic message takes, in bytes: one node of a map has room for eleven fields.
const DYNAMIC: usize = 700;
/// What an element of a list and an unknown field take at most.
const ELEMENT: usize = 56;
/// A `Vec`, a `String`, or anything smaller.
const FIELD: usize = 24;

thread_local! {
    /// The sizes of message types, by their full names.
    static SIZES: RefCell<HashMap<String, usize>> = RefCell::default();
}

/// About how many bytes of memory a message takes that is decoded from these bytes, as a dynamic message or as one of its
/// type, whichever is larger. What follows an error in the bytes is not counted, for the decoder does not get there,
/// nor what follows when it is more than `most`.
pub fn of_protobuf(message: &MessageDescriptor, bytes: &[u8], most: usize) -> usize {
    let mut weight = Weight { dynamic: 0, typed: 0, most };
    // An error ends the decoding as well, which says what is wrong.
    let _ = weight.add_fields(message, bytes, 0);
    weight.larger()
}

struct Weight {
    dynamic: usize,
    typed: usize,
    most: usize,
}

/// The parts of a JSON text: objects, lists and what commas separate.
pub fn of_json(text: &[u8]) -> usize {
    let (mut inside, mut escaped, mut count) = (false, false, 0_usize);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' | b',' if !inside => count = count.saturating_add(1),
            _ => {}
        }
    }
    count
}

impl Weight {
    fn larger(&self) -> usize {
        self.dynamic.max(self.typed)
    }

    fn add_fields(&mut self, message: &MessageDescriptor, mut bytes: &[u8], depth: usize) -> Option<()> {
        let mut groups = 0_usize;
        while !bytes.is_empty() && self.larger() <= self.most {
            let (number, wire_type) = decode_key(&mut bytes).ok()?;
            let value = match wire_type {
                WireType::Varint => decode_varint(&mut bytes).ok().map(|_| &[][..])?,
                WireType::ThirtyTwoBit => take(&mut bytes, 4)?,
                WireType::SixtyFourBit => take(&mut bytes, 8)?,
                WireType::LengthDelimited => {
                    let length = decode_varint(&mut bytes).ok()?;
                    take(&mut bytes, length)?
                }
                WireType::StartGroup => {
                    groups = groups.saturating_add(1);
                    self.dynamic = self.dynamic.saturating_add(ELEMENT);
                    continue;
                }
                WireType::EndGroup => {
                    groups = groups.saturating_sub(1);
                    continue;
                }
            };
            let field = message.get_field(number).filter(|_| groups == 0);
            let list = field.as_ref().is_some_and(|field| field.cardinality() == Cardinality::Repeated);
            let (dynamic, typed) = match field.map(|field| field.kind()) {
                Some(Kind::Message(inner)) if depth < DEPTH_MAX => {
                    self.add_fields(&inner, value, depth.saturating_add(1))?;
                    (DYNAMIC, if list { size_of(&inner) } else { 0 })
                }
                Some(Kind::String | Kind::Bytes) => (value.len(), value.len().saturating_add(FIELD)),
                // Packed, each element may be of one byte.
                Some(_) if list && wire_type == WireType::LengthDelimited => (value.len().saturating_mul(ELEMENT), 0),
                Some(_) if !list => (0, 0),
                _ => (ELEMENT.saturating_add(value.len()), 0),
            };
            self.dynamic = self.dynamic.saturating_add(dynamic).saturating_add(if list { ELEMENT } else { 0 });
            self.typed = self.typed.saturating_add(typed);
        }
        Some(())
    }
}

/// About how many bytes a message of this type takes with nothing in it: prost puts singular messages into one another.
fn size_of(message: &MessageDescriptor) -> usize {
    let known = SIZES.with_borrow(|sizes| sizes.get(message.full_name()).copied());
    known.unwrap_or_else(|| {
        // What contains itself is behind a pointer.
        SIZES.with_borrow_mut(|sizes| sizes.insert(message.full_name().to_owned(), FIELD));
        let sizes = message.fields().map(|field| match field.kind() {
            Kind::Message(inner) if field.cardinality() != Cardinality::Repeated => size_of(&inner),
            _ => FIELD,
        });
        let size = sizes.fold(FIELD, usize::saturating_add);
        SIZES.with_borrow_mut(|sizes| sizes.insert(message.full_name().to_owned(), size));
        size
    })
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}
