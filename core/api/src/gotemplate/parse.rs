//! From pieces to a tree.
//!
//! Upstream: `text/template/parse/parse.go`.

use super::functions;
use super::lex::{Piece, Token, pieces};
use super::value::Val;
use super::{DEPTH_MAX, Functions};
use serde_json::Value;
use std::collections::BTreeMap;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    /// `{{pipeline}}`
    Action(Pipeline, usize),
    If(Pipeline, Vec<Node>, Vec<Node>, usize),
    With(Pipeline, Vec<Node>, Vec<Node>, usize),
    Range(Pipeline, Vec<Node>, Vec<Node>, usize),
    Break,
    Continue,
    /// `{{template "name" pipeline}}`
    Template(String, Option<Pipeline>, usize),
}

/// `$x := a b | c`
#[derive(Clone, Debug, Default)]
pub(super) struct Pipeline {
    /// Variables that take the value.
    pub variables: Vec<String>,
    /// Whether they are new.
    pub declares: bool,
    /// Each gets the value of the one before as its last argument.
    pub commands: Vec<Vec<Operand>>,
}

/// An argument, and the fields that are taken of it.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub base: Base,
    pub fields: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Literal(Val),
    Nil,
    Function(String),
    Nested(Box<Pipeline>),
}

/// What ended a list of nodes.
#[derive(Clone, Debug, PartialEq)]
enum Ending {
    Eof,
    End,
    /// `{{else}}`, with the words after it: `if`, `with`.
    Else(Vec<Token>, usize),
}

type Result<T> = std::result::Result<T, (usize, String)>;

struct Parser {
    more: Option<&'static dyn Functions>,
    pieces: std::vec::IntoIter<Piece>,
    bodies: BTreeMap<String, Vec<Node>>,
    /// Variables that are in scope.
    variables: Vec<String>,
    line: usize,
    depth: usize,
    loops: usize,
}

/// Parses a template: its own nodes, and those that it defines, by name.
pub(super) fn parse(
    name: &str,
    text: &str,
    more: Option<&'static dyn Functions>,
) -> Result<BTreeMap<String, Vec<Node>>> {
    let mut parser = Parser {
        more,
        pieces: pieces(text)?.into_iter(),
        bodies: BTreeMap::new(),
        variables: vec![String::new()],
        line: 1,
        depth: 0,
        loops: 0,
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        Ending::Eof => {}
        Ending::End => return Err((parser.line, "unexpected {{end}}".to_owned())),
        Ending::Else(..) => return Err((parser.line, "unexpected {{else}}".to_owned())),
    }
    let mut bodies = parser.bodies;
    bodies.insert(name.to_owned(), nodes);
    Ok(bodies)
}

