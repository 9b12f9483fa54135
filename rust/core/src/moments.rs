//! Count, mean, spread and extremes of a stream of numbers.

use crate::error::{Error, Result};

/// The largest magnitude of an observation, of its denominator and of its covariate.
///
/// Squares of sums over any number of observations stay finite below it.
pub const MAGNITUDE_LIMIT: f64 = 1e100;

/// The largest count that a stored part may claim: up to here a float64 counts exactly.
pub const COUNT_LIMIT: u64 = 1 << 53;

/// How far outside its extremes rounding may carry a mean, relative to the larger of the two.
const MEAN_SLACK: f64 = 1e-9;

/// Count, mean, sum of squared deviations, smallest and largest of some observations.
///
/// Observations are added as Welford does and merged as Chan, Golub and LeVeque do, around a mean that is kept in two parts (a number
/// and its rounding error). With one part alone, a mean of 1e9 stops moving after some thousand observations that spread over 1e-3,
/// and the variance is wrong in the fifth digit.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    n: u64,
    mean: f64,
    /// What `mean` lacks to the exact one.
    mean_rest: f64,
    m2: f64,
    min: f64,
    max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            n: 0,
            mean: 0.0,
            mean_rest: 0.0,
            m2: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Moments {
    /// Rebuilds moments from their parts.
    ///
    /// # Errors
    /// `DataLoss` when no observations have these moments.
    pub fn from_parts(
        n: u64,
        mean: f64,
        m2: f64,
        min: Option<f64>,
        max: Option<f64>,
    ) -> Result<Self> {
        let damaged = |what: String| Err(Error::DataLoss(format!("these are no moments: {what}")));
        if n > COUNT_LIMIT {
            return damaged(format!("n is {n}, beyond {COUNT_LIMIT}"));
        }
        for (name, value) in [
            ("mean", Some(mean)),
            ("m2", Some(m2)),
            ("min", min),
            ("max", max),
        ] {
            if value.is_some_and(|value| !value.is_finite()) {
                return damaged(format!("{name} is not finite"));
            }
        }
        match (min, max) {
            (None, None) if n == 0 && mean == 0.0 && m2 == 0.0 => Ok(Self::default()),
            (Some(min), Some(max)) if n > 0 => {
                let slack = MEAN_SLACK * min.abs().max(max.abs());
                if !(min <= max && min - slack <= mean && mean <= max + slack) {
                    return damaged(format!(
                        "the mean {mean} is not between min {min} and max {max}"
                    ));
                }
                if m2 < 0.0 {
                    return damaged(format!("m2 is {m2}, below 0"));
                }
                Ok(Self {
                    n,
                    mean,
                    mean_rest: 0.0,
                    m2,
                    min,
                    max,
                })
            }
            _ => damaged(format!(
                "n is {n}, with mean {mean}, m2 {m2}, min {min:?}, max {max:?}"
            )),
        }
    }

    /// Adds one observation; it must be finite and at most [`MAGNITUDE_LIMIT`] in size.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        let delta = value - self.mean - self.mean_rest;
        self.move_mean(delta / self.n as f64);
        self.m2 += delta * (value - self.mean - self.mean_rest);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Returns these moments without the observations of another that are among them, whose extremes they keep; none when they are not.
    pub fn without(&self, part: &Self) -> Option<Self> {
        let n = self.n.checked_sub(part.n)?;
        if n == 0 {
            return Some(Self::default());
        }
        if part.n == 0 {
            return Some(self.clone());
        }
        let (left, taken) = (n as f64, part.n as f64);
        // What the merge of the two adds, turned around. By what is stored of both alone, so that the same comes of stored ones.
        let from_whole = part.mean - self.mean;
        let mut rest = Self {
            n,
            mean_rest: 0.0,
            ..self.clone()
        };
        rest.move_mean(-from_whole * (taken / left));
        let delta = from_whole * ((left + taken) / left);
        let between = delta * delta * (left * (taken / (left + taken)));
        rest.m2 = (self.m2 - part.m2 - between).max(0.0);
        let inside = rest.mean.clamp(self.min, self.max);
        if inside != rest.mean {
            (rest.mean, rest.mean_rest) = (inside, 0.0);
        }
        Some(rest)
    }

    /// Adds the observations of another.
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            self.clone_from(other);
            return;
        }
        let (before, added) = (self.n as f64, other.n as f64);
        self.n += other.n;
        let share = added / self.n as f64;
        let delta = (other.mean - self.mean) + (other.mean_rest - self.mean_rest);
        self.move_mean(delta * share);
        self.m2 += other.m2 + delta * delta * before * share;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Moves the mean and keeps what rounding takes away (Knuth's two-sum).
    fn move_mean(&mut self, step: f64) {
        let step = step + self.mean_rest;
        let sum = self.mean + step;
        let moved = sum - self.mean;
        self.mean_rest = (self.mean - (sum - moved)) + (step - moved);
        self.mean = sum;
    }

    /// Returns every part as it is held, to the bit, for [`Moments::from_bits`].
    pub fn to_bits(&self) -> [u64; 6] {
        let floats = [self.mean, self.mean_rest, self.m2, self.min, self.max].map(f64::to_bits);
        [
            self.n, floats[0], floats[1], floats[2], floats[3], floats[4],
        ]
    }

    /// Takes back what [`Moments::to_bits`] returned. Unlike [`Moments::from_parts`] it asks nothing of the parts.
    pub fn from_bits(bits: [u64; 6]) -> Self {
        let [n, floats @ ..] = bits;
        let [mean, mean_rest, m2, min, max] = floats.map(f64::from_bits);
        Self {
            n,
            mean,
            mean_rest,
            m2,
            min,
            max,
        }
    }

    /// Observations.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their mean; 0 when there are none.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The sum of squared deviations from the mean.
    pub fn m2(&self) -> f64 {
        self.m2
    }

    /// The smallest observation.
    pub fn min(&self) -> Option<f64> {
        (self.n > 0).then_some(self.min)
    }

    /// The largest observation.
    pub fn max(&self) -> Option<f64> {
        (self.n > 0).then_some(self.max)
    }
}
