//! The promises of the sketch: 1 % accuracy, exact merges, an encoding that refuses everything else.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, LogNormal, Pareto};
use sortition_core::error::Error;
use sortition_core::hash::SUB_SKETCHES;
use sortition_core::sketch::Sketch;

/// What rounding of the bins' edges may add to the promise.
const ROUNDING: f64 = 1e-12;

fn of(values: &[f64]) -> Sketch {
    let mut sketch = Sketch::default();
    for (index, value) in values.iter().enumerate() {
        sketch.add(index % SUB_SKETCHES, *value);
    }
    sketch
}

/// Checks every quantile of a grid, and the rank of every observation where there are few, against the sorted values.
fn check_accuracy(mut values: Vec<f64>) {
    let sketch = of(&values);
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    let ranks = last.min(200);
    let q: Vec<f64> = (0..=1000)
        .map(|step| f64::from(step) / 1000.0)
        .chain((0..=ranks).map(|rank| rank as f64 / ranks.max(1) as f64))
        .collect();
    for (q, found) in q.iter().zip(sketch.quantiles(&q).unwrap()) {
        let truth = values[(q * last as f64).floor() as usize];
        let bound = (0.01 + ROUNDING) * truth.abs();
        assert!(
            (found - truth).abs() <= bound,
            "q {q}: {found}, in truth {truth}"
        );
    }
}

#[test]
fn quantiles_are_within_one_percent() {
    let random = || StdRng::seed_from_u64(20);
    let lognormal: Vec<f64> = LogNormal::new(0.0, 2.0)
        .unwrap()
        .sample_iter(random())
        .take(20_000)
        .collect();
    let pareto: Vec<f64> = Pareto::new(1.0, 0.8)
        .unwrap()
        .sample_iter(random())
        .take(20_000)
        .collect();
    let negative: Vec<f64> = lognormal.iter().map(|value| -value).collect();
    let mixed: Vec<f64> = lognormal
        .iter()
        .chain(&negative)
        .copied()
        .chain(std::iter::repeat_n(0.0, 5000))
        .chain(pareto.iter().copied())
        .collect();
    for values in [
        lognormal,
        pareto,
        negative,
        mixed,
        vec![0.0; 1000],
        vec![-0.0; 3],
    ] {
        check_accuracy(values);
    }
}

#[test]
fn a_constant_is_its_own_quantile() {
    // Among them both ends of a bin, where an answer inside the bin is furthest from the truth.
    let edge = (1.0_f64 / 70.0).exp2();
    for constant in [
        1.0,
        1.0 + f64::EPSILON,
        edge,
        edge.next_up(),
        0.3,
        1e-30,
        1e30,
        -0.3,
        -edge,
    ] {
        check_accuracy(vec![constant; 1000]);
        check_accuracy(vec![constant]);
    }
}

#[test]
fn quantiles_follow_the_rank_inside_a_bin() {
    let found = of(&[1.001; 100])
        .quantiles(&[0.0, 0.25, 0.5, 0.75, 1.0])
        .unwrap();
    assert!(found.is_sorted_by(|a, b| a < b), "{found:?}");
}

#[test]
fn what_is_beyond_the_bins_counts_in_the_last() {
    let values = [
        f64::MAX,
        1e100,
        1e-300,
        f64::from_bits(1),
        -f64::MAX,
        -1e-300,
    ];
    let sketch = of(&values);
    assert_eq!(sketch.n(), values.len() as u64);
    let edges: Vec<_> = sketch
        .bins()
        .iter()
        .map(|bin| (bin.total(), bin.edges()))
        .collect();
    assert_eq!(
        edges.iter().map(|(total, _)| *total).collect::<Vec<_>>(),
        [1, 1, 2, 2]
    );
    let top = (8192.0_f64 / 70.0).exp2();
    assert_eq!((edges[0].1.0, edges[3].1.1), (-top, top));
    assert_eq!(Sketch::decode(&sketch.encode()).unwrap(), sketch);
}