impl Parser {
    /// Whether a function is one of those beside Go's own.
    fn knows(&self, name: &str) -> bool {
        let own =
            |more: &'static dyn Functions| ["include", "tpl"].contains(&name) || more.has(name);
        self.more.is_some_and(own)
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Ending)> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err((self.line, "template is nested too deeply".to_owned()));
        }
        let scope = self.variables.len();
        let mut nodes = Vec::new();
        let end = loop {
            let Some(piece) = self.pieces.next() else { break Ending::Eof };
            let (tokens, line) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens, line) => (tokens, line),
            };
            self.line = line;
            match self.action(tokens, line)? {
                Parsed::Node(node) => nodes.push(node),
                Parsed::Nothing => {}
                Parsed::Stop(end) => break end,
            }
        };
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn action(&mut self, tokens: Vec<Token>, line: usize) -> Result<Parsed> {
        let Some(Token::Word(word)) = tokens.first() else {
            return self.plain(tokens, line);
        };
        let rest = tokens.get(1..).unwrap_or_default().to_vec();
        let node = match word.as_str() {
            "end" => return Ok(Parsed::Stop(Ending::End)),
            "else" => return Ok(Parsed::Stop(Ending::Else(rest, line))),
            "if" => self.branch("if", rest, line)?,
            "with" => self.branch("with", rest, line)?,
            "range" => self.branch("range", rest, line)?,
            "break" | "continue" if self.loops == 0 => {
                return Err((line, format!("{{{{{word}}}}} outside {{{{range}}}}")));
            }
            "break" => Node::Break,
            "continue" => Node::Continue,
            "define" => {
                self.define(&rest, line)?;
                return Ok(Parsed::Nothing);
            }
            "block" => {
                let name = self.define(rest.get(..1).unwrap_or_default(), line)?;
                let pipeline = self.pipeline(rest.get(1..).unwrap_or_default(), line, "block")?;
                Node::Template(name, Some(pipeline), line)
            }
            "template" => {
                let name = self.template_name(&rest, line, "template clause")?;
                let rest = rest.get(1..).unwrap_or_default();
                let pipeline = match rest {
                    [] => None,
                    rest => Some(self.pipeline(rest, line, "template clause")?),
                };
                Node::Template(name, pipeline, line)
            }
            _ => return self.plain(tokens, line),
        };
        Ok(Parsed::Node(node))
    }

    fn plain(&mut self, tokens: Vec<Token>, line: usize) -> Result<Parsed> {
        let pipeline = self.pipeline(&tokens, line, "command")?;
        Ok(Parsed::Node(Node::Action(pipeline, line)))
    }

    fn template_name(&self, tokens: &[Token], line: usize, place: &str) -> Result<String> {
        match tokens.first() {
            Some(Token::Text(name)) => Ok(name.clone()),
            _ => Err((line, format!("unexpected token in {place}"))),
        }
    }

    fn define(&mut self, tokens: &[Token], line: usize) -> Result<String> {
        let name = self.template_name(tokens, line, "define clause")?;
        let scope = std::mem::replace(&mut self.variables, vec![String::new()]);
        let (nodes, end) = self.nodes()?;
        self.variables = scope;
        if end != Ending::End {
            return Err((line, "unexpected EOF".to_owned()));
        }
        self.bodies.insert(name.clone(), nodes);
        Ok(name)
    }

    /// `if`, `with` and `range`, up to their `end`.
    fn branch(&mut self, kind: &str, tokens: Vec<Token>, line: usize) -> Result<Node> {
        let scope = self.variables.len();
        let pipeline = self.pipeline(&tokens, line, kind)?;
        self.loops += usize::from(kind == "range");
        let (body, end) = self.nodes()?;
        self.loops -= usize::from(kind == "range");
        let otherwise = match end {
            Ending::End => Vec::new(),
            Ending::Eof => return Err((self.line, "unexpected EOF".to_owned())),
            Ending::Else(rest, at) => self.otherwise(kind, rest, at)?,
        };
        self.variables.truncate(scope);
        Ok(match kind {
            "if" => Node::If(pipeline, body, otherwise, line),
            "with" => Node::With(pipeline, body, otherwise, line),
            _ => Node::Range(pipeline, body, otherwise, line),
        })
    }

    fn otherwise(&mut self, kind: &str, rest: Vec<Token>, line: usize) -> Result<Vec<Node>> {
        // `{{else if}}` is an `if` that shares the `end`.
        if let Some(Token::Word(word)) = rest.first() {
            if word == kind && kind != "range" {
                let rest = rest.get(1..).unwrap_or_default().to_vec();
                return Ok(vec![self.branch(kind, rest, line)?]);
            }
            return Err((line, format!("unexpected <{word}> in else")));
        }
        let (nodes, end) = self.nodes()?;
        match end {
            Ending::End => Ok(nodes),
            Ending::Else(..) => Err((self.line, "expected end; found {{else}}".to_owned())),
            Ending::Eof => Err((self.line, "unexpected EOF".to_owned())),
        }
    }

    fn pipeline(&mut self, tokens: &[Token], line: usize, place: &str) -> Result<Pipeline> {
        let mut pipeline = Pipeline::default();
        let sign = tokens.iter().position(|t| matches!(t, Token::Declare | Token::Assign));
        let mut rest = tokens;
        if let Some(at) = sign {
            pipeline.declares = tokens.get(at) == Some(&Token::Declare);
            for token in tokens.get(..at).unwrap_or_default() {
                match token {
                    Token::Variable(name) => pipeline.variables.push(name.clone()),
                    Token::Mark(',') if place == "range" => {}
                    _ => return Err((line, format!("unexpected \":=\" in {place}"))),
                }
            }
            rest = tokens.get(at + 1..).unwrap_or_default();
        }
        let mut words = Words { tokens: rest, at: 0, line, place };
        let commands = words.pipeline(self, false)?;
        pipeline.commands = commands;
        if pipeline.declares {
            self.variables.extend(pipeline.variables.iter().cloned());
        } else {
            for name in &pipeline.variables {
                self.check_variable(name, line)?;
            }
        }
        Ok(pipeline)
    }

    fn check_variable(&self, name: &str, line: usize) -> Result<()> {
        match self.variables.iter().any(|known| known == name) {
            true => Ok(()),
            false => Err((line, format!("undefined variable \"${name}\""))),
        }
    }
}

