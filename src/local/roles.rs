//! The names of roles. Follows `roles::validate` in `src/common/roles.cpp`.

use super::refusal::Invalid;

/// The role of resources that are not reserved.
pub const UNRESERVED: &str = "*";

/// Whether a role is another one or above it.
pub fn covers(role: &str, other: &str) -> bool {
    other.strip_prefix(role).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether this can be a role's name.
///
/// Fails with the words of the real master.
pub fn validate(name: &str) -> Result<(), Invalid> {
    if name == UNRESERVED {
        return Ok(());
    }
    Invalid::unless(!name.is_empty(), "Role names cannot be the empty string")?;
    let slashes = [
        (name.starts_with('/'), "cannot start with a slash"),
        (name.ends_with('/'), "cannot end with a slash"),
        (name.contains("//"), "cannot contain two adjacent slashes"),
    ];
    if let Some((_, why)) = slashes.iter().find(|(found, _)| *found) {
        return Err(Invalid::new(format!("Role '{name}' {why}")));
    }
    name.split('/').try_for_each(|part| component(name, part))
}

fn component(name: &str, part: &str) -> Result<(), Invalid> {
    let invalid = |why: &str| Err(Invalid::new(format!("Role component '{part}' is invalid because it {why}")));
    match part {
        "." | ".." | UNRESERVED => Err(Invalid::new(format!("Role '{name}' cannot include '{part}' as a component"))),
        _ if part.starts_with('-') => invalid("starts with a dash"),
        _ if part.contains(|c: char| c.is_ascii_whitespace() || c == '\u{7f}' || c == '\u{b}') => {
            invalid("contains backspace or whitespace")
        }
        _ => Ok(()),
    }
}
