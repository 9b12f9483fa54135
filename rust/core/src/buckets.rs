//! Sums per bucket of units, from which the analysis gets the variance between units.

use crate::error::{Error, Result};
use crate::hash::UNIT_BUCKETS;

/// The part of a denominator that sums of it are not told apart by.
const RESOLUTION: f64 = 1e-12;
const FLOAT_BYTES: usize = size_of::<f64>();

/// Denominator and sum, and the covariate's sum where one is kept, of each of [`UNIT_BUCKETS`] buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Row-major: a bucket's denominator, sum and covariate stand beside each other.
    sums: Box<[f64]>,
}

impl Buckets {
    /// Makes empty buckets.
    pub fn new(covariate: bool) -> Self {
        Self {
            sums: vec![0.0; UNIT_BUCKETS * columns(covariate)].into(),
        }
    }

    /// Reads what [`Buckets::encode`] wrote.
    ///
    /// # Errors
    /// `DataLoss` when the length fits neither shape, a number is not finite, or a denominator is negative.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = |what: String| Err(Error::DataLoss(format!("these are no buckets: {what}")));
        let lengths = [false, true].map(Self::encoded_len);
        if !lengths.contains(&bytes.len()) {
            return damaged(format!(
                "{} bytes, must be {} or {}",
                bytes.len(),
                lengths[0],
                lengths[1]
            ));
        }
        let (floats, _) = bytes.as_chunks::<FLOAT_BYTES>();
        let buckets = Self {
            sums: floats.iter().copied().map(f64::from_le_bytes).collect(),
        };
        for (index, row) in buckets.rows().enumerate() {
            if !row.iter().all(|sum| sum.is_finite()) || row[0] < 0.0 {
                return damaged(format!("bucket {index} holds {row:?}"));
            }
        }
        Ok(buckets)
    }

    /// Returns the sums as little-endian float64 of shape (128, 2), or (128, 3) with a covariate.
    pub fn encode(&self) -> Vec<u8> {
        self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()
    }

    /// Returns the length of [`Buckets::encode`].
    pub fn encoded_len(covariate: bool) -> usize {
        UNIT_BUCKETS * columns(covariate) * FLOAT_BYTES
    }

    /// Returns whether a covariate is kept.
    pub fn covariate(&self) -> bool {
        self.columns() == columns(true)
    }

    /// Adds one observation to a bucket; the covariate counts where one is kept.
    pub fn add(&mut self, bucket: usize, denominator: f64, value: f64, covariate: f64) {
        let columns = self.columns();
        let row = &mut self.sums[bucket * columns..][..columns];
        for (sum, added) in row.iter_mut().zip([denominator, value, covariate]) {
            *sum += added;
        }
    }

    /// Adds the sums of another of the same shape.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(
            self.sums.len(),
            other.sums.len(),
            "cells of different shape are refused before"
        );
        for (sum, added) in self.sums.iter_mut().zip(&other.sums) {
            *sum += added;
        }
    }

    /// Takes away the sums of another of the same shape. What rounding leaves of a denominator is none.
    pub fn remove(&mut self, other: &Self) {
        let columns = self.columns();
        let rows = self.sums.chunks_exact_mut(columns);
        for (row, taken) in rows.zip(other.sums.chunks_exact(columns)) {
            let whole = row[0];
            for (sum, taken) in row.iter_mut().zip(taken) {
                *sum -= taken;
            }
            if row[0] <= whole * RESOLUTION {
                row.fill(0.0);
            }
        }
    }

    /// Returns the buckets in order: denominator, sum, and the covariate's sum where one is kept.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.sums.chunks_exact(self.columns())
    }

    fn columns(&self) -> usize {
        self.sums.len() / UNIT_BUCKETS
    }
}

fn columns(covariate: bool) -> usize {
    if covariate { 3 } else { 2 }
}