#[test]
fn bins_ascend_and_hold_the_sub_sketches() {
    let mut sketch = Sketch::default();
    for (sub, value) in [
        (0, 3.0),
        (15, 3.0),
        (15, 3.0),
        (7, 0.0),
        (3, -2.0),
        (3, -5.0),
    ] {
        sketch.add(sub, value);
    }
    let bins = sketch.bins();
    assert!(bins.is_sorted_by(|a, b| a.edges().1 <= b.edges().0));
    let counts: Vec<_> = bins
        .iter()
        .map(|bin| (bin.counts[0], bin.counts[3], bin.counts[7], bin.counts[15]))
        .collect();
    assert_eq!(
        counts,
        [(0, 1, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (1, 0, 0, 2)]
    );
    for (bin, value) in bins.iter().zip([-5.0, -2.0, 0.0, 3.0]) {
        let (lower, upper) = bin.edges();
        assert!(
            lower <= value && value <= upper,
            "{value} in {lower}..{upper}"
        );
    }
}

#[test]
fn an_empty_sketch_has_no_quantiles() {
    assert!(Sketch::default().quantiles(&[0.5]).unwrap()[0].is_nan());
    assert_eq!(Sketch::default().encode(), [1, 0]);
}

#[test]
fn every_q_outside_the_unit_interval_is_named() {
    let Err(Error::InvalidArgument { violations }) =
        of(&[1.0]).quantiles(&[-0.1, 0.5, f64::NAN, 1.1])
    else {
        unreachable!("the quantiles are refused");
    };
    assert_eq!(
        violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect::<Vec<_>>(),
        ["q[0]", "q[2]", "q[3]"]
    );
}

#[test]
fn damaged_bytes_are_refused() {
    let lowest = [1, 1, 1, 1, 0, 1];
    assert_eq!(Sketch::decode(&lowest).unwrap().encode(), lowest);
    let highest = [1, 1, 0x83, 0x80, 0x02, 1, 0, 1];
    assert_eq!(Sketch::decode(&highest).unwrap().encode(), highest);
    let damaged: &[(&str, &[u8])] = &[
        ("empty", &[]),
        ("an unknown version", &[2, 0]),
        ("cut after the version", &[1]),
        ("cut inside a bin", &[1, 1, 1, 1, 0]),
        ("more bins than bytes", &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("trailing bytes", &[1, 0, 0]),
        ("a bin beyond the last", &[1, 1, 0x84, 0x80, 0x02, 1, 0, 1]),
        (
            "a bin far beyond the last",
            &[
                1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 0, 1,
            ],
        ),
        ("a repeated bin", &[1, 2, 1, 1, 0, 1, 0, 1, 0, 1]),
        ("a bin of no sub-sketch", &[1, 1, 1, 0, 0, 1]),
        ("a count of nothing", &[1, 1, 1, 1, 0, 0]),
        ("an overlong number", &[1, 1, 1, 1, 0, 0x81, 0x00]),
        (
            "a number beyond 64 bits",
            &[
                1, 1, 1, 1, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02,
            ],
        ),
        (
            "a count beyond 2^53",
            &[
                1, 1, 1, 1, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10,
            ],
        ),
    ];
    for (name, bytes) in damaged {
        assert!(
            matches!(Sketch::decode(bytes), Err(Error::DataLoss(_))),
            "{name}: {:?}",
            Sketch::decode(bytes)
        );
    }
}

/// Any value a cell accepts, of every size, with some that repeat.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        -1e100..1e100_f64,
        -10.0..10.0_f64,
        (-30.0..30.0_f64).prop_map(f64::exp2),
        Just(0.0),
        Just(1.0)
    ]
}

proptest! {
    #[test]
    fn any_quantile_is_within_one_percent(values in vec((-80.0..80.0_f64, -1..=1_i8), 1..300)) {
        check_accuracy(values.into_iter().map(|(exponent, sign)| exponent.exp2() * f64::from(sign)).collect());
    }

    #[test]
    fn merging_in_any_order_equals_one_pass(values in vec((0..SUB_SKETCHES, value()), 0..200), order in any::<prop::sample::Index>()) {
        let pass = |values: &[(usize, f64)]| {
            let mut sketch = Sketch::default();
            values.iter().for_each(|(sub, value)| sketch.add(*sub, *value));
            sketch
        };
        let (a, rest) = values.split_at(order.index(values.len() + 1));
        let (b, c) = rest.split_at(rest.len() / 2);
        let merge = |parts: [&Sketch; 3]| parts.into_iter().fold(Sketch::default(), |mut all, part| { all.merge(part); all });
        let (a, b, c) = (pass(a), pass(b), pass(c));
        let whole = pass(&values).encode();
        for parts in [[&a, &b, &c], [&c, &a, &b], [&b, &c, &a], [&c, &b, &a]] {
            prop_assert_eq!(&merge(parts).encode(), &whole);
        }
    }

    #[test]
    fn an_encoded_sketch_comes_back(values in vec((0..SUB_SKETCHES, value()), 0..200)) {
        let mut sketch = Sketch::default();
        values.iter().for_each(|(sub, value)| sketch.add(*sub, *value));
        prop_assert_eq!(Sketch::decode(&sketch.encode()).unwrap(), sketch);
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_mean_one_sketch(mut bytes in vec(any::<u8>(), 0..80)) {
        let _ = Sketch::decode(&bytes);
        // Most bytes fail at once; these get further.
        bytes.splice(0..0, [1, bytes.len() as u8 / 4]);
        if let Ok(sketch) = Sketch::decode(&bytes) {
            prop_assert_eq!(sketch.encode(), bytes);
        }
    }

    #[test]
    fn a_changed_byte_never_panics(values in vec(value(), 1..50), position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = of(&values).encode();
        let position = position.index(bytes.len());
        bytes[position] = byte;
        if let Ok(sketch) = Sketch::decode(&bytes) {
            prop_assert_eq!(sketch.encode(), bytes);
        }
    }
}
