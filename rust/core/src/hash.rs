//! Where a unit falls: its assignment bucket, its slot in a cell, and the hash it is stored under.
//!
//! The three are independent of each other, and the same on every machine.

use std::slice::from_ref;

use hmac::{Hmac, KeyInit, Mac};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Assignment buckets; also what the weights of an experiment (basis points) sum to.
pub const BUCKETS: u32 = 10_000;
/// Buckets of units in a cell.
pub const UNIT_BUCKETS: usize = 128;
/// Sub-sketches of units in a sketch.
pub const SUB_SKETCHES: usize = 16;

/// The bytes of a block of SHA-256, to which HMAC pads its key.
const BLOCK_BYTES: usize = 64;
/// Where the last block says how long the message was.
const LENGTH_AT: usize = BLOCK_BYTES - size_of::<u64>();
/// Where SHA-256 begins: FIPS 180-4, section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Returns the assignment bucket of a unit in `[0, BUCKETS)`.
///
/// It is SHA-256 of `{experiment_id}:{unit}`, its first four bytes, big-endian, modulo [`BUCKETS`].
pub fn bucket(experiment_id: &str, unit: &str) -> u16 {
    Prefix::new(experiment_id).bucket(unit)
}

/// An experiment's part of the hash, absorbed once; its answers are those of [`bucket`].
///
/// Only whole blocks can be absorbed, and an id is shorter than one as a rule. So what pays is the block itself, written but for the unit: a
/// unit that fits into it costs one turn of the compression and nothing around it.
#[derive(Clone)]
pub struct Prefix {
    /// After the whole blocks of the prefix.
    state: [u32; 8],
    /// What is left of the prefix, and zeros.
    block: [u8; BLOCK_BYTES],
    /// How much is left of it: less than a block.
    held: usize,
    /// The bytes of the whole prefix.
    bytes: u64,
}

impl Prefix {
    /// Absorbs the id of an experiment.
    pub fn new(experiment_id: &str) -> Self {
        let text = [experiment_id.as_bytes(), b":"].concat();
        let (whole, rest) = text.as_chunks::<BLOCK_BYTES>();
        let mut state = INITIAL;
        compress256(&mut state, whole);
        let mut block = [0; BLOCK_BYTES];
        block[..rest.len()].copy_from_slice(rest);
        Self {
            state,
            block,
            held: rest.len(),
            bytes: text.len() as u64,
        }
    }

    /// Returns the assignment bucket of a unit in `[0, BUCKETS)`.
    pub fn bucket(&self, unit: &str) -> u16 {
        self.place(unit).0
    }

    /// Returns the assignment bucket of a unit and, from the same digest, 64 bits that tell units apart in this process.
    pub fn place(&self, unit: &str) -> (u16, u64) {
        let [first, second, third, ..] = self.digest(unit.as_bytes());
        // Below 10,000, so it always fits.
        let bucket = (first % BUCKETS) as u16;
        (bucket, u64::from(second) << 32 | u64::from(third))
    }

    /// Returns the digest of the prefix and `unit`, as words.
    fn digest(&self, unit: &[u8]) -> [u32; 8] {
        let (mut state, mut block, mut held) = (self.state, self.block, self.held);
        let mut rest = unit;
        while let Some((fill, more)) = rest.split_at_checked(BLOCK_BYTES - held) {
            block[held..].copy_from_slice(fill);
            compress256(&mut state, from_ref(&block));
            (block, held, rest) = ([0; BLOCK_BYTES], 0, more);
        }
        let end = held + rest.len();
        block[held..end].copy_from_slice(rest);
        // The end of every message: a one, zeros, and its length in bits.
        block[end] = 0x80;
        if end >= LENGTH_AT {
            compress256(&mut state, from_ref(&block));
            block = [0; BLOCK_BYTES];
        }
        let bits = 8 * (self.bytes + unit.len() as u64);
        block[LENGTH_AT..].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut state, from_ref(&block));
        state
    }
}

impl std::fmt::Debug for Prefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Prefix(..)")
    }
}

/// The place of a unit inside a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    bucket: u8,
    sub: u8,
}

impl Slot {
    /// Makes a slot of its parts; none when one is out of range.
    pub fn from_parts(bucket: u8, sub: u8) -> Option<Self> {
        let fits = usize::from(bucket) < UNIT_BUCKETS && usize::from(sub) < SUB_SKETCHES;
        fits.then_some(Self { bucket, sub })
    }

