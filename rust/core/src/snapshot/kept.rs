//! Units that were exposed under earlier allocations of a re-weighted experiment, and keep what they have.

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::hash::{ExposureKey, ExposurePrefix};

/// What is known of one unit that was exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The index of its variant.
    pub variant: u16,
    /// The number of the allocation that it was first exposed under.
    pub generation: u32,
}

/// The units of one experiment that were exposed before an allocation took effect.
#[derive(Debug)]
pub struct Kept {
    /// The allocation that may be used with what is known here.
    pub through: u32,
    prefix: ExposurePrefix,
    /// The largest index of a variant among the units.
    widest: u16,
    units: HashMap<i64, (u16, u8)>,
}

impl Kept {
    /// Keeps units, each by its keyed hash, variant and generation; all three slices have one length.
    ///
    /// # Errors
    /// `InvalidArgument` when they have not, or a generation is above 255.
    pub fn new(
        key: &ExposureKey,
        experiment_id: &str,
        through: u32,
        units: impl ExactSizeIterator<Item = (i64, u16, u32)>,
    ) -> Result<Self> {
        let mut kept = HashMap::with_capacity(units.len());
        let mut widest = 0;
        for (hash, variant, generation) in units {
            let Ok(generation) = u8::try_from(generation) else {
                let why = format!("{generation} is above {}", u8::MAX);
                return Err(Error::invalid("generations", why));
            };
            widest = widest.max(variant);
            kept.insert(hash, (variant, generation));
        }
        Ok(Self {
            through,
            prefix: key.experiment(experiment_id),
            widest,
            units: kept,
        })
    }

    /// Returns what a unit was first exposed to; none when it was not exposed before.
    pub fn find(&self, unit: &str) -> Option<Exposed> {
        let (variant, generation) = *self.units.get(&self.prefix.hash(unit))?;
        Some(Exposed {
            variant,
            generation: generation.into(),
        })
    }

    /// Returns whether the units are of an experiment with so many variants.
    pub fn fits(&self, variants: usize) -> bool {
        usize::from(self.widest) < variants
    }

    /// Returns how many units are kept.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Returns whether none is.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}
