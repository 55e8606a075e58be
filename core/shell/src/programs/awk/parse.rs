//! From the words of a program to its [`Script`].

use super::ast::{
    Binary, Block, Builtin, Expr, Function, Pattern, Place, Redirect, Rule, Script, Statement, Var,
};
use super::lex::{Token, words};
use super::vars;
use crate::programs::regex;
use regex_lite::Regex;

/// Deepest nesting of statements and expressions.
const DEPTH_MAX: usize = 100;
/// Longest program.
const SCRIPT_BYTES_MAX: usize = 64 << 10;

/// Reads a program. `Err` is what mawk says after its name.
pub fn parse(text: &str) -> Result<Script, String> {
    if text.len() > SCRIPT_BYTES_MAX {
        return Err("program too large".to_string());
    }
    let wrong = |(line, message): (usize, String)| format!("line {line}: {message}");
    let words = words(text).map_err(wrong)?;
    let mut parser = Parser::new(words);
    parser.script().map_err(wrong)?;
    Ok(parser.finish())
}

type Parsed<T> = Result<T, (usize, String)>;

struct Parser {
    words: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    script: Script,
    /// The names of all functions, found before the bodies are read.
    functions: Vec<String>,
    /// The parameters of the function that is being read.
    locals: Vec<String>,
    /// A `>` is a redirection: the list of a `print` without parentheses is being read.
    in_print: bool,
    loops: usize,
}

impl Parser {
    fn new(words: Vec<(Token, usize)>) -> Self {
        let functions = words
            .windows(2)
            .filter_map(|pair| match pair {
                [
                    (Token::Word("function" | "func"), _),
                    (Token::Call(name) | Token::Name(name), _),
                ] => Some(name.clone()),
                _ => None,
            })
            .collect();
        let names: Vec<String> = vars::NAMES.iter().map(|name| (*name).to_string()).collect();
        Parser {
            words,
            at: 0,
            depth: 0,
            script: Script { names, ..Script::default() },
            functions,
            locals: Vec::new(),
            in_print: false,
            loops: 0,
        }
    }

    fn finish(mut self) -> Script {
        self.script.globals = self.script.names.len();
        super::arrays::infer(&mut self.script);
        self.script
    }

    // Words.

