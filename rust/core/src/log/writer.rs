//! The end of the log: appending, syncing, and going over to the next segment.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crc32c::crc32c;
use parking_lot::Mutex;

use super::effects::{self, Begin};
use super::format::{BODY_LIMIT, HEADER_BYTES, Header, RECORD_BYTES, Seed, file_name, seal_record};
use super::segments::{Closed, Segments};
use super::sync::Syncing;
use super::{Ack, File, Fs, Options};
use crate::error::{Error, Result};

/// What a thread keeps to write records in, at most.
const KEPT_BYTES: usize = 1 << 20;
/// Segments of the open batch beyond which they are replaced by one: every restart adds one.
const SEGMENTS: usize = 16;

thread_local! {
    static RECORD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The log of one engine.
#[derive(Debug)]
pub struct Log {
    fs: Arc<dyn Fs>,
    options: Options,
    writer: Mutex<Writer>,
    /// Apart from the writer, which must not wait for files to be removed.
    segments: Mutex<Segments>,
    /// The size of all closed segments.
    closed_bytes: AtomicU64,
    syncing: Syncing,
    /// The last record that says who was exposed.
    exposed: AtomicU64,
}

/// What appending needs, and nothing that waits for a disk.
#[derive(Debug)]
struct Writer {
    current: Current,
    /// Ready to be the next one; made ahead, so that going over is quick and needs no more of the disk than is there.
    spare: Option<Fresh>,
    next_sequence: u64,
    next_lsn: u64,
    committed: u64,
    shift: Option<u64>,
    /// Whether the last record is a mark that all before it is synced.
    marked: bool,
    /// Whether the batch of the current segment was handed out, so that calls need another segment first.
    closed: bool,
    /// Whether the segments of the current batch say that the database has all batches before, and that is synced. Only then may the
    /// batch be handed out: the next process could take it for one that still grows.
    told: bool,
}

/// The segment that is appended to.
#[derive(Debug)]
struct Current {
    file: Arc<dyn File>,
    seed: Seed,
    sequence: u64,
    batch: u64,
    batch_from: u64,
    bytes: u64,
    /// Whether bytes behind `bytes` have to be cut off first.
    dirty: bool,
    /// Whether it holds all windows against duplicates, so that segments before it are not needed for them.
    checkpointed: bool,
    /// How much of it is a checkpoint of its batch.
    checkpoint_bytes: u64,
}

/// A segment without records, synced with its name.
#[derive(Debug)]
struct Fresh {
    file: Arc<dyn File>,
    seed: Seed,
    sequence: u64,
}

/// Where a log goes on.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The number of the next record.
    pub next_lsn: u64,
    /// The sequence of the next segment.
    pub next_sequence: u64,
    /// What its first record says.
    pub begin: Begin,
}

impl Log {
    /// Begins a segment behind those that are there.
    ///
    /// # Errors
    /// `ResourceExhausted` when the disk is full, `Unavailable` when it fails.
    pub fn start(
        fs: Arc<dyn Fs>,
        options: Options,
        segments: Segments,
        start: Start,
    ) -> Result<Self> {
        let fresh = create(&*fs, &options, start.next_sequence)?;
        let mut current = Current {
            file: fresh.file,
            seed: fresh.seed,
            sequence: fresh.sequence,
            batch: start.begin.batch,
            batch_from: start.begin.batch_from,
            bytes: HEADER_BYTES as u64,
            dirty: false,
            checkpointed: false,
            checkpoint_bytes: 0,
        };
        let synced = start.next_lsn - 1;
        let begin = |body: &mut Vec<u8>| start.begin.encode(body);
        with_record(begin, |record, crc| {
            seal_record(record, crc, start.next_lsn, 0, current.seed);
            current.write(record)
        })?;
        current.file.sync().map_err(|error| failure(&error))?;
        Ok(Self {
            fs,
            options,
            closed_bytes: AtomicU64::new(segments.bytes()),
            segments: Mutex::new(segments),
            writer: Mutex::new(Writer {
                current,
                spare: None,
                next_sequence: start.next_sequence + 1,
                next_lsn: start.next_lsn + 1,
                committed: start.begin.committed,
                shift: start.begin.shift,
                marked: false,
                closed: false,
                told: false,
            }),
            syncing: Syncing::from(synced + 1),
            exposed: AtomicU64::new(0),
        })
    }

