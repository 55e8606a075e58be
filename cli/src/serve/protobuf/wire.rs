//! Protobuf's wire format.

/// One value on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Piece<'a> {
    /// A number; negative ones take ten bytes.
    Number(i64),
    /// Eight bytes.
    Fixed64(u64),
    /// Text, bytes, or a message.
    Bytes(&'a [u8]),
    /// Four bytes: Kubernetes has none of these.
    Fixed32,
}

/// Goes through a message: numbers of fields and their values; `None` as an item says that it is
/// not well formed.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    broken: bool,
}

impl<'a> Reader<'a> {
    /// A reader of a whole message.
    pub fn new(rest: &'a [u8]) -> Self {
        Reader { rest, broken: false }
    }

    /// Every number of a list in one piece.
    pub fn numbers(mut self) -> Option<Vec<i64>> {
        let mut numbers = Vec::new();
        while !self.rest.is_empty() {
            numbers.push(self.varint()? as i64);
        }
        Some(numbers)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(count).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    fn piece(&mut self) -> Option<(u64, Piece<'a>)> {
        let tag = self.varint()?;
        let piece = match tag & 7 {
            0 => Piece::Number(self.varint()? as i64),
            1 => Piece::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let count = self.varint()?;
                Piece::Bytes(self.take(count)?)
            }
            5 => self.take(4).map(|_| Piece::Fixed32)?,
            _ => return None,
        };
        Some((tag >> 3, piece))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Option<(u64, Piece<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.broken {
            return None;
        }
        let piece = self.piece();
        self.broken = piece.is_none();
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let bytes = [
            0x08, 0x96, 0x01, 0x12, 2, b'a', b'b', 0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0x01,
        ];
        let found: Option<Vec<_>> = Reader::new(&bytes).collect();
        let want = vec![(1, Piece::Number(150)), (2, Piece::Bytes(b"ab")), (3, Piece::Number(-1))];
        assert_eq!(found, Some(want));
    }

    #[test]
    fn what_breaks_off_is_told() {
        for bytes in [&[0x08][..], &[0x12, 5, b'a'], &[0x0b], &[0x80; 11], &[0x09, 1, 2]] {
            let found: Option<Vec<_>> = Reader::new(bytes).collect();
            assert_eq!(found, None, "{bytes:?}");
        }
    }
}
