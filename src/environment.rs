//! Variables of an environment. Only those that are read have to be text, and a path may be any bytes.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use crate::{Error, Result};

/// An environment, as `environ(7)` has it: names and values are bytes.
pub type Variables = HashMap<OsString, OsString>;

/// A variable of this process, if it is set and not empty.
///
/// Fails, naming the variable, if it is not UTF-8.
pub fn variable(name: &str) -> Result<Option<String>> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(|value| text(name, &value).map(str::to_owned)).transpose()
}

/// A variable's text.
///
/// Fails, naming the variable, if it is not UTF-8. The value is not shown: it may be a secret.
pub fn text<'a>(name: &str, value: &'a OsStr) -> Result<&'a str> {
    value.to_str().ok_or_else(|| {
        Error::invalid(format!("the environment variable '{name}' is not valid UTF-8: expected text in UTF-8"))
    })
}
