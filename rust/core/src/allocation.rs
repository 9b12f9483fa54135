//! Which variant a bucket belongs to.

use std::ops::Range;

use crate::error::{Error, Result, Violation};
use crate::hash::BUCKETS;

/// Returns the index of the first variant whose cumulative weight exceeds `bucket`.
///
/// # Errors
/// `InvalidArgument` when the weights (basis points) do not sum to [`BUCKETS`], or the bucket is not below it.
pub fn allocate(weights: &[u32], bucket: u32) -> Result<usize> {
    let mut violations: Vec<Violation> = check(weights).into_iter().collect();
    if bucket >= BUCKETS {
        violations.push(Violation::new(
            "bucket",
            format!("is {bucket}, must be in [0, {BUCKETS})"),
        ));
    }
    if !violations.is_empty() {
        return Err(Error::InvalidArgument { violations });
    }
    let mut cumulative = 0;
    let found = weights.iter().position(|weight| {
        cumulative += weight;
        cumulative > bucket
    });
    // The last cumulative weight is BUCKETS, which exceeds every bucket.
    found.ok_or_else(|| Error::Internal(format!("no variant holds bucket {bucket}")))
}

/// Returns the buckets of each variant, in declared order; together they cover `[0, BUCKETS)`.
///
/// # Errors
/// `InvalidArgument` when the weights (basis points) do not sum to [`BUCKETS`].
pub fn ranges(weights: &[u32]) -> Result<Vec<Range<u32>>> {
    if let Some(violation) = check(weights) {
        return Err(Error::InvalidArgument {
            violations: vec![violation],
        });
    }
    let mut end = 0;
    Ok(weights
        .iter()
        .map(|weight| {
            let start = end;
            end += weight;
            start..end
        })
        .collect())
}

/// Returns what is wrong with the weights.
fn check(weights: &[u32]) -> Option<Violation> {
    let total: u64 = weights.iter().copied().map(u64::from).sum();
    (total != u64::from(BUCKETS)).then(|| {
        Violation::new(
            "weights",
            format!("sum to {total} basis points, must sum to {BUCKETS}: change one of them"),
        )
    })
}
