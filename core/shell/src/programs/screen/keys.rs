//! The keys that a terminal sends, out of its bytes.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    Control(char),
}

/// What was typed and is no key yet.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    input: Vec<u8>,
}

impl Keys {
    /// Bytes have come.
    pub fn typed(&mut self, bytes: Vec<u8>) {
        self.input.extend(bytes);
    }

    /// The next key of what was typed.
    pub fn next(&mut self) -> Option<Key> {
        let first = *self.input.first()?;
        let (key, used) = match first {
            0x1b => self.escape(),
            b'\r' | b'\n' => (Key::Enter, 1),
            8 | 127 => (Key::Backspace, 1),
            b'\t' => (Key::Char('\t'), 1),
            byte @ 1..=26 => (Key::Control(char::from(byte + 96)), 1),
            byte if byte < 0x80 => (Key::Char(char::from(byte)), 1),
            byte => {
                let length = match byte {
                    0xf0.. => 4,
                    0xe0.. => 3,
                    _ => 2,
                };
                let bytes = self.input.get(..length)?;
                let c = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
                (Key::Char(c.unwrap_or('\u{fffd}')), length)
            }
        };
        self.input.drain(..used.min(self.input.len()));
        Some(key)
    }

    /// Escape by itself, or the beginning of a key's name.
    fn escape(&self) -> (Key, usize) {
        match self.input.get(1..) {
            Some([b'[' | b'O', b'A', ..]) => (Key::Up, 3),
            Some([b'[' | b'O', b'B', ..]) => (Key::Down, 3),
            Some([b'[' | b'O', b'C', ..]) => (Key::Right, 3),
            Some([b'[' | b'O', b'D', ..]) => (Key::Left, 3),
            Some([b'[' | b'O', b'H', ..]) => (Key::Home, 3),
            Some([b'[' | b'O', b'F', ..]) => (Key::End, 3),
            Some([b'[', b'3', b'~', ..]) => (Key::Delete, 4),
            Some([b'[', b'5', b'~', ..]) => (Key::Control('b'), 4),
            Some([b'[', b'6', b'~', ..]) => (Key::Control('f'), 4),
            _ => (Key::Escape, 1),
        }
    }
}