enum Parsed {
    Node(Node),
    Nothing,
    Stop(Ending),
}

/// Reads the words of an action.
struct Words<'a> {
    tokens: &'a [Token],
    at: usize,
    line: usize,
    place: &'a str,
}

impl Words<'_> {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Commands up to the end, or to a closing parenthesis.
    fn pipeline(&mut self, parser: &mut Parser, nested: bool) -> Result<Vec<Vec<Operand>>> {
        parser.depth += 1;
        if parser.depth > DEPTH_MAX {
            return Err((self.line, "template is nested too deeply".to_owned()));
        }
        let mut commands = vec![Vec::new()];
        loop {
            let token = self.next();
            match token {
                None if nested => return Err((self.line, "unclosed left paren".to_owned())),
                None => break,
                Some(Token::Mark(')')) if nested => break,
                Some(Token::Mark(')')) => {
                    return Err((self.line, "unexpected right paren".to_owned()));
                }
                Some(Token::Mark('|')) => {
                    if commands.last().is_none_or(Vec::is_empty) {
                        return Err((self.line, format!("missing value for {}", self.place)));
                    }
                    commands.push(Vec::new());
                }
                Some(token) => {
                    let operand = self.operand(parser, token)?;
                    if let Some(command) = commands.last_mut() {
                        command.push(operand);
                    }
                }
            }
        }
        if commands.last().is_none_or(Vec::is_empty) {
            return Err((self.line, format!("missing value for {}", self.place)));
        }
        parser.depth -= 1;
        Ok(commands)
    }

    fn operand(&mut self, parser: &mut Parser, token: Token) -> Result<Operand> {
        let mut fields = Vec::new();
        let base = match token {
            Token::Dot => Base::Dot,
            Token::Field { name, .. } => {
                fields.push(name);
                Base::Dot
            }
            Token::Variable(name) => {
                parser.check_variable(&name, self.line)?;
                Base::Variable(name)
            }
            Token::Text(text) => Base::Literal(Val::text(text)),
            Token::Char(c) => Base::Literal(Val::Int(i64::from(u32::from(c)))),
            Token::Int(number) => Base::Literal(Val::Int(number)),
            Token::Float(number) => Base::Literal(Val::Json(Value::from(number))),
            Token::Word(word) => match word.as_str() {
                "true" => Base::Literal(Val::bool(true)),
                "false" => Base::Literal(Val::bool(false)),
                "nil" => Base::Nil,
                name if functions::exists(name) || parser.knows(name) => Base::Function(word),
                name => {
                    return Err((self.line, format!("function \"{name}\" not defined")));
                }
            },
            Token::Mark('(') => {
                let commands = self.pipeline(parser, true)?;
                Base::Nested(Box::new(Pipeline { commands, ..Pipeline::default() }))
            }
            Token::Mark(mark) => {
                return Err((self.line, format!("unexpected \"{mark}\" in operand")));
            }
            Token::Declare => return Err((self.line, "unexpected \":=\" in operand".to_owned())),
            Token::Assign => return Err((self.line, "unexpected \"=\" in operand".to_owned())),
        };
        while let Some(Token::Field { name, spaced: false }) = self.tokens.get(self.at) {
            fields.push(name.clone());
            self.at += 1;
        }
        Ok(Operand { base, fields })
    }
}
