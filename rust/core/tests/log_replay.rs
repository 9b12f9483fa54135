//! What is replayed is what was recorded, however segments were turned, checkpointed and cut.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;
#[path = "common/files.rs"]
mod files;

use common::*;
use files::{Files, open, options, try_open};
use proptest::prelude::*;
use sortition_core::engine::{Batch, Engine};
use sortition_core::log::Options;
use sortition_core::wire::v1::Outcome;

/// All that a batch says, in an order of its own.
fn content(batch: &Batch) -> Vec<String> {
    let mut lines: Vec<String> = batch
        .cells
        .iter()
        .map(|delta| {
            format!(
                "{:?} {}",
                delta.address(),
                delta
                    .cell
                    .encode()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>()
            )
        })
        .chain(
            batch
                .exposures
                .iter()
                .map(|exposure| format!("{exposure:?}")),
        )
        .collect();
    lines.sort();
    lines
}

/// One call of every shape.
fn work(engine: &Engine, number: u64) {
    let unit = format!("unit-{}", number % 7);
    let mut ctr = observation("ctr", 1.0);
    ctr.denominator = Some(2.5);
    let mut spend = observation("spend", 0.25);
    spend.covariate = Some(-3.0);
    let observations = vec![
        observation("time", 90.0 + number as f64),
        observation("clicks", number as f64),
        ctr,
        spend,
    ];
    let delivery = match number % 3 {
        0 => numbered(b"client", number + 1, number.saturating_sub(5) + 1),
        1 => keyed(&number.to_le_bytes()),
        _ => Default::default(),
    };
    deliver(
        engine,
        outcome("running", &unit, observations),
        delivery,
        NOW,
    )
    .unwrap();
    assert!(
        assign(engine, &by_key("running", &format!("seen-{}", number % 11)))
            .unwrap()
            .exposed
    );
    let external = Outcome {
        variant: "fancy".into(),
        ..score("external", &unit)
    };
    record(engine, external).unwrap();
    let devices = ["mobile", "desktop", "watch"];
    let of_device = Outcome {
        dimensions: levels(&[("device", devices[number as usize % 3]), ("plan", "free")]),
        ..outcome(
            "segmented",
            &unit,
            vec![observation("time", 2.0), observation("clicks", 1.0)],
        )
    };
    record(engine, of_device.clone()).unwrap();
    // In one call, so in one record.
    let mixed = vec![
        of_device.clone(),
        score("running", &unit),
        Outcome {
            dimensions: levels(&[]),
            ..of_device
        },
    ];
    record_batch(engine, mixed).unwrap();
    // Counts as late, and as refused.
    record(
        engine,
        Outcome {
            variant: "plain".into(),
            ..score("completed", "u")
        },
    )
    .unwrap();
    record(
        engine,
        outcome("running", "u", vec![observation("score", 1e9)]),
    )
    .unwrap_err();
}

#[test]
fn what_is_replayed_is_what_was_recorded() {
    let files = Files::default();
    let engine = open(&files);
    let memory = common::engine();
    for number in 0..100 {
        work(&engine, number);
        work(&memory, number);
    }
    drop(engine);
    let again = open(&files);
    again.resume(0).unwrap();
    let (replayed, expected) = (
        again.seal().unwrap().unwrap(),
        memory.seal().unwrap().unwrap(),
    );
    assert_eq!(content(&replayed), content(&expected));
    for name in [
        "live_cells",
        "pending_exposures",
        "dedup_clients",
        "idempotency_keys",
    ] {
        assert_eq!(counter(&again, name), counter(&memory, name), "{name}");
    }
}

