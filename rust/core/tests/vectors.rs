//! The vectors of assignment and hashing, which the Python tests run too.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use sortition_core::allocation::{allocate, ranges};
use sortition_core::error::Error;
use sortition_core::hash::{self, BUCKETS, Prefix, exposure_hash, unit_seed, unit_slot};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    experiment: String,
    unit: String,
    weights: Vec<u32>,
    bucket: u32,
    variant: usize,
}

#[derive(Deserialize)]
struct Hashes {
    slots: Vec<SlotCase>,
    exposures: Vec<ExposureCase>,
}

#[derive(Deserialize)]
struct SlotCase {
    experiment: String,
    unit: String,
    bucket: usize,
    sub: usize,
}

#[derive(Deserialize)]
struct ExposureCase {
    key: String,
    experiment: String,
    unit: String,
    hash: i64,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../tests/vectors/assignment.json");
    let cases = serde_json::from_str::<Vectors>(text).unwrap().cases;
    assert_eq!(cases.len(), 400);
    cases
}

#[test]
fn every_vector_is_assigned_as_written() {
    for case in cases() {
        let bucket = u32::from(hash::bucket(&case.experiment, &case.unit));
        assert_eq!(bucket, case.bucket, "{}:{}", case.experiment, case.unit);
        assert_eq!(
            u32::from(Prefix::new(&case.experiment).bucket(&case.unit)),
            case.bucket
        );
        assert_eq!(allocate(&case.weights, bucket).unwrap(), case.variant);
        assert!(ranges(&case.weights).unwrap()[case.variant].contains(&bucket));
    }
}

#[test]
fn a_prefix_may_be_used_again() {
    let prefix = Prefix::new("exp-1");
    for unit in ["a", "b", "a"] {
        assert_eq!(prefix.bucket(unit), hash::bucket("exp-1", unit));
    }
}

#[test]
fn ranges_cover_every_bucket_once_as_allocate_does() {
    let weights = [0, 3333, 0, 6666, 1, 0];
    let ranges = ranges(&weights).unwrap();
    assert_eq!(
        ranges,
        [
            0..0,
            0..3333,
            3333..3333,
            3333..9999,
            9999..10_000,
            10_000..10_000
        ]
    );
    for bucket in 0..BUCKETS {
        assert!(ranges[allocate(&weights, bucket).unwrap()].contains(&bucket));
    }
}

#[test]
fn wrong_weights_and_buckets_are_refused_together() {
    let refused = |weights: &[u32], bucket| match allocate(weights, bucket) {
        Err(Error::InvalidArgument { violations }) => violations
            .into_iter()
            .map(|violation| violation.field)
            .collect(),
        other => vec![format!("{other:?}")],
    };
    assert_eq!(refused(&[5000, 4999], 0), ["weights"]);
    assert_eq!(refused(&[], 0), ["weights"]);
    assert_eq!(refused(&[u32::MAX, 10_001], 0), ["weights"]);
    assert_eq!(refused(&[10_000], 10_000), ["bucket"]);
    assert_eq!(refused(&[1], u32::MAX), ["weights", "bucket"]);
    assert!(matches!(
        ranges(&[9999]),
        Err(Error::InvalidArgument { .. })
    ));
}

#[test]
fn every_slot_and_exposure_is_hashed_as_written() {
    let text = include_str!("../../../tests/vectors/hashes.json");
    let hashes: Hashes = serde_json::from_str(text).unwrap();
    assert_eq!((hashes.slots.len(), hashes.exposures.len()), (42, 36));
    for case in hashes.slots {
        let slot = unit_slot(unit_seed(&case.experiment), &case.unit);
        assert_eq!(
            (slot.bucket(), slot.sub()),
            (case.bucket, case.sub),
            "{}:{}",
            case.experiment,
            case.unit
        );
    }
    for case in hashes.exposures {
        let key: Vec<u8> = (0..case.key.len())
            .step_by(2)
            .map(|start| u8::from_str_radix(&case.key[start..start + 2], 16).unwrap())
            .collect();
        assert_eq!(
            exposure_hash(&key, &case.experiment, &case.unit),
            case.hash,
            "{}:{}",
            case.experiment,
            case.unit
        );
    }
}
