//! Looking at a log, and saving what can be saved of a damaged one, without an engine.

use std::sync::Arc;

use super::effects::{Begin, Effects, Operation, Record};
use super::format::{
    End, HEADER_BYTES, Header, RECORD_BYTES, Reader, Seed, file_name, seal_record,
};
use super::replay::{Survey, scan_all};
use super::scan::{Scanned, cannot, read};
use super::{Fs, Options};
use crate::aggregate::Effect;
use crate::error::Result;

/// What one segment holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentReport {
    /// The name of its file.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The batch it belongs to, by the log's own count; 0 where it says nothing yet.
    pub batch: u64,
    /// The numbers of its first and last record; 0 where it has none.
    pub first_lsn: u64,
    /// See `first_lsn`.
    pub last_lsn: u64,
    /// Calls that were applied.
    pub calls: u64,
    /// Observations that they added.
    pub observations: u64,
    /// Units that were exposed.
    pub exposures: u64,
    /// Whether it holds all windows against duplicates.
    pub windows: bool,
    /// Whether it holds everything of its batch from before it.
    pub full: bool,
    /// How it ends.
    pub end: String,
    /// Bytes behind its last whole record.
    pub torn_bytes: u64,
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Its segments, oldest first.
    pub segments: Vec<SegmentReport>,
    /// The last batch that the database is known to have, by the log's own count.
    pub committed: u64,
    /// What is added to the log's count to get the database's; none before the database was seen.
    pub shift: Option<u64>,
    /// Why a sidecar would refuse to start with it; none when it would not.
    pub damage: Option<String>,
}

/// What was saved of a damaged log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Whole records that were kept.
    pub records: u64,
    /// Bytes that are lost.
    pub lost_bytes: u64,
    /// Records that are known to be lost: their numbers are missing.
    pub lost_records: u64,
    /// The copies of the segments as they were.
    pub copies: Vec<String>,
}

/// Looks at a log.
///
/// # Errors
/// `Unavailable` when it cannot be read.
pub fn inspect(fs: &dyn Fs, options: &Options) -> Result<Inspection> {
    let scanned = scan_all(fs, options)?;
    let mut inspection = Inspection::default();
    for one in &scanned {
        if one.lsns.is_some() {
            inspection.committed = one.committed;
        }
        inspection.shift = one.shift.or(inspection.shift);
        inspection.segments.push(report(fs, one, options)?);
    }
    inspection.damage = Survey::of(scanned, options)
        .err()
        .map(|error| error.to_string());
    Ok(inspection)
}

fn report(fs: &dyn Fs, scanned: &Scanned, options: &Options) -> Result<SegmentReport> {
    let (first_lsn, last_lsn) = scanned.lsns.unwrap_or_default();
    let mut report = SegmentReport {
        name: file_name(scanned.sequence),
        bytes: scanned.bytes,
        batch: scanned.batch(),
        first_lsn,
        last_lsn,
        windows: scanned.windows,
        full: scanned.full,
        end: scanned.end.to_string(),
        torn_bytes: scanned.bytes - scanned.valid_bytes,
        ..SegmentReport::default()
    };
    let bytes = read(fs, scanned.sequence)?;
    let mut reader = Reader::new(&bytes, Seed::new(&options.identity, scanned.sequence));
    while let Ok(framed) = reader.read() {
        if let Some(Record::Effects { effects, .. }) = Record::decode(framed.body) {
            report.calls += 1;
            count(&mut report, effects);
        }
    }
    Ok(report)
}

fn count(report: &mut SegmentReport, mut effects: Effects) {
    while let Some(Some(operation)) = effects.next() {
        match operation {
            Operation::Effect(Effect::Add { .. }) => report.observations += 1,
            Operation::Expose(_) => report.exposures += 1,
            _ => {}
        }
    }
}

