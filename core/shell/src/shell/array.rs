//! Bash's arrays: what a variable can hold besides a text, and what is done with its elements.

use super::arith;
use super::state::{NO_MEMORY, State, Variable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most elements that all arrays of a shell may hold.
const ELEMENTS_MAX: usize = 100_000;
/// Buckets of bash's tables of keys (`ASSOC_HASH_BUCKETS`).
const BUCKETS: u32 = 1_024;

/// What a variable holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `a=x`
    Text(String),
    /// `a=(x y)`: elements by number.
    Indexed(Arc<BTreeMap<u64, String>>),
    /// `declare -A a`: elements by key.
    Keyed(Arc<BTreeMap<Key, String>>),
}

/// A key of an associative array. Keys are ordered as bash tells them: by the bucket of its hash
/// table (FNV, `hashlib.c`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    bucket: u32,
    text: String,
}

impl Key {
    fn new(text: &str) -> Self {
        let hash = text
            .bytes()
            .fold(2_166_136_261_u32, |hash, byte| hash.wrapping_mul(16_777_619) ^ u32::from(byte));
        Key { bucket: hash % BUCKETS, text: text.to_owned() }
    }
}

impl Value {
    /// What `$name` gives: of an array the element 0.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Indexed(elements) => elements.get(&0).map(String::as_str),
            Value::Keyed(elements) => elements.get(&Key::new("0")).map(String::as_str),
        }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Indexed(elements) => elements.values().map(String::len).sum(),
            Value::Keyed(elements) => {
                elements.iter().map(|(key, text)| key.text.len() + text.len()).sum()
            }
        }
    }

    fn elements(&self) -> usize {
        match self {
            Value::Text(_) => 0,
            Value::Indexed(elements) => elements.len(),
            Value::Keyed(elements) => elements.len(),
        }
    }

    /// Elements in order.
    fn texts(&self) -> Vec<String> {
        match self {
            Value::Text(text) => vec![text.clone()],
            Value::Indexed(elements) => elements.values().cloned().collect(),
            Value::Keyed(elements) => elements.values().cloned().collect(),
        }
    }

    fn keys(&self) -> Vec<String> {
        match self {
            Value::Text(_) => vec!["0".to_owned()],
            Value::Indexed(elements) => elements.keys().map(u64::to_string).collect(),
            Value::Keyed(elements) => elements.keys().map(|key| key.text.clone()).collect(),
        }
    }

    /// As `declare -p` and `set` write an array: `([0]="a" [1]="b")`; `None` for a text.
    pub fn written(&self) -> Option<String> {
        let quoted = super::builtins::declared;
        Some(match self {
            Value::Text(_) => return None,
            Value::Indexed(elements) => {
                let all = elements.iter().map(|(at, text)| format!("[{at}]={}", quoted(text)));
                format!("({})", all.collect::<Vec<_>>().join(" "))
            }
            Value::Keyed(elements) => {
                let key = |text: &str| {
                    let plain = super::builtins::quote(text) == text;
                    if plain { text.to_owned() } else { quoted(text) }
                };
                let all = elements
                    .iter()
                    .map(|(name, text)| format!("[{}]={} ", key(&name.text), quoted(text)));
                format!("({})", all.collect::<String>())
            }
        })
    }
}

/// One element of what stands between the brackets of `a=(…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// `[…]=` before it.
    pub subscript: Option<String>,
    /// Its text.
    pub text: String,
}

impl Element {
    /// As it was written.
    pub fn whole(&self) -> String {
        match &self.subscript {
            Some(subscript) => format!("[{subscript}]={}", self.text),
            None => self.text.clone(),
        }
    }
}

impl State {
    /// Whether it is an associative array.
    pub fn is_keyed(&self, name: &str) -> bool {
        let value = self.variables.get(name).and_then(|variable| variable.value.as_ref());
        matches!(value, Some(Value::Keyed(_)))
    }

    /// Whether it is an array.
    pub fn is_array(&self, name: &str) -> bool {
        let value = self.variables.get(name).and_then(|variable| variable.value.as_ref());
        matches!(value, Some(Value::Indexed(_) | Value::Keyed(_)))
    }

    /// All elements of an array, in order; a text is the only element of itself.
    pub fn elements(&self, name: &str) -> Vec<String> {
        if name == "PIPESTATUS" {
            let codes = self.pipe_status.clone().unwrap_or_else(|| vec![self.status]);
            return codes.iter().map(i32::to_string).collect();
        }
        self.variables
            .get(name)
            .and_then(|it| it.value.as_ref())
            .map(Value::texts)
            .unwrap_or_default()
    }

    /// The numbers or keys of an array's elements.
    pub fn keys(&self, name: &str) -> Vec<String> {
        if name == "PIPESTATUS" {
            return (0..self.elements(name).len()).map(|at| at.to_string()).collect();
        }
        self.variables
            .get(name)
            .and_then(|it| it.value.as_ref())
            .map(Value::keys)
            .unwrap_or_default()
    }

