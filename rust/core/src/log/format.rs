//! How a segment looks: a header, then records, each with its length, its number and two checksums.
//!
//! ```text
//! header   magic[8]  sequence u64  identity[16]  boot[16]  crc u32
//! record   length u32  body crc u32  LSN u64  age u32  header crc u32  body[length]
//! ```
//!
//! Little-endian throughout; checksums are CRC-32C. The header's checksum of a record is seeded by the segment (its sequence and the
//! identity of its state directory), so that no record of another segment, left in a recycled block, is taken for one of this. It is
//! apart from the body's, so that a length can be trusted before the body is there: what ends in the middle of a record can be told
//! from a record that is damaged. `age` is how many records were not yet synced when this one was written.

use std::fmt;

use crc32c::{crc32c, crc32c_append};

use super::Options;

const MAGIC: [u8; 8] = *b"SORTLOG\x01";

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 52;
/// Bytes of a record before its body.
pub const RECORD_BYTES: usize = 24;
/// The largest body; a call of the largest allowed message stays far below.
pub const BODY_LIMIT: usize = 1 << 28;

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".log";

/// Returns the name of a segment.
pub fn file_name(sequence: u64) -> String {
    format!("{PREFIX}{sequence:016x}{SUFFIX}")
}

/// Returns the sequence of the segment with a name; none when it is not a segment's.
pub fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let sequence = u64::from_str_radix(digits, 16).ok()?;
    (file_name(sequence) == name).then_some(sequence)
}

/// What the records of one segment are checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u32);

impl Seed {
    /// Returns the seed of a segment.
    pub fn new(identity: &[u8; 16], sequence: u64) -> Self {
        Self(crc32c_append(crc32c(identity), &sequence.to_le_bytes()))
    }
}

/// What the beginning of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its place among all segments.
    pub sequence: u64,
    /// The state directory it belongs to.
    pub identity: [u8; 16],
    /// The start of the system under which it was made.
    pub boot: [u8; 16],
}

/// Why the beginning of a segment cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// It ends before its header does.
    Short,
    /// It is none of this format.
    Format,
    /// Its checksum is wrong.
    Damaged,
}

impl Header {
    /// Makes the header of a new segment.
    pub fn new(sequence: u64, options: &Options) -> Self {
        Self {
            sequence,
            identity: options.identity,
            boot: options.boot,
        }
    }

    /// Returns the header as bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.identity);
        bytes[32..48].copy_from_slice(&self.boot);
        let crc = crc32c(&bytes[..48]);
        bytes[48..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of a segment.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let (header, _) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(BadHeader::Short)?;
        if crc32c(&header[..48]).to_le_bytes() != header[48..] {
            return Err(BadHeader::Damaged);
        }
        if header[..8] != MAGIC {
            return Err(BadHeader::Format);
        }
        let mut decoded = Self {
            sequence: u64_at(header, 8),
            identity: [0; 16],
            boot: [0; 16],
        };
        decoded.identity.copy_from_slice(&header[16..32]);
        decoded.boot.copy_from_slice(&header[32..48]);
        Ok(decoded)
    }
}

/// Fills in what stands before the body of a record; `record` begins with [`RECORD_BYTES`] of room.
pub fn seal_record(record: &mut [u8], body_crc: u32, lsn: u64, age: u32, seed: Seed) {
    let length = (record.len() - RECORD_BYTES) as u32;
    record[..4].copy_from_slice(&length.to_le_bytes());
    record[4..8].copy_from_slice(&body_crc.to_le_bytes());
    record[8..16].copy_from_slice(&lsn.to_le_bytes());
    record[16..20].copy_from_slice(&age.to_le_bytes());
    let crc = crc32c_append(seed.0, &record[..20]);
    record[20..RECORD_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// One record that is as it was written.
#[derive(Clone, Copy, Debug)]
pub struct Framed<'a> {
    /// Where it begins.
    pub at: usize,
    /// Its number.
    pub lsn: u64,
    /// The last number that had been synced when it was written.
    pub synced: u64,
    /// What it says.
    pub body: &'a [u8],
}

/// How the records of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the file.
    Clean,
    /// In the middle of a record, as when writing it was cut short.
    Short,
    /// With bytes that are no record.
    Bad,
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Clean => "ends with a whole record",
            Self::Short => "ends in the middle of a record",
            Self::Bad => "holds bytes that are no record",
        })
    }
}

/// Reads the records of a segment one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    seed: Seed,
    at: usize,
    next: Option<u64>,
}

impl<'a> Reader<'a> {
    /// Reads from behind the header; numbers have to follow on each other, the first on nothing.
    pub fn new(bytes: &'a [u8], seed: Seed) -> Self {
        Self {
            bytes,
            seed,
            at: HEADER_BYTES,
            next: None,
        }
    }

    /// Returns where the next record begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Returns the next record, or how they end.
    pub fn read(&mut self) -> Result<Framed<'a>, End> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Err(End::Clean);
        }
        let framed = frame(rest, self.seed, self.at)?;
        if self.next.is_some_and(|next| next != framed.lsn) {
            return Err(End::Bad);
        }
        self.at += RECORD_BYTES + framed.body.len();
        self.next = framed.lsn.checked_add(1);
        Ok(framed)
    }

    /// Finds whole records behind the place where reading ended, wherever they begin; returns each.
    pub fn beyond(&self) -> impl Iterator<Item = Framed<'a>> {
        let (bytes, seed) = (self.bytes, self.seed);
        (self.at.saturating_add(1)..bytes.len())
            .filter_map(move |at| frame(&bytes[at..], seed, at).ok())
    }
}

/// Reads one record at the beginning of some bytes.
fn frame(bytes: &[u8], seed: Seed, at: usize) -> Result<Framed<'_>, End> {
    let (header, rest) = bytes
        .split_first_chunk::<RECORD_BYTES>()
        .ok_or(End::Short)?;
    if crc32c_append(seed.0, &header[..20]) != u32_at(header, 20) {
        return Err(End::Bad);
    }
    let length = u32_at(header, 0) as usize;
    let (lsn, age) = (u64_at(header, 8), u64::from(u32_at(header, 16)));
    if length == 0 || length > BODY_LIMIT || age >= lsn {
        return Err(End::Bad);
    }
    let body = rest.get(..length).ok_or(End::Short)?;
    if crc32c(body) != u32_at(header, 4) {
        return Err(End::Bad);
    }
    Ok(Framed {
        at,
        lsn,
        synced: lsn - 1 - age,
        body,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
