//! What a script is made of. Everything that the machine keeps hold of while it runs sits behind
//! an [`Arc`], so that a frame of its stack is small and a subshell shares its parent's script.

use std::sync::Arc;

/// Commands one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List {
    /// In order.
    pub items: Vec<Item>,
}

/// One command of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Pipelines joined by `&&` and `||`.
    pub and_or: Arc<AndOr>,
    /// Ended by `&`.
    pub background: bool,
    /// The line of the script where it starts, from 1.
    pub line: usize,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Clone, Debug, PartialEq)]
pub struct AndOr {
    /// Each with the operator before it; the first one's does not count.
    pub pipelines: Vec<(Connector, Pipeline)>,
    /// The source, for messages about jobs.
    pub text: Arc<str>,
}

/// What joins two pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Commands joined by `|`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Begun by `!`.
    pub negate: bool,
    /// Begun by `time`.
    pub timed: bool,
    /// The source, for messages about jobs.
    pub text: Arc<str>,
    /// At least one.
    pub commands: Vec<Arc<Command>>,
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Assignments, words, redirections.
    Simple(Simple),
    /// Something with commands inside, and redirections of the whole.
    Compound(Compound, Vec<Redirect>),
    /// A definition of a function.
    Function {
        /// Its name.
        name: String,
        /// Its body.
        body: Arc<Command>,
    },
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simple {
    /// `name=value` before the words.
    pub assigns: Vec<Assign>,
    /// The command and its arguments.
    pub words: Vec<Word>,
    /// `name=(…)` among the arguments of `declare` and its like, which are given the name only.
    pub arrays: Vec<Assign>,
    /// In order.
    pub redirects: Vec<Redirect>,
    /// The line where it starts.
    pub line: usize,
}

/// `name=value`, `name[subscript]=value`, `name=(…)`, or `+=` instead of `=`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assign {
    /// The variable.
    pub name: String,
    /// Which element.
    pub subscript: Option<Word>,
    /// Whether it is added to what is there.
    pub append: bool,
    /// The value.
    pub value: Assigned,
}

/// What an assignment gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Assigned {
    /// A text.
    Text(Word),
    /// `(…)`: elements, and their subscripts where they are said; and the source.
    Array(Vec<(Option<Word>, Word)>, Arc<str>),
}

/// A command with commands inside.
#[derive(Clone, Debug, PartialEq)]
pub enum Compound {
    /// `{ … }`
    Group(Arc<List>),
    /// `( … )`
    Subshell(Arc<List>),
    /// `if`
    If {
        /// Conditions and what each leads to.
        arms: Vec<(Arc<List>, Arc<List>)>,
        /// `else`
        otherwise: Option<Arc<List>>,
    },
    /// `while` and `until`
    While {
        /// `until`
        until: bool,
        /// The condition.
        condition: Arc<List>,
        /// What is done while it holds.
        body: Arc<List>,
    },
    /// `for`
    For {
        /// The variable.
        name: String,
        /// What it runs over; the positional parameters if it is not said.
        words: Option<Vec<Word>>,
        /// What is done for each.
        body: Arc<List>,
    },
    /// `for ((…; …; …))`
    ForArith {
        /// Start, condition, step.
        header: [Word; 3],
        /// What is done.
        body: Arc<List>,
    },
    /// `case`
    Case {
        /// What is compared.
        subject: Word,
        /// Patterns and what they lead to.
        arms: Vec<CaseArm>,
    },
    /// `[[ … ]]`
    Condition(Arc<Test>),
    /// `(( … ))`
    Arith(Word),
}

/// One arm of `case`.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseArm {
    /// Any of these.
    pub patterns: Vec<Word>,
    /// What is done.
    pub body: Arc<List>,
    /// Ended by `;&`: the next arm's body follows.
    pub falls_through: bool,
}

/// What stands in `[[ … ]]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `a || b`
    Or(Arc<Test>, Arc<Test>),
    /// `a && b`
    And(Arc<Test>, Arc<Test>),
    /// `! a`
    Not(Arc<Test>),
    /// `-f file`
    Unary(String, Word),
    /// `a == b`
    Binary(Word, String, Word),
    /// `a`
    Word(Word),
}

/// A redirection.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// The descriptor before the operator.
    pub fd: Option<u32>,
    /// The operator.
    pub kind: RedirectKind,
    /// The file, the other descriptor, or the text.
    pub target: Word,
}

/// The operator of a redirection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// `<`
    Read,
    /// `>`, `>|`
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `<&`, `>&`
    Duplicate,
    /// `&>`
    Both,
    /// `&>>`
    BothAppend,
    /// `<<`: the target is the text
    HereDocument,
    /// `<<<`
    HereString,
}

/// A word, in parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Word(pub Vec<Part>);

impl Word {
    /// The word's text if it is plain: nothing quoted, nothing to expand.
    pub fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// As it stands; pattern characters count, unless it is within double quotes.
    Literal(String),
    /// Quoted by `'…'` or `\`.
    Quoted(String),
    /// `"…"`
    Double(Vec<Part>),
    /// `$x`, `${x…}`
    Param(Box<Param>),
    /// `$(…)`, backticks
    Command(Arc<List>),
    /// `$((…))`
    Arith(Word),
    /// `<(…)`, or `>(…)`: a file that is what the commands write, or read.
    Process {
        /// The commands.
        list: Arc<List>,
        /// `<(…)`
        read: bool,
    },
}

/// A parameter and what is done with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Variable, number, or special character.
    pub name: String,
    /// Which element of an array.
    pub subscript: Option<Subscript>,
    /// What is done.
    pub op: ParamOp,
}

/// Which element of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// `[@]`
    Each,
    /// `[*]`
    Joined,
    /// `[…]`
    One(Word),
}

/// What is done with a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamOp {
    /// `$x`
    Plain,
    /// `${#x}`
    Length,
    /// `${!x}`; of all elements of an array, their numbers or keys
    Indirect,
    /// `${!x*}`, `${!x@}`: the names of variables that begin so
    Names,
    /// `${x:-w}`; `colon`: an empty value counts as none
    Default { colon: bool, word: Word },
    /// `${x:=w}`
    Assign { colon: bool, word: Word },
    /// `${x:?w}`
    Error { colon: bool, word: Word },
    /// `${x:+w}`
    Alternative { colon: bool, word: Word },
    /// `${x#w}`, `${x##w}`
    TrimPrefix { longest: bool, word: Word },
    /// `${x%w}`, `${x%%w}`
    TrimSuffix { longest: bool, word: Word },
    /// `${x/p/w}`, `${x//p/w}`
    Replace { all: bool, pattern: Word, with: Word },
    /// `${x:1:2}`
    Substring { offset: Word, length: Option<Word> },
    /// `${x^}`, `${x^^}`, `${x,}`, `${x,,}`
    Case { upper: bool, all: bool },
}