/// Makes a log that a sidecar can start with out of a damaged one: every whole record stays, in its segment, and is numbered anew;
/// damaged bytes go. Each segment is copied first. A log that is not damaged stays as it is.
///
/// # Errors
/// `Unavailable` when it cannot be read or written; the copies then hold what was there.
pub fn salvage(fs: &dyn Fs, options: &Options) -> Result<Salvaged> {
    let scanned = scan_all(fs, options)?;
    if Survey::of(scanned.clone(), options).is_ok() {
        return Ok(Salvaged::default());
    }
    let mut salvaged = Salvaged::default();
    let mut known = Begin {
        batch: 0,
        batch_from: 0,
        salvaged: true,
        committed: 0,
        shift: None,
    };
    let (mut next, mut last) = (1, None);
    for (index, one) in scanned.iter().enumerate() {
        let (name, bytes) = (file_name(one.sequence), read(fs, one.sequence)?);
        let seed = Seed::new(&options.identity, one.sequence);
        let records = whole_records(&bytes, seed);
        if bytes.len() > HEADER_BYTES {
            salvaged.copies.push(copy(fs, &name, &bytes)?);
        }
        let Some((first, _)) = records.first() else {
            salvaged.lost_bytes += (bytes.len() as u64).saturating_sub(HEADER_BYTES as u64);
            fs.remove(&name)
                .map_err(|error| cannot("removed", &name, &error))?;
            continue;
        };
        let batch = one
            .begin
            .map(|begin| begin.batch)
            .or_else(|| batch_before(*first, &scanned[index + 1..]))
            .unwrap_or(known.batch + 1);
        known = Begin {
            batch,
            batch_from: if batch == known.batch {
                known.batch_from
            } else {
                next
            },
            committed: if one.begin.is_some() {
                one.committed
            } else {
                known.committed.max(one.committed)
            },
            shift: one.shift.or(known.shift),
            ..known
        };
        let mut rewritten = Header::new(one.sequence, options).encode().to_vec();
        let mut body = Vec::new();
        known.encode(&mut body);
        append(&mut rewritten, next, &body, seed);
        next += 1;
        let mut read_bytes = HEADER_BYTES as u64;
        for (lsn, body) in records {
            salvaged.lost_records += last.map_or(0, |last| lsn.saturating_sub(last + 1));
            last = Some(lsn);
            read_bytes += (RECORD_BYTES + body.len()) as u64;
            salvaged.records += 1;
            if !matches!(Record::decode(body), Some(Record::Begin(_))) {
                append(&mut rewritten, next, body, seed);
                next += 1;
            }
        }
        salvaged.lost_bytes += one.bytes.saturating_sub(read_bytes);
        replace(fs, &name, &rewritten)?;
    }
    fs.sync_dir()
        .map_err(|error| cannot("written", "the directory", &error))?;
    Ok(salvaged)
}

/// Returns the batch of a record whose segment does not say, from the segments behind it. Behind all others it is taken to be a batch of
/// its own, which is right or harmless: what was never handed on may be cut anywhere.
fn batch_before(lsn: u64, behind: &[Scanned]) -> Option<u64> {
    let begin = behind.iter().find_map(|one| one.begin)?;
    Some(if begin.batch_from <= lsn {
        begin.batch
    } else {
        begin.batch - 1
    })
}

/// Returns every whole record of a segment, with ascending numbers, wherever it begins.
fn whole_records(bytes: &[u8], seed: Seed) -> Vec<(u64, &[u8])> {
    let mut reader = Reader::new(bytes, seed);
    let mut found: Vec<(u64, &[u8])> = Vec::new();
    let end = loop {
        match reader.read() {
            Ok(framed) => found.push((framed.lsn, framed.body)),
            Err(end) => break end,
        }
    };
    if end == End::Clean {
        return found;
    }
    let mut from = reader.at();
    for framed in reader.beyond() {
        let last = found.last().map_or(0, |(lsn, _)| *lsn);
        if framed.at >= from && framed.lsn > last {
            from = framed.at + RECORD_BYTES + framed.body.len();
            found.push((framed.lsn, framed.body));
        }
    }
    found
}

fn append(segment: &mut Vec<u8>, lsn: u64, body: &[u8], seed: Seed) {
    let at = segment.len();
    segment.resize(at + RECORD_BYTES, 0);
    segment.extend_from_slice(body);
    seal_record(&mut segment[at..], crc32c::crc32c(body), lsn, 0, seed);
}

/// Keeps a copy of a segment; returns its name.
fn copy(fs: &dyn Fs, name: &str, bytes: &[u8]) -> Result<String> {
    let taken = fs
        .list()
        .map_err(|error| cannot("listed", "the directory", &error))?;
    let free = (1..).map(|number: u64| format!("salvaged-{name}-{number}"));
    let Some(copy) = free.into_iter().find(|copy| !taken.contains(copy)) else {
        return Ok(String::new());
    };
    write(fs, &copy, bytes)?;
    Ok(copy)
}

fn replace(fs: &dyn Fs, name: &str, bytes: &[u8]) -> Result<()> {
    fs.remove(name)
        .map_err(|error| cannot("removed", name, &error))?;
    write(fs, name, bytes)
}

fn write(fs: &dyn Fs, name: &str, bytes: &[u8]) -> Result<()> {
    let written = || {
        let file = fs.create(name)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.append(rest)? {
                0 => return Err(std::io::ErrorKind::WriteZero.into()),
                count => rest = rest.get(count..).unwrap_or_default(),
            }
        }
        file.sync()?;
        fs.sync_dir()
    };
    written().map_err(|error| cannot("written", name, &error))
}

/// Returns the identity that the segments of a log name, where they name one.
///
/// # Errors
/// `Unavailable` when they cannot be read.
pub fn identity(fs: &Arc<dyn Fs>) -> Result<Option<[u8; 16]>> {
    let scanned = scan_all(&**fs, &Options::default())?;
    Ok(scanned
        .iter()
        .find_map(|one| one.header.as_ref().ok().map(|header| header.identity)))
}
