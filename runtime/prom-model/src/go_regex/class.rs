//! Character classes of Go's syntax: `[a-z]`, `[[:alpha:]]`, `\d`, `\pL`.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::error::{GoRegexError, GoRegexErrorKind as Kind};
use super::escape;
use super::parser::Parser;

/// Ranges of the named ASCII classes.
fn posix(name: &str) -> Option<&'static [(char, char)]> {
    Some(match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    })
}

/// Ranges of `\d`, `\s` and `\w`, which are ASCII in Go; `\s` has no vertical tab.
fn perl(letter: char) -> Option<&'static [(char, char)]> {
    match letter.to_ascii_lowercase() {
        'd' => posix("digit"),
        's' => Some(&[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')]),
        'w' => posix("word"),
        _ => None,
    }
}

fn from_ranges(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(from, to)| ClassUnicodeRange::new(*from, *to)))
}

/// Adds the other cases of all its characters. The tables are compiled in, so this does not fail.
pub(super) fn fold(class: &mut ClassUnicode) {
    let _ = class.try_case_fold_simple();
}

/// Folds, then negates: the order in which Go does it.
fn finish(mut class: ClassUnicode, negated: bool, parser: &Parser<'_>) -> ClassUnicode {
    if parser.flags.fold {
        fold(&mut class);
    }
    if negated {
        class.negate();
    }
    class
}

/// Reads `d`, `pL`, `p{Greek}` and the like after a backslash; `None` where it is something else.
pub(super) fn escaped(parser: &mut Parser<'_>, start: usize) -> Result<Option<ClassUnicode>, GoRegexError> {
    let Some(letter) = parser.peek() else { return Ok(None) };
    if let Some(ranges) = perl(letter) {
        parser.bump();
        return Ok(Some(finish(from_ranges(ranges), letter.is_ascii_uppercase(), parser)));
    }
    if letter != 'p' && letter != 'P' {
        return Ok(None);
    }
    parser.bump();
    let mut negated = letter == 'P';
    let name = match parser.bump() {
        Some('{') => {
            let rest = parser.rest();
            let Some(len) = rest.find('}') else {
                return Err(parser.error(Kind::InvalidCharRange, start, parser.pattern.len()));
            };
            parser.at += len + 1;
            let name = rest.get(..len).unwrap_or("");
            let bare = name.strip_prefix('^');
            negated ^= bare.is_some();
            bare.unwrap_or(name).to_owned()
        }
        Some(c) => c.to_string(),
        None => String::new(),
    };
    match unicode(&name) {
        Some(class) => Ok(Some(finish(class, negated, parser))),
        None => Err(parser.error_to_here(Kind::InvalidCharRange, start)),
    }
}

/// Looks a general category or a script up in regex-syntax' tables.
fn unicode(name: &str) -> Option<ClassUnicode> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') {
        return None;
    }
    // Names are case sensitive, and categories have no long ones.
    let mut letters = name.chars();
    let capital = letters.next().is_some_and(|c| c.is_ascii_uppercase());
    if !capital || letters.next().is_some_and(|c| c.is_ascii_uppercase()) {
        return None;
    }
    let properties: &[&str] = if name.len() <= 2 { &["gc", "sc"] } else { &["sc"] };
    properties.iter().find_map(|property| {
        let hir = regex_syntax::parse(&format!("\\p{{{property}={name}}}")).ok()?;
        match hir.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Some(class),
            // A category of a single character comes back as that character.
            HirKind::Literal(literal) => {
                let c = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
                Some(super::parser::range(c, c))
            }
            _ => None,
        }
    })
}

/// Reads a bracket class after its `[`.
pub(super) fn bracket(parser: &mut Parser<'_>, start: usize) -> Result<ClassUnicode, GoRegexError> {
    let negated = parser.eat("^");
    let mut class = ClassUnicode::empty();
    let mut first = true;
    loop {
        let at = parser.at;
        let Some(c) = parser.peek() else {
            return Err(parser.error(Kind::MissingBracket, start, parser.pattern.len()));
        };
        if c == ']' && !first {
            parser.bump();
            break;
        }
        first = false;
        if let Some(named) = named(parser)? {
            class.union(&named);
            continue;
        }
        if parser.eat("\\") {
            if let Some(escaped) = escaped(parser, at)? {
                class.union(&escaped);
                continue;
            }
            parser.at = at;
        }
        let from = member(parser, start)?;
        let mut to = from;
        let rest = parser.rest();
        if rest.starts_with('-') && rest.len() > 1 && !rest.starts_with("-]") {
            parser.bump();
            to = member(parser, start)?;
            if to < from {
                return Err(parser.error_to_here(Kind::InvalidCharRange, at));
            }
        }
        let mut range = super::parser::range(from, to);
        if parser.flags.fold {
            fold(&mut range);
        }
        class.union(&range);
    }
    if negated {
        class.negate();
    }
    Ok(class)
}

/// Reads `[:alpha:]` or `[:^alpha:]` inside a bracket class.
fn named(parser: &mut Parser<'_>) -> Result<Option<ClassUnicode>, GoRegexError> {
    let start = parser.at;
    let Some(inner) = parser.rest().strip_prefix("[:") else { return Ok(None) };
    let Some(len) = inner.find(":]") else { return Ok(None) };
    let name = inner.get(..len).unwrap_or("");
    parser.at += len + 4;
    let bare = name.strip_prefix('^');
    match posix(bare.unwrap_or(name)) {
        Some(ranges) => Ok(Some(finish(from_ranges(ranges), bare.is_some(), parser))),
        None => Err(parser.error_to_here(Kind::InvalidCharRange, start)),
    }
}

/// Reads one end of a range.
fn member(parser: &mut Parser<'_>, class_start: usize) -> Result<char, GoRegexError> {
    let start = parser.at;
    match parser.bump() {
        Some('\\') => escape::character(parser, start),
        Some(c) => Ok(c),
        None => Err(parser.error(Kind::MissingBracket, class_start, parser.pattern.len())),
    }
}
