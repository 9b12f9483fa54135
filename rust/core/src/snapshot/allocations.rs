//! The allocations of an experiment, and which of them decides here.

use std::sync::Arc;

use super::kept::{Exposed, Kept};

/// The number of assignment buckets.
const BUCKETS: u16 = 10_000;

/// A table from bucket to variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Its number, from 1.
    pub generation: u32,
    pub(super) ends: Box<[u16]>,
    pub(super) variants: Box<[u16]>,
}

impl Allocation {
    /// Returns the index of the variant that owns `bucket`.
    pub fn variant(&self, bucket: u16) -> u16 {
        self.variants[self.ends.partition_point(|end| *end <= bucket)]
    }
}

/// Where a unit belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The index of its variant.
    pub variant: u16,
    /// The number of the allocation that decided.
    pub generation: u32,
    /// Whether that was an earlier one, under which the unit was exposed.
    pub kept: bool,
    /// Whether the bucket is about to change hands, so that the unit must not be exposed now.
    pub moving: bool,
    /// Whether only the sidecar can tell: it knows who was exposed before the weights changed.
    pub elsewhere: bool,
}

/// Every allocation that has taken effect, oldest first, and who was exposed under the earlier ones.
///
/// An allocation behind the first decides here only once this process knows the units that were exposed before it. Until then the one
/// before decides, and nobody in a bucket that it moves is exposed.
#[derive(Debug, Default)]
pub struct Allocations {
    all: Box<[Allocation]>,
    announced: Option<Allocation>,
    deciding: usize,
    kept: Option<Arc<Kept>>,
    /// By bucket: whether it changed hands up to the deciding allocation, so that a unit may keep what it had.
    moved: Box<[bool]>,
    /// By bucket: whether it changes hands behind the deciding allocation.
    moving: Box<[bool]>,
    forwarding: bool,
}

impl Allocations {
    /// Takes allocations in the order of their numbers, with the one that is announced.
    pub fn new(
        all: Vec<Allocation>,
        announced: Option<Allocation>,
        kept: Option<Arc<Kept>>,
        forwarding: bool,
    ) -> Self {
        let through = kept.as_ref().map_or(0, |kept| kept.through);
        let deciding = if forwarding {
            all.len().saturating_sub(1)
        } else {
            let known = |allocation: &&Allocation| allocation.generation <= through;
            let behind_first = all.iter().skip(1);
            behind_first.take_while(known).count()
        };
        let differing = |tables: &[&Allocation]| -> Box<[bool]> {
            let Some((first, rest)) = tables.split_first().filter(|(_, rest)| !rest.is_empty())
            else {
                return Box::default();
            };
            let changes = |bucket| {
                let variant = first.variant(bucket);
                rest.iter().any(|table| table.variant(bucket) != variant)
            };
            (0..BUCKETS).map(changes).collect()
        };
        let until: Vec<&Allocation> = all.iter().take(deciding + 1).collect();
        let from: Vec<&Allocation> = all.iter().skip(deciding).chain(&announced).collect();
        let (moved, moving) = (differing(&until), differing(&from));
        Self {
            all: all.into(),
            announced,
            deciding,
            kept,
            moved,
            moving,
            forwarding,
        }
    }

    /// Returns the allocation that decides here; none before the start, and where variants are chosen elsewhere.
    pub fn deciding(&self) -> Option<&Allocation> {
        self.all.get(self.deciding)
    }

    /// Returns the allocation with this number that has taken effect.
    pub fn find(&self, generation: u32) -> Option<&Allocation> {
        self.all
            .iter()
            .find(|allocation| allocation.generation == generation)
    }

    /// Returns where a unit belongs; none before the start, and where variants are chosen elsewhere.
    pub fn share(&self, bucket: u16, unit: &str) -> Option<Share> {
        let deciding = self.deciding()?;
        let at = |flags: &[bool]| flags.get(usize::from(bucket)).copied().unwrap_or(false);
        let (moved, moving) = (at(&self.moved), at(&self.moving));
        // Only buckets that changed hands are looked up: in the others a unit has what it always had.
        let known = if moved { self.exposed(unit) } else { None };
        Some(Share {
            variant: known.map_or_else(|| deciding.variant(bucket), |known| known.variant),
            generation: known.map_or(deciding.generation, |known| known.generation),
            // Who has what the deciding allocation gives is where it would be anyway.
            kept: known.is_some_and(|known| known.variant != deciding.variant(bucket)),
            moving: moving && known.is_none(),
            elsewhere: self.forwarding && (moved || moving),
        })
    }

    /// Returns the number of the allocation that a unit was first exposed under; the deciding one's for whoever was not exposed before.
    ///
    /// Outcomes are kept apart by it: within one allocation all variants were drawn from the same units at the same times.
    pub fn period(&self, unit: &str) -> u32 {
        let deciding = self.deciding().map_or(0, |deciding| deciding.generation);
        if self.deciding == 0 {
            return deciding;
        }
        self.exposed(unit)
            .map_or(deciding, |known| known.generation)
    }

    /// Returns whether any allocation but the deciding one gives a bucket this variant: another sidecar may answer so for a moment.
    pub fn gives(&self, bucket: u16, variant: u16) -> bool {
        self.all
            .iter()
            .chain(&self.announced)
            .any(|allocation| allocation.variant(bucket) == variant)
    }

    fn exposed(&self, unit: &str) -> Option<Exposed> {
        self.kept.as_ref()?.find(unit)
    }
}
