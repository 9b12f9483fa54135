//! Moments against exact rational arithmetic and certified values.
#![allow(clippy::unwrap_used)]

use num_rational::BigRational;
use num_traits::ToPrimitive;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Normal};
use sortition_core::error::Error;
use sortition_core::moments::{COUNT_LIMIT, MAGNITUDE_LIMIT, Moments};

fn of(values: &[f64]) -> Moments {
    let mut moments = Moments::default();
    values.iter().for_each(|value| moments.add(*value));
    moments
}

/// The moments as the database gives them back.
fn stored(moments: &Moments) -> Moments {
    Moments::from_parts(
        moments.n(),
        moments.mean(),
        moments.m2(),
        moments.min(),
        moments.max(),
    )
    .unwrap()
}

fn merged(chunks: impl Iterator<Item = Moments>) -> Moments {
    chunks.fold(Moments::default(), |mut all, chunk| {
        all.merge(&chunk);
        all
    })
}

fn rational(value: f64) -> BigRational {
    BigRational::from_float(value).unwrap()
}

/// Returns mean and sum of squared deviations without any rounding.
fn exact(values: &[f64]) -> (BigRational, BigRational) {
    let n = rational(values.len() as f64);
    let sum: BigRational = values.iter().copied().map(rational).sum();
    let squares: BigRational = values
        .iter()
        .copied()
        .map(|value| rational(value) * rational(value))
        .sum();
    (&sum / &n, squares - &sum * &sum / n)
}

fn relative_error(found: f64, exact: &BigRational) -> f64 {
    ((rational(found) - exact) / exact).to_f64().unwrap().abs()
}

/// Values that agree in their first eleven digits.
fn narrow(n: usize, seed: u64) -> Vec<f64> {
    Normal::new(1e9, 1e-3)
        .unwrap()
        .sample_iter(StdRng::seed_from_u64(seed))
        .take(n)
        .collect()
}

#[test]
fn variance_is_exact_to_rounding_at_mean_1e9_and_sd_1e_3() {
    for (n, seed) in [(2, 1), (10, 2), (1000, 3), (20_000, 4)] {
        let values = narrow(n, seed);
        let (mean, m2) = exact(&values);
        let one_pass = of(&values);
        let in_parts = merged(values.chunks(n.div_ceil(20)).map(of));
        for found in [one_pass, in_parts] {
            assert!(relative_error(found.mean(), &mean) < 2e-16);
            assert!(
                relative_error(found.m2(), &m2) < 1e-13,
                "n {n}: {}",
                relative_error(found.m2(), &m2)
            );
        }
    }
}

/// A stored mean is one float64: at 1e9 it is off by up to 6e-8, which is 6e-5 standard deviations.
#[test]
fn variance_of_stored_parts_is_as_good_as_their_means() {
    let values = narrow(20_000, 5);
    let (_, m2) = exact(&values);
    let found = merged(values.chunks(1000).map(|chunk| stored(&of(chunk))));
    assert!(
        relative_error(found.m2(), &m2) < 5e-6,
        "{}",
        relative_error(found.m2(), &m2)
    );
}

/// The univariate sets of NIST's Statistical Reference Datasets, with their certified mean and standard deviation.
#[test]
fn certified_values_are_met() {
    let alternating = |middle: f64, low: f64, high: f64| {
        let pairs = (0..1000).map(move |index| if index % 2 == 0 { low } else { high });
        std::iter::once(middle).chain(pairs).collect::<Vec<_>>()
    };
    let sets = [
        (
            vec![10_000_001.0, 10_000_003.0, 10_000_002.0],
            10_000_002.0,
            1.0,
        ),
        (alternating(1.2, 1.1, 1.3), 1.2, 0.1),
        (
            alternating(1_000_000.2, 1_000_000.1, 1_000_000.3),
            1_000_000.2,
            0.1,
        ),
        (
            alternating(10_000_000.2, 10_000_000.1, 10_000_000.3),
            10_000_000.2,
            0.1,
        ),
    ];
    for (values, mean, deviation) in sets {
        for found in [
            of(&values),
            merged(values.chunks(100).map(|chunk| stored(&of(chunk)))),
        ] {
            let found_deviation = (found.m2() / (found.n() - 1) as f64).sqrt();
            assert!(
                (found.mean() / mean - 1.0).abs() < 1e-15,
                "{mean}: {}",
                found.mean()
            );
            assert!(
                (found_deviation / deviation - 1.0).abs() < 1e-8,
                "{mean}: {found_deviation}"
            );
        }
    }
}

#[test]
fn an_outlier_in_front_hides_nothing() {
    let mut values = vec![1e9];
    values.extend(narrow(999, 6).iter().map(|value| value - 1e9));
    let (mean, m2) = exact(&values);
    let found = of(&values);
    assert!(relative_error(found.mean(), &mean) < 1e-15);
    assert!(relative_error(found.m2(), &m2) < 1e-13);
}

#[test]
fn the_largest_values_stay_finite() {
    let one_pass = of(&[MAGNITUDE_LIMIT, -MAGNITUDE_LIMIT, MAGNITUDE_LIMIT]);
    assert!(one_pass.mean().is_finite() && one_pass.m2().is_finite());
    let sides = [MAGNITUDE_LIMIT, -MAGNITUDE_LIMIT];
    let most = sides.map(|value| {
        Moments::from_parts(COUNT_LIMIT, value, 0.0, Some(value), Some(value)).unwrap()
    });
    let found = merged(most.into_iter());
    assert_eq!(found.n(), 2 * COUNT_LIMIT);
    assert!(found.mean().abs() < 1e-15 * MAGNITUDE_LIMIT && found.m2().is_finite());
}

#[test]
fn extremes_are_none_until_something_is_added() {
    assert_eq!(
        (of(&[]).min(), of(&[]).max(), of(&[]).mean(), of(&[]).m2()),
        (None, None, 0.0, 0.0)
    );
    let found = of(&[3.0, -2.0, 0.0]);
    assert_eq!((found.min(), found.max()), (Some(-2.0), Some(3.0)));
    let found = merged([of(&[5.0]), of(&[-7.0]), of(&[])].into_iter());
    assert_eq!((found.min(), found.max()), (Some(-7.0), Some(5.0)));
}

#[test]
fn parts_that_no_observations_have_are_damaged() {
    let (one, two) = (Some(1.0), Some(2.0));
    let damaged = [
        (0, 1.0, 0.0, None, None),
        (0, 0.0, 1.0, None, None),
        (0, 0.0, 0.0, one, one),
        (1, 1.0, 0.0, None, one),
        (2, 1.5, 0.5, two, one),
        (2, 2.1, 0.5, one, two),
        (2, 0.9, 0.5, one, two),
        (2, 1.5, -0.5, one, two),
        (2, f64::NAN, 0.5, one, two),
        (2, 1.5, f64::INFINITY, one, two),
        (2, 1.5, 0.5, Some(f64::NEG_INFINITY), two),
        (COUNT_LIMIT + 1, 1.5, 0.5, one, two),
    ];
    for (n, mean, m2, min, max) in damaged {
        let found = Moments::from_parts(n, mean, m2, min, max);
        assert!(
            matches!(found, Err(Error::DataLoss(_))),
            "{n} {mean} {m2} {min:?} {max:?}: {found:?}"
        );
    }
    assert!(Moments::from_parts(2, 1.5, 0.5, one, two).is_ok());
}
