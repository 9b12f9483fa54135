//! Cells form a commutative monoid: in whatever parts and order observations come, the cell is the same.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use sortition_core::buckets::Buckets;
use sortition_core::cell::Cell;
use sortition_core::error::Error;
use sortition_core::hash::{UNIT_BUCKETS, unit_seed, unit_slot};
use sortition_core::moments::Moments;
use sortition_core::sketch::Sketch;

const RELATIVE: f64 = 1e-12;

#[derive(Clone, Debug)]
struct Observation {
    unit: u16,
    value: f64,
    denominator: f64,
    covariate: f64,
}

fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let value = prop_oneof![-1e6..1e6_f64, Just(0.0), 0.9..1.1_f64];
    let observation = (any::<u16>(), value, 0.1..10.0_f64, -5.0..5.0_f64).prop_map(
        |(unit, value, denominator, covariate)| Observation {
            unit,
            value,
            denominator,
            covariate,
        },
    );
    vec(observation, 0..60)
}

/// A cell of some observations, with counts that depend on them.
fn cell(quantiles: bool, covariate: bool, observations: &[Observation]) -> Cell {
    let mut cell = Cell::new(quantiles, covariate);
    let seed = unit_seed("experiment");
    for observation in observations {
        let kept = covariate.then_some(observation.covariate);
        cell.check(observation.value, observation.denominator, kept)
            .unwrap();
        cell.add(
            unit_slot(seed, &observation.unit.to_string()),
            observation.value,
            observation.denominator,
            kept,
        );
        cell.refused += u64::from(observation.unit % 3 == 0);
        cell.clamped += u64::from(observation.unit % 5 == 0);
        cell.late += u64::from(observation.unit % 7 == 0);
    }
    cell
}

fn merge(cells: &[&Cell]) -> Cell {
    let (first, rest) = cells.split_first().unwrap();
    rest.iter().fold((*first).clone(), |mut all, cell| {
        all.merge(cell).unwrap();
        all
    })
}

