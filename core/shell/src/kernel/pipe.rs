//! Pipes: bounded buffers between processes, or between a process and the host.

use std::collections::VecDeque;

/// Names a pipe of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipeId(pub u64);

/// Bytes that a pipe holds, as in Linux.
pub const PIPE_BYTES_MAX: usize = 64 << 10;

/// One pipe. An end is open while a descriptor or the host holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pipe {
    buffer: VecDeque<u8>,
    /// Open descriptions that read.
    pub readers: u32,
    /// Open descriptions that write.
    pub writers: u32,
    pub host_reads: bool,
    pub host_writes: bool,
    /// Whether it is kept in mind between which writes to others what is in it was written.
    pub ordered: bool,
}

impl Pipe {
    pub fn can_be_read(&self) -> bool {
        self.readers > 0 || self.host_reads
    }

    pub fn can_be_written(&self) -> bool {
        self.writers > 0 || self.host_writes
    }

    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes as many bytes as fit.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let room = PIPE_BYTES_MAX.saturating_sub(self.buffer.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.buffer.extend(taken);
        taken.len()
    }

    /// Gives up to `max` bytes.
    pub fn read(&mut self, max: usize) -> Vec<u8> {
        self.buffer.drain(..max.min(self.buffer.len())).collect()
    }
}
