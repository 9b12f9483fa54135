//! A sketch as bytes.
//!
//! A version byte; then the number of bins; then each bin, ascending: its distance from the one before (for the first: from just below the
//! lowest possible), a mask of the sub-sketches in it (two bytes, little-endian), and their counts. All other numbers are varints (LEB128).

use super::{PLACE_LIMIT, Sketch, entry};
use crate::error::{Error, Result};
use crate::hash::SUB_SKETCHES;
use crate::moments::COUNT_LIMIT;

const VERSION: u8 = 1;

/// The shortest bin: a distance, a mask and one count.
const MIN_BIN_BYTES: usize = 4;

impl Sketch {
    /// Writes the sketch; equal sketches give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let bins = self.bins();
        let mut bytes = vec![VERSION];
        write_varint(&mut bytes, bins.len() as u64);
        let mut before = -PLACE_LIMIT - 1;
        for bin in &bins {
            write_varint(&mut bytes, u64::from(bin.place.abs_diff(before)));
            before = bin.place;
            let mask = (0..SUB_SKETCHES)
                .filter(|sub| bin.counts[*sub] > 0)
                .fold(0_u16, |mask, sub| mask | 1 << sub);
            bytes.extend(mask.to_le_bytes());
            for count in bin.counts.into_iter().filter(|count| *count > 0) {
                write_varint(&mut bytes, count);
            }
        }
        bytes
    }

    /// Reads what [`Sketch::encode`] wrote, and nothing else: what it accepts is encoded to the same bytes again.
    ///
    /// # Errors
    /// `DataLoss` when the bytes are no sketch.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        decode(&mut reader).map_err(|what| {
            let position = bytes.len() - reader.0.len();
            Error::DataLoss(format!(
                "these are no sketch: {what} before byte {position} of {}",
                bytes.len()
            ))
        })
    }
}

/// Reads a sketch, or says what is wrong.
fn decode(reader: &mut Reader<'_>) -> std::result::Result<Sketch, &'static str> {
    let [version] = reader.bytes()?;
    if version != VERSION {
        return Err("an unknown version");
    }
    let bins = reader.varint()?;
    if bins > (reader.0.len() / MIN_BIN_BYTES) as u64 {
        return Err("more bins than bytes");
    }
    let mut sketch = Sketch::default();
    let mut place = -PLACE_LIMIT - 1;
    let mut total = 0_u64;
    for _ in 0..bins {
        let distance = i32::try_from(reader.varint()?).map_err(|_| "a bin out of range")?;
        place = place
            .checked_add(distance)
            .filter(|place| *place <= PLACE_LIMIT)
            .ok_or("a bin out of range")?;
        let mask = u16::from_le_bytes(reader.bytes()?);
        if distance == 0 || mask == 0 {
            return Err("a repeated or an empty bin");
        }
        for sub in (0..SUB_SKETCHES).filter(|sub| mask >> sub & 1 == 1) {
            let count = reader.varint()?;
            total = total
                .checked_add(count)
                .filter(|total| *total <= COUNT_LIMIT)
                .ok_or("a count out of range")?;
            if count == 0 {
                return Err("an empty count");
            }
            sketch.counts.insert(entry(place, sub), count);
        }
    }
    if reader.0.is_empty() {
        Ok(sketch)
    } else {
        Err("more bytes than bins")
    }
}

fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// The bytes that are not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> std::result::Result<[u8; N], &'static str> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or("the end")?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// Reads a varint in its shortest form, so that no two encodings mean the same.
    fn varint(&mut self) -> std::result::Result<u64, &'static str> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.bytes()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 {
                    Err("an overlong number")
                } else {
                    Ok(value)
                };
            }
        }
        Err("a number beyond 64 bits")
    }
}