    /// Appends a record whose body `write` writes; returns its number.
    ///
    /// # Errors
    /// `ResourceExhausted` when the disk or the log is full, `Unavailable` when the disk fails; then nothing was appended.
    pub fn append(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<u64> {
        self.put(write, Some(self.options.max_bytes))
    }

    /// Appends a record about the log itself, which may be full: such records are what makes room in it.
    fn note(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<u64> {
        self.put(write, None)
    }

    /// Appends `count` records with one write, the body of each written by `write`; returns the number of the last.
    ///
    /// # Errors
    /// As [`Log::append`]; then none of them was appended.
    pub fn append_many(
        &self,
        count: usize,
        mut write: impl FnMut(usize, &mut Vec<u8>),
    ) -> Result<u64> {
        RECORD.with_borrow_mut(|buffer| {
            buffer.clear();
            let mut records = Vec::with_capacity(count);
            for index in 0..count {
                let from = buffer.len();
                buffer.resize(from + RECORD_BYTES, 0);
                write(index, buffer);
                check_body(buffer.len() - from - RECORD_BYTES)?;
                let crc = crc32c(&buffer[from + RECORD_BYTES..]);
                records.push((from..buffer.len(), crc));
            }
            let done = self.put_all(buffer, &records, Some(self.options.max_bytes));
            give_back(buffer);
            done
        })
    }

    fn put(&self, write: impl FnOnce(&mut Vec<u8>), limit: Option<u64>) -> Result<u64> {
        with_record(write, |record, crc| {
            let whole = 0..record.len();
            self.put_all(record, &[(whole, crc)], limit)
        })
    }

    /// Appends what is in `buffer`: records at these places, with the checksums of their bodies. Returns the number of the last.
    fn put_all(
        &self,
        buffer: &mut [u8],
        records: &[(Range<usize>, u32)],
        limit: Option<u64>,
    ) -> Result<u64> {
        let mut writer = self.writer.lock();
        self.syncing.check()?;
        if let Some(limit) = limit {
            let held = self.closed_bytes.load(Ordering::Relaxed) + writer.current.bytes;
            if held.saturating_add(buffer.len() as u64) > limit {
                return Err(Error::ResourceExhausted(format!(
                    "log_max_bytes: the log has {held} bytes and the limit is {limit}; try again after the next flush"
                )));
            }
            if writer.closed {
                return Err(Error::ResourceExhausted(
                    "log: there is no room to begin a segment; make room on the disk of the state directory"
                        .to_owned(),
                ));
            }
        }
        let mut lsn = writer.next_lsn;
        for (place, crc) in records {
            let age = lsn - 1 - self.syncing.synced().min(lsn - 1);
            let age = u32::try_from(age).unwrap_or(u32::MAX);
            let seed = writer.current.seed;
            seal_record(&mut buffer[place.clone()], *crc, lsn, age, seed);
            lsn += 1;
        }
        writer.current.write(buffer)?;
        writer.next_lsn = lsn;
        writer.marked = false;
        Ok(lsn - 1)
    }

    /// Says that a record told who was exposed.
    pub fn told_exposure(&self, lsn: u64) {
        self.exposed.fetch_max(lsn, Ordering::AcqRel);
    }

    /// Returns once a record may be acknowledged.
    ///
    /// # Errors
    /// `Unavailable` when it could not be synced.
    pub fn wait(&self, lsn: u64) -> Result<()> {
        match self.options.ack {
            Ack::Written => Ok(()),
            Ack::Fsynced => self.sync_up_to(lsn),
        }
    }

    /// Returns once every exposure that was told may be acknowledged.
    ///
    /// # Errors
    /// `Unavailable` when they could not be synced.
    pub fn wait_for_exposures(&self) -> Result<()> {
        self.wait(self.exposed.load(Ordering::Acquire))
    }

    /// Returns once everything that was appended before may be acknowledged.
    ///
    /// # Errors
    /// `Unavailable` when it could not be synced.
    pub fn wait_for_all(&self) -> Result<()> {
        match self.options.ack {
            Ack::Written => Ok(()),
            Ack::Fsynced => self.sync(),
        }
    }

    /// Syncs everything that was appended before.
    ///
    /// # Errors
    /// `Unavailable` when syncing failed, now or ever.
    pub fn sync(&self) -> Result<()> {
        let last = self.writer.lock().next_lsn - 1;
        self.syncing.check()?;
        self.sync_up_to(last)
    }

    fn sync_up_to(&self, lsn: u64) -> Result<()> {
        self.syncing.wait(lsn, || {
            let (file, last) = {
                let writer = self.writer.lock();
                (Arc::clone(&writer.current.file), writer.next_lsn - 1)
            };
            file.sync()?;
            Ok(last)
        })
    }

    /// Marks what is synced, so that damage there can be told from the end of the log even where nothing follows.
    ///
    /// # Errors
    /// What syncing and appending end with.
    pub fn mark(&self) -> Result<()> {
        self.sync()?;
        if self.writer.lock().marked {
            return Ok(());
        }
        self.note(effects::encode_mark)?;
        self.writer.lock().marked = true;
        Ok(())
    }

    /// Makes a segment ready to be the next one.
    ///
    /// # Errors
    /// `ResourceExhausted` when the disk is full, `Unavailable` when it fails.
    pub fn prepare(&self) -> Result<()> {
        let sequence = {
            let mut writer = self.writer.lock();
            if writer.spare.is_some() {
                return Ok(());
            }
            writer.next_sequence += 1;
            writer.next_sequence - 1
        };
        let fresh = create(&*self.fs, &self.options, sequence)?;
        self.writer.lock().spare = Some(fresh);
        Ok(())
    }

    /// Goes over to the next segment, of batch `batch`. Nobody may append meanwhile.
    ///
    /// # Errors
    /// `ResourceExhausted` when the disk is full, `Unavailable` when it fails; then the current segment stays.
    pub fn turn(&self, batch: u64) -> Result<()> {
        // The end of a segment is synced before anything is in the next one, so only the last can have lost its end.
        self.sync()?;
        let mut writer = self.writer.lock();
        let Some(spare) = writer.spare.take() else {
            return Err(Error::Internal("there is no next segment".to_owned()));
        };
        let lsn = writer.next_lsn;
        let batch_from = if batch == writer.current.batch {
            writer.current.batch_from
        } else {
            lsn
        };
        let begin = Begin {
            batch,
            batch_from,
            salvaged: false,
            committed: writer.committed,
            shift: writer.shift,
        };
        let mut next = Current {
            file: spare.file,
            seed: spare.seed,
            sequence: spare.sequence,
            batch,
            batch_from,
            bytes: HEADER_BYTES as u64,
            dirty: false,
            checkpointed: false,
            checkpoint_bytes: 0,
        };
        let written = with_record(
            |body| begin.encode(body),
            |record, crc| {
                seal_record(record, crc, lsn, 0, next.seed);
                next.write(record)
            },
        );
        if let Err(error) = written {
            // What it may hold of the record is no record; but another sequence is safer than a file that did not obey.
            let _ = self.fs.remove(&file_name(spare.sequence));
            return Err(error);
        }
        writer.next_lsn += 1;
        writer.marked = false;
        writer.closed = false;
        writer.told &= batch == writer.current.batch;
        let before = std::mem::replace(&mut writer.current, next);
        let mut segments = self.segments.lock();
        segments.push(Closed {
            sequence: before.sequence,
            batch: before.batch,
            batch_from: before.batch_from,
            bytes: before.bytes,
        });
        self.closed_bytes.store(segments.bytes(), Ordering::Relaxed);
        Ok(())
    }

    /// Appends one part of a checkpoint.
    ///
    /// # Errors
    /// What appending ends with.
    pub fn note_part(&self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.note(write).map(|_| ())
    }

    /// Ends a checkpoint of which every part is in the current segment, and syncs it.
    ///
    /// # Errors
    /// What appending and syncing end with.
    pub fn end_checkpoint(&self, full: bool) -> Result<()> {
        self.note(|body| effects::encode_checkpoint(body, full))?;
        self.sync()?;
        let (batch, sequence) = {
            let mut writer = self.writer.lock();
            writer.current.checkpointed = true;
            if full {
                writer.current.checkpoint_bytes = writer.current.bytes;
            }
            (writer.current.batch, writer.current.sequence)
        };
        if !full {
            return Ok(());
        }
        self.remove(|segments| segments.compact(&*self.fs, batch, sequence))
    }

    /// Removes segments, and keeps count of those that stay.
    fn remove(&self, which: impl FnOnce(&mut Segments) -> io::Result<()>) -> Result<()> {
        let mut segments = self.segments.lock();
        let done = which(&mut segments);
        self.closed_bytes.store(segments.bytes(), Ordering::Relaxed);
        done.map_err(|error| failure(&error))
    }

    /// Returns whether the current segment holds all windows.
    pub fn checkpointed(&self) -> bool {
        self.writer.lock().current.checkpointed
    }

    /// Returns whether the segments of the open batch are large or many enough to be replaced by a checkpoint.
    pub fn wants_checkpoint(&self) -> bool {
        let (batch, bytes, checkpoint) = {
            let writer = self.writer.lock();
            let current = &writer.current;
            (current.batch, current.bytes, current.checkpoint_bytes)
        };
        // At least as much as the last one has to have come since, or writing checkpoints would never end.
        let limit = self.options.segment_bytes.min(self.options.max_bytes / 4);
        let grown = bytes - checkpoint > limit.max(checkpoint);
        self.sound() && (grown || self.segments.lock().of(batch).count() >= SEGMENTS)
    }

    /// Syncs what was appended; nothing can be appended any more.
    ///
    /// # Errors
    /// `Unavailable` when syncing failed.
    pub fn end(&self) -> Result<()> {
        let synced = self.sync();
        self.syncing.close();
        synced
    }

    /// Returns whether nothing went wrong that only a restart mends.
    pub fn sound(&self) -> bool {
        self.syncing.sound()
    }

    /// Remembers how far the database's numbers are ahead, and that it has all batches up to `committed`.
    ///
    /// # Errors
    /// What appending and syncing end with; then nothing is remembered.
    pub fn anchor(&self, shift: u64, committed: u64) -> Result<()> {
        self.note(|body| effects::encode_anchor(body, shift))?;
        self.note(|body| effects::encode_commit(body, committed))?;
        self.sync()?;
        let mut writer = self.writer.lock();
        writer.shift = Some(shift);
        writer.committed = committed;
        writer.told = true;
        Ok(())
    }

    /// Remembers that the database has all batches up to `batch`, for [`Log::tell`] to write down.
    pub fn commit(&self, batch: u64) {
        let mut writer = self.writer.lock();
        writer.committed = batch;
        writer.told = false;
    }

    /// Writes down what the database has, so that it survives a loss of power.
    ///
    /// # Errors
    /// What appending and syncing end with; until it is done, no segment may be removed, for without the record it would be missed.
    pub fn tell(&self) -> Result<()> {
        let (told, batch, committed) = {
            let writer = self.writer.lock();
            (writer.told, writer.current.batch, writer.committed)
        };
        if told {
            return Ok(());
        }
        self.note(|body| effects::encode_commit(body, committed))?;
        self.sync()?;
        let mut writer = self.writer.lock();
        writer.told = writer.current.batch == batch && writer.committed == committed;
        Ok(())
    }

    /// Closes the current batch where it cannot go over to the next segment: it is handed out, and calls are refused until it can.
    /// Returns whether that is possible.
    pub fn close(&self) -> bool {
        let mut writer = self.writer.lock();
        writer.closed |= writer.told;
        writer.told
    }

    /// Returns whether calls wait for the next segment.
    pub fn closed(&self) -> bool {
        self.writer.lock().closed
    }

    /// Removes the segments that nobody needs any more.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails; what is left is removed the next time.
    pub fn cut(&self) -> Result<()> {
        let (checkpointed, committed, current) = {
            let writer = self.writer.lock();
            (
                writer.current.checkpointed,
                writer.committed,
                writer.current.bytes,
            )
        };
        if !checkpointed {
            return Ok(());
        }
        // What is kept only in case must not be what the log is full of.
        let room = self.options.max_bytes.saturating_sub(current) / 2;
        let retain = self.options.retain_bytes.min(room);
        self.remove(|segments| segments.cut(&*self.fs, committed, retain))
    }

    /// Returns the segments of one batch, oldest first.
    pub fn segments_of(&self, batch: u64) -> Vec<Closed> {
        self.segments.lock().of(batch).collect()
    }

    /// Returns the number of the record that a batch began with; 0 where no segment says.
    pub fn batch_from(&self, batch: u64) -> u64 {
        let current = {
            let writer = self.writer.lock();
            (writer.current.batch, writer.current.batch_from)
        };
        if current.0 == batch {
            return current.1;
        }
        let closed = self.segments_of(batch);
        closed.first().map_or(0, |segment| segment.batch_from)
    }

    /// Forgets every segment of a batch that the database has, whatever could be done with it.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub fn forget_committed(&self) -> Result<()> {
        let committed = self.writer.lock().committed;
        self.remove(|segments| segments.cut(&*self.fs, committed, 0))
    }

    /// Returns how batches are counted: how far the database's numbers are ahead, and the last batch it has.
    pub fn counts(&self) -> (Option<u64>, u64) {
        let writer = self.writer.lock();
        (writer.shift, writer.committed)
    }

    /// Returns the size of all segments.
    pub fn bytes(&self) -> u64 {
        self.closed_bytes.load(Ordering::Relaxed) + self.writer.lock().current.bytes
    }

    /// Returns where the files are.
    pub fn fs(&self) -> &Arc<dyn Fs> {
        &self.fs
    }

    /// Returns how it is kept.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

impl Current {
    /// Appends a whole record, or nothing.
    fn write(&mut self, record: &[u8]) -> Result<()> {
        if self.dirty {
            self.file
                .truncate(self.bytes)
                .map_err(|error| failure(&error))?;
            self.dirty = false;
        }
        let mut rest = record;
        while !rest.is_empty() {
            let written = match self.file.append(rest) {
                Ok(0) => Err(io::Error::from(ErrorKind::WriteZero)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other,
            };
            match written {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) => {
                    // A part of it may be there; if it cannot be cut off now, it is before anything else is appended.
                    self.dirty = self.file.truncate(self.bytes).is_err();
                    return Err(failure(&error));
                }
            }
        }
        self.bytes += record.len() as u64;
        Ok(())
    }
}

/// Makes a segment without records, and waits until it and its name are synced.
fn create(fs: &dyn Fs, options: &Options, sequence: u64) -> Result<Fresh> {
    let name = file_name(sequence);
    let make = || {
        let file = fs.create(&name)?;
        let header = Header::new(sequence, options).encode();
        let mut rest = header.as_slice();
        while !rest.is_empty() {
            match file.append(rest)? {
                0 => return Err(io::Error::from(ErrorKind::WriteZero)),
                count => rest = rest.get(count..).unwrap_or_default(),
            }
        }
        file.sync()?;
        fs.sync_dir()?;
        Ok(file)
    };
    let file = make().map_err(|error| {
        // Without records it means nothing, so leaving it behind is harmless.
        let _ = fs.remove(&name);
        failure(&error)
    })?;
    Ok(Fresh {
        file,
        seed: Seed::new(&options.identity, sequence),
        sequence,
    })
}

/// Writes a record into this thread's room for it and hands it on, with the checksum of its body.
fn with_record<T>(
    write: impl FnOnce(&mut Vec<u8>),
    then: impl FnOnce(&mut [u8], u32) -> Result<T>,
) -> Result<T> {
    RECORD.with_borrow_mut(|record| {
        record.clear();
        record.resize(RECORD_BYTES, 0);
        write(record);
        check_body(record.len() - RECORD_BYTES)?;
        let crc = crc32c(&record[RECORD_BYTES..]);
        let done = then(record, crc);
        give_back(record);
        done
    })
}

fn check_body(length: usize) -> Result<()> {
    if length <= BODY_LIMIT {
        return Ok(());
    }
    Err(Error::ResourceExhausted(format!(
        "log: the call has {length} bytes of effects and the limit is {BODY_LIMIT}; send fewer outcomes at once"
    )))
}

/// Keeps no more room for records than most of them need.
fn give_back(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_BYTES {
        buffer.clear();
        buffer.shrink_to(KEPT_BYTES);
    }
}

/// Returns what an error of the system means for a call.
pub fn failure(error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::ResourceExhausted(format!(
                "log: there is no room to write it ({error}); make room on the disk of the state directory"
            ))
        }
        _ => Error::Unavailable(format!(
            "log: it could not be written ({error}); check the disk of the state directory"
        )),
    }
}
