//! Tokens to a verdict: control structures, pipelines, known functions and variables.

use super::lexer::Token;
use crate::schema::v;
use crate::{Options, Version};

/// Deeper nesting than any annotation has.
const DEPTH_MAX: usize = 100;

const FUNCTIONS: &[&str] = &[
    "and",
    "args",
    "call",
    "eq",
    "externalURL",
    "first",
    "ge",
    "graphLink",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "js",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toLower",
    "toUpper",
    "urlquery",
    "value",
];

/// Functions that came later.
const LATER_FUNCTIONS: &[(&str, Version)] = &[
    ("now", v(3, 6, 0)),
    ("toDuration", v(3, 6, 0)),
    ("toTime", v(2, 38, 0)),
    ("urlQueryEscape", v(3, 8, 0)),
];

/// How a list of actions ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    File,
    Closed,
    /// `else`, with the word behind it still to come.
    Branch,
}

type Result<T> = std::result::Result<T, String>;

/// Says why the tokens are no template.
pub(super) fn parse(tokens: &[Token<'_>], options: &Options) -> Result<()> {
    let variables = ["$", "$labels", "$externalLabels", "$externalURL", "$value"].map(str::to_owned).to_vec();
    let mut parser = Parser { tokens, at: 0, options, variables, ranges: 0, depth: 0 };
    match parser.list(true)? {
        Ended::File => Ok(()),
        Ended::Closed => Err("there is an `end` too many".to_owned()),
        Ended::Branch => Err("an `else` stands outside `if`, `range` and `with`".to_owned()),
    }
}

struct Parser<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    options: &'t Options,
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Token<'t>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(Token::Space) {
            self.at += 1;
        }
    }

    fn next_solid(&mut self) -> Option<Token<'t>> {
        self.skip_spaces();
        self.next()
    }

    fn peek_solid(&mut self) -> Option<Token<'t>> {
        self.skip_spaces();
        self.peek()
    }

    fn close(&mut self, after: &str) -> Result<()> {
        match self.next_solid() {
            Some(Token::Close) => Ok(()),
            _ => Err(format!("something follows `{after}`")),
        }
    }

    /// Actions up to an end.
    fn list(&mut self, outermost: bool) -> Result<Ended> {
        while let Some(token) = self.next() {
            if token != Token::Open {
                return Err("something stands outside its action".to_owned());
            }
            if let Some(end) = self.action(outermost)? {
                return Ok(end);
            }
        }
        Ok(Ended::File)
    }

    fn action(&mut self, outermost: bool) -> Result<Option<Ended>> {
        let Some(Token::Word(word)) = self.peek_solid() else {
            self.pipeline("action", Token::Close)?;
            return Ok(None);
        };
        let start = self.at;
        self.at += 1;
        match word {
            "end" => {
                self.close("end")?;
                return Ok(Some(Ended::Closed));
            }
            "else" => return Ok(Some(Ended::Branch)),
            "if" | "with" | "range" => self.control(word)?,
            "template" => {
                self.name()?;
                if self.peek_solid() == Some(Token::Close) {
                    self.at += 1;
                } else {
                    self.pipeline("template", Token::Close)?;
                }
            }
            "block" => {
                self.name()?;
                self.pipeline("block", Token::Close)?;
                self.apart("block")?;
            }
            "define" if outermost => {
                self.name()?;
                self.close("define")?;
                self.apart("define")?;
            }
            "define" => return Err("a `define` stands inside another action".to_owned()),
            "break" | "continue" => {
                if self.ranges == 0 {
                    return Err(format!("a `{word}` stands outside `range`"));
                }
                self.close(word)?;
            }
            _ => {
                self.at = start;
                self.pipeline("action", Token::Close)?;
            }
        }
        Ok(None)
    }

    fn name(&mut self) -> Result<()> {
        match self.next_solid() {
            Some(Token::Text) => Ok(()),
            _ => Err("the name of a template is no text in quotes".to_owned()),
        }
    }

    /// The body of a template of its own: only `$` is known in it.
    fn apart(&mut self, what: &str) -> Result<()> {
        self.enter()?;
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let end = self.list(false)?;
        self.variables = variables;
        self.ranges = ranges;
        self.depth -= 1;
        if end == Ended::Closed { Ok(()) } else { Err(format!("the `end` of a `{what}` is missing")) }
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err("the template is nested too deeply".to_owned()) } else { Ok(()) }
    }

    fn control(&mut self, word: &str) -> Result<()> {
        self.enter()?;
        let known = self.variables.len();
        self.pipeline(word, Token::Close)?;
        self.ranges += usize::from(word == "range");
        let mut end = self.list(false)?;
        self.ranges -= usize::from(word == "range");
        if end == Ended::Branch {
            let chained = match self.peek_solid() {
                Some(Token::Word("if")) => word == "if",
                // Since Go 1.23, with which some release after 3.0 is built.
                Some(Token::Word("with")) => word == "with" && !self.options.before(v(3, 0, 0)),
                _ => false,
            };
            if chained {
                self.at += 1;
                self.control(word)?;
                end = Ended::Closed;
            } else {
                self.close("else")?;
                end = self.list(false)?;
            }
        }
        self.variables.truncate(known);
        self.depth -= 1;
        if end == Ended::Closed { Ok(()) } else { Err(format!("the `end` of an `{word}` is missing")) }
    }

    fn pipeline(&mut self, context: &str, end: Token<'_>) -> Result<()> {
        self.enter()?;
        self.declarations(context)?;
        let mut commands = 0;
        loop {
            match self.peek_solid() {
                Some(token) if token == end => {
                    self.at += 1;
                    break;
                }
                Some(
                    Token::Word(_)
                    | Token::Field
                    | Token::Dot
                    | Token::Variable(_)
                    | Token::Number
                    | Token::Char
                    | Token::Text
                    | Token::LeftParen,
                ) => {
                    self.command(commands > 0)?;
                    commands += 1;
                }
                _ => {
                    return Err(format!(
                        "a value is expected in `{context}`, and something else stands there"
                    ));
                }
            }
        }
        self.depth -= 1;
        if commands == 0 { Err(format!("a value is missing in `{context}`")) } else { Ok(()) }
    }

    fn declarations(&mut self, context: &str) -> Result<()> {
        let mut count = 0;
        while let Some(Token::Variable(name)) = self.peek_solid() {
            let start = self.at;
            self.at += 1;
            match self.peek_solid() {
                Some(Token::Assign | Token::Declare) => {
                    self.at += 1;
                    self.variables.push(name.to_owned());
                    return Ok(());
                }
                Some(Token::Comma) => {
                    self.at += 1;
                    self.variables.push(name.to_owned());
                    count += 1;
                    let more = matches!(
                        self.peek_solid(),
                        Some(Token::Variable(_) | Token::Close | Token::RightParen)
                    );
                    if context != "range" || count > 1 || !more {
                        return Err(format!("too many variables are set in `{context}`"));
                    }
                }
                _ => {
                    self.at = start;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Operands up to a `|` or the end; a later stage has to be something that can be called.
    fn command(&mut self, later: bool) -> Result<()> {
        let mut first = true;
        loop {
            self.skip_spaces();
            let operand = self.operand()?;
            if first && later && operand == Operand::Plain {
                return Err("a stage of a pipeline is no function".to_owned());
            }
            if operand == Operand::None && first {
                return Err("a command is empty".to_owned());
            }
            first = false;
            match self.peek() {
                Some(Token::Space) => self.at += 1,
                Some(Token::Close | Token::RightParen) => return Ok(()),
                Some(Token::Pipe) => {
                    self.at += 1;
                    return match self.peek_solid() {
                        Some(Token::Close | Token::RightParen) | None => {
                            Err("nothing follows a `|`".to_owned())
                        }
                        _ => Ok(()),
                    };
                }
                _ => return Err("operands are not separated by spaces".to_owned()),
            }
        }
    }

    fn operand(&mut self) -> Result<Operand> {
        let start = self.at;
        let operand = match self.next() {
            Some(Token::Word("true" | "false" | "nil")) => Operand::Plain,
            Some(Token::Word(name)) => {
                self.function(name)?;
                Operand::Callable
            }
            Some(Token::Variable(name)) => {
                if !self.variables.iter().any(|known| known == name) {
                    return Err(format!("the variable `{name}` is not defined"));
                }
                Operand::Callable
            }
            Some(Token::Field) => Operand::Callable,
            Some(Token::Dot | Token::Number | Token::Char | Token::Text) => Operand::Plain,
            Some(Token::LeftParen) => {
                self.pipeline("parentheses", Token::RightParen)?;
                Operand::Callable
            }
            _ => {
                self.at = start;
                return Ok(Operand::None);
            }
        };
        if self.peek() == Some(Token::Field) {
            if operand == Operand::Plain {
                return Err("a field is taken from something that has none".to_owned());
            }
            while self.peek() == Some(Token::Field) {
                self.at += 1;
            }
        }
        Ok(operand)
    }

    fn function(&self, name: &str) -> Result<()> {
        let later = LATER_FUNCTIONS.iter().find(|(later, _)| *later == name);
        let known = FUNCTIONS.contains(&name)
            || later.is_some_and(|(_, since)| !self.options.before(*since))
            // Releases that are not known here may have more.
            || self.options.version.is_some_and(|own| own > Version::NEWEST);
        if known { Ok(()) } else { Err(format!("there is no function `{name}`")) }
    }
}

/// What an operand can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    None,
    /// A value that cannot be called.
    Plain,
    Callable,
}
