//! Files in one file, uncompressed: the ZIP format of PKWARE's APPNOTE.TXT, as far as it needs.

/// Files kept at most.
const FILES_MAX: usize = 1_000;
/// The day of all files: 1980-01-01, the first that the format knows. A file made twice is the same.
const DAY: u16 = 0x0021;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;

/// An archive of these files: paths and contents. More than 1,000 files are left out.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    let mut count = 0_u16;
    for (path, content) in files.iter().take(FILES_MAX) {
        let offset = length(out.len());
        let head = head(path, content);
        out.extend(b"PK\x03\x04");
        out.extend(&head);
        out.extend(path.as_bytes());
        out.extend(*content);
        directory.extend(b"PK\x01\x02");
        directory.extend(20_u16.to_le_bytes());
        directory.extend(&head);
        // No comment, one disk, no attributes of files.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(path.as_bytes());
        count += 1;
    }
    let (start, size) = (length(out.len()), length(directory.len()));
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}

/// What the file and the directory say of a file alike.
fn head(path: &str, content: &[u8]) -> Vec<u8> {
    let size = length(content.len()).to_le_bytes();
    let mut head = Vec::new();
    head.extend(20_u16.to_le_bytes());
    head.extend(FLAGS.to_le_bytes());
    // Stored, at midnight.
    head.extend([0; 4]);
    head.extend(DAY.to_le_bytes());
    head.extend(crc32(content).to_le_bytes());
    head.extend(size);
    head.extend(size);
    head.extend(u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes());
    head.extend([0; 2]);
    head
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The check sum of ISO 3309, bit by bit: lessons are small.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn an_archive_has_its_directory_where_its_end_says() {
        let zip = archive(&[("a/lesson.yaml", "제목".as_bytes()), ("b", b"")]);
        let end = zip.len() - 22;
        assert_eq!(&zip[end..end + 4], b"PK\x05\x06");
        let number = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap()) as usize;
        let (size, start) = (number(end + 12), number(end + 16));
        assert_eq!(start + size, end);
        assert_eq!(&zip[start..start + 4], b"PK\x01\x02");
        assert_eq!(&zip[start + 46..start + 59], b"a/lesson.yaml");
        assert_eq!(&zip[30..43], b"a/lesson.yaml");
        assert_eq!(number(22), "제목".len());
    }
}
