//! The language of `awk`.
//!
//! Upstream: POSIX, `awk`.

/// Bytes of a program, and how deep expressions and blocks may be.
const PROGRAM_MAX: usize = 64 * 1024;
const DEPTH_MAX: usize = 64;

/// A program.
#[derive(Clone, Debug, Default)]
pub struct Awk {
    pub begin: Vec<Stmt>,
    pub rules: Vec<(Pattern, Option<Vec<Stmt>>)>,
    pub end: Vec<Stmt>,
}

/// When a rule applies.
#[derive(Clone, Debug)]
pub enum Pattern {
    Always,
    When(Expr),
    Range(Expr, Expr),
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Expr(Expr),
    Print(Vec<Expr>),
    Printf(Vec<Expr>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// Before, while, after each turn, what is done; whether it is done once before it is asked.
    Loop {
        first: Option<Expr>,
        test: Option<Expr>,
        step: Option<Expr>,
        body: Vec<Stmt>,
        once: bool,
    },
    Each {
        name: String,
        array: String,
        body: Vec<Stmt>,
    },
    Delete(String, Option<Expr>),
    Next,
    Exit(Option<Expr>),
    Break,
    Continue,
}

#[derive(Clone, Debug)]
pub enum Expr {
    Number(f64),
    Text(String),
    Regex(String),
    Var(String),
    Item(String, Box<Expr>),
    Field(Box<Expr>),
    Assign(Box<Expr>, Option<&'static str>, Box<Expr>),
    /// By how much, and whether the value is that before.
    Step(Box<Expr>, f64, bool),
    Unary(char, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Match(bool, Box<Expr>, Box<Expr>),
    In(Box<Expr>, String),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Regex(String),
    Name(String),
    Op(&'static str),
    Line,
}

const OPS: [&str; 40] = [
    "**", "&&", "||", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "^=", "++", "--", "!~",
    "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", "<", ">", "=", "~",
    "$", "?", ":", "|", "&",
];

/// Reads a program. The error says what is wrong.
pub fn parse(text: &str) -> Result<Awk, String> {
    if text.len() > PROGRAM_MAX {
        return Err("the program is too long".to_owned());
    }
    let mut reader = Reader { tokens: lex(text)?, at: 0, depth: 0, printing: false };
    let mut awk = Awk::default();
    loop {
        reader.skip_ends();
        let Some(token) = reader.peek().cloned() else { return Ok(awk) };
        match token {
            Token::Name(name) if name == "BEGIN" || name == "END" => {
                reader.at += 1;
                let block = reader.block()?;
                if name == "BEGIN" { awk.begin.extend(block) } else { awk.end.extend(block) }
            }
            Token::Name(name) if name == "function" || name == "func" => {
                return Err("the sandbox's awk has no functions of one's own".to_owned());
            }
            Token::Op("{") => {
                let block = reader.block()?;
                awk.rules.push((Pattern::Always, Some(block)));
            }
            _ => {
                let first = reader.expr()?;
                let pattern = match reader.take(",") {
                    true => Pattern::Range(first, reader.expr()?),
                    false => Pattern::When(first),
                };
                let block = match reader.peek() {
                    Some(Token::Op("{")) => Some(reader.block()?),
                    _ => None,
                };
                awk.rules.push((pattern, block));
            }
        }
    }
}

fn lex(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        let run = |from: usize, fits: fn(char) -> bool| -> String {
            chars.iter().skip(from).copied().take_while(|c| fits(*c)).collect()
        };
        match c {
            '\n' => {
                tokens.push(Token::Line);
                at += 1;
            }
            '\\' if chars.get(at + 1) == Some(&'\n') => at += 2,
            c if c.is_whitespace() => at += 1,
            '#' => at += run(at, |c| c != '\n').chars().count(),
            '"' => {
                let (text, end) = quoted(&chars, at + 1, '"')?;
                tokens.push(Token::Text(unescape(&text)));
                at = end;
            }
            '/' if regex_may_begin(tokens.last()) => {
                let (text, end) = quoted(&chars, at + 1, '/')?;
                tokens.push(Token::Regex(text.replace("\\/", "/")));
                at = end;
            }
            c if c.is_ascii_digit()
                || (c == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) =>
            {
                let digits = run(at, |c| c.is_ascii_digit() || c == '.');
                at += digits.len();
                tokens.push(Token::Number(digits.parse().unwrap_or(0.0)));
            }
            c if c.is_alphabetic() || c == '_' => {
                let name = run(at, |c| c.is_alphanumeric() || c == '_');
                at += name.chars().count();
                tokens.push(Token::Name(name));
            }
            _ => {
                let two: String = chars.iter().skip(at).take(2).collect();
                let op = OPS.into_iter().find(|op| two.starts_with(op));
                let op = op.ok_or_else(|| format!("syntax error near {c}"))?;
                at += op.len();
                tokens.push(Token::Op(if op == "**" { "^" } else { op }));
            }
        }
    }
    Ok(tokens)
}

/// A slash divides after a value, and begins an expression elsewhere.
fn regex_may_begin(last: Option<&Token>) -> bool {
    !matches!(
        last,
        Some(
            Token::Number(_)
                | Token::Text(_)
                | Token::Name(_)
                | Token::Op(")" | "]" | "$" | "++" | "--")
        )
    )
}

fn quoted(chars: &[char], from: usize, end: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut at = from;
    loop {
        match chars.get(at).copied() {
            None | Some('\n') => return Err(format!("unterminated {end}")),
            Some(c) if c == end => return Ok((text, at + 1)),
            Some('\\') => {
                text.push('\\');
                text.extend(chars.get(at + 1));
                at += 2;
            }
            Some(c) => {
                text.push(c);
                at += 1;
            }
        }
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(c @ ('"' | '\\' | '/')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Whether `>` would send what is printed elsewhere.
    printing: bool,
}

type Read<T> = Result<T, String>;

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(found)) if *found == op)
    }