#[test]
fn a_sealed_batch_comes_back_as_it_was_and_the_open_one_goes_on() {
    let files = Files::default();
    let engine = open(&files);
    engine.resume(41).unwrap();
    work(&engine, 0);
    let sealed = engine.seal().unwrap().unwrap();
    work(&engine, 1);
    drop(engine);
    let again = open(&files);
    work(&again, 2);
    again.resume(41).unwrap();
    let first = again.seal().unwrap().unwrap();
    assert_eq!((first.number, content(&first)), (42, content(&sealed)));
    again.commit(42).unwrap();
    let mut rest = Vec::new();
    while let Some(batch) = again.seal().unwrap() {
        assert_eq!(batch.number, 43 + rest.len() as u64);
        again.commit(batch.number).unwrap();
        rest.push(batch);
    }
    let clicks: u64 = rest
        .iter()
        .flat_map(|batch| &batch.cells)
        .filter(|delta| (&*delta.experiment_id, delta.metric) == ("id-of-running", 3))
        .map(|delta| delta.cell.moments().n())
        .sum();
    assert_eq!(clicks, 2);
}

#[test]
fn a_batch_that_the_database_has_is_not_handed_out_again() {
    let files = Files::default();
    let engine = open(&files);
    engine.resume(0).unwrap();
    work(&engine, 0);
    engine.seal().unwrap().unwrap();
    work(&engine, 1);
    drop(engine);
    let again = open(&files);
    again.resume(1).unwrap();
    let batch = again.seal().unwrap().unwrap();
    assert_eq!(batch.number, 2);
    assert!(
        deliver(
            &again,
            score("running", "u"),
            numbered(b"client", 1, 1),
            NOW
        )
        .unwrap()
        .duplicate
    );
}

#[test]
fn an_older_database_is_fed_again_or_refused() {
    let files = Files::default();
    let engine = open(&files);
    engine.resume(0).unwrap();
    let mut batches = Vec::new();
    for number in 0..4 {
        work(&engine, number);
        batches.push(engine.seal().unwrap().unwrap());
        engine.commit(number + 1).unwrap();
    }
    drop(engine);
    let again = open(&files.copy());
    again.resume(1).unwrap();
    for expected in &batches[1..] {
        let batch = again.seal().unwrap().unwrap();
        assert_eq!(
            (batch.number, content(&batch)),
            (expected.number, content(expected))
        );
        again.commit(batch.number).unwrap();
    }
    assert!(again.seal().unwrap().is_none());
    let none = Options {
        retain_bytes: 1,
        ..options()
    };
    let (forgetful, _) = try_open(&files, none).unwrap();
    forgetful.resume(4).unwrap();
    drop(forgetful);
    let error = open(&files).resume(1).unwrap_err();
    assert_eq!(error.code(), 15, "{error}");
}

#[test]
fn a_database_ahead_of_the_log_is_refused_unless_nothing_waits() {
    let files = Files::default();
    let engine = open(&files);
    engine.resume(5).unwrap();
    drop(engine);
    let idle = open(&files);
    idle.resume(9).unwrap();
    work(&idle, 0);
    assert_eq!(idle.seal().unwrap().unwrap().number, 10);
    drop(idle);
    let waiting = open(&files);
    assert_eq!(waiting.resume(30).unwrap_err().code(), 9);
    waiting.resume(9).unwrap();
    assert_eq!(waiting.seal().unwrap().unwrap().number, 10);
}

#[test]
fn a_log_without_a_database_is_bounded_by_its_cells() {
    let files = Files::default();
    let small = Options {
        segment_bytes: 20_000,
        ..options()
    };
    let (engine, _) = try_open(&files, small.clone()).unwrap();
    let memory = common::engine();
    let mut largest = 0;
    for number in 0..3_000 {
        work(&engine, number);
        work(&memory, number);
        if number % 20 == 0 {
            engine.tend().unwrap();
            largest = largest.max(counter(&engine, "log_bytes"));
        }
    }
    // 3,000 rounds would be some 1.5 MB; the cells are some 40 KB.
    assert!(largest < 400_000, "{largest}");
    drop(engine);
    let (again, _) = try_open(&files, small).unwrap();
    again.resume(0).unwrap();
    let (replayed, expected) = (
        again.seal().unwrap().unwrap(),
        memory.seal().unwrap().unwrap(),
    );
    assert_eq!(replayed.cells.len(), expected.cells.len());
    for (left, right) in replayed.cells.iter().zip(&expected.cells) {
        assert_eq!(left.cell.moments().n(), right.cell.moments().n());
        assert_eq!(left.cell.sketch(), right.cell.sketch());
        assert!((left.cell.moments().mean() - right.cell.moments().mean()).abs() < 1e-9);
    }
    assert_eq!(replayed.exposures.len(), expected.exposures.len());
}

