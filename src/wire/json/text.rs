//! The text of JSON. Follows `3rdparty/stout/include/stout/json.hpp` and PicoJSON 1.3.0, on which it stands: what they
//! read is read, and what they refuse is refused with their words.

use std::collections::BTreeMap;

/// The most lists and objects in one another (`STOUT_JSON_MAX_DEPTH`).
const DEPTH_MAX: usize = 200;
/// The most bytes of a text that an error quotes.
const QUOTED_MAX: usize = 4096;

/// What a text of JSON says.
///
/// ```
/// use remesos::wire::json::{Value, parse};
///
/// let numbers = [Value::Integer(1), Value::Double(1.5)];
/// assert_eq!(parse(b"[1, 1.5]")?, Value::List(numbers.into()));
/// assert!(parse(b"[1, 1.5").is_err());
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number of 64 bits without a point or an exponent.
    Integer(i64),
    /// Any other number.
    Double(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object, in the order of its names, as Mesos goes through it. The last of members with one name counts.
    Object(BTreeMap<String, Value>),
}

/// Reads a text. Fails with the words of the real master.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    let mut input = Input { text, at: 0, last: None, returned: false, line: 1 };
    let value = match input.value(DEPTH_MAX) {
        Ok(value) => value,
        Err(Failure::Range) => return Err("Value out of range".to_owned()),
        Err(Failure::Syntax) => return Err(input.syntax_error()),
    };
    let end = text.iter().rposition(|byte| !b" \t\n\r".contains(byte)).map_or(0, |last| last.saturating_add(1));
    if input.at == end {
        return Ok(value);
    }
    let rest = text.get(input.at..end).unwrap_or_default();
    Err(format!("Parsed JSON included non-whitespace trailing characters: {}", quoted(rest)))
}

enum Failure {
    Syntax,
    Range,
}

type Parsed<T> = Result<T, Failure>;

/// A text, and how much of it is read: PicoJSON's `input`. One byte can be given back, which counts as read in what an
/// error quotes of the rest.
struct Input<'a> {
    text: &'a [u8],
    at: usize,
    last: Option<u8>,
    returned: bool,
    line: usize,
}

