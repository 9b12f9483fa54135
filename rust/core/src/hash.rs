//! Where a unit falls: its assignment bucket, its slot in a cell, and the hash it is stored under.
//!
//! The three are independent of each other, and the same on every machine.

use hmac::{Hmac, KeyInit, Mac};
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

/// Returns the assignment bucket of a unit in `[0, BUCKETS)`.
///
/// It is SHA-256 of `{experiment_id}:{unit}`, its first four bytes, big-endian, modulo [`BUCKETS`].
pub fn bucket(experiment_id: &str, unit: &str) -> u16 {
    Prefix::new(experiment_id).bucket(unit)
}

/// An experiment's part of the hash, absorbed once; its answers are those of [`bucket`].
#[derive(Clone)]
pub struct Prefix(Sha256);

impl Prefix {
    /// Absorbs the id of an experiment.
    pub fn new(experiment_id: &str) -> Self {
        Self(Sha256::new().chain_update(experiment_id).chain_update(b":"))
    }

    /// Returns the assignment bucket of a unit in `[0, BUCKETS)`.
    pub fn bucket(&self, unit: &str) -> u16 {
        self.place(unit).0
    }

    /// Returns the assignment bucket of a unit and, from the same digest, 64 bits that tell units apart in this process.
    pub fn place(&self, unit: &str) -> (u16, u64) {
        let [a, b, c, d, rest @ ..] = self.0.clone().chain_update(unit).finalize().0;
        let [e, f, g, h, i, j, k, l, ..] = rest;
        // Below 10,000, so it always fits.
        let bucket = (u32::from_be_bytes([a, b, c, d]) % BUCKETS) as u16;
        (bucket, u64::from_be_bytes([e, f, g, h, i, j, k, l]))
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
