//! One segment, read through: what it says about itself, and how it ends.

use std::io;

use super::effects::{Begin, Record};
use super::format::{End, Framed, Header, Reader, Seed, file_name};
use super::{BadHeader, Fs, Options};
use crate::error::{Error, Result};

/// What was found out about a segment without doing what it says.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Its place among all segments.
    pub sequence: u64,
    /// Its size.
    pub bytes: u64,
    /// Its header.
    pub header: std::result::Result<Header, BadHeader>,
    /// What its first record says; none where it has no whole record.
    pub begin: Option<Begin>,
    /// The numbers of its first and last whole record.
    pub lsns: Option<(u64, u64)>,
    /// Where the whole records end.
    pub valid_bytes: u64,
    /// How they end.
    pub end: End,
    /// Whole records behind that, and the highest number that any of them knows to be synced.
    pub beyond: Option<(u64, u64)>,
    /// The last batch that it says the database has.
    pub committed: u64,
    /// How far it says that the database's numbers are ahead.
    pub shift: Option<u64>,
    /// Whether it says what the database has, so that its batch may have been handed out.
    pub told: bool,
    /// Whether it holds all windows.
    pub windows: bool,
    /// Whether it holds all cells and exposures of its batch as well.
    pub full: bool,
    /// Where a whole record is that says nothing known.
    pub unknown: Option<u64>,
}

impl Scanned {
    /// Reads a segment through; its records are checked for the state directory of `options`.
    pub fn read(fs: &dyn Fs, sequence: u64, options: &Options) -> Result<Self> {
        let bytes = read(fs, sequence)?;
        Ok(Self::of(&bytes, sequence, &options.identity))
    }

    /// Reads the bytes of a segment through.
    pub fn of(bytes: &[u8], sequence: u64, identity: &[u8; 16]) -> Self {
        let mut reader = Reader::new(bytes, Seed::new(identity, sequence));
        let mut scanned = Self {
            sequence,
            bytes: bytes.len() as u64,
            header: Header::decode(bytes),
            begin: None,
            lsns: None,
            valid_bytes: 0,
            end: End::Clean,
            beyond: None,
            committed: 0,
            shift: None,
            told: false,
            windows: false,
            full: false,
            unknown: None,
        };
        scanned.end = loop {
            match reader.read() {
                Ok(framed) => scanned.note(&framed),
                Err(end) => break end,
            }
        };
        scanned.valid_bytes = reader.at().min(bytes.len()) as u64;
        let next = scanned.lsns.map_or(0, |(_, last)| last);
        if scanned.end != End::Clean {
            for framed in reader.beyond().filter(|framed| framed.lsn > next) {
                let (count, synced) = scanned.beyond.unwrap_or_default();
                scanned.beyond = Some((count + 1, synced.max(framed.synced)));
            }
        }
        scanned
    }

    fn note(&mut self, framed: &Framed) {
        let first = self.lsns.map_or(framed.lsn, |(first, _)| first);
        self.lsns = Some((first, framed.lsn));
        match Record::decode(framed.body) {
            Some(Record::Begin(begin)) if framed.lsn == first => {
                self.begin = Some(begin);
                self.committed = begin.committed;
                self.shift = begin.shift;
            }
            Some(Record::Commit(batch)) => {
                self.committed = batch;
                self.told = true;
            }
            Some(Record::Anchor(shift)) => {
                self.shift = Some(shift);
                self.told = true;
            }
            Some(Record::Checkpoint { full }) => {
                self.windows = true;
                self.full |= full;
            }
            Some(Record::Begin(_)) | None => {
                self.unknown.get_or_insert(framed.at as u64);
            }
            Some(_) => {}
        }
    }

    /// Returns the batch it belongs to; 0 when it has no whole record.
    pub fn batch(&self) -> u64 {
        self.begin.map_or(0, |begin| begin.batch)
    }

    /// Says what is wrong with it, if it is to be trusted up to its end. `last` says whether nothing was appended elsewhere since, and
    /// `before` is the last record of the segment before.
    ///
    /// The end of the last segment may be missing or garbled where it was not acknowledged: a write was cut short, or power was lost
    /// before it was synced.
    pub fn damage(&self, last: bool, before: u64, options: &Options) -> Option<String> {
        let name = file_name(self.sequence);
        let at = self.valid_bytes;
        let header = match &self.header {
            Err(bad) => return Some(format!("{name}: its header is {}", bad.text())),
            Ok(header) if header.identity != options.identity => {
                return Some(format!("{name}: belongs to another state directory"));
            }
            Ok(header) => header,
        };
        if header.sequence != self.sequence {
            return Some(format!(
                "{name}: its header says that it is {}",
                file_name(header.sequence)
            ));
        }
        if let Some(at) = self.unknown {
            return Some(format!(
                "{name}, byte {at}: a record that this version does not know"
            ));
        }
        if !last {
            // What follows in the next segment is checked by its numbers.
            return None;
        }
        let next = self.lsns.map_or(before, |(_, last)| last) + 1;
        let same_boot = options.boot != [0; 16] && header.boot == options.boot;
        let acknowledged = match self.end {
            End::Clean | End::Short => self.beyond.is_some(),
            // Without a restart of the system, every byte is there as it was written, or never was.
            End::Bad if same_boot => true,
            End::Bad => self.beyond.is_some_and(|(_, synced)| synced >= next),
        };
        acknowledged.then(|| format!("{name}, byte {at}: {}", self.end))
    }
}

impl BadHeader {
    fn text(self) -> &'static str {
        match self {
            Self::Short => "cut short",
            Self::Format => "of another format; use the version that wrote it",
            Self::Damaged => "damaged",
        }
    }
}

/// Returns the bytes of a segment.
pub fn read(fs: &dyn Fs, sequence: u64) -> Result<Vec<u8>> {
    let name = file_name(sequence);
    fs.read(&name)
        .map_err(|error| cannot("read", &name, &error))
}

/// Returns the error of a file that the system does not let be used.
pub fn cannot(what: &str, name: &str, error: &io::Error) -> Error {
    Error::Unavailable(format!(
        "log: {name} cannot be {what} ({error}); check the state directory"
    ))
}
