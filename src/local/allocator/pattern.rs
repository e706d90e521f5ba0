//! Regular expressions as RE2 takes them, with the limits of a master (`offer_constraints_re2_max_mem` and
//! `offer_constraints_re2_max_program_size`).

use regex::Regex;
use regex_syntax::ast::{
    self, Ast, ClassPerl, ClassPerlKind, ClassSetItem, ErrorKind, Flag, FlagsItemKind, GroupKind, RepetitionKind,
    RepetitionRange, Visitor,
};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::local::refusal::Invalid;

/// `DEFAULT_OFFER_CONSTRAINTS_RE2_MAX_PROGRAM_SIZE` in `src/master/constants.hpp`.
const PROGRAM_SIZE_MAX: u64 = 100;
/// What RE2 adds to any program.
const PROGRAM_FRAME: u64 = 4;
/// From this size on a program does not fit into `DEFAULT_OFFER_CONSTRAINTS_RE2_MAX_MEM` and RE2 gives up.
const PROGRAM_TOO_LARGE: u64 = 150;
/// How many steps it takes to match a character beyond ASCII.
const STEPS_BEYOND_ASCII: u64 = 6;
const REPEATED_MAX: u32 = 1000;

/// A pattern for whole texts.
#[derive(Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Takes a regular expression.
    ///
    /// # Errors
    ///
    /// Fails, in RE2's words, if it is not one of RE2's or too large.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: &str| Invalid::new(format!("Failed to construct regex from pattern '{text}': {why}"));
        let plain = with_braces_escaped(text);
        let ast = ast::parse::Parser::new().parse(&plain).map_err(|error| wrong(&in_words(&plain, &error)))?;
        let meant = ast::visit(&ast, Dialect::of(&plain)).map_err(|why| wrong(&why))?;
        let hir = regex_syntax::parse(&meant).map_err(|error| wrong(&class_in_words(&meant, &error)))?;
        let size = steps(&hir).saturating_add(PROGRAM_FRAME);
        if size > PROGRAM_TOO_LARGE {
            return Err(wrong("pattern too large - compile failed"));
        }
        if size > PROGRAM_SIZE_MAX {
            return Err(Invalid::new(format!(
                "Regex '{text}' is too complex: program size of {size} is larger than maximum of {PROGRAM_SIZE_MAX} allowed"
            )));
        }
        Regex::new(&format!(r"\A(?:{meant})\z")).map(Self).map_err(|error| wrong(&error.to_string()))
    }

    /// Whether the whole text is as the pattern says.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

fn part(text: &str, begin: usize, end: usize) -> &str {
    text.get(begin..end).unwrap_or_default()
}

/// The pattern with a backslash before each brace that starts neither a number of repetitions nor a name: to RE2 it stands
/// for itself.
fn with_braces_escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '\\' if rest.starts_with("\\p{") || rest.starts_with("\\P{") || rest.starts_with("\\x{") => 3,
            '\\' => rest.chars().nth(1).map_or(1, |escaped| escaped.len_utf8().saturating_add(1)),
            _ => next.len_utf8(),
        };
        if next == '{' && !repeats(rest) {
            plain.push('\\');
        }
        let (taken, left) = rest.split_at(length);
        plain.push_str(taken);
        rest = left;
    }
    plain
}

/// Whether this starts with `{2}`, `{2,}` or `{2,3}`.
fn repeats(text: &str) -> bool {
    let Some((inside, _)) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return false;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inside.split_once(',') {
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
        None => number(inside),
    }
}

/// What RE2 says of an error.
fn in_words(text: &str, error: &ast::Error) -> String {
    let (begin, end) = (error.span().start.offset, error.span().end.offset);
    let (here, rest) = (part(text, begin, end), part(text, begin, text.len()));
    match error.kind() {
        ErrorKind::GroupUnclosed => format!("missing ): {text}"),
        ErrorKind::GroupUnopened => format!("unexpected ): {text}"),
        ErrorKind::ClassUnclosed => format!("missing ]: {rest}"),
        ErrorKind::RepetitionMissing => {
            format!("no argument for repetition operator: {}", rest.get(..1).unwrap_or(rest))
        }
        ErrorKind::EscapeUnexpectedEof => "trailing \\".to_owned(),
        ErrorKind::ClassRangeInvalid => format!("invalid character class range: {here}"),
        ErrorKind::RepetitionCountInvalid => format!("invalid repetition size: {here}"),
        ErrorKind::UnsupportedLookAround | ErrorKind::FlagUnrecognized => {
            let open = part(text, 0, end).rfind("(?").unwrap_or(begin);
            format!("invalid perl operator: {}", part(text, open, end))
        }
        _ => format!("invalid escape sequence: {here}"),
    }
}

/// What RE2 says of an error in the meaning of a pattern.
fn class_in_words(text: &str, error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Translate(error) => {
            let (begin, end) = (error.span().start.offset, error.span().end.offset);
            format!("invalid character class range: {}", part(text, begin, end))
        }
        other => other.to_string(),
    }
}

/// Finds what other dialects have and RE2 does not, and writes a pattern so that it means here what it means to RE2.
struct Dialect<'a> {
    text: &'a str,
    written: String,
    /// Up to where it is written.
    at: usize,
}

