//! Expansion: from the words of a script to the words that a command gets.
//!
//! Nothing here waits. A command substitution whose output is not known stops the expansion
//! ([`Stop::Capture`]); once it is known, the whole expansion is made again, and [`Replay`] gives
//! what has already been computed, so that side effects happen once.

use super::arith;
use super::array::Element;
use super::ast::*;
use super::pattern::{Glyph, Pattern, glob, is_pattern};
use super::state::{Flavor, NO_MEMORY, State};
use crate::Sys;
use std::sync::Arc;

/// Most characters that one expansion may give.
const EXPANSION_CHARS_MAX: usize = 1 << 20;
/// Most words that one expansion may give.
const EXPANSION_WORDS_MAX: usize = 100_000;

/// Most characters that one `${name//pattern/text}` looks at, one several times.
const REPLACE_LOOKS_MAX: usize = 20_000_000;

/// Results of the parts that must not be computed twice, in order.
pub type Replay = Vec<String>;

/// Why an expansion has stopped.
#[derive(Clone, Debug)]
pub enum Stop {
    /// It needs the output of these commands, to be added to the replay.
    Capture(Arc<List>),
    /// It needs a descriptor for these commands, whose name is to be added to the replay.
    Process {
        /// The commands.
        list: Arc<List>,
        /// Whether they are read from.
        read: bool,
    },
    /// It cannot be made. The message, without the shell's name.
    Error(String),
    /// A variable is not set that must be. The message.
    Unset(String),
}

type Expanded<T> = Result<T, Stop>;

/// An expansion going on.
pub struct Expander<'a> {
    state: &'a mut State,
    sys: &'a mut dyn Sys,
    replay: &'a mut Replay,
    cursor: usize,
    chars: usize,
}

/// What a parameter is before anything is done with it.
enum Held {
    /// One value, if it is set.
    One(Option<String>),
    /// The positional parameters, or an array's elements; `joined`: as by `*`.
    All { texts: Vec<String>, joined: bool },
}

/// Collects glyphs into fields.
struct Sink {
    fields: Vec<Vec<Glyph>>,
    current: Option<Vec<Glyph>>,
    /// The last field was ended by a blank, so that one delimiter still belongs to it.
    after_blank: bool,
    splits: bool,
    separators: String,
}

impl Sink {
    fn start(&mut self) -> &mut Vec<Glyph> {
        self.after_blank = false;
        self.current.get_or_insert_with(Vec::new)
    }

    fn text(&mut self, text: &str, quoted: bool) {
        self.start().extend(text.chars().map(|c| (c, quoted)));
    }

    fn end_field(&mut self) {
        if let Some(field) = self.current.take() {
            self.fields.push(field);
        }
    }

    /// The value of an unquoted expansion, split at `IFS`.
    fn split(&mut self, text: &str) {
        if !self.splits {
            if !text.is_empty() {
                self.text(text, false);
            }
            return;
        }
        for c in text.chars() {
            if !self.separators.contains(c) {
                self.start().push((c, false));
            } else if matches!(c, ' ' | '\t' | '\n') {
                if self.current.is_some() {
                    self.end_field();
                    self.after_blank = true;
                }
            } else if self.current.is_some() {
                self.end_field();
            } else if self.after_blank {
                self.after_blank = false;
            } else {
                self.fields.push(Vec::new());
            }
        }
    }
}

impl<'a> Expander<'a> {
    /// Expands with what `replay` already knows.
    pub fn new(state: &'a mut State, sys: &'a mut dyn Sys, replay: &'a mut Replay) -> Self {
        Expander { state, sys, replay, cursor: 0, chars: 0 }
    }

