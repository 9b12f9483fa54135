//! The segments behind the current one: which there are, how large, and which can go.

use std::collections::VecDeque;
use std::io;

use super::Fs;
use super::format::file_name;

/// A segment that nothing is appended to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Its place among all segments.
    pub sequence: u64,
    /// The batch, by the log's own count.
    pub batch: u64,
    /// The number of the record that the batch began with.
    pub batch_from: u64,
    /// Its size.
    pub bytes: u64,
}

/// Closed segments, oldest first.
#[derive(Debug, Default)]
pub struct Segments {
    closed: VecDeque<Closed>,
    bytes: u64,
}

impl Segments {
    /// Adds one that follows all others.
    pub fn push(&mut self, segment: Closed) {
        self.bytes += segment.bytes;
        self.closed.push_back(segment);
    }

    /// Returns the size of all.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns those of one batch, oldest first.
    pub fn of(&self, batch: u64) -> impl Iterator<Item = Closed> {
        self.closed
            .iter()
            .filter(move |segment| segment.batch == batch)
            .copied()
    }

    /// Removes the oldest ones up to `batch`, except that of those `retain` bytes may stay. Stops where removing fails.
    pub fn cut(&mut self, fs: &dyn Fs, batch: u64, retain: u64) -> io::Result<()> {
        let last = |segment: &&Closed| segment.batch <= batch;
        let done = self.closed.iter().take_while(last);
        let mut excess = done.map(|segment| segment.bytes).sum::<u64>();
        let mut removed = false;
        while let Some(first) = self.closed.front().filter(last).copied() {
            if excess <= retain {
                break;
            }
            // Whole batches only: a part of one could not be handed out again.
            let whole: Vec<Closed> = self.of(first.batch).collect();
            for segment in whole {
                self.remove(fs, segment)?;
                excess -= segment.bytes;
                removed = true;
            }
        }
        if removed { fs.sync_dir() } else { Ok(()) }
    }

    /// Removes those of one batch that come before a segment.
    pub fn compact(&mut self, fs: &dyn Fs, batch: u64, before: u64) -> io::Result<()> {
        let old: Vec<Closed> = self
            .of(batch)
            .filter(|segment| segment.sequence < before)
            .collect();
        for segment in &old {
            self.remove(fs, *segment)?;
        }
        if old.is_empty() {
            Ok(())
        } else {
            fs.sync_dir()
        }
    }

    fn remove(&mut self, fs: &dyn Fs, segment: Closed) -> io::Result<()> {
        match fs.remove(&file_name(segment.sequence)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.closed.retain(|other| *other != segment);
        self.bytes -= segment.bytes;
        Ok(())
    }
}