impl Input<'_> {
    fn next(&mut self) -> Option<u8> {
        if std::mem::take(&mut self.returned) {
            return self.last;
        }
        let Some(&byte) = self.text.get(self.at) else {
            self.last = None;
            return None;
        };
        if self.last == Some(b'\n') {
            self.line = self.line.saturating_add(1);
        }
        self.last = Some(byte);
        self.at = self.at.saturating_add(1);
        self.last
    }

    fn give_back(&mut self) {
        self.returned = self.last.is_some();
    }

    fn next_visible(&mut self) -> Option<u8> {
        loop {
            let byte = self.next();
            if !matches!(byte, Some(b' ' | b'\t' | b'\n' | b'\r')) {
                return byte;
            }
        }
    }

    fn expect(&mut self, expected: u8) -> bool {
        let found = self.next_visible() == Some(expected);
        if !found {
            self.give_back();
        }
        found
    }

    fn syntax_error(&mut self) -> String {
        let line = self.line;
        let mut rest = Vec::new();
        while let Some(byte) = self.next().filter(|byte| *byte != b'\n') {
            if byte >= b' ' && rest.len() <= QUOTED_MAX {
                rest.push(byte);
            }
        }
        format!("syntax error at line {line} near: {}", quoted(&rest))
    }

    fn value(&mut self, depth: usize) -> Parsed<Value> {
        match self.next_visible() {
            Some(b'n') => self.word("ull", Value::Null),
            Some(b'f') => self.word("alse", Value::Boolean(false)),
            Some(b't') => self.word("rue", Value::Boolean(true)),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.object(depth),
            Some(b'0'..=b'9' | b'-') => self.number(),
            _ => {
                self.give_back();
                Err(Failure::Syntax)
            }
        }
    }

    fn word(&mut self, rest: &str, value: Value) -> Parsed<Value> {
        for expected in rest.bytes() {
            if self.next() != Some(expected) {
                self.give_back();
                return Err(Failure::Syntax);
            }
        }
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Parsed<Value> {
        let depth = depth.checked_sub(1).ok_or(Failure::Syntax)?;
        let mut items = Vec::new();
        if self.expect(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if !self.expect(b',') {
                return if self.expect(b']') { Ok(Value::List(items)) } else { Err(Failure::Syntax) };
            }
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Value> {
        let depth = depth.checked_sub(1).ok_or(Failure::Syntax)?;
        let mut members = BTreeMap::new();
        if self.expect(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            let name = if self.expect(b'"') { self.string()? } else { return Err(Failure::Syntax) };
            if !self.expect(b':') {
                return Err(Failure::Syntax);
            }
            members.insert(name, self.value(depth)?);
            if !self.expect(b',') {
                return if self.expect(b'}') { Ok(Value::Object(members)) } else { Err(Failure::Syntax) };
            }
        }
    }

    fn number(&mut self) -> Parsed<Value> {
        self.give_back();
        let mut digits = String::new();
        while let Some(byte) = self.next() {
            if !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E') {
                self.give_back();
                break;
            }
            digits.push(char::from(byte));
        }
        if let Ok(integer) = digits.parse() {
            return Ok(Value::Integer(integer));
        }
        let number: f64 = digits.parse().map_err(|_| Failure::Syntax)?;
        if number.is_finite() { Ok(Value::Double(number)) } else { Err(Failure::Range) }
    }

    fn string(&mut self) -> Parsed<String> {
        let mut bytes = Vec::new();
        loop {
            match self.next() {
                Some(b'"') => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Some(b'\\') => self.escape(&mut bytes)?,
                Some(byte) if byte >= b' ' => bytes.push(byte),
                _ => {
                    self.give_back();
                    return Err(Failure::Syntax);
                }
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Parsed<()> {
        bytes.push(match self.next() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let character = self.character()?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(Failure::Syntax),
        });
        Ok(())
    }

    fn character(&mut self) -> Parsed<char> {
        let first = self.quad()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or(Failure::Syntax);
        }
        for expected in *b"\\u" {
            if self.next() != Some(expected) {
                self.give_back();
                return Err(Failure::Syntax);
            }
        }
        let units = [first, self.quad()?].map(|unit| u16::try_from(unit).unwrap_or_default());
        char::decode_utf16(units).next().and_then(Result::ok).ok_or(Failure::Syntax)
    }

    fn quad(&mut self) -> Parsed<u32> {
        let mut number = 0_u32;
        for _ in 0..4 {
            let Some(digit) = self.next().and_then(|byte| char::from(byte).to_digit(16)) else {
                self.give_back();
                return Err(Failure::Syntax);
            };
            number = (number << 4) | digit;
        }
        Ok(number)
    }
}

fn quoted(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..QUOTED_MAX).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn values_are_read() {
        let text =
            br#" {"b": [1, -0.5e1, 9223372036854775808, "a\u00e4\ud83d\ude00\n"], "a": null, "a": {"c": true}} "#;
        let Ok(Value::Object(members)) = parse(text) else { panic!("an object is expected") };
        let inner = Value::Object(BTreeMap::from([("c".to_owned(), Value::Boolean(true))]));
        assert_eq!(members.get("a"), Some(&inner), "the last of two members counts");
        let numbers = [Value::Integer(1), Value::Double(-5.0), Value::Double(9_223_372_036_854_775_808.0)];
        let list = numbers.into_iter().chain([Value::Text("aä😀\n".to_owned())]).collect();
        assert_eq!(members.get("b"), Some(&Value::List(list)));
        assert_eq!(parse(b"01"), Ok(Value::Integer(1)), "as the real one reads it");
    }

    #[test]
    fn errors_quote_what_follows() {
        assert_eq!(error(""), "syntax error at line 1 near: ");
        assert_eq!(error("{\n 'a': 1}\nb"), "syntax error at line 2 near: 'a': 1}");
        assert_eq!(error("{} x "), "Parsed JSON included non-whitespace trailing characters:  x");
        assert_eq!(error("[1,]"), "syntax error at line 1 near: ]");
        assert_eq!(error("1e400"), "Value out of range");
        assert_eq!(error(r#"["\ud800"]"#), "syntax error at line 1 near: \"]");
        let endless = error(&"{".repeat(100_000));
        assert!(endless.len() < 5000, "{}", endless.len());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(deep(200).as_bytes()).is_ok());
        assert!(error(&deep(201)).starts_with("syntax error at line 1 near: ]]]"));
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
