//! Archives of files, as `tar` writes them: blocks of 512 bytes, in the format `ustar`.

use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use naru_api::k8s_openapi::jiff::Timestamp;
use naru_api::time::{from_meta, meta_time};
use naru_sim::Time;

const BLOCK: usize = 512;
/// Bytes of one archived file.
const FILE_MAX: u64 = 64 << 20;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, with its content.
    File(Vec<u8>),
    /// A folder.
    Folder,
    /// A symbolic link, with what it points to.
    Symlink(String),
}

/// A file, folder or link of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Permissions.
    pub mode: u16,
    /// When it was changed.
    pub mtime: Time,
}

/// Why an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    /// It ends in the middle of an entry.
    #[error("unexpected EOF")]
    Truncated,
    /// A header is none.
    #[error("archive/tar: invalid tar header")]
    Header,
    /// A file in it is too large.
    #[error("a file in the archive is too large")]
    TooLarge,
}

/// Writes an archive. Names of more than 255 bytes are cut off.
pub fn write(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let (type_flag, content, target): (u8, &[u8], &str) = match &entry.kind {
            Kind::File(content) => (b'0', content, ""),
            Kind::Folder => (b'5', &[], ""),
            Kind::Symlink(target) => (b'2', &[], target),
        };
        out.extend(header(entry, type_flag, content.len(), target));
        out.extend(content);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

fn header(entry: &Entry, type_flag: u8, size: usize, target: &str) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8], max: usize| {
        let count = bytes.len().min(max);
        if let (Some(to), Some(from)) = (block.get_mut(at..at + count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
    };
    let (prefix, name) = split_name(&entry.name);
    let seconds = meta_time(entry.mtime).0.as_second();
    put(0, name.as_bytes(), 100);
    put(100, format!("{:07o}", entry.mode).as_bytes(), 8);
    put(108, b"0000000", 8);
    put(116, b"0000000", 8);
    put(124, format!("{size:011o}").as_bytes(), 12);
    put(136, format!("{:011o}", seconds.max(0)).as_bytes(), 12);
    put(148, b"        ", 8);
    put(156, &[type_flag], 1);
    put(157, target.as_bytes(), 100);
    put(257, b"ustar\x0000", 8);
    put(345, prefix.as_bytes(), 155);
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    if let Some(to) = block.get_mut(148..156) {
        to.copy_from_slice(sum.as_bytes());
    }
    block
}

/// A name of more than 100 bytes is parted at a slash.
fn split_name(name: &str) -> (&str, &str) {
    if name.len() <= 100 {
        return ("", name);
    }
    let slash = name.match_indices('/').find(|(at, _)| name.len() - at <= 101);
    slash.map_or(("", name), |(at, _)| {
        (name.get(..at).unwrap_or_default(), name.get(at + 1..).unwrap_or_default())
    })
}

/// Reads an archive.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, TarError> {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((block, after)) = rest.split_at_checked(BLOCK) {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(entries);
        }
        let size = octal(block, 124, 12).ok_or(TarError::Header)?;
        if size > FILE_MAX {
            return Err(TarError::TooLarge);
        }
        let size = usize::try_from(size).map_err(|_| TarError::TooLarge)?;
        let padded = size.next_multiple_of(BLOCK);
        let (content, next) = after.split_at_checked(padded).ok_or(TarError::Truncated)?;
        let content = content.get(..size).unwrap_or_default();
        rest = next;
        let prefix = text(block, 345, 155);
        let slash = if prefix.is_empty() { "" } else { "/" };
        let name = format!("{prefix}{slash}{}", text(block, 0, 100));
        let kind = match block.get(156) {
            Some(b'0' | 0) => Kind::File(content.to_vec()),
            Some(b'5') => Kind::Folder,
            Some(b'2') => Kind::Symlink(text(block, 157, 100)),
            // Extended headers say nothing that is needed here.
            _ => continue,
        };
        let mode = octal(block, 100, 8).and_then(|mode| u16::try_from(mode).ok()).unwrap_or(0o644);
        let seconds = octal(block, 136, 12).unwrap_or(0);
        let seconds = i64::try_from(seconds).unwrap_or(0);
        let mtime = Timestamp::from_second(seconds).map(|at| from_meta(&MetaTime(at)));
        let mtime = mtime.unwrap_or_default();
        entries.push(Entry { name, kind, mode, mtime });
    }
    match (rest.is_empty(), bytes.is_empty()) {
        (true, _) | (_, true) => Ok(entries),
        _ => Err(TarError::Truncated),
    }
}

fn text(block: &[u8], at: usize, length: usize) -> String {
    let bytes = block.get(at..at + length).unwrap_or_default();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn octal(block: &[u8], at: usize, length: usize) -> Option<u64> {
    let text = text(block, at, length);
    match text.trim() {
        "" => Some(0),
        digits => u64::from_str_radix(digits, 8).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let long = format!("{}/b", "a".repeat(120));
        let entries = [
            ("x", Kind::File(b"hello".to_vec())),
            ("d/", Kind::Folder),
            (&long, Kind::Symlink("x".to_owned())),
        ]
        .map(|(name, kind)| Entry {
            name: name.to_owned(),
            kind,
            mode: 0o640,
            mtime: Time::ZERO,
        });
        let archive = write(&entries);
        assert_eq!(archive.len() % BLOCK, 0);
        assert_eq!(read(&archive).unwrap(), entries);
        assert_eq!(read(&archive[..600]), Err(TarError::Truncated));
        assert_eq!(read(&[]), Ok(Vec::new()));
    }
}