    fn take(&mut self, op: &str) -> bool {
        let found = self.is(op);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, op: &str) -> Read<()> {
        if self.take(op) { Ok(()) } else { Err(self.trouble()) }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        self.at += usize::from(found);
        found
    }

    fn trouble(&self) -> String {
        let near = match self.peek() {
            None => "end of program".to_owned(),
            Some(Token::Line) => "end of line".to_owned(),
            Some(Token::Op(op)) => (*op).to_owned(),
            Some(Token::Name(name) | Token::Text(name) | Token::Regex(name)) => name.clone(),
            Some(Token::Number(number)) => number.to_string(),
        };
        format!("syntax error near {near}")
    }

    fn skip_lines(&mut self) {
        while matches!(self.peek(), Some(Token::Line)) {
            self.at += 1;
        }
    }

    fn skip_ends(&mut self) {
        while matches!(self.peek(), Some(Token::Line | Token::Op(";"))) {
            self.at += 1;
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEPTH_MAX {
            return Err("the program is nested too deeply".to_owned());
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn block(&mut self) -> Read<Vec<Stmt>> {
        self.skip_lines();
        self.need("{")?;
        let mut body = Vec::new();
        loop {
            self.skip_ends();
            if self.take("}") {
                return Ok(body);
            }
            body.push(self.deeper(Self::statement)?);
        }
    }

    fn body(&mut self) -> Read<Vec<Stmt>> {
        self.skip_lines();
        if self.is("{") {
            return self.block();
        }
        if self.take(";") {
            return Ok(Vec::new());
        }
        self.deeper(Self::statement).map(|statement| vec![statement])
    }

    fn statement(&mut self) -> Read<Stmt> {
        if self.word("if") {
            self.need("(")?;
            let test = self.expr()?;
            self.need(")")?;
            let then = self.body()?;
            let back = self.at;
            self.skip_ends();
            if self.word("else") {
                return Ok(Stmt::If(test, then, self.body()?));
            }
            self.at = back;
            return Ok(Stmt::If(test, then, Vec::new()));
        }
        if self.word("while") {
            self.need("(")?;
            let test = Some(self.expr()?);
            self.need(")")?;
            let body = self.body()?;
            return Ok(Stmt::Loop { first: None, test, step: None, body, once: false });
        }
        if self.word("do") {
            let body = self.body()?;
            self.skip_ends();
            if !self.word("while") {
                return Err(self.trouble());
            }
            self.need("(")?;
            let test = Some(self.expr()?);
            self.need(")")?;
            return Ok(Stmt::Loop { first: None, test, step: None, body, once: true });
        }
        if self.word("for") {
            return self.for_loop();
        }
        let simple = self.simple()?;
        match self.peek() {
            None | Some(Token::Line | Token::Op(";" | "}")) => Ok(simple),
            _ => Err(self.trouble()),
        }
    }

    fn for_loop(&mut self) -> Read<Stmt> {
        self.need("(")?;
        if let (Some(Token::Name(name)), Some(Token::Name(word)), Some(Token::Name(array))) =
            (self.tokens.get(self.at), self.tokens.get(self.at + 1), self.tokens.get(self.at + 2))
            && word == "in"
        {
            let (name, array) = (name.clone(), array.clone());
            self.at += 3;
            self.need(")")?;
            return Ok(Stmt::Each { name, array, body: self.body()? });
        }
        let first = if self.is(";") { None } else { Some(self.expr()?) };
        self.need(";")?;
        let test = if self.is(";") { None } else { Some(self.expr()?) };
        self.need(";")?;
        let step = if self.is(")") { None } else { Some(self.expr()?) };
        self.need(")")?;
        Ok(Stmt::Loop { first, test, step, body: self.body()?, once: false })
    }

    fn simple(&mut self) -> Read<Stmt> {
        if self.word("print") {
            return Ok(Stmt::Print(self.list()?));
        }
        if self.word("printf") {
            return Ok(Stmt::Printf(self.list()?));
        }
        if self.word("next") {
            return Ok(Stmt::Next);
        }
        if self.word("break") {
            return Ok(Stmt::Break);
        }
        if self.word("continue") {
            return Ok(Stmt::Continue);
        }
        if self.word("exit") {
            let code = match self.peek() {
                None | Some(Token::Line | Token::Op(";" | "}")) => None,
                _ => Some(self.expr()?),
            };
            return Ok(Stmt::Exit(code));
        }
        if self.word("delete") {
            let Some(Token::Name(name)) = self.peek().cloned() else { return Err(self.trouble()) };
            self.at += 1;
            let key = if self.take("[") { Some(self.index()?) } else { None };
            return Ok(Stmt::Delete(name, key));
        }
        self.expr().map(Stmt::Expr)
    }

    /// What is printed, with or without parentheses around it.
    fn list(&mut self) -> Read<Vec<Expr>> {
        if matches!(self.peek(), None | Some(Token::Line | Token::Op(";" | "}"))) {
            return Ok(Vec::new());
        }
        if self.is(">") || self.is("|") {
            return self.no_redirect(Vec::new());
        }
        let start = self.at;
        if self.take("(") {
            let mut all = vec![self.expr()?];
            while self.take(",") {
                self.skip_lines();
                all.push(self.expr()?);
            }
            let ends = self.take(")")
                && matches!(
                    self.peek(),
                    None | Some(Token::Line | Token::Op(";" | "}" | ">" | "|"))
                );
            if ends {
                return self.no_redirect(all);
            }
            self.at = start;
        }
        let mut all = vec![self.unredirected()?];
        while self.take(",") {
            self.skip_lines();
            all.push(self.unredirected()?);
        }
        self.no_redirect(all)
    }

    /// `>` sends what is printed elsewhere; it does not compare there.
    fn unredirected(&mut self) -> Read<Expr> {
        self.printing = true;
        let read = self.deeper(Self::ternary);
        self.printing = false;
        read
    }

    fn no_redirect(&mut self, all: Vec<Expr>) -> Read<Vec<Expr>> {
        if self.is(">") || self.is("|") {
            return Err("the sandbox's awk prints to its standard output only".to_owned());
        }
        Ok(all)
    }

    fn expr(&mut self) -> Read<Expr> {
        self.deeper(Self::assignment)
    }

    fn assignment(&mut self) -> Read<Expr> {
        let left = self.ternary()?;
        let known: [(&str, Option<&'static str>); 7] = [
            ("=", None),
            ("+=", Some("+")),
            ("-=", Some("-")),
            ("*=", Some("*")),
            ("/=", Some("/")),
            ("%=", Some("%")),
            ("^=", Some("^")),
        ];
        for (op, with) in known {
            if self.is(op) {
                if !matches!(left, Expr::Var(_) | Expr::Item(..) | Expr::Field(_)) {
                    return Err(self.trouble());
                }
                self.at += 1;
                self.skip_lines();
                let right = self.expr()?;
                return Ok(Expr::Assign(Box::new(left), with, Box::new(right)));
            }
        }
        Ok(left)
    }

    fn ternary(&mut self) -> Read<Expr> {
        let test = self.or()?;
        if !self.take("?") {
            return Ok(test);
        }
        self.skip_lines();
        let yes = self.expr()?;
        self.skip_lines();
        self.need(":")?;
        self.skip_lines();
        let no = self.expr()?;
        Ok(Expr::If(Box::new(test), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Read<Expr> {
        let mut left = self.and()?;
        while self.take("||") {
            self.skip_lines();
            left = Expr::Binary("||", Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Read<Expr> {
        let mut left = self.membership()?;
        while self.take("&&") {
            self.skip_lines();
            left = Expr::Binary("&&", Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Read<Expr> {
        let left = self.matching()?;
        if self.word("in") {
            let Some(Token::Name(name)) = self.peek().cloned() else { return Err(self.trouble()) };
            self.at += 1;
            return Ok(Expr::In(Box::new(left), name));
        }
        Ok(left)
    }

    fn matching(&mut self) -> Read<Expr> {
        let mut left = self.comparison()?;
        loop {
            let not = match () {
                () if self.take("~") => false,
                () if self.take("!~") => true,
                () => return Ok(left),
            };
            left = Expr::Match(not, Box::new(left), Box::new(self.comparison()?));
        }
    }

    fn comparison(&mut self) -> Read<Expr> {
        let left = self.concatenation()?;
        for op in ["<=", ">=", "==", "!=", "<", ">"] {
            // In what is printed, `>` is no comparison; there it ends the list.
            let redirects = op == ">" && self.printing;
            if self.is(op) && !redirects {
                self.at += 1;
                return Ok(Expr::Binary(op, Box::new(left), Box::new(self.concatenation()?)));
            }
        }
        Ok(left)
    }

    fn concatenation(&mut self) -> Read<Expr> {
        let mut left = self.sum()?;
        while self.begins_value() {
            left = Expr::Binary(" ", Box::new(left), Box::new(self.sum()?));
        }
        Ok(left)
    }

    fn begins_value(&self) -> bool {
        match self.peek() {
            Some(Token::Name(name)) => name != "in",
            Some(Token::Number(_) | Token::Text(_)) => true,
            Some(Token::Op(op)) => matches!(*op, "(" | "$" | "!" | "++" | "--"),
            _ => false,
        }
    }

    fn sum(&mut self) -> Read<Expr> {
        let mut left = self.product()?;
        loop {
            let op = match () {
                () if self.take("+") => "+",
                () if self.take("-") => "-",
                () => return Ok(left),
            };
            left = Expr::Binary(op, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Read<Expr> {
        let mut left = self.unary()?;
        loop {
            let op = match () {
                () if self.take("*") => "*",
                () if self.take("/") => "/",
                () if self.take("%") => "%",
                () => return Ok(left),
            };
            left = Expr::Binary(op, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Read<Expr> {
        for (op, sign) in [("!", '!'), ("-", '-'), ("+", '+')] {
            if self.take(op) {
                let inner = self.deeper(Self::unary)?;
                return Ok(Expr::Unary(sign, Box::new(inner)));
            }
        }
        self.power()
    }

    fn power(&mut self) -> Read<Expr> {
        let base = self.postfix()?;
        if self.take("^") {
            let exponent = self.deeper(Self::unary)?;
            return Ok(Expr::Binary("^", Box::new(base), Box::new(exponent)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Read<Expr> {
        for (op, by) in [("++", 1.0), ("--", -1.0)] {
            if self.take(op) {
                let inner = self.primary()?;
                return Ok(Expr::Step(Box::new(inner), by, false));
            }
        }
        let value = self.primary()?;
        if matches!(value, Expr::Var(_) | Expr::Item(..) | Expr::Field(_)) {
            for (op, by) in [("++", 1.0), ("--", -1.0)] {
                if self.take(op) {
                    return Ok(Expr::Step(Box::new(value), by, true));
                }
            }
        }
        Ok(value)
    }

    fn index(&mut self) -> Read<Expr> {
        let mut key = self.expr()?;
        while self.take(",") {
            let more = self.expr()?;
            let between =
                Expr::Binary(" ", Box::new(key), Box::new(Expr::Text("\u{1c}".to_owned())));
            key = Expr::Binary(" ", Box::new(between), Box::new(more));
        }
        self.need("]")?;
        Ok(key)
    }

    fn primary(&mut self) -> Read<Expr> {
        let token = self.peek().cloned().ok_or_else(|| self.trouble())?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Regex(text) => Ok(Expr::Regex(text)),
            Token::Op("$") => {
                let inner = self.deeper(Self::postfix_of_field)?;
                Ok(Expr::Field(Box::new(inner)))
            }
            Token::Op("(") => {
                let printing = std::mem::take(&mut self.printing);
                let inner = self.expr()?;
                self.printing = printing;
                self.need(")")?;
                Ok(inner)
            }
            Token::Name(name) => {
                if self.take("[") {
                    let key = self.index()?;
                    return Ok(Expr::Item(name, Box::new(key)));
                }
                if self.is("(") && super::FUNCTIONS.contains(&name.as_str()) {
                    self.at += 1;
                    let mut args = Vec::new();
                    while !self.take(")") {
                        args.push(self.expr()?);
                        if !self.take(",") && !self.is(")") {
                            return Err(self.trouble());
                        }
                        self.skip_lines();
                    }
                    return Ok(Expr::Call(name, args));
                }
                match name.as_str() {
                    "length" => Ok(Expr::Call(name, Vec::new())),
                    "getline" | "system" => Err(format!("the sandbox's awk has no {name}")),
                    _ => Ok(Expr::Var(name)),
                }
            }
            _ => {
                self.at -= 1;
                Err(self.trouble())
            }
        }
    }

    /// `$NF-1` is one less than the last field; `$(NF-1)` is the last but one.
    fn postfix_of_field(&mut self) -> Read<Expr> {
        if self.take("-") {
            let inner = self.primary()?;
            return Ok(Expr::Unary('-', Box::new(inner)));
        }
        self.primary()
    }
}
