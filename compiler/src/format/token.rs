//! KDL v2 cut into tokens; every byte of the text belongs to exactly one of them. Total: any text can be cut.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Blanks inside a line, and a byte order mark.
    Space,
    /// One line break.
    Newline,
    /// `// …` without its line break.
    LineComment,
    /// `/* … */`, nested.
    BlockComment,
    /// `/-`
    SlashDash,
    /// A backslash, blanks, perhaps a comment, and the line break that it hides.
    Escline,
    /// `;`
    Semicolon,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `(`
    ParenOpen,
    /// `)`
    ParenClose,
    /// `=`
    Equals,
    /// A bare word, a number or a keyword.
    Word,
    /// A string in any kind of quotes.
    String,
}

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// Its spelling.
    pub(super) text: &'a str,
}

/// Cuts a text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = next(rest, first);
        let (token, tail) = rest.split_at(length);
        tokens.push(Token { kind, text: token });
        rest = tail;
    }
    tokens
}

/// The kind and the byte length of the token at the start of `rest`.
fn next(rest: &str, first: char) -> (Kind, usize) {
    if let Some(length) = newline(rest) {
        return (Kind::Newline, length);
    }
    if is_space(first) {
        let length = rest.find(|c: char| !is_space(c) || is_newline(c)).unwrap_or(rest.len());
        return (Kind::Space, length);
    }
    let single = |kind| (kind, 1);
    match first {
        ';' => single(Kind::Semicolon),
        '{' => single(Kind::Open),
        '}' => single(Kind::Close),
        '(' => single(Kind::ParenOpen),
        ')' => single(Kind::ParenClose),
        '=' => single(Kind::Equals),
        '\\' => (Kind::Escline, escline(rest)),
        '/' if rest.starts_with("//") => (Kind::LineComment, line_end(rest)),
        '/' if rest.starts_with("/*") => (Kind::BlockComment, block_comment(rest)),
        '/' if rest.starts_with("/-") => (Kind::SlashDash, 2),
        '"' => (Kind::String, quoted(rest)),
        '#' => raw(rest).map_or_else(|| (Kind::Word, word(rest)), |length| (Kind::String, length)),
        _ => (Kind::Word, word(rest)),
    }
}

fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{0b}' | '\u{0c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_space(c: char) -> bool {
    !is_newline(c) && (c.is_whitespace() || c == '\u{feff}')
}

fn newline(rest: &str) -> Option<usize> {
    if rest.starts_with("\r\n") {
        return Some(2);
    }
    rest.chars().next().filter(|c| is_newline(*c)).map(char::len_utf8)
}

fn line_end(rest: &str) -> usize {
    rest.find(is_newline).unwrap_or(rest.len())
}

/// From the backslash to the end of the line break that it hides; only the backslash when something else follows.
fn escline(rest: &str) -> usize {
    let after = &rest[1..];
    let blanks = after.find(|c: char| !is_space(c)).unwrap_or(after.len());
    let mut at = 1 + blanks;
    if rest[at..].starts_with("//") {
        at += line_end(&rest[at..]);
    }
    match newline(&rest[at..]) {
        Some(length) => at + length,
        None if at == rest.len() => at,
        None => 1,
    }
}

fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (2, 1usize);
    while at < bytes.len() && depth > 0 {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

/// `"…"` and `"""…"""`, both with escapes.
fn quoted(rest: &str) -> usize {
    let quotes = if rest.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
    let bytes = rest.as_bytes();
    let mut at = quotes.len();
    while at < bytes.len() {
        if bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at..].starts_with(quotes.as_bytes()) {
            return at + quotes.len();
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `#"…"#` and `#"""…"""#` with any number of `#`; `None` when `#` starts a keyword.
fn raw(rest: &str) -> Option<usize> {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = &rest[hashes..];
    if !body.starts_with('"') {
        return None;
    }
    let quotes = if body.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
    let closing = format!("{quotes}{}", &rest[..hashes]);
    let inside = &body[quotes.len()..];
    Some(inside.find(&closing).map_or(rest.len(), |at| hashes + quotes.len() + at + closing.len()))
}

fn word(rest: &str) -> usize {
    let ends = |c: char| is_newline(c) || is_space(c) || ";{}()=\"\\".contains(c);
    let length = rest.find(|c: char| ends(c) || c == '/').unwrap_or(rest.len());
    // A character that can start nothing else is a word of its own, so that the cutting always gets on.
    if length == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { length }
}
