//! From the text of a template to its nodes.

use super::TemplateError;

/// `if` in `range` in `with`: far more than anybody writes, far less than the stack holds.
const DEPTH_MAX: usize = 32;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Copied as it is.
    Text(String),
    /// `{{pipeline}}`.
    Print(Pipeline),
    /// `{{if …}}…{{else}}…{{end}}`.
    If(Pipeline, Vec<Node>, Vec<Node>),
    /// `{{range …}}…{{else}}…{{end}}`.
    Range(Pipeline, Vec<Node>, Vec<Node>),
    /// `{{with …}}…{{else}}…{{end}}`.
    With(Pipeline, Vec<Node>, Vec<Node>),
}

/// Commands; each takes the result of the one before as its last argument.
pub(super) type Pipeline = Vec<Command>;

/// Something with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `.A.B`, `.`.
    Field(Vec<String>),
    /// `$.A.B`, from the block itself.
    Root(Vec<String>),
    /// `"text"`.
    Text(String),
    /// `12`.
    Int(i64),
    /// `true`.
    Bool(bool),
    /// `name argument…`.
    Call(String, Vec<Command>),
    /// `(pipeline)`.
    Group(Pipeline),
}

const FUNCTIONS: [&str; 12] =
    ["and", "eq", "ge", "gt", "index", "le", "len", "lt", "ne", "not", "or", "printf"];

enum Piece {
    Text(String),
    Action(String),
}

pub(super) fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    let pieces = pieces(text)?;
    let mut pieces = pieces.into_iter();
    let (nodes, end) = nodes(&mut pieces, 0)?;
    match end {
        None => Ok(nodes),
        Some(word) => Err(syntax(&word, "nothing is open here")),
    }
}

fn syntax(action: &str, what: impl Into<String>) -> TemplateError {
    TemplateError::Syntax(action.to_owned(), what.into())
}

/// Text and actions in turn, with `{{-` and `-}}` carried out.
fn pieces(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while let Some((before, after)) = rest.split_once("{{") {
        let offset = text.len() - after.len() - 2;
        let (inner, tail) = split_action(after).ok_or(TemplateError::Unclosed(offset))?;
        let mut before = if trim_next { before.trim_start() } else { before };
        let inner = match inner.strip_prefix('-').filter(|inner| inner.starts_with(char::is_whitespace)) {
            Some(inner) => {
                before = before.trim_end();
                inner
            }
            None => inner,
        };
        let (inner, trims) =
            match inner.strip_suffix('-').filter(|inner| inner.ends_with(char::is_whitespace)) {
                Some(inner) => (inner, true),
                None => (inner, false),
            };
        out.push(Piece::Text(before.to_owned()));
        out.push(Piece::Action(inner.trim().to_owned()));
        trim_next = trims;
        rest = tail;
    }
    out.push(Piece::Text(if trim_next { rest.trim_start() } else { rest }.to_owned()));
    Ok(out)
}

/// Splits at the `}}` that is not inside quotes.
fn split_action(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if character == '\\' => escaped = true,
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if matches!(character, '"' | '`') => quote = Some(character),
            None => {
                if let Some(tail) = text.get(at..).and_then(|tail| tail.strip_prefix("}}")) {
                    return Some((text.get(..at)?, tail));
                }
            }
        }
    }
    None
}

/// Nodes up to `end` or `else …`, which is given back.
fn nodes(
    pieces: &mut std::vec::IntoIter<Piece>,
    depth: usize,
) -> Result<(Vec<Node>, Option<String>), TemplateError> {
    if depth > DEPTH_MAX {
        return Err(TemplateError::Deep(DEPTH_MAX));
    }
    let mut out = Vec::new();
    while let Some(piece) = pieces.next() {
        let action = match piece {
            Piece::Text(text) => {
                if !text.is_empty() {
                    out.push(Node::Text(text));
                }
                continue;
            }
            Piece::Action(action) => action,
        };
        if action.starts_with("/*") && action.ends_with("*/") {
            continue;
        }
        let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((&action, ""));
        match word {
            "end" | "else" => return Ok((out, Some(action))),
            "if" | "range" | "with" => out.push(branch(word, rest, &action, pieces, depth + 1)?),
            "define" | "template" | "block" | "break" | "continue" => {
                return Err(syntax(&action, format!("`{word}` is not supported here")));
            }
            _ => out.push(Node::Print(pipeline(&action, &action)?)),
        }
    }
    Ok((out, None))
}

fn branch(
    word: &str,
    condition: &str,
    action: &str,
    pieces: &mut std::vec::IntoIter<Piece>,
    depth: usize,
) -> Result<Node, TemplateError> {
    let condition = pipeline(condition, action)?;
    let (then, end) = nodes(pieces, depth)?;
    let end = end.ok_or_else(|| TemplateError::Open(action.to_owned()))?;
    let otherwise = match end.strip_prefix("else").map(str::trim) {
        None => Vec::new(),
        Some("") => {
            let (otherwise, end) = nodes(pieces, depth)?;
            match end.as_deref() {
                Some("end") => otherwise,
                Some(other) => return Err(syntax(other, "after `else` there is only `end`")),
                None => return Err(TemplateError::Open(action.to_owned())),
            }
        }
        Some(chained) => {
            let (next, rest) = chained.split_once(char::is_whitespace).unwrap_or((chained, ""));
            if next != "if" || word != "if" {
                return Err(syntax(&end, "only `else` and `else if` are supported here"));
            }
            if depth > DEPTH_MAX {
                return Err(TemplateError::Deep(DEPTH_MAX));
            }
            vec![branch("if", rest, &end, pieces, depth + 1)?]
        }
    };
    Ok(match word {
        "if" => Node::If(condition, then, otherwise),
        "range" => Node::Range(condition, then, otherwise),
        _ => Node::With(condition, then, otherwise),
    })
}

