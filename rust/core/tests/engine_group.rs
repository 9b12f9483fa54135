//! Recordings in one write: the same answers and the same cells as one after the other, and never half of a group.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;
#[path = "common/files.rs"]
mod files;

use common::*;
use files::{Faults, Files, open, options, try_open};
use proptest::prelude::*;
use prost::Message;
use sortition_core::engine::{Batch, Engine};
use sortition_core::error::Error;
use sortition_core::wire::v1::{Delivery, Outcome, RecordRequest, RecordResponse};

fn request(outcome: Outcome, delivery: Delivery) -> Vec<u8> {
    RecordRequest {
        outcome: Some(outcome),
        delivery: Some(delivery),
    }
    .encode_to_vec()
}

/// A call of some shape: good and bad, numbered, keyed and neither, with units and numbers that come again.
fn call(shape: u8, unit: u8, number: u64) -> Vec<u8> {
    let unit = format!("unit-{}", unit % 5);
    let good = outcome(
        "running",
        &unit,
        vec![observation("time", 1.0 + number as f64)],
    );
    let external = Outcome {
        variant: "fancy".into(),
        ..score("external", &unit)
    };
    match shape % 9 {
        0 | 1 => request(good, Delivery::default()),
        2 => request(good, numbered(b"one", number + 1, 1)),
        3 => request(good, numbered(b"two", number + 1, number / 2 + 1)),
        4 => request(good, keyed(&[number as u8 + 1])),
        5 => request(external, numbered(b"one", number + 40, 1)),
        6 => request(score("nowhere", &unit), Delivery::default()),
        7 => request(
            outcome("running", &unit, vec![observation("time", f64::NAN)]),
            numbered(b"one", number + 1, 1),
        ),
        _ => vec![0xff],
    }
}

/// A cell's address and all of its bits.
type Cells = Vec<(String, Vec<u8>)>;

fn cells(batch: &Batch) -> Cells {
    let cell = |delta: &sortition_core::aggregate::CellDelta| {
        (format!("{:?}", delta.address()), delta.cell.encode())
    };
    batch.cells.iter().map(cell).collect()
}

fn sealed(engine: &Engine) -> Option<(Cells, usize)> {
    let batch = engine.seal().unwrap()?;
    Some((cells(&batch), batch.exposures.len()))
}

fn good(unit: usize) -> Vec<u8> {
    let observed = outcome(
        "running",
        &format!("unit-{unit}"),
        vec![observation("time", 1.0)],
    );
    request(observed, numbered(&unit.to_le_bytes(), 1, 1))
}

#[test]
fn a_hundred_calls_are_one_write() {
    let files = Files::default();
    let engine = open(&files);
    let calls: Vec<_> = (0..100).map(good).collect();
    let before = files.changes();
    let answers = engine.record_group(&calls, NOW);
    assert_eq!(files.changes() - before, 1);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(counter(&engine, "calls_recorded"), 100);
    assert_eq!(counter(&engine, "dedup_clients"), 100);
    let again = engine.record_group(&calls, NOW);
    let duplicate = |answer: &Result<Vec<u8>, Error>| {
        RecordResponse::decode(answer.as_ref().unwrap().as_slice())
            .unwrap()
            .duplicate
    };
    assert!(again.iter().all(duplicate));
    assert_eq!(
        files.changes() - before,
        1,
        "nothing is written of what was there"
    );
}

#[test]
fn a_call_twice_in_a_group_counts_once() {
    let engine = open(&Files::default());
    let key = request(score("running", "u"), keyed(b"k"));
    let answers = engine.record_group(&[good(1), key.clone(), good(1), key], NOW);
    let duplicates: Vec<bool> = answers
        .iter()
        .map(|answer| {
            RecordResponse::decode(answer.as_ref().unwrap().as_slice())
                .unwrap()
                .duplicate
        })
        .collect();
    assert_eq!(duplicates, [false, false, true, true]);
    assert_eq!(counter(&engine, "observations"), 2);
}

#[test]
fn a_group_that_cannot_be_written_never_happened() {
    let files = Files::default();
    let engine = open(&files);
    let calls: Vec<_> = (0..10).map(good).collect();
    // The group finds room for a part of itself; then each call by itself finds none.
    files.fail(Faults {
        room: Some(30),
        ..Faults::default()
    });
    for answer in engine.record_group(&calls, NOW) {
        assert!(
            matches!(answer, Err(Error::ResourceExhausted(_))),
            "{answer:?}"
        );
    }
    assert_eq!(counter(&engine, "calls_recorded"), 0);
    files.fail(Faults::default());
    let answers = engine.record_group(&calls, NOW);
    assert!(
        answers.iter().all(Result::is_ok),
        "they were not taken for duplicates"
    );
    engine.resume(0).unwrap();
    let live = sealed(&engine);
    drop(engine);
    let (again, _) = try_open(&files, options()).unwrap();
    again.resume(0).unwrap();
    assert_eq!(sealed(&again), live, "what is replayed is what was counted");
}

#[test]
fn a_bound_that_a_group_meets_refuses_only_what_is_beyond() {
    let engine = engine_with(&[("dedup_clients", 3)]);
    load(&engine, 1, everything());
    let calls: Vec<_> = (0..5).map(good).collect();
    let taken = engine
        .record_group(&calls, NOW)
        .iter()
        .filter(|answer| answer.is_ok())
        .count();
    assert_eq!(taken, 3);
}

proptest! {
    #[test]
    fn groups_answer_as_calls_one_after_the_other(
        calls in prop::collection::vec((0_u8..9, 0_u8..5, 0_u64..12), 1..60),
        cuts in prop::collection::vec(1_usize..20, 60),
    ) {
        let (files, others) = (Files::default(), Files::default());
        let (grouped, single) = (open(&files), open(&others));
        let calls: Vec<_> = calls.into_iter().map(|(shape, unit, number)| call(shape, unit, number)).collect();
        let mut rest = calls.as_slice();
        for cut in cuts {
            let (group, more) = rest.split_at(cut.min(rest.len()));
            rest = more;
            let answers = grouped.record_group(group, NOW);
            let others: Vec<_> = group.iter().map(|one| single.record_message(one, NOW)).collect();
            prop_assert_eq!(answers, others);
        }
        prop_assert_eq!(counter(&grouped, "observations"), counter(&single, "observations"));
        grouped.resume(0).unwrap();
        single.resume(0).unwrap();
        let (ours, theirs) = (sealed(&grouped), sealed(&single));
        prop_assert_eq!(&ours, &theirs);
        drop(grouped);
        let (again, _) = try_open(&files, options()).unwrap();
        again.resume(0).unwrap();
        prop_assert_eq!(sealed(&again), ours);
    }
}