impl<'a> Dialect<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, written: String::new(), at: 0 }
    }

    /// To RE2 only ASCII has digits, spaces and words.
    fn write_perl_class(&mut self, class: &ClassPerl) {
        let members = match class.kind {
            ClassPerlKind::Digit => "0-9",
            ClassPerlKind::Space => r"\t\n\f\r ",
            ClassPerlKind::Word => "0-9A-Za-z_",
        };
        let not = if class.negated { "^" } else { "" };
        self.written.push_str(part(self.text, self.at, class.span.start.offset));
        self.written.push_str(&format!("[{not}{members}]"));
        self.at = class.span.end.offset;
    }
}

impl Visitor for Dialect<'_> {
    type Output = String;
    type Err = String;

    fn finish(self) -> Result<String, String> {
        Ok(self.written + part(self.text, self.at, self.text.len()))
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        if let ClassSetItem::Perl(class) = item {
            self.write_perl_class(class);
        }
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Flags(flags) => self.check_flags(&flags.flags),
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureName { starts_with_p: false, .. } => Err("invalid perl operator: (?<".to_owned()),
                GroupKind::NonCapturing(flags) => self.check_flags(flags),
                _ => Ok(()),
            },
            Ast::Repetition(repetition) => {
                let (begin, end) = (repetition.op.span.start.offset, repetition.op.span.end.offset);
                if let Ast::Repetition(inner) = &*repetition.ast {
                    let both = part(self.text, inner.op.span.start.offset, end);
                    return Err(format!("bad repetition operator: {both}"));
                }
                let most = match repetition.op.kind {
                    RepetitionKind::Range(
                        RepetitionRange::Exactly(n) | RepetitionRange::AtLeast(n) | RepetitionRange::Bounded(_, n),
                    ) => n,
                    _ => 0,
                };
                let why = format!("invalid repetition size: {}", part(self.text, begin, end));
                if most <= REPEATED_MAX { Ok(()) } else { Err(why) }
            }
            Ast::ClassPerl(class) => {
                self.write_perl_class(class);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Dialect<'_> {
    fn check_flags(&self, flags: &ast::Flags) -> Result<(), String> {
        let known = |kind: &FlagsItemKind| match kind {
            FlagsItemKind::Negation => true,
            FlagsItemKind::Flag(flag) => {
                matches!(flag, Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed)
            }
        };
        match flags.items.iter().find(|item| !known(&item.kind)) {
            Some(item) => {
                let begin = flags.span.start.offset.saturating_sub(2);
                Err(format!("invalid perl operator: {}", part(self.text, begin, item.span.end.offset)))
            }
            None => Ok(()),
        }
    }
}

/// About how many steps RE2's program for this has.
fn steps(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty => 0,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => {
            let ascii = class.ranges().iter().filter(|range| range.start().is_ascii()).count() as u64;
            let beyond = class.ranges().iter().any(|range| !range.end().is_ascii());
            ascii.saturating_add(if beyond { STEPS_BEYOND_ASCII } else { 0 })
        }
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Look(_) => 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or_else(|| repetition.min.max(1));
            steps(&repetition.sub).saturating_mul(times.into()).saturating_add(1)
        }
        HirKind::Capture(capture) => steps(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) => parts.iter().map(steps).fold(0, u64::saturating_add),
        HirKind::Alternation(parts) => parts.iter().map(steps).fold(parts.len() as u64, u64::saturating_add),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_for_whole_texts() {
        let pattern = Pattern::new("a|b.*").expect("valid");
        for (text, of) in [("a{5", "a{5"), ("a{,3}", "a{,3}"), (r"\{x\}{2}", "{x}}"), (r"\p{Greek}{2}", "αβ")] {
            assert!(Pattern::new(text).expect(text).matches(of), "{text}");
        }
        let digits = Pattern::new(r"[\d-]+\s\W").expect("valid");
        assert!(digits.matches("0-9 ä") && !digits.matches("٣ ä") && !digits.matches("3 a"));
        assert!(pattern.matches("a") && pattern.matches("bcd") && !pattern.matches("ab") && !pattern.matches("xb"));
    }

    #[test]
    fn what_re2_does_not_take_is_refused_in_its_words() {
        let long = "a".repeat(97);
        let longer = "a".repeat(2000);
        let cases = [
            ("(", "missing ): ("),
            ("a)", "unexpected ): a)"),
            ("[a", "missing ]: [a"),
            ("*", "no argument for repetition operator: *"),
            ("a**", "bad repetition operator: **"),
            ("\\", "trailing \\"),
            ("\\8", "invalid escape sequence: \\8"),
            ("[z-a]", "invalid character class range: z-a"),
            ("\\p{Foo}", "invalid character class range: \\p{Foo}"),
            ("(?<n>a)", "invalid perl operator: (?<"),
            ("(?=a)", "invalid perl operator: (?="),
            ("(?x)a", "invalid perl operator: (?x"),
            ("(?z)a", "invalid perl operator: (?z"),
            ("a{1001}", "invalid repetition size: {1001}"),
            ("a{2,1}", "invalid repetition size: {2,1}"),
            ("x{1000}", "pattern too large - compile failed"),
            (&longer, "pattern too large - compile failed"),
        ];
        for (text, why) in cases {
            let expected = format!("Failed to construct regex from pattern '{text}': {why}");
            assert_eq!(Pattern::new(text).expect_err(text).to_string(), expected);
        }
        let why = Pattern::new(&long).expect_err("too long").to_string();
        assert!(why.ends_with("is too complex: program size of 101 is larger than maximum of 100 allowed"), "{why}");
        let fine = ["a".repeat(96), "(?P<n>a)".into(), "[[:alpha:]]+".into(), "(?i)node-[0-9]{1,3}\\.example".into()];
        fine.iter().for_each(|text| drop(Pattern::new(text).expect(text)));
    }
}