#[test]
fn stored_segments_go_and_windows_stay() {
    let files = Files::default();
    let none = Options {
        retain_bytes: 1,
        ..options()
    };
    let (engine, _) = try_open(&files, none.clone()).unwrap();
    engine.resume(0).unwrap();
    for number in 0..30 {
        work(&engine, number);
        let batch = engine.seal().unwrap().unwrap();
        engine.commit(batch.number).unwrap();
    }
    assert!(files.segments().len() <= 2, "{:?}", files.all().keys());
    drop(engine);
    let (again, _) = try_open(&files, none).unwrap();
    for number in (0..30).step_by(3) {
        let oldest = (number as u64).saturating_sub(5) + 1;
        let sent = numbered(b"client", number as u64 + 1, oldest);
        assert!(
            deliver(&again, score("running", "u"), sent, NOW)
                .unwrap()
                .duplicate
        );
    }
    let key = keyed(&1_u64.to_le_bytes());
    assert_eq!(
        deliver(&again, score("running", "u"), key, NOW)
            .unwrap_err()
            .code(),
        6
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the order of calls, seals, commits, rests and ends of the process: each call is in exactly one batch.
    #[test]
    fn every_call_is_in_one_batch(steps in prop::collection::vec(0_u8..8, 1..60)) {
        let files = Files::default();
        let small = Options { segment_bytes: 600, retain_bytes: 400, ..options() };
        let start = || try_open(&files, small.clone()).unwrap().0;
        let (mut engine, mut stored, mut sent, mut applied, mut n) = (start(), 0_u64, 0_u64, 0_u64, 0_u64);
        engine.resume(0).unwrap();
        for step in steps {
            match step {
                0..=3 => {
                    sent += 1;
                    let call = outcome("running", &format!("u{sent}"), vec![observation("clicks", 1.0)]);
                    let delivery = numbered(b"c", sent, sent.saturating_sub(200).max(1));
                    prop_assert!(!deliver(&engine, call, delivery, NOW).unwrap().duplicate);
                    applied += 1;
                }
                4 | 5 => {
                    if let Some(batch) = engine.seal().unwrap() {
                        // The answer of the database may be lost; it has the batch all the same.
                        prop_assert_eq!(batch.number, stored + 1);
                        stored += 1;
                        n += batch.cells.iter().map(|delta| delta.cell.moments().n()).sum::<u64>();
                        if step == 4 {
                            engine.commit(batch.number).unwrap();
                        } else {
                            drop(engine);
                            engine = start();
                            engine.resume(stored).unwrap();
                        }
                    }
                }
                6 => engine.tend().unwrap(),
                _ => {
                    drop(engine);
                    engine = start();
                    engine.resume(stored).unwrap();
                }
            }
        }
        for seq in 1..=sent {
            let delivery = numbered(b"c", seq, seq.saturating_sub(200).max(1));
            prop_assert!(deliver(&engine, score("running", "u"), delivery, NOW).unwrap().duplicate);
        }
        while let Some(batch) = engine.seal().unwrap() {
            n += batch.cells.iter().map(|delta| delta.cell.moments().n()).sum::<u64>();
            engine.commit(batch.number).unwrap();
        }
        prop_assert_eq!(n, applied);
    }
}
