//! Scripts of shells, as containers run them.

use crate::machine::Machine;
use std::sync::OnceLock;

/// The shells of Debian and of Busybox.
const SHELLS: [&str; 2] = ["dash", "ash"];
/// Bytes of a script.
const SCRIPT_BYTES_MAX: usize = 4_096;

/// A script, whose first byte says for which shell. However it goes, each turn ends, and all ends
/// when it is told to.
pub fn script(data: &[u8]) {
    static FRESH: OnceLock<[Machine; 2]> = OnceLock::new();
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let fresh = FRESH.get_or_init(|| SHELLS.map(Machine::with_container_shell));
    let Some(mut machine) = fresh.get(usize::from(*first) % SHELLS.len()).cloned() else { return };
    let rest = rest.get(..SCRIPT_BYTES_MAX).unwrap_or(rest);
    let text = String::from_utf8_lossy(rest).into_owned();
    machine.run(vec!["/bin/sh".to_owned(), "-c".to_owned(), text]);
    assert!(machine.end(), "everything ends when it is told to");
}
