//! What an awk program is made of.

use regex_lite::Regex;

/// A whole program.
#[derive(Debug, Default)]
pub struct Script {
    pub begin: Vec<Block>,
    pub end: Vec<Block>,
    pub rules: Vec<Rule>,
    pub functions: Vec<Function>,
    /// How many global variables there are, those of [`super::vars`] first.
    pub globals: usize,
    /// The names of the globals, by their number.
    pub names: Vec<String>,
}

/// Statements in order.
pub type Block = Vec<Statement>;

/// `pattern { action }`; without an action the record is printed.
#[derive(Debug)]
pub struct Rule {
    pub pattern: Pattern,
    pub action: Option<Block>,
}

/// Which records a rule is for.
#[derive(Debug)]
pub enum Pattern {
    Always,
    When(Expr),
    /// From a record that matches the first to one that matches the second.
    Range(Expr, Expr),
}

/// `function name(parameters) { body }`.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub parameters: usize,
    /// Which parameters are used as arrays, so that who calls passes one.
    pub arrays: Vec<bool>,
    pub body: Block,
}

/// A variable: of the whole program or of the running function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Var {
    Global(usize),
    Local(usize),
}

/// What can be assigned to.
#[derive(Debug)]
pub enum Place {
    Var(Var),
    Field(Box<Expr>),
    Element(Var, Vec<Expr>),
}

#[derive(Debug)]
pub enum Statement {
    Expr(Expr),
    Print(Vec<Expr>, Option<Redirect>),
    Printf(Vec<Expr>, Option<Redirect>),
    If(Expr, Block, Block),
    /// The condition, the body, and what follows each round of a `for`.
    While(Expr, Block, Option<Box<Statement>>),
    DoWhile(Block, Expr),
    ForIn(Place, Var, Block),
    Block(Block),
    Next,
    NextFile,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
    Delete(Var, Option<Vec<Expr>>),
}

/// `> file` or `>> file`.
#[derive(Debug)]
pub struct Redirect {
    pub append: bool,
    pub to: Expr,
}

#[derive(Debug)]
pub enum Expr {
    Number(f64),
    Text(String),
    /// `/regex/` by itself: whether the record matches.
    Regex(Regex),
    Get(Place),
    Assign(Place, Option<Binary>, Box<Expr>),
    /// Adds a number to a place; `true`: the value is that from before.
    Step(Place, f64, bool),
    Binary(Binary, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Plus(Box<Expr>),
    Choose(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Whether the text matches; `true`: whether it does not.
    Matches(Box<Expr>, Box<Expr>, bool),
    In(Vec<Expr>, Var),
    /// In parentheses: a comparison in it is no redirection, and it is one value to `print`.
    Group(Box<Expr>),
    Builtin(Builtin, Vec<Expr>),
    Call(usize, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Concat,
    Less,
    LessEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    Atan2,
    Close,
    Cos,
    Exp,
    Flush,
    Gsub,
    Index,
    Int,
    Length,
    Log,
    Match,
    Rand,
    Sin,
    Split,
    Sprintf,
    Sqrt,
    Srand,
    Sub,
    Substr,
    ToLower,
    ToUpper,
}

impl Builtin {
    /// Each with the least and the most arguments it takes.
    const TABLE: [(&'static str, Builtin, usize, usize); 21] = [
        ("atan2", Builtin::Atan2, 2, 2),
        ("close", Builtin::Close, 1, 1),
        ("cos", Builtin::Cos, 1, 1),
        ("exp", Builtin::Exp, 1, 1),
        ("fflush", Builtin::Flush, 0, 1),
        ("gsub", Builtin::Gsub, 2, 3),
        ("index", Builtin::Index, 2, 2),
        ("int", Builtin::Int, 1, 1),
        ("length", Builtin::Length, 0, 1),
        ("log", Builtin::Log, 1, 1),
        ("match", Builtin::Match, 2, 2),
        ("rand", Builtin::Rand, 0, 0),
        ("sin", Builtin::Sin, 1, 1),
        ("split", Builtin::Split, 2, 3),
        ("sprintf", Builtin::Sprintf, 1, usize::MAX),
        ("sqrt", Builtin::Sqrt, 1, 1),
        ("srand", Builtin::Srand, 0, 1),
        ("sub", Builtin::Sub, 2, 3),
        ("substr", Builtin::Substr, 2, 3),
        ("tolower", Builtin::ToLower, 1, 1),
        ("toupper", Builtin::ToUpper, 1, 1),
    ];

    /// The function named, with the least and the most arguments it takes.
    pub fn named(name: &str) -> Option<(Builtin, usize, usize)> {
        let (_, builtin, least, most) = Self::TABLE.iter().find(|row| row.0 == name)?;
        Some((*builtin, *least, *most))
    }
}
