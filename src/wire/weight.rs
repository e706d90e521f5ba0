//! How much a body will hold when it is decoded, told before it is: an empty message takes two bytes on the wire, and
//! up to some thousand in memory.

use prost::encoding::{WireType, decode_key, decode_varint};
use prost_reflect::{Cardinality, Kind, MessageDescriptor};

/// As deep as prost decodes.
const DEPTH_MAX: usize = 100;

/// Messages, elements of lists, and unknown fields in a message's bytes: all that a decoder keeps one by one. What
/// follows an error in the bytes is not counted, for the decoder does not get there.
pub fn of_protobuf(message: &MessageDescriptor, bytes: &[u8]) -> usize {
    let mut count = 0;
    // An error ends the decoding as well, which says what is wrong.
    let _ = count_fields(message, bytes, 0, &mut count);
    count
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

fn count_fields(message: &MessageDescriptor, mut bytes: &[u8], depth: usize, count: &mut usize) -> Option<()> {
    let mut groups = 0_usize;
    while !bytes.is_empty() {
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
                *count = count.saturating_add(1);
                continue;
            }
            WireType::EndGroup => {
                groups = groups.saturating_sub(1);
                continue;
            }
        };
        let field = message.get_field(number).filter(|_| groups == 0);
        let kept = match field.as_ref().map(|field| (field.kind(), field.cardinality())) {
            Some((Kind::Message(inner), _)) if depth < DEPTH_MAX => {
                count_fields(&inner, value, depth.saturating_add(1), count)?;
                1
            }
            Some((Kind::String | Kind::Bytes, Cardinality::Repeated)) => 1,
            // Packed, each element may be of one byte.
            Some((_, Cardinality::Repeated)) if wire_type == WireType::LengthDelimited => value.len(),
            Some((_, Cardinality::Optional | Cardinality::Required)) => 0,
            _ => 1,
        };
        *count = count.saturating_add(kept);
    }
    Some(())
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}
