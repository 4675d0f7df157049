//! Tokens to a tree: control structures, pipelines, known functions and variables.

use super::ast::{Command, Control, ControlKind, Invoke, Node, Operand, Pipeline, Template, Term};
use super::lexer::{Placed, Token};
use super::{functions, literal};
use crate::Options;
use crate::schema::v;

/// Deeper nesting than any annotation has.
const DEPTH_MAX: usize = 100;

/// How a list of actions ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    File,
    Closed,
    /// `else`, with the word behind it still to come.
    Branch,
}

type Result<T> = std::result::Result<T, String>;

/// Reads the tokens, or says why they are no template.
pub(super) fn parse(tokens: &[Placed<'_>], variables: &[&str], options: &Options) -> Result<Template> {
    let variables = variables.iter().map(|name| (*name).to_owned()).collect();
    let template = Template::default();
    let mut parser = Parser { tokens, at: 0, options, variables, ranges: 0, depth: 0, template };
    let mut root = Vec::new();
    match parser.list(&mut root, true)? {
        Ended::File => {
            parser.template.root = root;
            Ok(parser.template)
        }
        Ended::Closed => Err("there is an `end` too many".to_owned()),
        Ended::Branch => Err("an `else` stands outside `if`, `range` and `with`".to_owned()),
    }
}

struct Parser<'t> {
    tokens: &'t [Placed<'t>],
    at: usize,
    options: &'t Options,
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
    template: Template,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    /// The byte at which the next token begins.
    fn place(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |(_, at)| *at)
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

    /// Nodes up to an end.
    fn list(&mut self, nodes: &mut Vec<Node>, outermost: bool) -> Result<Ended> {
        while let Some(token) = self.next() {
            match token {
                Token::Outside(text) => nodes.push(Node::Text(text.to_owned())),
                Token::Open => {
                    if let Some(end) = self.action(nodes, outermost)? {
                        return Ok(end);
                    }
                }
                _ => return Err("something stands outside its action".to_owned()),
            }
        }
        Ok(Ended::File)
    }

    fn action(&mut self, nodes: &mut Vec<Node>, outermost: bool) -> Result<Option<Ended>> {
        let Some(Token::Word(word)) = self.peek_solid() else {
            nodes.push(Node::Action(self.pipeline("action", Token::Close)?));
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
            "if" => nodes.push(self.control(ControlKind::If)?),
            "with" => nodes.push(self.control(ControlKind::With)?),
            "range" => nodes.push(self.control(ControlKind::Range)?),
            "template" => {
                let (name, at) = self.name()?;
                let pipeline = if self.peek_solid() == Some(Token::Close) {
                    self.at += 1;
                    None
                } else {
                    Some(self.pipeline("template", Token::Close)?)
                };
                nodes.push(Node::Invoke(Box::new(Invoke { at, name, pipeline })));
            }
            "block" => {
                let (name, at) = self.name()?;
                let pipeline = Some(self.pipeline("block", Token::Close)?);
                self.apart("block", &name)?;
                nodes.push(Node::Invoke(Box::new(Invoke { at, name, pipeline })));
            }
            "define" if outermost => {
                let (name, _) = self.name()?;
                self.close("define")?;
                self.apart("define", &name)?;
            }
            "define" => return Err("a `define` stands inside another action".to_owned()),
            "break" | "continue" => {
                if self.ranges == 0 {
                    return Err(format!("a `{word}` stands outside `range`"));
                }
                self.close(word)?;
                nodes.push(if word == "break" { Node::Break } else { Node::Continue });
            }
            _ => {
                self.at = start;
                nodes.push(Node::Action(self.pipeline("action", Token::Close)?));
            }
        }
        Ok(None)
    }

    fn name(&mut self) -> Result<(String, usize)> {
        self.skip_spaces();
        let at = self.place();
        match self.next() {
            Some(Token::Text(quoted)) => Ok((unquoted(quoted)?, at)),
            _ => Err("the name of a template is no text in quotes".to_owned()),
        }
    }

    /// The body of a template of its own: only `$` is known in it.
    fn apart(&mut self, what: &str, name: &str) -> Result<()> {
        self.enter()?;
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let mut body = Vec::new();
        let end = self.list(&mut body, false)?;
        self.variables = variables;
        self.ranges = ranges;
        self.depth -= 1;
        if end != Ended::Closed {
            return Err(format!("the `end` of a `{what}` is missing"));
        }
        let is_empty = |body: &[Node]| {
            body.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        match self.template.defined.get(name) {
            Some(known) if !is_empty(known) => {
                // Of two templates, the one that writes something counts.
                if !is_empty(&body) {
                    return Err(format!("the template {name:?} is defined twice"));
                }
            }
            _ => {
                self.template.defined.insert(name.to_owned(), body);
            }
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err("the template is nested too deeply".to_owned()) } else { Ok(()) }
    }

    fn control(&mut self, kind: ControlKind) -> Result<Node> {
        self.enter()?;
        let known = self.variables.len();
        let word = kind.word();
        let pipeline = self.pipeline(word, Token::Close)?;
        let is_range = kind == ControlKind::Range;
        self.ranges += usize::from(is_range);
        let mut body = Vec::new();
        let mut end = self.list(&mut body, false)?;
        self.ranges -= usize::from(is_range);
        let mut otherwise = None;
        if end == Ended::Branch {
            let mut branch = Vec::new();
            let chained = match self.peek_solid() {
                Some(Token::Word("if")) => kind == ControlKind::If,
                // Since Go 1.23, with which some release after 3.0 is built.
                Some(Token::Word("with")) => kind == ControlKind::With && !self.options.before(v(3, 0, 0)),
                _ => false,
            };
            if chained {
                self.at += 1;
                branch.push(self.control(kind)?);
                end = Ended::Closed;
            } else {
                self.close("else")?;
                end = self.list(&mut branch, false)?;
            }
            otherwise = Some(branch);
        }
        self.variables.truncate(known);
        self.depth -= 1;
        if end != Ended::Closed {
            return Err(format!("the `end` of an `{word}` is missing"));
        }
        Ok(Node::Control(Box::new(Control { kind, pipeline, body, otherwise })))
    }

    fn pipeline(&mut self, context: &str, end: Token<'_>) -> Result<Pipeline> {
        self.enter()?;
        self.skip_spaces();
        let mut pipeline =
            Pipeline { at: self.place(), variables: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(context, &mut pipeline)?;
        loop {
            match self.peek_solid() {
                Some(token) if token == end => {
                    self.at += 1;
                    break;
                }
                Some(
                    Token::Word(_)
                    | Token::Field(_)
                    | Token::Dot
                    | Token::Variable(_)
                    | Token::Number(_)
                    | Token::Char(_)
                    | Token::Text(_)
                    | Token::LeftParen,
                ) => {
                    let command = self.command(!pipeline.commands.is_empty())?;
                    pipeline.commands.push(command);
                }
                _ => {
                    return Err(format!(
                        "a value is expected in `{context}`, and something else stands there"
                    ));
                }
            }
        }
        self.depth -= 1;
        if pipeline.commands.is_empty() {
            return Err(format!("a value is missing in `{context}`"));
        }
        Ok(pipeline)
    }

    fn declarations(&mut self, context: &str, pipeline: &mut Pipeline) -> Result<()> {
        while let Some(Token::Variable(name)) = self.peek_solid() {
            let start = self.at;
            self.at += 1;
            match self.peek_solid() {
                Some(token @ (Token::Assign | Token::Declare)) => {
                    self.at += 1;
                    pipeline.assigns = token == Token::Assign;
                    pipeline.variables.push(name.to_owned());
                    self.variables.push(name.to_owned());
                    return Ok(());
                }
                Some(Token::Comma) => {
                    self.at += 1;
                    pipeline.variables.push(name.to_owned());
                    self.variables.push(name.to_owned());
                    let more = matches!(
                        self.peek_solid(),
                        Some(Token::Variable(_) | Token::Close | Token::RightParen)
                    );
                    if context != "range" || pipeline.variables.len() > 1 || !more {
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
    fn command(&mut self, later: bool) -> Result<Command> {
        let mut command = Command { at: self.place(), operands: Vec::new() };
        loop {
            self.skip_spaces();
            if let Some(operand) = self.operand()? {
                if command.operands.is_empty() && later && operand.is_plain() {
                    return Err("a stage of a pipeline is no function".to_owned());
                }
                command.operands.push(operand);
            } else if command.operands.is_empty() {
                return Err("a command is empty".to_owned());
            }
            match self.peek() {
                Some(Token::Space) => self.at += 1,
                Some(Token::Close | Token::RightParen) => return Ok(command),
                Some(Token::Pipe) => {
                    self.at += 1;
                    return match self.peek_solid() {
                        Some(Token::Close | Token::RightParen) | None => {
                            Err("nothing follows a `|`".to_owned())
                        }
                        _ => Ok(command),
                    };
                }
                _ => return Err("operands are not separated by spaces".to_owned()),
            }
        }
    }

    fn operand(&mut self) -> Result<Option<Operand>> {
        let (start, at) = (self.at, self.place());
        let term = match self.next() {
            Some(Token::Word("true")) => Term::Bool(true),
            Some(Token::Word("false")) => Term::Bool(false),
            Some(Token::Word("nil")) => Term::Nil,
            Some(Token::Word(name)) => {
                if !functions::is_known(name, self.options) {
                    return Err(format!("there is no function `{name}`"));
                }
                Term::Function(name.to_owned())
            }
            Some(Token::Variable(name)) => {
                if !self.variables.iter().any(|known| known == name) {
                    return Err(format!("the variable `{name}` is not defined"));
                }
                Term::Variable(name.to_owned(), Vec::new())
            }
            Some(Token::Field(name)) => Term::Field(vec![name.to_owned()]),
            Some(Token::Dot) => Term::Dot,
            Some(Token::Number(written)) => Term::Number(
                literal::number(written).ok_or_else(|| format!("`{written}` is no number of any type"))?,
            ),
            Some(Token::Char(quoted)) => Term::Number(
                literal::character(quoted).ok_or_else(|| format!("{quoted} is no single character"))?,
            ),
            Some(Token::Text(quoted)) => Term::Text { quoted: quoted.to_owned(), text: unquoted(quoted)? },
            Some(Token::LeftParen) => {
                Term::Pipeline(Box::new(self.pipeline("parentheses", Token::RightParen)?))
            }
            _ => {
                self.at = start;
                return Ok(None);
            }
        };
        self.fields(Operand { at, term }).map(Some)
    }

    /// Takes the fields that follow an operand into it.
    fn fields(&mut self, operand: Operand) -> Result<Operand> {
        // Errors point to the first field, where fields are taken.
        let at = self.place();
        let mut names = Vec::new();
        while let Some(Token::Field(name)) = self.peek() {
            self.at += 1;
            names.push(name.to_owned());
        }
        if names.is_empty() {
            return Ok(operand);
        }
        let term = match operand.term {
            Term::Field(mut own) => {
                own.extend(names);
                Term::Field(own)
            }
            Term::Variable(name, _) => Term::Variable(name, names),
            Term::Function(_) | Term::Pipeline(_) => Term::Chain(Box::new(operand), names),
            _ => return Err("a field is taken from something that has none".to_owned()),
        };
        Ok(Operand { at, term })
    }
}

impl Operand {
    /// Whether it is a value that cannot be called.
    fn is_plain(&self) -> bool {
        matches!(self.term, Term::Dot | Term::Nil | Term::Bool(_) | Term::Number(_) | Term::Text { .. })
    }
}

impl ControlKind {
    /// The word in the template.
    fn word(self) -> &'static str {
        match self {
            ControlKind::If => "if",
            ControlKind::With => "with",
            ControlKind::Range => "range",
        }
    }
}

fn unquoted(quoted: &str) -> Result<String> {
    literal::unquote(quoted).ok_or_else(|| format!("{quoted} holds an escape that Go does not know"))
}
