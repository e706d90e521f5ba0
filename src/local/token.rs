//! The token of a cluster: who shows it is let in like the cluster's own user.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use crate::{Error, Result};

/// Of a token that is made here: 192 bits.
const BYTES: usize = 24;
/// The least and the most characters of a token that is given.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

/// A secret of characters that need no quoting in a URL, a header or a cookie.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// A new one, from the operating system's random numbers.
    ///
    /// Fails if the operating system gives none.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|e| Error::cluster(format!("cannot make a token: {e}")))?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(digits.into()))
    }

    /// A token of the user's choice: 16 to 256 letters, digits, and `-._~`.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        if plain && LENGTHS.contains(&text.len()) {
            return Ok(Self(text.into()));
        }
        // What was given may be a part of a secret.
        Err(Error::invalid("the token is not valid: expected 16 to 256 letters, digits and characters of '-._~'"))
    }

    /// The secret itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the token. Takes the same time wherever they differ.
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

/// Without the secret, since what is shown for debugging ends up in logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn random_tokens_differ_and_are_valid() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.as_str().len(), 2 * BYTES);
        assert!(one.is(one.as_str().as_bytes()) && !one.is(other.as_str().as_bytes()));
        assert!(Token::parse(one.as_str()).is_ok());
        assert_eq!(format!("{one:?}"), "Token(***)");
    }

    #[test]
    fn a_token_of_other_characters_or_lengths_is_not_valid_and_not_shown() {
        for text in ["", "short", "0123456789abcde", "0123456789abcdef;", "0123456789 abcdef", "0123456789abcdefä"]
            .into_iter()
            .chain([&*"x".repeat(257)])
        {
            let error = Token::parse(text).unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}