    /// The element of this number, which is an expression, or key. `Err` is the message.
    pub fn element(&mut self, name: &str, subscript: &str) -> Result<Option<String>, String> {
        self.element_at(name, subscript, 0)
    }

    /// Like [`State::element`], within so many expressions.
    pub fn element_at(
        &mut self,
        name: &str,
        subscript: &str,
        depth: usize,
    ) -> Result<Option<String>, String> {
        if name == "PIPESTATUS" {
            let at = arith::evaluate_at(self, subscript, depth)?;
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            return Ok(self.elements(name).get(at).cloned());
        }
        if self.is_keyed(name) {
            let Some(Variable { value: Some(Value::Keyed(elements)), .. }) =
                self.variables.get(name)
            else {
                return Ok(None);
            };
            return Ok(elements.get(&Key::new(subscript)).cloned());
        }
        let at = arith::evaluate_at(self, subscript, depth)?;
        let at = self.index(name, at).ok_or_else(|| format!("{name}: bad array subscript"))?;
        Ok(match self.variables.get(name).and_then(|variable| variable.value.as_ref()) {
            Some(Value::Text(text)) if at == 0 => Some(text.clone()),
            Some(Value::Indexed(elements)) => elements.get(&at).cloned(),
            _ => None,
        })
    }

    /// The number of an element; one below zero counts from behind the last.
    fn index(&self, name: &str, at: i64) -> Option<u64> {
        if at >= 0 {
            return u64::try_from(at).ok();
        }
        let last = match self.variables.get(name).and_then(|variable| variable.value.as_ref()) {
            Some(Value::Indexed(elements)) => elements.keys().next_back().copied(),
            Some(Value::Text(_)) => Some(0),
            _ => None,
        };
        (last? + 1).checked_add_signed(at)
    }

    /// Sets one element; what is no array becomes one. `Err` is the message.
    pub fn set_element(
        &mut self,
        name: &str,
        subscript: &str,
        text: String,
        append: bool,
    ) -> Result<(), String> {
        self.set_element_at(name, subscript, text, append, 0)
    }

    /// Like [`State::set_element`], within so many expressions.
    pub fn set_element_at(
        &mut self,
        name: &str,
        subscript: &str,
        text: String,
        append: bool,
        depth: usize,
    ) -> Result<(), String> {
        let bad = || format!("{name}[{subscript}]: bad array subscript");
        if subscript.is_empty() {
            return Err(bad());
        }
        let before = if append { self.element_at(name, subscript, depth)? } else { None };
        let text = before.unwrap_or_default() + &text;
        if !self.has_room(name, &text) || !self.has_room_for_elements(1) {
            return Err(NO_MEMORY.to_owned());
        }
        if self.is_keyed(name) {
            let variable = self.writable(name)?;
            if let Some(Value::Keyed(elements)) = &mut variable.value {
                Arc::make_mut(elements).insert(Key::new(subscript), text);
            }
            return Ok(());
        }
        let at = arith::evaluate_at(self, subscript, depth)?;
        let at = self.index(name, at).ok_or_else(bad)?;
        Arc::make_mut(self.indexed(name)?).insert(at, text);
        Ok(())
    }

    /// `name=(…)` and `name+=(…)`. `Err` is the message.
    pub fn set_array(
        &mut self,
        name: &str,
        elements: Vec<Element>,
        append: bool,
    ) -> Result<(), String> {
        if self.is_keyed(name) {
            return self.set_keyed(name, elements, append);
        }
        if !append {
            let variable = self.writable(name)?;
            variable.value = Some(Value::Indexed(Arc::default()));
        }
        self.indexed(name)?;
        let mut next = self.index(name, -1).map_or(0, |last| last + 1);
        for element in elements {
            if let Some(subscript) = &element.subscript {
                let at = arith::evaluate(self, subscript)?;
                next = self.index(name, at).ok_or_else(|| {
                    format!("[{subscript}]={}: bad array subscript", element.text)
                })?;
            }
            self.set_element(name, &next.to_string(), element.text, false)?;
            next = next.saturating_add(1);
        }
        Ok(())
    }

    fn set_keyed(
        &mut self,
        name: &str,
        elements: Vec<Element>,
        append: bool,
    ) -> Result<(), String> {
        if !append {
            self.writable(name)?.value = Some(Value::Keyed(Arc::default()));
        }
        // If the first has no subscript, keys and texts take turns.
        let pairs = elements.first().is_some_and(|element| element.subscript.is_none());
        let mut rest = elements.into_iter();
        while let Some(element) = rest.next() {
            let (key, text) = match element.subscript {
                _ if pairs => {
                    (element.whole(), rest.next().map(|next| next.whole()).unwrap_or_default())
                }
                Some(key) => (key, element.text),
                None => {
                    let text = element.text;
                    return Err(format!(
                        "{name}: {text}: must use subscript when assigning associative array"
                    ));
                }
            };
            self.set_element(name, &key, text, false)?;
        }
        Ok(())
    }