    /// The unit bucket in `[0, UNIT_BUCKETS)`.
    pub fn bucket(self) -> usize {
        usize::from(self.bucket)
    }

    /// The sub-sketch in `[0, SUB_SKETCHES)`.
    pub fn sub(self) -> usize {
        usize::from(self.sub)
    }
}

/// Returns the salt of an experiment for [`unit_slot`].
///
/// The salt makes slots independent of assignment buckets, and of the slots in any other experiment.
pub fn unit_seed(experiment_id: &str) -> u64 {
    first_eight(
        &Sha256::new()
            .chain_update(b"sortition/bucket/")
            .chain_update(experiment_id)
            .finalize()
            .0,
    )
}

/// Returns the slot of a unit: XXH3 with `seed`, its low seven bits the bucket, the next four the sub-sketch.
pub fn unit_slot(seed: u64, unit: &str) -> Slot {
    let hash = xxh3_64_with_seed(unit.as_bytes(), seed);
    Slot {
        bucket: (hash & 0x7f) as u8,
        sub: (hash >> 7 & 0xf) as u8,
    }
}

/// Returns the signed 64-bit keyed hash under which the exposure of a unit is stored.
///
/// It is HMAC-SHA-256 of `experiment_id`, a zero byte and `unit`, its first eight bytes, big-endian.
pub fn exposure_hash(key: &[u8], experiment_id: &str, unit: &str) -> i64 {
    ExposureKey::new(key).experiment(experiment_id).hash(unit)
}

/// The installation's key for hashing units, of any length, absorbed once.
#[derive(Clone)]
pub struct ExposureKey(Hmac<Sha256>);

impl ExposureKey {
    /// Absorbs the key.
    pub fn new(key: &[u8]) -> Self {
        // HMAC's own rule for making a key of any length a block; done here, it cannot fail.
        let mut block = [0; BLOCK_BYTES];
        if key.len() <= BLOCK_BYTES {
            block[..key.len()].copy_from_slice(key);
        } else {
            let digest = Sha256::digest(key);
            block[..digest.len()].copy_from_slice(&digest);
        }
        Self(Hmac::new(&block.into()))
    }

    /// Absorbs the id of an experiment.
    pub fn experiment(&self, experiment_id: &str) -> ExposurePrefix {
        ExposurePrefix(
            self.0
                .clone()
                .chain_update(experiment_id)
                .chain_update(b"\0"),
        )
    }
}

impl std::fmt::Debug for ExposureKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ExposureKey(..)")
    }
}

/// An experiment's part of the exposure hash, absorbed once.
#[derive(Clone)]
pub struct ExposurePrefix(Hmac<Sha256>);

impl ExposurePrefix {
    /// Returns the hash of a unit's exposure; see [`exposure_hash`].
    pub fn hash(&self, unit: &str) -> i64 {
        first_eight(&self.0.clone().chain_update(unit).finalize().into_bytes().0).cast_signed()
    }
}

impl std::fmt::Debug for ExposurePrefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ExposurePrefix(..)")
    }
}

/// Reads the first eight bytes of a digest, big-endian.
fn first_eight(digest: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around every length at which a block is full, or its end needs another one.
    #[test]
    fn a_prefix_hashes_as_sha_256_does() {
        let text = "0123456789abcdef".repeat(20);
        for id in (0..140).map(|length| &text[..length]) {
            let prefix = Prefix::new(id);
            for unit in (0..140)
                .chain([255, 256, 320])
                .map(|length| &text[..length])
            {
                let expected = Sha256::digest(format!("{id}:{unit}"));
                let words = prefix.digest(unit.as_bytes()).map(u32::to_be_bytes);
                assert_eq!(words.as_flattened(), &expected[..], "{id:?}, {unit:?}");
            }
        }
    }

    /// RFC 4231, cases 1, 2, 6: a short key, a short text key, a key longer than a block.
    #[test]
    fn the_key_is_absorbed_as_in_rfc_4231() {
        let mac = |key: &[u8], data: &[u8]| {
            first_eight(
                &ExposureKey::new(key)
                    .0
                    .chain_update(data)
                    .finalize()
                    .into_bytes()
                    .0,
            )
        };
        assert_eq!(mac(&[0x0b; 20], b"Hi There"), 0xb034_4c61_d8db_3853);
        assert_eq!(
            mac(b"Jefe", b"what do ya want for nothing?"),
            0x5bdc_c146_bf60_754e
        );
        assert_eq!(
            mac(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            0x60e4_3159_1ee0_b67f
        );
    }
}