    /// The words that a word of a command becomes: braces, everything, splitting, file names.
    pub fn fields(&mut self, word: &Word) -> Expanded<Vec<String>> {
        let mut all = Vec::new();
        let words = match self.state.flavor {
            Flavor::Bash => super::brace::expand(word),
            Flavor::Dash | Flavor::Ash => vec![word.clone()],
        };
        for word in &words {
            for field in self.glyph_fields(word, true)? {
                self.file_names(field, &mut all);
                if all.len() > EXPANSION_WORDS_MAX {
                    return Err(Stop::Error("Argument list too long".to_string()));
                }
            }
        }
        Ok(all)
    }

    fn file_names(&mut self, field: Vec<Glyph>, all: &mut Vec<String>) {
        if is_pattern(&field) && !self.state.options.noglob {
            let found = glob(self.sys, &field);
            if !found.is_empty() {
                all.extend(found);
                return;
            }
            if self.state.options.nullglob {
                return;
            }
        }
        all.push(text_of(&field));
    }

    /// The one string that a word becomes where words are not split: values, files, subjects.
    pub fn single(&mut self, word: &Word) -> Expanded<String> {
        self.pattern(word).map(|glyphs| text_of(&glyphs))
    }

    /// Like [`Expander::single`], remembering what was quoted.
    pub fn pattern(&mut self, word: &Word) -> Expanded<Vec<Glyph>> {
        let fields = self.glyph_fields(word, false)?;
        Ok(fields.join(&(' ', false)))
    }

    /// The value of an arithmetic expression.
    pub fn arith(&mut self, word: &Word) -> Expanded<i64> {
        let text = self.quoted_text(&word.0)?;
        let value = self.once(|expander| {
            let value = arith::evaluate(expander.state, &text);
            value.map(|value| value.to_string()).map_err(|message| {
                Stop::Error(arith::worded(expander.state.flavor, &text, message))
            })
        })?;
        Ok(value.parse().unwrap_or(0))
    }

    /// The machine.
    pub fn sys(&mut self) -> &mut dyn Sys {
        self.sys
    }

    /// Whether there is such a variable or element, with a value.
    pub fn is_variable(&mut self, name: &str) -> bool {
        match name.split_once('[').and_then(|(name, rest)| Some((name, rest.strip_suffix(']')?))) {
            Some((name, subscript)) => {
                self.state.element(name, subscript).is_ok_and(|text| text.is_some())
            }
            None => self.state.get(name).is_some(),
        }
    }

    /// Sets `BASH_REMATCH`: what matched, and what its groups did.
    pub fn set_rematch(&mut self, texts: Vec<String>) {
        let element = |text| Element { subscript: None, text };
        // Without room, the array is what fitted.
        let _ =
            self.state.set_array("BASH_REMATCH", texts.into_iter().map(element).collect(), false);
    }

    /// The value of a text as an arithmetic expression.
    pub fn number(&mut self, text: &str) -> Expanded<i64> {
        arith::evaluate(self.state, text).map_err(Stop::Error)
    }

    fn glyph_fields(&mut self, word: &Word, splits: bool) -> Expanded<Vec<Vec<Glyph>>> {
        let separators = self.state.get("IFS").unwrap_or(" \t\n").to_string();
        let mut sink =
            Sink { fields: Vec::new(), current: None, after_blank: false, splits, separators };
        for (index, part) in word.0.iter().enumerate() {
            if index == 0
                && let Part::Literal(text) = part
                && text.starts_with('~')
            {
                self.tilde(text, word.0.len() == 1, &mut sink);
                continue;
            }
            self.part(part, false, &mut sink)?;
        }
        sink.end_field();
        Ok(sink.fields)
    }