    /// `unset name[subscript]`. `Err` is the message.
    pub fn unset_element(&mut self, name: &str, subscript: &str) -> Result<(), String> {
        if self.is_keyed(name) {
            if let Some(Value::Keyed(elements)) = &mut self.writable(name)?.value {
                Arc::make_mut(elements).remove(&Key::new(subscript));
            }
            return Ok(());
        }
        let at = arith::evaluate(self, subscript)?;
        let at = self.index(name, at);
        let at = at.ok_or_else(|| format!("[{subscript}]: bad array subscript"))?;
        match &mut self.writable(name)?.value {
            Some(Value::Indexed(elements)) => {
                Arc::make_mut(elements).remove(&at);
            }
            value if at == 0 => *value = None,
            _ => {}
        }
        Ok(())
    }

    /// `declare -a name` and `declare -A name`. `Err` is the message.
    pub fn make_array(&mut self, name: &str, keyed: bool) -> Result<(), String> {
        if !keyed {
            return self.indexed(name).map(|_| ());
        }
        let variable = self.writable(name)?;
        match variable.value {
            Some(Value::Keyed(_)) => {}
            Some(Value::Indexed(_)) => {
                return Err(format!("{name}: cannot convert indexed to associative array"));
            }
            Some(Value::Text(ref text)) => {
                let only = BTreeMap::from([(Key::new("0"), text.clone())]);
                variable.value = Some(Value::Keyed(Arc::new(only)));
            }
            None => variable.value = Some(Value::Keyed(Arc::default())),
        }
        Ok(())
    }

    /// The elements by number of a variable that becomes an array if it is none.
    fn indexed(&mut self, name: &str) -> Result<&mut Arc<BTreeMap<u64, String>>, String> {
        let variable = self.writable(name)?;
        let elements = match variable.value.take() {
            Some(Value::Indexed(elements)) => elements,
            Some(Value::Text(text)) => Arc::new(BTreeMap::from([(0, text)])),
            Some(keyed @ Value::Keyed(_)) => {
                variable.value = Some(keyed);
                return Err(format!("{name}: cannot convert associative to indexed array"));
            }
            None => Arc::default(),
        };
        match variable.value.insert(Value::Indexed(elements)) {
            Value::Indexed(elements) => Ok(elements),
            _ => Err(NO_MEMORY.to_owned()),
        }
    }

    fn has_room_for_elements(&self, more: usize) -> bool {
        let values = self.variables.values().filter_map(|variable| variable.value.as_ref());
        values.map(Value::elements).sum::<usize>() + more <= ELEMENTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::Flavor;
    use super::*;

    fn elements(texts: &[&str]) -> Vec<Element> {
        let element = |text: &&str| Element { subscript: None, text: (*text).to_owned() };
        texts.iter().map(element).collect()
    }

    #[test]
    fn elements_by_number() {
        let mut state = State::new(Flavor::Bash);
        state.set_array("a", elements(&["x", "y"]), false).unwrap();
        state.set_array("a", elements(&["z"]), true).unwrap();
        state.set_element("a", "2 * 3", "six".to_owned(), false).unwrap();
        state.set_element("a", "-1", "!".to_owned(), true).unwrap();
        assert_eq!(state.elements("a"), ["x", "y", "z", "six!"]);
        assert_eq!(state.keys("a"), ["0", "1", "2", "6"]);
        assert_eq!(state.element("a", "-1"), Ok(Some("six!".to_owned())));
        assert_eq!(state.element("a", "-8"), Err("a: bad array subscript".to_owned()));
        state.unset_element("a", "0").unwrap();
        assert_eq!(state.get("a"), None);
        assert!(state.make_array("a", true).is_err());
        // A text becomes the first element.
        state.set("t", "text".to_owned()).unwrap();
        state.set_element("t", "1", "more".to_owned(), false).unwrap();
        assert_eq!(state.elements("t"), ["text", "more"]);
    }

    #[test]
    fn keys_are_told_in_the_order_of_bash() {
        let mut state = State::new(Flavor::Bash);
        state.make_array("m", true).unwrap();
        for key in ["a", "b", "c", "web", "db"] {
            state.set_element("m", key, key.to_uppercase(), false).unwrap();
        }
        // As bash 5.2 prints `${!m[@]}`.
        assert_eq!(state.keys("m"), ["db", "c", "b", "a", "web"]);
        let written = state.variables.get("m").and_then(|it| it.value.as_ref()?.written());
        assert!(written.unwrap().ends_with("\" )"));
    }
}
