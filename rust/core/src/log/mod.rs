//! The segment log: what was acknowledged, on disk before it is acknowledged.
//!
//! A call is checked, then appended, then applied, then answered; a call whose append failed never happened. What is appended are the
//! resolved effects of a call and which call it was, never a unit's id, so that replaying needs no snapshot and always gives the same.
//!
//! Every segment belongs to one batch, so a batch is a range of records: sealing a batch begins the next segment, and once the database
//! has a batch its segments can go. Records are numbered without gaps (LSN). Everything that touches files goes through [`Fs`], so that
//! crashes can be simulated; [`Disk`] is the real one.

mod bytes;
mod checkpoint;
mod disk;
mod effects;
mod format;
mod inspect;
mod replay;
mod scan;
mod segments;
mod sync;
mod writer;

use std::fmt;
use std::io;
use std::sync::Arc;

pub(crate) use checkpoint::checkpoint;
pub use disk::{Disk, Lock, file_identity};
pub(crate) use effects::encode_effects;
use format::BadHeader;
pub use inspect::{Inspection, Salvaged, SegmentReport, identity, inspect, salvage};
pub use replay::{Recovery, Torn};
pub(crate) use replay::{reload, replay};
pub(crate) use writer::Log;

/// A file that only grows at its end, or is cut there.
pub trait File: Send + Sync + fmt::Debug {
    /// Appends a part of `bytes`, from their beginning, and returns how many: as write(2), it may stop anywhere.
    ///
    /// # Errors
    /// The system's; nothing was appended then.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Returns once everything that was appended survives a loss of power.
    ///
    /// # Errors
    /// The system's. What was appended since the last success may then be lost, whatever a later call answers.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to its first `len` bytes.
    ///
    /// # Errors
    /// The system's; the file is as it was.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// One directory of files; names are plain names in it.
pub trait Fs: Send + Sync + fmt::Debug {
    /// Returns the names of all files, in any order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Returns the whole content of a file.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes a file that is not there yet. Its name survives a loss of power only after [`Fs::sync_dir`].
    ///
    /// # Errors
    /// The system's, and `AlreadyExists`.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Opens a file that is there, to append to it or to cut it.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Removes a file. It may be back after a loss of power until [`Fs::sync_dir`].
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once what was created and removed survives a loss of power.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self) -> io::Result<()>;
}

/// When a call is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Once it was handed to the operating system: survives the end of the process.
    Written,
    /// Once it was synced, together with all others that wait: survives a loss of power.
    Fsynced,
}

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// When a call is acknowledged.
    pub ack: Ack,
    /// The id of the state directory; segments of another are refused.
    pub identity: [u8; 16],
    /// The id of the running system's start, all zeros where it is not known. Without a restart of the system in between, the end of
    /// the log is exactly what was written, so that damage can be told from a write that was cut short.
    pub boot: [u8; 16],
    /// The size at which a segment is replaced by a checkpoint of what it says.
    pub segment_bytes: u64,
    /// The size of all segments beyond which recording is refused.
    pub max_bytes: u64,
    /// The size of segments that are kept although the database has them, for the day an older copy of it is restored.
    pub retain_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ack: Ack::Written,
            identity: [0; 16],
            boot: [0; 16],
            segment_bytes: 64 << 20,
            max_bytes: 1 << 30,
            retain_bytes: 64 << 20,
        }
    }
}
