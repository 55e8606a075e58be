//! What a process has written to its two outputs, in the order in which it did.

use std::collections::VecDeque;

/// Which of a process's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of what a process has written.
pub type Piece = (Output, Vec<u8>);

/// What a process has written and nobody has taken yet, piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

impl Said {
    /// It has said this on standard error, and nothing else.
    pub fn error(text: &str) -> Self {
        let mut said = Said::default();
        said.push(Output::Stderr, text.as_bytes());
        said
    }

    /// It says more.
    pub fn push(&mut self, output: Output, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        match self.pieces.back_mut() {
            Some((last, piece)) if *last == output => piece.extend_from_slice(bytes),
            _ => self.pieces.push_back((output, bytes.to_vec())),
        }
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Takes the next piece, at most this many bytes of it.
    pub fn take(&mut self, max: usize) -> Option<Piece> {
        let (output, piece) = self.pieces.front_mut()?;
        let output = *output;
        let bytes = if piece.len() > max {
            let rest = piece.split_off(max);
            std::mem::replace(piece, rest)
        } else {
            self.pieces.pop_front()?.1
        };
        self.bytes = self.bytes.saturating_sub(bytes.len());
        Some((output, bytes))
    }

    /// Puts back what could not be handed on.
    pub fn put_back(&mut self, (output, bytes): Piece) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.pieces.push_front((output, bytes));
        }
    }
}

impl IntoIterator for Said {
    type Item = Piece;
    type IntoIter = std::collections::vec_deque::IntoIter<Piece>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter()
    }
}

impl Extend<Piece> for Said {
    fn extend<T: IntoIterator<Item = Piece>>(&mut self, pieces: T) {
        for (output, bytes) in pieces {
            self.push(output, &bytes);
        }
    }
}

impl FromIterator<Piece> for Said {
    fn from_iter<T: IntoIterator<Item = Piece>>(pieces: T) -> Self {
        let mut said = Said::default();
        said.extend(pieces);
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order_and_as_large_as_there_is_room() {
        let mut said = Said::default();
        for (output, text) in [(Output::Stdout, "1"), (Output::Stdout, "23"), (Output::Stderr, "4")]
        {
            said.push(output, text.as_bytes());
        }
        assert_eq!(said.len(), 4);
        assert_eq!(said.take(2), Some((Output::Stdout, b"12".to_vec())));
        said.put_back((Output::Stdout, b"2".to_vec()));
        let rest: Vec<Piece> = said.into_iter().collect();
        let pieces = [(Output::Stdout, "2"), (Output::Stdout, "3"), (Output::Stderr, "4")];
        assert_eq!(rest, pieces.map(|(output, text)| (output, text.as_bytes().to_vec())));
    }
}