/// Checks that two cells of the same observations agree: integers exactly, floats relative to the size of what was added up.
fn check_same(found: &Cell, expected: &Cell) -> Result<(), TestCaseError> {
    let integers = |cell: &Cell| (cell.moments().n(), cell.refused, cell.clamped, cell.late);
    prop_assert_eq!(integers(found), integers(expected));
    prop_assert_eq!(
        found.sketch().map(Sketch::encode),
        expected.sketch().map(Sketch::encode)
    );
    let (a, b) = (found.moments(), expected.moments());
    prop_assert_eq!((a.min(), a.max()), (b.min(), b.max()));
    let size = b
        .min()
        .unwrap_or_default()
        .abs()
        .max(b.max().unwrap_or_default().abs());
    prop_assert!(
        (a.mean() - b.mean()).abs() <= RELATIVE * size,
        "mean {} and {}",
        a.mean(),
        b.mean()
    );
    // Of equal values m2 is the square of rounding errors of their size.
    let floor = b.n() as f64 * (f64::EPSILON * size).powi(2);
    prop_assert!(
        (a.m2() - b.m2()).abs() <= RELATIVE * b.m2() + floor,
        "m2 {} and {}",
        a.m2(),
        b.m2()
    );
    let size = size.max(10.0) * b.n() as f64;
    for (a, b) in found.buckets().rows().zip(expected.buckets().rows()) {
        prop_assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            prop_assert!((a - b).abs() <= RELATIVE * size, "bucket {} and {}", a, b);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn merging_is_associative_and_commutative_and_equals_one_pass(
        parts in [observations(), observations(), observations()], quantiles: bool, covariate: bool,
    ) {
        let whole = cell(quantiles, covariate, &parts.concat());
        let [a, b, c] = &parts.map(|part| cell(quantiles, covariate, &part));
        check_same(&merge(&[&merge(&[a, b]), c]), &whole)?;
        check_same(&merge(&[a, &merge(&[b, c])]), &whole)?;
        check_same(&merge(&[c, b, a]), &whole)?;
        check_same(&merge(&[b, a]), &merge(&[a, b]))?;
    }

    #[test]
    fn an_empty_cell_of_any_shape_changes_nothing(
        part in observations(), quantiles: bool, covariate: bool, other_quantiles: bool, other_covariate: bool,
    ) {
        let empty = Cell::new(other_quantiles, other_covariate);
        let mut part = part;
        part.push(Observation { unit: 1, value: 2.0, denominator: 1.0, covariate: 0.5 });
        let cell = cell(quantiles, covariate, &part);
        prop_assert_eq!(&merge(&[&cell, &empty]), &cell);
        prop_assert_eq!(&merge(&[&empty, &cell]), &cell);
        prop_assert!(empty.is_empty() && !cell.is_empty());
    }

    #[test]
    fn a_cell_comes_back_from_its_parts(part in observations(), quantiles: bool, covariate: bool) {
        let cell = cell(quantiles, covariate, &part);
        let moments = cell.moments();
        let moments = Moments::from_parts(moments.n(), moments.mean(), moments.m2(), moments.min(), moments.max()).unwrap();
        let buckets = Buckets::decode(&cell.buckets().encode()).unwrap();
        let sketch = cell.sketch().map(|sketch| Sketch::decode(&sketch.encode()).unwrap());
        let mut found = Cell::from_parts(moments, buckets, sketch).unwrap();
        (found.refused, found.clamped, found.late) = (cell.refused, cell.clamped, cell.late);
        check_same(&found, &cell)?;
        prop_assert_eq!(found.buckets(), cell.buckets());
    }

    #[test]
    fn arbitrary_bytes_are_no_buckets(bytes in vec(any::<u8>(), 0..40), repeated in 0..200_usize) {
        let _ = Buckets::decode(&bytes.repeat(repeated));
    }
}

#[test]
fn a_unit_always_falls_into_the_same_bucket_and_sub_sketch() {
    let observation = |value, denominator| Observation {
        unit: 7,
        value,
        denominator,
        covariate: 0.5,
    };
    let cell = cell(true, true, &[observation(3.0, 2.0), observation(-1.0, 4.0)]);
    let slot = unit_slot(unit_seed("experiment"), "7");
    for (index, row) in cell.buckets().rows().enumerate() {
        assert_eq!(
            row,
            if index == slot.bucket() {
                [6.0, 2.0, 1.0]
            } else {
                [0.0; 3]
            }
        );
    }
    let bins = cell.sketch().unwrap().bins();
    assert_eq!(bins.len(), 2);
    assert!(
        bins.iter()
            .all(|bin| bin.counts[slot.sub()] == 1 && bin.total() == 1)
    );
}

#[test]
fn cells_of_different_shape_do_not_merge() {
    let one = [Observation {
        unit: 1,
        value: 2.0,
        denominator: 1.0,
        covariate: 0.5,
    }];
    let shapes = [(false, false), (false, true), (true, false), (true, true)];
    for a in shapes {
        for b in shapes {
            let mut merged = cell(a.0, a.1, &one);
            let before = merged.clone();
            let result = merged.merge(&cell(b.0, b.1, &one));
            if a == b {
                assert_eq!(merged.moments().n(), 2);
            } else {
                assert!(
                    matches!(result, Err(Error::InvalidArgument { .. })),
                    "{result:?}"
                );
                assert_eq!(merged, before);
            }
        }
    }
}

#[test]
fn a_cell_of_counts_alone_takes_any_shape() {
    let mut counts = Cell::new(false, true);
    counts.refused = 3;
    assert!(!counts.is_empty());
    let one = cell(
        true,
        false,
        &[Observation {
            unit: 1,
            value: 2.0,
            denominator: 1.0,
            covariate: 0.0,
        }],
    );
    for merged in [merge(&[&counts, &one]), merge(&[&one, &counts])] {
        assert_eq!((merged.refused, merged.moments().n()), (3, 1));
        assert!(merged.sketch().is_some() && !merged.buckets().covariate());
    }
    for merged in [
        merge(&[&counts, &Cell::new(true, false)]),
        merge(&[&Cell::new(true, false), &counts]),
    ] {
        assert!(merged.sketch().is_some() && merged.buckets().covariate() && merged.refused == 3);
    }
}

#[test]
fn every_wrong_number_is_named() {
    let fields = |covariate: bool, value, denominator, given| match Cell::new(false, covariate)
        .check(value, denominator, given)
    {
        Ok(()) => vec![],
        Err(error) => error
            .violations()
            .iter()
            .map(|violation| violation.field.clone())
            .collect(),
    };
    assert!(fields(false, -1e100, 1e100, None).is_empty());
    assert!(fields(true, 0.0, f64::MIN_POSITIVE, Some(-3.0)).is_empty());
    assert_eq!(
        fields(false, f64::NAN, 0.0, Some(1.0)),
        ["value", "denominator", "covariate"]
    );
    assert_eq!(
        fields(true, 1.1e100, f64::INFINITY, None),
        ["value", "denominator", "covariate"]
    );
    assert_eq!(
        fields(true, 1.0, -1.0, Some(f64::NEG_INFINITY)),
        ["covariate", "denominator"]
    );
}

#[test]
fn parts_of_different_cells_are_damaged() {
    let one = cell(
        true,
        false,
        &[Observation {
            unit: 1,
            value: 2.0,
            denominator: 1.0,
            covariate: 0.0,
        }],
    );
    let none = Cell::new(true, false);
    let sketch = |cell: &Cell| cell.sketch().cloned();
    let damaged = [
        (one.moments(), one.buckets(), sketch(&none)),
        (one.moments(), none.buckets(), sketch(&one)),
        (none.moments(), one.buckets(), None),
        (none.moments(), none.buckets(), sketch(&one)),
    ];
    for (moments, buckets, sketch) in damaged {
        let found = Cell::from_parts(moments.clone(), buckets.clone(), sketch);
        assert!(matches!(found, Err(Error::DataLoss(_))), "{found:?}");
    }
}

#[test]
fn damaged_buckets_are_refused() {
    let bytes = |sums: &[f64]| {
        let mut all = vec![0.0; UNIT_BUCKETS * 2];
        all[..sums.len()].copy_from_slice(sums);
        all.iter()
            .flat_map(|sum| sum.to_le_bytes())
            .collect::<Vec<_>>()
    };
    assert!(Buckets::decode(&bytes(&[1.0, -2.0])).is_ok());
    let good = bytes(&[]);
    let longer = [good.as_slice(), &[0]].concat();
    let damaged = [
        vec![],
        good[1..].to_vec(),
        longer,
        bytes(&[f64::NAN]),
        bytes(&[1.0, f64::INFINITY]),
        bytes(&[-1.0]),
    ];
    for bytes in damaged {
        assert!(
            matches!(Buckets::decode(&bytes), Err(Error::DataLoss(_))),
            "{} bytes",
            bytes.len()
        );
    }
    // A sum without a denominator belongs to no observation.
    let stray = Buckets::decode(&bytes(&[1.0, 1.0, 0.0, 1.0])).unwrap();
    let mut one = Moments::default();
    one.add(1.0);
    assert!(matches!(
        Cell::from_parts(one, stray, None),
        Err(Error::DataLoss(_))
    ));
}