    fn tilde(&mut self, text: &str, alone: bool, sink: &mut Sink) {
        let (user, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
        let home = match user {
            "~" if alone || !rest.is_empty() => self.state.get("HOME").map(str::to_string),
            "~+" => Some(self.sys.cwd().to_string()),
            "~-" => self.state.get("OLDPWD").map(str::to_string),
            "~root" => Some("/root".to_string()),
            _ => None,
        };
        match home {
            Some(home) => {
                sink.text(&home, true);
                sink.text(rest, false);
            }
            None => sink.text(text, false),
        }
    }

    /// Runs what must not be done twice, or gives what it gave the first time.
    fn once(&mut self, run: impl FnOnce(&mut Self) -> Expanded<String>) -> Expanded<String> {
        if let Some(known) = self.replay.get(self.cursor) {
            let known = known.clone();
            self.cursor += 1;
            return Ok(known);
        }
        let value = run(self)?;
        // What it ran may have computed such parts itself: they are behind it and count no more.
        self.replay.truncate(self.cursor);
        self.replay.push(value.clone());
        self.cursor += 1;
        Ok(value)
    }

    fn part(&mut self, part: &Part, quoted: bool, sink: &mut Sink) -> Expanded<()> {
        match part {
            Part::Literal(text) => sink.text(text, quoted),
            Part::Quoted(text) => sink.text(text, true),
            Part::Double(parts) => {
                let only_all = matches!(parts.as_slice(), [Part::Param(param)]
                if param.op != ParamOp::Length && match &param.subscript {
                    None => param.name == "@",
                    Some(subscript) => *subscript == Subscript::Each,
                });
                if !only_all {
                    sink.start();
                }
                for part in parts {
                    self.part(part, true, sink)?;
                }
            }
            Part::Command(list) => {
                let list = Arc::clone(list);
                let output = self.once(|_| Err(Stop::Capture(list)))?;
                self.emit(&output, quoted, sink)?;
            }
            Part::Process { list, read } => {
                let (list, read) = (Arc::clone(list), *read);
                let path = self.once(|_| Err(Stop::Process { list, read }))?;
                self.emit(&path, true, sink)?;
            }
            Part::Arith(word) => {
                let value = self.arith(word)?.to_string();
                self.emit(&value, quoted, sink)?;
            }
            Part::Param(param) => self.param(param, quoted, sink)?,
        }
        Ok(())
    }

    fn emit(&mut self, text: &str, quoted: bool, sink: &mut Sink) -> Expanded<()> {
        self.chars += text.len();
        if self.chars > EXPANSION_CHARS_MAX {
            return Err(Stop::Error(NO_MEMORY.to_string()));
        }
        if quoted {
            sink.text(text, true)
        } else {
            sink.split(text)
        }
        Ok(())
    }

    /// The parts as one quoted text.
    fn quoted_text(&mut self, parts: &[Part]) -> Expanded<String> {
        let word = Word(vec![Part::Double(parts.to_vec())]);
        self.single(&word)
    }

    // ---- parameters ----

    /// The value, or `None` if it is not set. `@` and `*` are joined.
    fn value(&mut self, name: &str) -> Option<String> {
        let state = &self.state;
        Some(match name {
            "@" => state.positional.join(" "),
            "*" => {
                let separator = state.get("IFS").map_or(Some(' '), |ifs| ifs.chars().next());
                state.positional.join(&separator.map(String::from).unwrap_or_default())
            }
            "#" => state.positional.len().to_string(),
            "?" => state.status.to_string(),
            "-" => state.flags(),
            "$" => state.shell_pid.to_string(),
            "!" => state.last_background?.to_string(),
            "0" => state.name.clone(),
            "LINENO" => state.line.to_string(),
            "PPID" => "0".to_string(),
            "RANDOM" if state.flavor != Flavor::Dash => {
                let drawn = self.once(|expander| Ok(expander.sys.rng().below(32768).to_string()));
                return drawn.ok();
            }
            "SECONDS" if state.flavor == Flavor::Bash => self.sys.now().as_secs().to_string(),
            "UID" | "EUID" if state.flavor == Flavor::Bash => self.sys.uid().to_string(),
            "HOSTNAME" if state.get("HOSTNAME").is_none() => self.sys.hostname().to_string(),
            digits if digits.starts_with(|c: char| c.is_ascii_digit()) => {
                let index: usize = digits.parse().ok()?;
                state.positional.get(index.checked_sub(1)?)?.clone()
            }
            name => return state.get(name).map(str::to_string),
        })
    }

    /// What a parameter is before anything is done with it.
    fn held(&mut self, param: &Param) -> Expanded<Held> {
        let name = param.name.as_str();
        Ok(match &param.subscript {
            None if matches!(name, "@" | "*") => {
                Held::All { texts: self.state.positional.to_vec(), joined: name == "*" }
            }
            None => Held::One(self.value(name)),
            Some(Subscript::One(word)) => {
                let mut subscript = self.single(word)?;
                if !self.state.is_keyed(name) {
                    // It may change variables, which is to happen once.
                    subscript = self.once(|expander| {
                        let value = arith::evaluate(expander.state, &subscript);
                        value.map(|value| value.to_string()).map_err(Stop::Error)
                    })?;
                }
                Held::One(self.state.element(name, &subscript).map_err(Stop::Error)?)
            }
            Some(each) => {
                Held::All { texts: self.state.elements(name), joined: *each == Subscript::Joined }
            }
        })
    }

    fn param(&mut self, param: &Param, quoted: bool, sink: &mut Sink) -> Expanded<()> {
        match (&param.op, &param.subscript) {
            (ParamOp::Names, _) => {
                let all = self.state.variables.keys();
                let names = all.filter(|name| name.starts_with(&param.name)).cloned().collect();
                return self.all(names, false, quoted, sink);
            }
            (ParamOp::Indirect, Some(each @ (Subscript::Each | Subscript::Joined))) => {
                let keys = self.state.keys(&param.name);
                return self.all(keys, *each == Subscript::Joined, quoted, sink);
            }
            _ => {}
        }
        let held = self.held(param)?;
        let name = param.name.as_str();
        let filled = |colon: bool| match &held {
            Held::One(value) => value.as_ref().is_some_and(|text| !colon || !text.is_empty()),
            Held::All { texts, .. } if colon => texts.iter().any(|text| !text.is_empty()),
            Held::All { texts, .. } => !texts.is_empty(),
        };
        match &param.op {
            ParamOp::Default { colon, word } if !filled(*colon) => {
                return self.alternative(word, quoted, sink);
            }
            ParamOp::Alternative { colon, word } => {
                return if filled(*colon) { self.alternative(word, quoted, sink) } else { Ok(()) };
            }
            ParamOp::Assign { colon, word } if !filled(*colon) => {
                let assigned = self.assign_default(param, word)?;
                return self.emit(&assigned, quoted, sink);
            }
            ParamOp::Error { colon, word } if !filled(*colon) => {
                let message = self.single(word)?;
                return Err(self.unset_error(name, *colon, &message, word.0.is_empty()));
            }
            _ => {}
        }
        let value = match held {
            Held::One(value) => value,
            Held::All { texts, .. } if param.op == ParamOp::Length => {
                return self.emit(&texts.len().to_string(), quoted, sink);
            }
            Held::All { texts, joined } => {
                let texts = self.transform_all(param, texts)?;
                return self.all(texts, joined, quoted, sink);
            }
        };
        if value.is_none() && self.state.options.nounset {
            let subscript = match &param.subscript {
                Some(Subscript::One(word)) => format!("[{}]", self.single(word)?),
                _ => String::new(),
            };
            return Err(Stop::Unset(match self.state.flavor {
                Flavor::Bash => format!("{name}{subscript}: unbound variable"),
                Flavor::Dash | Flavor::Ash => format!("{name}: parameter not set"),
            }));
        }
        let text = self.transform(param, value.unwrap_or_default())?;
        self.emit(&text, quoted, sink)
    }

    /// What is done with each of the positional parameters or an array's elements, or which of them
    /// are meant.
    fn transform_all(&mut self, param: &Param, mut texts: Vec<String>) -> Expanded<Vec<String>> {
        let ParamOp::Substring { offset, length } = &param.op else {
            let mut all = Vec::with_capacity(texts.len());
            for text in texts {
                all.push(self.transform(param, text)?);
            }
            return Ok(all);
        };
        if param.subscript.is_none() {
            // The positional parameters begin with `$0`.
            texts.insert(0, self.state.name.clone());
        }
        let offset = self.arith(offset)?;
        let length = match length {
            Some(length) => Some(self.arith(length)?),
            None => None,
        };
        if let Some(length) = length.filter(|length| *length < 0) {
            return Err(Stop::Error(format!("{length}: substring expression < 0")));
        }
        let count = texts.len() as i64;
        let start = if offset < 0 { count.saturating_add(offset) } else { offset };
        let Ok(start) = usize::try_from(start) else { return Ok(Vec::new()) };
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        Ok(texts.into_iter().skip(start).take(length).collect())
    }

    fn unset_error(&self, name: &str, colon: bool, message: &str, default: bool) -> Stop {
        let message = match (default, self.state.flavor, colon) {
            (false, ..) => message,
            (true, Flavor::Bash, true) => "parameter null or not set",
            (true, Flavor::Bash, false) => "parameter not set",
            (true, _, true) => "parameter not set or null",
            (true, _, false) => "parameter not set",
        };
        Stop::Unset(format!("{name}: {message}"))
    }

    /// `"$@"`: each parameter a word of its own; `"$*"`: one word; unquoted: split.
    fn all(
        &mut self,
        texts: Vec<String>,
        joined: bool,
        quoted: bool,
        sink: &mut Sink,
    ) -> Expanded<()> {
        if quoted && (joined || !sink.splits) {
            let separator = match self.state.get("IFS") {
                Some(separators) if joined => separators.chars().next().map(String::from),
                _ => Some(" ".to_owned()),
            };
            return self.emit(&texts.join(&separator.unwrap_or_default()), true, sink);
        }
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                if sink.splits {
                    sink.end_field();
                } else {
                    sink.text(" ", false);
                }
            }
            self.emit(text, quoted, sink)?;
        }
        Ok(())
    }

    fn alternative(&mut self, word: &Word, quoted: bool, sink: &mut Sink) -> Expanded<()> {
        for (index, part) in word.0.iter().enumerate() {
            match part {
                Part::Literal(text) if !quoted && index == 0 && text.starts_with('~') => {
                    self.tilde(text, word.0.len() == 1, sink);
                }
                Part::Literal(text) if !quoted => sink.split(text),
                Part::Double(parts) if quoted => {
                    for part in parts {
                        self.part(part, true, sink)?;
                    }
                }
                part => self.part(part, quoted, sink)?,
            }
        }
        Ok(())
    }

    fn assign_default(&mut self, param: &Param, word: &Word) -> Expanded<String> {
        let name = param.name.as_str();
        let subscript = match &param.subscript {
            None if super::parse::is_name(name) => None,
            Some(Subscript::One(word)) => Some(self.single(word)?),
            _ => return Err(Stop::Error(format!("${name}: cannot assign in this way"))),
        };
        let text = self.single(word)?;
        self.once(|expander| {
            let state = &mut *expander.state;
            let set = match subscript {
                None => state.set(name, text.clone()),
                Some(subscript) => state.set_element(name, &subscript, text.clone(), false),
            };
            set.map(|()| text).map_err(Stop::Error)
        })
    }

    /// What `${!name}` means: the variable, parameter or element that the value names.
    fn named(&mut self, name: &str) -> Expanded<Option<String>> {
        let subscript = name.find('[').and_then(|at| {
            let (name, brackets) = name.split_at(at);
            Some((name, arith::subscript_at(brackets)?.0))
        });
        match subscript {
            Some((name, "@" | "*")) => {
                let texts = self.state.elements(name);
                Ok((!texts.is_empty()).then(|| texts.join(" ")))
            }
            Some((name, subscript)) => self.state.element(name, subscript).map_err(Stop::Error),
            None => Ok(self.value(name)),
        }
    }

    fn transform(&mut self, param: &Param, value: String) -> Expanded<String> {
        Ok(match &param.op {
            ParamOp::Length => value.chars().count().to_string(),
            ParamOp::Indirect => self.named(&value)?.unwrap_or_default(),
            ParamOp::TrimPrefix { longest, word } => {
                let pattern = Pattern::new(&self.pattern(word)?);
                let chars: Vec<char> = value.chars().collect();
                let taken = pattern.prefix(&chars, *longest).unwrap_or(0);
                chars.iter().skip(taken).collect()
            }
            ParamOp::TrimSuffix { longest, word } => {
                let pattern = Pattern::new(&self.pattern(word)?);
                let chars: Vec<char> = value.chars().collect();
                let kept = pattern.suffix(&chars, *longest).unwrap_or(chars.len());
                chars.iter().take(kept).collect()
            }
            ParamOp::Replace { all, pattern, with } => {
                let glyphs = self.pattern(pattern)?;
                let with = self.single(with)?;
                replace(&value, &glyphs, &with, *all)
                    .ok_or_else(|| Stop::Error(NO_MEMORY.to_string()))?
            }
            ParamOp::Substring { offset, length } => {
                let offset = self.arith(offset)?;
                let length = match length {
                    Some(length) => Some(self.arith(length)?),
                    None => None,
                };
                substring(&value, offset, length)
            }
            ParamOp::Case { upper, all } => change_case(&value, *upper, *all),
            _ => value,
        })
    }
}