    fn peek(&self) -> &Token {
        self.words.get(self.at).map_or(&Token::End, |(token, _)| token)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Token::Mark(found) if *found == mark)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if *found == word)
    }

    fn eat(&mut self, mark: &str) -> bool {
        let is = self.is(mark);
        self.at += usize::from(is);
        is
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, mark: &str) -> Parsed<()> {
        if self.eat(mark) { Ok(()) } else { self.unexpected() }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        let line = self.words.get(self.at).or(self.words.last()).map_or(1, |(_, line)| *line);
        Err((line, message.into()))
    }

    fn unexpected<T>(&self) -> Parsed<T> {
        match self.peek() {
            Token::Word(word @ ("getline" | "system")) => {
                self.fail(format!("{word} is not in this awk"))
            }
            token => self.fail(format!("syntax error at or near {}", token.shown())),
        }
    }

    fn newlines(&mut self) {
        while matches!(self.peek(), Token::Newline) {
            self.at += 1;
        }
    }

    fn separators(&mut self) {
        while matches!(self.peek(), Token::Newline) || self.is(";") {
            self.at += 1;
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail("program nests too deep");
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    // Rules.

    fn script(&mut self) -> Parsed<()> {
        self.separators();
        while !matches!(self.peek(), Token::End) {
            self.rule()?;
            self.separators();
        }
        Ok(())
    }

    fn rule(&mut self) -> Parsed<()> {
        if self.eat_word("BEGIN") {
            let block = self.braces()?;
            self.script.begin.push(block);
        } else if self.eat_word("END") {
            let block = self.braces()?;
            self.script.end.push(block);
        } else if self.eat_word("function") || self.eat_word("func") {
            self.function()?;
        } else {
            let pattern = self.pattern()?;
            let action = if self.is("{") { Some(self.braces()?) } else { None };
            self.script.rules.push(Rule { pattern, action });
        }
        Ok(())
    }

    fn pattern(&mut self) -> Parsed<Pattern> {
        if self.is("{") {
            return Ok(Pattern::Always);
        }
        let from = self.expr()?;
        if !self.eat(",") {
            return Ok(Pattern::When(from));
        }
        self.newlines();
        Ok(Pattern::Range(from, self.expr()?))
    }

    fn function(&mut self) -> Parsed<()> {
        let (Token::Call(name) | Token::Name(name)) = self.advance() else {
            self.at -= 1;
            return self.unexpected();
        };
        self.expect("(")?;
        let mut locals = Vec::new();
        while let Token::Name(local) = self.peek().clone() {
            self.at += 1;
            locals.push(local);
            if !self.eat(",") {
                break;
            }
            self.newlines();
        }
        self.expect(")")?;
        self.newlines();
        let parameters = locals.len();
        self.locals = locals;
        let body = self.braces()?;
        self.locals.clear();
        let arrays = vec![false; parameters];
        self.script.functions.push(Function { name, parameters, arrays, body });
        Ok(())
    }

    // Statements.

    fn braces(&mut self) -> Parsed<Block> {
        self.expect("{")?;
        let mut block = Vec::new();
        self.separators();
        while !self.eat("}") {
            if matches!(self.peek(), Token::End) {
                return self.fail("missing } near end of file");
            }
            block.push(self.statement()?);
            self.separators();
        }
        Ok(block)
    }

    /// A statement or a block in braces, as a body.
    fn body(&mut self) -> Parsed<Block> {
        self.newlines();
        if self.is("{") {
            return self.deeper(Self::braces);
        }
        if self.eat(";") {
            return Ok(Vec::new());
        }
        Ok(vec![self.statement()?])
    }

    fn looped(&mut self) -> Parsed<Block> {
        self.loops += 1;
        let body = self.body();
        self.loops -= 1;
        body
    }

    fn statement(&mut self) -> Parsed<Statement> {
        self.deeper(Self::statement_here)
    }

    fn statement_here(&mut self) -> Parsed<Statement> {
        if self.is("{") {
            return Ok(Statement::Block(self.braces()?));
        }
        let Token::Word(word) = *self.peek() else {
            let statement = self.simple()?;
            return self.ended(statement);
        };
        match word {
            "if" => self.if_statement(),
            "while" => {
                self.at += 1;
                let condition = self.condition()?;
                Ok(Statement::While(condition, self.looped()?, None))
            }
            "do" => {
                self.at += 1;
                let body = self.looped()?;
                self.separators();
                if !self.eat_word("while") {
                    return self.unexpected();
                }
                let condition = self.condition()?;
                self.ended(Statement::DoWhile(body, condition))
            }
            "for" => self.for_statement(),
            "break" | "continue" if self.loops == 0 => {
                self.fail(format!("{word} statement outside of loop"))
            }
            _ => {
                let statement = self.simple()?;
                self.ended(statement)
            }
        }
    }

    /// A simple statement ends with its line, with `;`, or before `}`.
    fn ended(&mut self, statement: Statement) -> Parsed<Statement> {
        match self.peek() {
            Token::Newline | Token::Mark(";") => self.at += 1,
            Token::Mark("}") | Token::End => {}
            _ => return self.unexpected(),
        }
        Ok(statement)
    }

    fn condition(&mut self) -> Parsed<Expr> {
        self.expect("(")?;
        let condition = self.plainly(Self::expr)?;
        self.expect(")")?;
        Ok(condition)
    }

    fn if_statement(&mut self) -> Parsed<Statement> {
        self.at += 1;
        let condition = self.condition()?;
        let then = self.body()?;
        let before = self.at;
        self.separators();
        if self.eat_word("else") {
            return Ok(Statement::If(condition, then, self.body()?));
        }
        self.at = before;
        Ok(Statement::If(condition, then, Vec::new()))
    }

    fn for_statement(&mut self) -> Parsed<Statement> {
        self.at += 1;
        self.expect("(")?;
        if let [
            (Token::Name(name), _),
            (Token::Word("in"), _),
            (Token::Name(array), _),
            (Token::Mark(")"), _),
        ] = self.words.get(self.at..self.at + 4).unwrap_or_default()
        {
            let (name, array) = (name.clone(), array.clone());
            self.at += 4;
            let (place, array) = (Place::Var(self.var(&name)), self.var(&array));
            return Ok(Statement::ForIn(place, array, self.looped()?));
        }
        let first = if self.is(";") { None } else { Some(self.simple()?) };
        self.expect(";")?;
        self.newlines();
        let condition = if self.is(";") { Expr::Number(1.0) } else { self.expr()? };
        self.expect(";")?;
        self.newlines();
        let after = if self.is(")") { None } else { Some(Box::new(self.simple()?)) };
        self.expect(")")?;
        let round = Statement::While(condition, self.looped()?, after);
        Ok(match first {
            Some(first) => Statement::Block(vec![first, round]),
            None => round,
        })
    }

    fn simple(&mut self) -> Parsed<Statement> {
        let Token::Word(word) = *self.peek() else { return Ok(Statement::Expr(self.expr()?)) };
        if !matches!(
            word,
            "print"
                | "printf"
                | "next"
                | "nextfile"
                | "exit"
                | "return"
                | "break"
                | "continue"
                | "delete"
        ) {
            return Ok(Statement::Expr(self.expr()?));
        }
        self.at += 1;
        Ok(match word {
            "print" | "printf" => return self.print(word == "printf"),
            "next" => Statement::Next,
            "nextfile" => Statement::NextFile,
            "break" => Statement::Break,
            "continue" => Statement::Continue,
            "delete" => self.delete()?,
            "exit" => Statement::Exit(self.optional_expr()?),
            _ => Statement::Return(self.optional_expr()?),
        })
    }

    fn optional_expr(&mut self) -> Parsed<Option<Expr>> {
        match self.peek() {
            Token::Newline | Token::End | Token::Mark(";" | "}") => Ok(None),
            _ => Ok(Some(self.expr()?)),
        }
    }

    fn delete(&mut self) -> Parsed<Statement> {
        let Token::Name(name) = self.advance() else {
            self.at -= 1;
            return self.unexpected();
        };
        let array = self.var(&name);
        let index = if self.eat("[") { Some(self.list("]")?) } else { None };
        Ok(Statement::Delete(array, index))
    }

    fn print(&mut self, formatted: bool) -> Parsed<Statement> {
        let outer = std::mem::replace(&mut self.in_print, true);
        let list = self.print_list();
        self.in_print = outer;
        let list = list?;
        if self.is("|") {
            return self.fail("pipes to commands are not in this awk");
        }
        let redirect = match self.peek() {
            Token::Mark(mark @ (">" | ">>")) => {
                let append = *mark == ">>";
                self.at += 1;
                let to = self.concatenation()?;
                Some(Redirect { append, to })
            }
            _ => None,
        };
        if formatted && list.is_empty() {
            return self.unexpected();
        }
        Ok(if formatted {
            Statement::Printf(list, redirect)
        } else {
            Statement::Print(list, redirect)
        })
    }

    fn print_list(&mut self) -> Parsed<Vec<Expr>> {
        if matches!(
            self.peek(),
            Token::Newline | Token::End | Token::Mark(";" | "}" | ">" | ">>" | "|")
        ) {
            return Ok(Vec::new());
        }
        let start = self.at;
        // `print (a, b) > "file"`: the parentheses hold the list, if nothing goes on after them.
        if self.eat("(") {
            let list = self.plainly(|parser| parser.list(")"));
            let ended = matches!(
                self.peek(),
                Token::Newline | Token::End | Token::Mark(";" | "}" | ">" | ">>" | "|")
            );
            if let Ok(list) = list
                && ended
            {
                return Ok(list);
            }
            self.at = start;
        }
        let mut list = vec![self.expr()?];
        while self.eat(",") {
            self.newlines();
            list.push(self.expr()?);
        }
        Ok(list)
    }

    /// Reads what stands in parentheses, where `>` compares.
    fn plainly<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let print = std::mem::replace(&mut self.in_print, false);
        let result = read(self);
        self.in_print = print;
        result
    }

    /// Expressions up to the closing mark.
    fn list(&mut self, end: &str) -> Parsed<Vec<Expr>> {
        let mut list = Vec::new();
        self.newlines();
        while !self.eat(end) {
            if !list.is_empty() {
                self.expect(",")?;
                self.newlines();
            }
            list.push(self.expr()?);
            self.newlines();
        }
        Ok(list)
    }

    // Expressions, from the weakest binding to the strongest.

    fn expr(&mut self) -> Parsed<Expr> {
        self.deeper(Self::assignment)
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let left = self.ternary()?;
        let Token::Mark(mark) = *self.peek() else { return Ok(left) };
        let operator = match mark {
            "=" => None,
            "+=" => Some(Binary::Add),
            "-=" => Some(Binary::Subtract),
            "*=" => Some(Binary::Multiply),
            "/=" => Some(Binary::Divide),
            "%=" => Some(Binary::Remainder),
            "^=" => Some(Binary::Power),
            _ => return Ok(left),
        };
        let Expr::Get(place) = left else { return self.unexpected() };
        self.at += 1;
        self.newlines();
        let value = self.expr()?;
        Ok(Expr::Assign(place, operator, Box::new(value)))
    }

    fn ternary(&mut self) -> Parsed<Expr> {
        let condition = self.or()?;
        if !self.eat("?") {
            return Ok(condition);
        }
        self.newlines();
        let yes = self.expr()?;
        self.newlines();
        self.expect(":")?;
        self.newlines();
        let no = self.expr()?;
        Ok(Expr::Choose(Box::new(condition), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.eat("||") {
            self.newlines();
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.eat("&&") {
            self.newlines();
            left = Expr::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while self.eat_word("in") {
            let array = self.array_name()?;
            left = Expr::In(vec![left], array);
        }
        Ok(left)
    }

    fn array_name(&mut self) -> Parsed<Var> {
        let Token::Name(name) = self.peek().clone() else { return self.unexpected() };
        self.at += 1;
        Ok(self.var(&name))
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let negated = match self.peek() {
                Token::Mark("~") => false,
                Token::Mark("!~") => true,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.comparison()?;
            left = Expr::Matches(Box::new(left), Box::new(right), negated);
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.concatenation()?;
        let operator = match self.peek() {
            Token::Mark("<") => Binary::Less,
            Token::Mark("<=") => Binary::LessEqual,
            Token::Mark("==") => Binary::Equal,
            Token::Mark("!=") => Binary::NotEqual,
            Token::Mark(">") if !self.in_print => Binary::Greater,
            Token::Mark(">=") => Binary::GreaterEqual,
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.concatenation()?;
        Ok(Expr::Binary(operator, Box::new(left), Box::new(right)))
    }

    /// Whether a value begins here, so that it is joined to the one before.
    fn begins_value(&self) -> bool {
        match self.peek() {
            Token::Number(_)
            | Token::Text(_)
            | Token::Regex(_)
            | Token::Call(_)
            | Token::Name(_) => true,
            Token::Mark(mark) => matches!(*mark, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
            _ => false,
        }
    }

    fn concatenation(&mut self) -> Parsed<Expr> {
        let mut left = self.sum()?;
        while self.begins_value() {
            let right = self.sum()?;
            left = Expr::Binary(Binary::Concat, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Mark("+") => Binary::Add,
                Token::Mark("-") => Binary::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Token::Mark("*") => Binary::Multiply,
                Token::Mark("/") => Binary::Divide,
                Token::Mark("%") => Binary::Remainder,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let wrap: fn(Box<Expr>) -> Expr = match self.peek() {
            Token::Mark("!") => Expr::Not,
            Token::Mark("-") => Expr::Negate,
            Token::Mark("+") => Expr::Plus,
            _ => return self.power(),
        };
        self.at += 1;
        let value = self.deeper(Self::unary)?;
        Ok(wrap(Box::new(value)))
    }

    fn power(&mut self) -> Parsed<Expr> {
        let left = self.stepped()?;
        if !self.eat("^") {
            return Ok(left);
        }
        // To the right, and a sign may stand there: 2 ^ -1.
        let right = self.deeper(Self::unary)?;
        Ok(Expr::Binary(Binary::Power, Box::new(left), Box::new(right)))
    }

    fn stepped(&mut self) -> Parsed<Expr> {
        let step = match self.peek() {
            Token::Mark("++") => Some(1.0),
            Token::Mark("--") => Some(-1.0),
            _ => None,
        };
        if let Some(step) = step {
            self.at += 1;
            let Expr::Get(place) = self.primary()? else { return self.unexpected() };
            return Ok(Expr::Step(place, step, false));
        }
        let value = self.primary()?;
        let Expr::Get(place) = value else { return Ok(value) };
        if self.eat("++") {
            return Ok(Expr::Step(place, 1.0, true));
        }
        if self.eat("--") {
            return Ok(Expr::Step(place, -1.0, true));
        }
        Ok(Expr::Get(place))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek().clone();
        self.at += 1;
        match token {
            Token::Number(value) => Ok(Expr::Number(value)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Regex(text) => Ok(Expr::Regex(self.regex(&text)?)),
            Token::Mark("$") => {
                let index = self.deeper(Self::stepped_prefix)?;
                Ok(Expr::Get(Place::Field(Box::new(index))))
            }
            Token::Mark("(") => self.group(),
            Token::Call(name) | Token::Name(name) if Builtin::named(&name).is_some() => {
                self.builtin(&name)
            }
            Token::Call(name) => self.call(&name),
            Token::Name(name) => {
                let var = self.var(&name);
                if !self.eat("[") {
                    return Ok(Expr::Get(Place::Var(var)));
                }
                let index = self.plainly(|parser| parser.list("]"))?;
                if index.is_empty() {
                    self.at -= 1;
                    return self.unexpected();
                }
                Ok(Expr::Get(Place::Element(var, index)))
            }
            _ => {
                self.at -= 1;
                self.unexpected()
            }
        }
    }

    /// What `$` binds: `$NF`, `$i++` is `($i)++`, `$++i`, `$-1`.
    fn stepped_prefix(&mut self) -> Parsed<Expr> {
        match self.peek() {
            Token::Mark("++" | "--") => self.stepped(),
            Token::Mark("-") => {
                self.at += 1;
                Ok(Expr::Negate(Box::new(self.primary()?)))
            }
            _ => self.primary(),
        }
    }

    fn group(&mut self) -> Parsed<Expr> {
        let mut list = self.plainly(|parser| parser.list(")"))?;
        if self.is_word("in") && !list.is_empty() {
            self.at += 1;
            let array = self.array_name()?;
            return Ok(Expr::In(list, array));
        }
        match list.pop() {
            Some(only) if list.is_empty() => Ok(Expr::Group(Box::new(only))),
            _ => {
                self.at -= 1;
                self.unexpected()
            }
        }
    }

    fn builtin(&mut self, name: &str) -> Parsed<Expr> {
        let Some((builtin, least, most)) = Builtin::named(name) else { return self.unexpected() };
        if !self.eat("(") {
            // `length` alone is that of the record.
            return if least == 0 {
                Ok(Expr::Builtin(builtin, Vec::new()))
            } else {
                self.unexpected()
            };
        }
        let arguments = self.plainly(|parser| parser.list(")"))?;
        if arguments.len() < least {
            return self.fail(format!("not enough arguments passed to function {name}"));
        }
        if arguments.len() > most {
            return self.fail(format!("too many arguments passed to function {name}"));
        }
        let wanted = match builtin {
            Builtin::Split => arguments.get(1),
            Builtin::Sub | Builtin::Gsub => arguments.get(2),
            _ => None,
        };
        let fits = match (builtin, wanted) {
            (Builtin::Split, wanted) => matches!(wanted, Some(Expr::Get(Place::Var(_)))),
            (_, Some(wanted)) => matches!(wanted, Expr::Get(_)),
            (_, None) => true,
        };
        if fits {
            Ok(Expr::Builtin(builtin, arguments))
        } else {
            self.fail(format!("type error in arg of {name}"))
        }
    }

    fn call(&mut self, name: &str) -> Parsed<Expr> {
        let Some(function) = self.functions.iter().position(|known| known == name) else {
            // mawk knows that only once it has read everything.
            self.at = self.words.len();
            return self.fail(format!("function {name} never defined"));
        };
        self.expect("(")?;
        let arguments = self.plainly(|parser| parser.list(")"))?;
        Ok(Expr::Call(function, arguments))
    }

    fn regex(&self, text: &str) -> Parsed<Regex> {
        regex::compile(text, true, false).or_else(|message| {
            self.fail(format!("regular expression compile failed ({message})\n{text}"))
        })
    }

    fn var(&mut self, name: &str) -> Var {
        if let Some(local) = self.locals.iter().position(|local| local == name) {
            return Var::Local(local);
        }
        let known = self.script.names.iter().position(|known| known == name);
        Var::Global(known.unwrap_or_else(|| {
            self.script.names.push(name.to_string());
            self.script.names.len() - 1
        }))
    }
}
