//! Names that frameworks and executors give. Follows `src/common/validation.cpp` and `stout/uuid.hpp`.

use super::refusal::Invalid;

const ID_MAX: usize = 255;
const UUID_BYTES: usize = 16;

/// `common::validation::validateID`.
pub fn id(id: &str) -> Result<(), Invalid> {
    if id.is_empty() {
        return Err(Invalid::new("ID must not be empty"));
    }
    if id.len() > ID_MAX {
        return Err(Invalid::new(format!("ID must not be greater than {ID_MAX} characters")));
    }
    if id == "." || id == ".." {
        return Err(Invalid::new(format!("'{id}' is disallowed")));
    }
    if id.contains(|c: char| c.is_ascii_control() || c == '/' || c == '\\') {
        return Err(Invalid::new(format!("'{id}' contains invalid characters")));
    }
    Ok(())
}

/// `id::UUID::fromBytes`: 16 bytes with one of the five versions.
pub fn uuid(bytes: &[u8]) -> Result<(), Invalid> {
    let version = bytes.get(6).map_or(0, |byte| byte >> 4);
    Invalid::unless(bytes.len() == UUID_BYTES && (1..=5).contains(&version), "Not a valid UUID")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_a_version() {
        assert!(uuid(::uuid::Uuid::from_u128(4 << 76).as_bytes()).is_ok());
        for bytes in [&[0; 16][..], &[0xff; 16], &[0x40; 15], &[0x40; 17], b"00010203-0405-4607-8809-0a0b0c0d0e0f"] {
            assert!(uuid(bytes).is_err(), "{bytes:?}");
        }
    }
}
