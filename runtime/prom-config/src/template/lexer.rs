//! Text to tokens. Spaces matter to the parser in places, so they are tokens too.

/// A token with the byte at which it begins.
pub(super) type Placed<'t> = (Token<'t>, usize);

/// The text between actions, a token of an action, or one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// What stands between actions, trimmed where they say so; never empty.
    Outside(&'t str),
    /// `{{`
    Open,
    /// `}}`
    Close,
    Space,
    /// A word, keywords included.
    Word(&'t str),
    /// `.name`, without the dot.
    Field(&'t str),
    /// `.`
    Dot,
    /// `$name`
    Variable(&'t str),
    Number(&'t str),
    /// A character in its quotes.
    Char(&'t str),
    /// A text in its quotes.
    Text(&'t str),
    Pipe,
    Assign,
    Declare,
    LeftParen,
    RightParen,
    Comma,
    /// Any other character.
    Other(char),
}

/// The tokens of a template.
pub(super) fn lex(text: &str) -> Result<Vec<Placed<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut trims = false;
    loop {
        let start = if trims { rest.trim_start_matches(is_space) } else { rest };
        let Some((before, after)) = start.split_once("{{") else {
            push_outside(&mut tokens, text, start, start);
            return Ok(tokens);
        };
        let mut action = after;
        let mut outside = before;
        if let Some(trimmed) = after.strip_prefix('-').filter(|trimmed| trimmed.starts_with(is_space)) {
            action = trimmed;
            outside = before.trim_end_matches(is_space);
        }
        push_outside(&mut tokens, text, start, outside);
        let comment = action.strip_prefix(is_space).filter(|_| action.len() < after.len()).unwrap_or(action);
        if let Some(comment) = comment.strip_prefix("/*") {
            let Some((_, end)) = comment.split_once("*/") else {
                return Err("a comment is not closed".to_owned());
            };
            (rest, trims) = closing(end).ok_or("a comment is not followed by `}}`")?;
            continue;
        }
        tokens.push((Token::Open, text.len() - after.len() - 2));
        (rest, trims) = lex_action(text, action, &mut tokens)?;
    }
}

fn push_outside<'t>(tokens: &mut Vec<Placed<'t>>, text: &str, start: &str, outside: &'t str) {
    if !outside.is_empty() {
        tokens.push((Token::Outside(outside), text.len() - start.len()));
    }
}

/// What follows `}}` or ` -}}`, and whether spaces after it are left out.
fn closing(text: &str) -> Option<(&str, bool)> {
    if let Some(rest) = text.strip_prefix("}}") {
        return Some((rest, false));
    }
    let trimmed = text.strip_prefix(is_space)?;
    trimmed.strip_prefix("-}}").map(|rest| (rest, true))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphabetic() || c.is_numeric()
}

/// Reads the tokens up to `}}`, and returns what follows it.
fn lex_action<'t>(
    text: &str,
    action: &'t str,
    tokens: &mut Vec<Placed<'t>>,
) -> Result<(&'t str, bool), String> {
    let mut rest = action;
    let mut parens = 0_u32;
    loop {
        let at = text.len() - rest.len();
        if let Some(after) = closing(rest) {
            if parens > 0 {
                return Err("a `(` is not closed".to_owned());
            }
            tokens.push((Token::Close, at));
            return Ok(after);
        }
        let Some(c) = rest.chars().next() else { return Err("`{{` is not closed by `}}`".to_owned()) };
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let until = |end: &str| rest.get(..rest.len() - end.len()).unwrap_or_default();
        let (token, after) = match c {
            c if is_space(c) => {
                let spaces = after.trim_start_matches(is_space);
                // The last space may belong to ` -}}`.
                let spaces = if spaces.starts_with("-}}") {
                    rest.get(rest.len() - spaces.len() - 1..).unwrap_or(spaces)
                } else {
                    spaces
                };
                if spaces.len() == rest.len() { (Token::Space, after) } else { (Token::Space, spaces) }
            }
            '=' => (Token::Assign, after),
            ':' => (Token::Declare, after.strip_prefix('=').ok_or("a `:` is not followed by `=`")?),
            '|' => (Token::Pipe, after),
            '"' => {
                let end = quoted(after, '"')?;
                (Token::Text(until(end)), end)
            }
            '`' => match after.split_once('`') {
                Some((_, end)) => (Token::Text(until(end)), end),
                None => return Err("a raw text is not closed by a backquote".to_owned()),
            },
            '\'' => {
                let end = quoted(after, '\'')?;
                (Token::Char(until(end)), end)
            }
            '$' => {
                let end = after.trim_start_matches(is_word);
                (Token::Variable(until(end)), terminated(end)?)
            }
            '.' if !after.starts_with(|c: char| c.is_ascii_digit()) => {
                let end = after.trim_start_matches(is_word);
                let name = after.get(..after.len() - end.len()).unwrap_or_default();
                let token = if name.is_empty() { Token::Dot } else { Token::Field(name) };
                (token, terminated(end)?)
            }
            '.' | '+' | '-' | '0'..='9' => {
                let end = number(rest)?;
                (Token::Number(until(end)), end)
            }
            '(' => {
                parens += 1;
                (Token::LeftParen, after)
            }
            ')' => {
                parens = parens.checked_sub(1).ok_or("a `)` without its `(`")?;
                (Token::RightParen, after)
            }
            ',' => (Token::Comma, after),
            c if is_word(c) => {
                let end = after.trim_start_matches(is_word);
                (Token::Word(until(end)), terminated(end)?)
            }
            ' '..='~' => (Token::Other(c), after),
            _ => return Err(format!("the character {c:?} stands in an action")),
        };
        tokens.push((token, at));
        rest = after;
    }
}

/// What may follow a name.
fn terminated(rest: &str) -> Result<&str, String> {
    match rest.chars().next() {
        Some(c) if !is_space(c) && !matches!(c, '.' | ',' | '|' | ':' | ')' | '(' | '}') => {
            Err(format!("the character {c:?} follows a name"))
        }
        _ => Ok(rest),
    }
}

/// What follows the closing quote.
fn quoted(text: &str, quote: char) -> Result<&str, String> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let valid =
                    chars.next().is_some_and(|(_, c)| "abfnrtvxuU01234567\\".contains(c) || c == quote);
                if !valid {
                    return Err("a text holds an escape that Go does not know".to_owned());
                }
            }
            '\n' => break,
            c if c == quote => return Ok(text.get(at + c.len_utf8()..).unwrap_or_default()),
            _ => {}
        }
    }
    Err(format!("a text is not closed by {quote}"))
}

