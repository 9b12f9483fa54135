//! Which units were exposed: each is handed on once, give or take.

use std::sync::Arc;

use hashbrown::HashSet;
use parking_lot::Mutex;

/// Units that the filter remembers at least; it forgets the oldest beyond twice as many.
const REMEMBERED: usize = 1 << 20;
const SHARDS: usize = 16;

/// The first exposure of a unit, on its way to the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The experiment's id.
    pub experiment_id: Arc<str>,
    /// The keyed hash of the unit.
    pub unit_hash: i64,
    /// What the unit is told apart by in this process, see [`Filter`].
    pub fingerprint: u64,
    /// The index of the variant.
    pub variant: u16,
    /// The assignment bucket.
    pub bucket: u16,
    /// The number of the allocation that decided; 0 where assignment is external.
    pub generation: u32,
    /// The UTC day, counted from 1970-01-01.
    pub day: i32,
}

/// An odd number without a pattern: the golden ratio in 64 bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Returns what tells a unit in one arm from the same unit in another.
pub fn in_arm(fingerprint: u64, variant: u16) -> u64 {
    fingerprint.wrapping_add(u64::from(variant).wrapping_mul(SPREAD))
}

/// Remembers which units were exposed, by 64 bits of the digest that assigned them.
///
/// It only saves work: a unit that was forgotten is handed on again, and the database ignores it. So its memory can be
/// bounded, and it starts empty.
#[derive(Debug)]
pub struct Filter {
    shards: [Mutex<Shard>; SHARDS],
    generation: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Default for Filter {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl Filter {
    /// Makes an empty filter that remembers about `units` units at least.
    pub fn remembering(units: usize) -> Self {
        Self {
            shards: Default::default(),
            generation: units.div_ceil(SHARDS),
        }
    }

    /// Returns whether a unit is remembered.
    pub fn contains(&self, fingerprint: u64) -> bool {
        let shard = self.shard(fingerprint).lock();
        shard.young.contains(&fingerprint) || shard.old.contains(&fingerprint)
    }

    /// Remembers a unit; returns whether it was not remembered before.
    pub fn insert(&self, fingerprint: u64) -> bool {
        let mut shard = self.shard(fingerprint).lock();
        if shard.young.contains(&fingerprint) {
            return false;
        }
        // A unit that is still seen moves to the young, so that the two generations forget only those that are not.
        let new = !shard.old.contains(&fingerprint);
        if shard.young.len() >= self.generation {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(fingerprint);
        new
    }

    fn shard(&self, fingerprint: u64) -> &Mutex<Shard> {
        &self.shards[(fingerprint % SHARDS as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_new_once() {
        let filter = Filter::default();
        assert!(!filter.contains(7));
        assert!(filter.insert(7));
        assert!(filter.contains(7));
        assert!(!filter.insert(7));
    }

    #[test]
    fn a_unit_in_another_arm_is_another_one() {
        let filter = Filter::default();
        assert!((0..64).all(|variant| filter.insert(in_arm(7, variant))));
        assert!(!filter.insert(in_arm(7, 1)));
        assert_eq!(in_arm(7, 0), 7);
    }

    #[test]
    fn memory_is_bounded_and_the_recent_stay() {
        let filter = Filter::remembering(160);
        for unit in 0..100_000 {
            filter.insert(unit);
        }
        let kept = (0..100_000).filter(|unit| filter.contains(*unit)).count();
        assert!((160..=320).contains(&kept), "{kept}");
        assert!((99_840..100_000).all(|unit| filter.contains(unit)));
    }

    #[test]
    fn a_unit_that_is_still_seen_is_not_forgotten() {
        let filter = Filter::remembering(16);
        assert!(filter.insert(0));
        for other in 1..1_000 {
            filter.insert(other * 16);
            assert!(filter.contains(0));
            filter.insert(0);
        }
        assert!(!filter.insert(0));
    }
}
