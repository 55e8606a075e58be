//! Virtual files.

/// The files of one machine.
#[derive(Clone, Debug, Default)]
pub struct Vfs {}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading.
    Read,
    /// For writing, from empty; made if it is not there.
    Write,
    /// For writing at the end; made if it is not there.
    Append,
    /// For both, as it is; made if it is not there.
    ReadWrite,
}