/// What follows a number.
fn number(text: &str) -> Result<&str, String> {
    let signed = text.trim_start_matches(['+', '-']);
    if text.len() - signed.len() > 1 {
        return Err("a number has two signs".to_owned());
    }
    let body = signed;
    let lower = body.get(..2).unwrap_or_default().to_ascii_lowercase();
    let (rest, digits): (&str, fn(char) -> bool) = match lower.as_str() {
        "0x" => (body.get(2..).unwrap_or_default(), |c| c.is_ascii_hexdigit() || c == '_'),
        "0o" => (body.get(2..).unwrap_or_default(), |c| matches!(c, '0'..='7' | '_')),
        "0b" => (body.get(2..).unwrap_or_default(), |c| matches!(c, '0' | '1' | '_')),
        _ => (body, |c| c.is_ascii_digit() || c == '_'),
    };
    let mut end = rest.trim_start_matches(digits);
    let mut any = end.len() < rest.len();
    if let Some(fraction) = end.strip_prefix('.') {
        end = fraction.trim_start_matches(digits);
        any |= end.len() < fraction.len();
    }
    if !any {
        return Err("a sign without a number".to_owned());
    }
    let exponent: &[char] = if lower == "0x" { &['p', 'P'] } else { &['e', 'E'] };
    if let Some(after) = end.strip_prefix(exponent) {
        let after = after.strip_prefix(['+', '-']).unwrap_or(after);
        end = after.trim_start_matches(|c: char| c.is_ascii_digit());
        if end.len() == after.len() {
            return Err("a number ends in its exponent".to_owned());
        }
    }
    let end = end.strip_prefix('i').unwrap_or(end);
    match end.chars().next() {
        Some(c) if is_word(c) => Err(format!("the character {c:?} follows a number")),
        _ => Ok(end),
    }
}
