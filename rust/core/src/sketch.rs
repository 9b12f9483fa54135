//! Quantiles of a stream of numbers, each within 1 %.
//!
//! A DDSketch (Masson, Rim, Lee, VLDB 2019) with integer counts in logarithmic bins: merging adds integers, so it is exact and its order
//! never shows. Counts are kept apart by sub-sketch of units, from whose scatter the analysis gets honest intervals; the whole is their sum.

use hashbrown::HashMap;

use crate::error::{Error, Result, Violation};
use crate::hash::SUB_SKETCHES;

mod encoding;

/// Bins per doubling. A bin's upper edge is 2^(1/70) = 1.00995 times its lower one, so any two numbers of one bin are within 1 % of each
/// other. (Bins of twice that width hold the promise at their middle alone, and lose it when an answer is interpolated inside the bin.)
const BINS_PER_OCTAVE: f64 = 70.0;

/// The largest key of a magnitude, positive or negative: bins reach from 2^-117 to 2^117. What lies beyond counts in the last bin.
const KEY_LIMIT: i32 = 8192;

/// What is added to a key so that the key of every magnitude is above that of zero.
const KEY_OFFSET: i32 = KEY_LIMIT + 1;

/// The largest place, that of the last bin.
const PLACE_LIMIT: i32 = KEY_LIMIT + KEY_OFFSET;

/// The low bits of an entry, which hold the sub-sketch.
const SUB_BITS: u32 = SUB_SKETCHES.ilog2();
const SUB_MASK: i32 = SUB_SKETCHES as i32 - 1;

/// Counts of observations by bin and sub-sketch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// By [`entry`]; every count is positive.
    counts: HashMap<i32, u64>,
}

/// One bin, with the observations of each sub-sketch in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Where it stands among all bins: negative ones below 0, that of zeros at 0.
    place: i32,
    /// The observations of each sub-sketch.
    pub counts: [u64; SUB_SKETCHES],
}

impl Bin {
    /// Returns the ends of the bin, ascending; both 0 in the bin of zeros.
    pub fn edges(&self) -> (f64, f64) {
        let edge = |key: i32| (f64::from(key) / BINS_PER_OCTAVE).exp2();
        let key = self.place.abs() - KEY_OFFSET;
        match self.place.signum() {
            0 => (0.0, 0.0),
            1 => (edge(key - 1), edge(key)),
            _ => (-edge(key), -edge(key - 1)),
        }
    }

    /// Returns the observations of all sub-sketches.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Sketch {
    /// Adds one finite observation of a unit whose sub-sketch is `sub`.
    pub fn add(&mut self, sub: usize, value: f64) {
        *self.counts.entry(entry(place(value), sub)).or_default() += 1;
    }

    /// Adds the observations of another.
    pub fn merge(&mut self, other: &Self) {
        for (&entry, count) in &other.counts {
            *self.counts.entry(entry).or_default() += count;
        }
    }

    /// Takes away the observations of another; returns whether all of them were among these.
    pub fn remove(&mut self, other: &Self) -> bool {
        for (entry, taken) in &other.counts {
            let Some(count) = self.counts.get_mut(entry).filter(|count| **count >= *taken) else {
                return false;
            };
            *count -= taken;
        }
        self.counts.retain(|_, count| *count > 0);
        true
    }

    /// Returns the number of observations.
    pub fn n(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Returns the bins that hold something, ascending.
    pub fn bins(&self) -> Vec<Bin> {
        let mut entries: Vec<_> = self.counts.iter().collect();
        entries.sort_unstable();
        let mut bins: Vec<Bin> = Vec::new();
        for (&entry, &count) in entries {
            let (place, sub) = (entry >> SUB_BITS, (entry & SUB_MASK) as usize);
            match bins.last_mut() {
                Some(bin) if bin.place == place => bin.counts[sub] = count,
                _ => {
                    let mut counts = [0; SUB_SKETCHES];
                    counts[sub] = count;
                    bins.push(Bin { place, counts });
                }
            }
        }
        bins
    }

    /// Returns the quantiles of all observations; NaN when there are none.
    ///
    /// The answer for `q` is within 1 % of the order statistic at rank ⌊q·(n − 1)⌋, counted from 0, wherever that is between 2^-117 and 2^117
    /// in size. It is interpolated inside the bin, by the rank's position among the bin's observations.
    ///
    /// # Errors
    /// `InvalidArgument` when a `q` is outside [0, 1].
    pub fn quantiles(&self, q: &[f64]) -> Result<Vec<f64>> {
        let violations: Vec<_> = q
            .iter()
            .enumerate()
            .filter(|(_, q)| !(0.0..=1.0).contains(*q))
            .map(|(index, q)| {
                Violation::new(format!("q[{index}]"), format!("is {q}, must be in [0, 1]"))
            })
            .collect();
        if !violations.is_empty() {
            return Err(Error::InvalidArgument { violations });
        }
        let bins = self.bins();
        let n: u64 = bins.iter().map(Bin::total).sum();
        Ok(q.iter().map(|q| quantile(&bins, n, *q)).collect())
    }
}

/// Returns the place of the bin of a finite number on one axis: negative numbers below 0, zero at 0, positive numbers above.
fn place(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let limit = f64::from(KEY_LIMIT);
    let key = (value.abs().log2() * BINS_PER_OCTAVE)
        .ceil()
        .clamp(-limit, limit) as i32;
    let place = key + KEY_OFFSET;
    if value > 0.0 { place } else { -place }
}

/// Returns the key of a count. Keys ascend as bins do, and being one number each they are sorted quickly.
fn entry(place: i32, sub: usize) -> i32 {
    place << SUB_BITS | sub as i32
}

/// Returns the quantile `q` of the `n` observations in some bins; NaN when there are none.
fn quantile(bins: &[Bin], n: u64, q: f64) -> f64 {
    let rank = q * n.saturating_sub(1) as f64;
    let mut below = 0;
    for bin in bins {
        let total = bin.total();
        if rank < (below + total) as f64 || below + total == n {
            // Observations stand at the middles of equal parts of the bin.
            let position = (rank - below as f64 + 0.5) / total as f64;
            let (lower, upper) = bin.edges();
            return lower + (upper - lower) * position.min(1.0);
        }
        below += total;
    }
    f64::NAN
}