/// One word of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Bar,
    Open,
    Close,
}

fn tokens(text: &str, action: &str) -> Result<Vec<Token>, TemplateError> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        match first {
            '|' | '(' | ')' => {
                out.push(match first {
                    '|' => Token::Bar,
                    '(' => Token::Open,
                    _ => Token::Close,
                });
                rest = rest.get(1..).unwrap_or_default();
            }
            '`' => {
                let (raw, tail) = rest
                    .get(1..)
                    .and_then(|inner| inner.split_once('`'))
                    .ok_or_else(|| syntax(action, "a quote is not closed"))?;
                out.push(Token::Text(raw.to_owned()));
                rest = tail;
            }
            '"' => {
                // The literals of JSON are those of Go that templates contain.
                let mut literals = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let literal = literals
                    .next()
                    .and_then(Result::ok)
                    .ok_or_else(|| syntax(action, "a text in quotes cannot be read"))?;
                let end = literals.byte_offset();
                out.push(Token::Text(literal));
                rest = rest.get(end..).unwrap_or_default();
            }
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || matches!(c, '|' | '(' | ')' | '"' | '`'))
                    .unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                out.push(Token::Word(word.to_owned()));
                rest = tail;
            }
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

fn pipeline(text: &str, action: &str) -> Result<Pipeline, TemplateError> {
    let tokens = tokens(text, action)?;
    let mut tokens = tokens.into_iter().peekable();
    let parsed = commands(&mut tokens, action, 0)?;
    match tokens.next() {
        None => Ok(parsed),
        Some(_) => Err(syntax(action, "`)` without `(`")),
    }
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

fn commands(tokens: &mut Tokens, action: &str, depth: usize) -> Result<Pipeline, TemplateError> {
    if depth > DEPTH_MAX {
        return Err(TemplateError::Deep(DEPTH_MAX));
    }
    let mut out = vec![command(tokens, action, depth)?];
    while tokens.next_if_eq(&Token::Bar).is_some() {
        let next = command(tokens, action, depth)?;
        if !matches!(next, Command::Call(..)) {
            return Err(syntax(action, "after `|` comes a function"));
        }
        out.push(next);
    }
    Ok(out)
}

fn command(tokens: &mut Tokens, action: &str, depth: usize) -> Result<Command, TemplateError> {
    let first = operand(tokens, action, depth)?;
    let mut arguments = Vec::new();
    while tokens.peek().is_some_and(|token| !matches!(token, Token::Bar | Token::Close)) {
        arguments.push(operand(tokens, action, depth)?);
    }
    match first {
        Command::Call(name, _) => Ok(Command::Call(name, arguments)),
        first if arguments.is_empty() => Ok(first),
        _ => Err(syntax(action, "only functions take arguments")),
    }
}

fn operand(tokens: &mut Tokens, action: &str, depth: usize) -> Result<Command, TemplateError> {
    let word = match tokens.next() {
        Some(Token::Word(word)) => word,
        Some(Token::Text(text)) => return Ok(Command::Text(text)),
        Some(Token::Open) => {
            let inner = commands(tokens, action, depth + 1)?;
            tokens.next_if_eq(&Token::Close).ok_or_else(|| syntax(action, "`(` is not closed"))?;
            return Ok(Command::Group(inner));
        }
        Some(Token::Bar | Token::Close) | None => return Err(syntax(action, "a value is missing")),
    };
    if let Some(path) = word.strip_prefix("$.") {
        return Ok(Command::Root(fields(path, action)?));
    }
    if word == "$" {
        return Ok(Command::Root(Vec::new()));
    }
    if word == "." {
        return Ok(Command::Field(Vec::new()));
    }
    if let Some(path) = word.strip_prefix('.') {
        return Ok(Command::Field(fields(path, action)?));
    }
    match word.as_str() {
        "true" => return Ok(Command::Bool(true)),
        "false" => return Ok(Command::Bool(false)),
        name if FUNCTIONS.contains(&name) => return Ok(Command::Call(word, Vec::new())),
        _ => {}
    }
    if let Ok(number) = word.parse() {
        return Ok(Command::Int(number));
    }
    let what = if word.starts_with('$') || word == ":=" { "variables are" } else { "this is" };
    Err(syntax(
        action,
        format!(
            "`{word}`: {what} not supported; there are fields as .ULID and .Thanos.Labels, and the functions {}",
            FUNCTIONS.join(", ")
        ),
    ))
}

fn fields(path: &str, action: &str) -> Result<Vec<String>, TemplateError> {
    let names: Vec<String> = path.split('.').map(str::to_owned).collect();
    let is_name = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    match names.iter().all(is_name) {
        true => Ok(names),
        false => Err(syntax(action, format!("`.{path}` is no field"))),
    }
}
