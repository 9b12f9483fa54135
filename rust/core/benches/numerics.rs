//! What one observation and one assignment cost.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, LogNormal};
use sortition_core::allocation::allocate;
use sortition_core::cell::Cell;
use sortition_core::hash::{ExposureKey, Prefix, bucket, unit_seed, unit_slot};
use sortition_core::sketch::Sketch;

const EXPERIMENT: &str = "0190b7a2-5c1e-7d3f-8a4b-1c2d3e4f5a6b";
/// More than a day's distinct values, few enough to stay out of the way of what is measured.
const VALUES: usize = 4096;

/// Latencies in milliseconds, as of a service with a long tail.
fn latencies() -> Vec<f64> {
    let values = LogNormal::new(3.0, 0.7).map(|law| {
        law.sample_iter(StdRng::seed_from_u64(1))
            .take(VALUES)
            .collect()
    });
    values.unwrap_or_default()
}

fn hashing(criterion: &mut Criterion) {
    let units: Vec<String> = (0..VALUES)
        .map(|index| format!("session-{index:012}"))
        .collect();
    let mut units = units.iter().cycle();
    let mut unit = move || units.next().map_or("", String::as_str);
    let prefix = Prefix::new(EXPERIMENT);
    let exposures = ExposureKey::new(b"0123456789abcdef").experiment(EXPERIMENT);
    let seed = unit_seed(EXPERIMENT);
    criterion.bench_function("bucket", |bench| {
        bench.iter(|| bucket(EXPERIMENT, black_box(unit())))
    });
    criterion.bench_function("bucket, prefix absorbed", |bench| {
        bench.iter(|| prefix.bucket(black_box(unit())))
    });
    criterion.bench_function("exposure hash, prefix absorbed", |bench| {
        bench.iter(|| exposures.hash(black_box(unit())))
    });
    criterion.bench_function("unit slot", |bench| {
        bench.iter(|| unit_slot(seed, black_box(unit())))
    });
    criterion.bench_function("allocate", |bench| {
        bench.iter(|| allocate(black_box(&[3300, 3300, 3400]), black_box(7000)))
    });
}

fn adding(criterion: &mut Criterion) {
    let seed = unit_seed(EXPERIMENT);
    let latencies = latencies().into_iter().enumerate();
    let observations: Vec<_> = latencies
        .map(|(index, value)| (unit_slot(seed, &index.to_string()), value))
        .collect();
    let mut observations = observations.iter().cycle();
    let mut sketch = Sketch::default();
    let mut plain = Cell::new(false, false);
    let mut full = Cell::new(true, true);
    criterion.bench_function("sketch add", |bench| {
        bench.iter(|| {
            observations
                .next()
                .map(|(slot, value)| sketch.add(slot.sub(), *value))
        });
    });
    criterion.bench_function("cell add", |bench| {
        bench.iter(|| {
            observations
                .next()
                .map(|(slot, value)| plain.add(*slot, *value, 1.0, None))
        });
    });
    criterion.bench_function("cell add, sketch and covariate", |bench| {
        bench.iter(|| {
            observations
                .next()
                .map(|(slot, value)| full.add(*slot, *value, 1.0, Some(0.5)))
        });
    });
    criterion.bench_function("sketch encode", |bench| bench.iter(|| sketch.encode()));
    criterion.bench_function("cell merge", |bench| {
        bench.iter_batched_ref(
            || full.clone(),
            |cell| cell.merge(&full),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, hashing, adding);
criterion_main!(benches);