fn text_of(glyphs: &[Glyph]) -> String {
    glyphs.iter().map(|(c, _)| *c).collect()
}

/// `None`: it would become longer, or take longer, than an expansion may.
fn replace(value: &str, glyphs: &[Glyph], with: &str, all: bool) -> Option<String> {
    let chars: Vec<char> = value.chars().collect();
    match glyphs {
        [] => return Some(value.to_string()),
        [('#', false), rest @ ..] if !all => {
            let taken = Pattern::new(rest).prefix(&chars, true);
            return Some(match taken {
                Some(taken) => with.chars().chain(chars.into_iter().skip(taken)).collect(),
                None => value.to_string(),
            });
        }
        [('%', false), rest @ ..] if !all => {
            let kept = Pattern::new(rest).suffix(&chars, true);
            return Some(match kept {
                Some(kept) => chars.into_iter().take(kept).chain(with.chars()).collect(),
                None => value.to_string(),
            });
        }
        _ => {}
    }
    let pattern = Pattern::new(glyphs);
    let mut result = String::new();
    let mut at = 0;
    let mut open = true;
    let mut budget = REPLACE_LOOKS_MAX;
    while at < chars.len() {
        let rest = chars.get(at..).unwrap_or_default();
        let found = if open {
            pattern.prefix_within(rest, true, &mut budget).filter(|n| *n > 0)
        } else {
            None
        };
        if budget == 0 {
            return None;
        }
        match found {
            Some(length) => {
                if result.len() + with.len() > EXPANSION_CHARS_MAX {
                    return None;
                }
                result.push_str(with);
                at += length;
                open = all;
            }
            None => {
                result.extend(chars.get(at));
                at += 1;
            }
        }
    }
    Some(result)
}

fn substring(value: &str, offset: i64, length: Option<i64>) -> String {
    let count = value.chars().count() as i64;
    let start = if offset < 0 { count.saturating_add(offset) } else { offset };
    if start < 0 || start > count {
        return String::new();
    }
    let end = match length {
        None => count,
        Some(length) if length < 0 => count.saturating_add(length),
        Some(length) => start.saturating_add(length).min(count),
    };
    value.chars().skip(start as usize).take((end - start).max(0) as usize).collect()
}

fn change_case(value: &str, upper: bool, all: bool) -> String {
    let mut result = String::new();
    for (index, c) in value.chars().enumerate() {
        match (all || index == 0, upper) {
            (true, true) => result.extend(c.to_uppercase()),
            (true, false) => result.extend(c.to_lowercase()),
            _ => result.push(c),
        }
    }
    result
}
