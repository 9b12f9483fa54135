//! Many threads at once: nothing is lost, nothing is counted twice, and a call is in one batch whole.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::*;
use sortition_core::engine::Engine;
use sortition_core::wire::v1::{ExperimentStatus as Status, Outcome};

const THREADS: usize = 6;
const CALLS: u64 = 2_000;

/// Runs `work` in `THREADS` threads, while `beside` is called again and again, and once more after the last.
fn race(work: impl Fn(usize) + Sync, mut beside: impl FnMut()) {
    let (start, running) = (Barrier::new(THREADS + 1), AtomicUsize::new(THREADS));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, running, work) = (&start, &running, &work);
            scope.spawn(move || {
                start.wait();
                work(number);
                running.fetch_sub(1, Ordering::Release);
            });
        }
        start.wait();
        while running.load(Ordering::Acquire) > 0 {
            beside();
            thread::yield_now();
        }
    });
    beside();
}

#[test]
fn the_sum_over_all_batches_is_what_was_recorded() {
    let engine = engine();
    let (mut n, mut sum, mut batches, mut exposed) = (0, 0.0, 0, HashSet::new());
    let record_all = |thread: usize| {
        for call in 0..CALLS {
            let unit = format!("u{}", call % 50);
            let observations = vec![observation("clicks", call as f64), observation("time", 2.0)];
            record(&engine, outcome("running", &unit, observations)).unwrap();
            assign(&engine, &by_key("running", &format!("{thread}-{call}"))).unwrap();
            let external = outcome("external", &unit, vec![observation("clicks", 1.0); 3]);
            record(
                &engine,
                Outcome {
                    variant: "plain".into(),
                    ..external
                },
            )
            .unwrap();
        }
    };
    race(record_all, || {
        let Some(batch) = engine.seal().unwrap() else {
            return;
        };
        assert_eq!(engine.seal().unwrap().unwrap().number, batch.number);
        batches += 1;
        assert_eq!(batch.number, batches);
        let mut whole = [0, 0];
        for delta in &batch.cells {
            let moments = delta.cell.moments();
            n += moments.n();
            sum += moments.mean() * moments.n() as f64;
            if &*delta.experiment_id == "id-of-running" {
                whole[usize::from(delta.metric == 2)] += moments.n();
            } else {
                assert_eq!(moments.n() % 3, 0, "a call was cut in two");
            }
        }
        assert_eq!(whole[0], whole[1], "a call was cut in two");
        for exposure in &batch.exposures {
            assert!(
                exposed.insert(exposure.unit_hash),
                "a unit was handed on twice"
            );
        }
        engine.commit(batch.number).unwrap();
    });
    let calls = THREADS as u64 * CALLS;
    assert_eq!(n, calls * 5);
    let expected = THREADS as f64 * (CALLS * (CALLS - 1) / 2) as f64 + calls as f64 * 5.0;
    assert!((sum - expected).abs() < expected * 1e-9, "{sum} {expected}");
    assert_eq!(exposed.len(), calls as usize + 50);
    assert!(batches > 1, "nothing was sealed while it was recorded");
    for held in ["live_cells", "pending_exposures"] {
        assert_eq!(counter(&engine, held), 0, "{held}");
    }
    assert_eq!(counter(&engine, "observations"), n);
}

#[test]
fn copies_of_a_call_in_many_threads_count_once() {
    let engine = engine();
    let send_all = |_| {
        for call in 1..=CALLS {
            let oldest = call.saturating_sub(256).max(1);
            deliver(
                &engine,
                score("running", "u"),
                numbered(b"client", call, oldest),
                NOW,
            )
            .unwrap();
            deliver(
                &engine,
                score("running", "u"),
                keyed(&call.to_be_bytes()),
                NOW,
            )
            .unwrap();
        }
    };
    race(send_all, || {});
    // A thread that falls behind finds its numbers settled, which is right only if they were applied.
    let counted: u64 = drain(&engine).iter().map(|row| row.4).sum();
    assert_eq!(counted, 2 * CALLS);
    assert_eq!(
        counter(&engine, "duplicates"),
        2 * CALLS * (THREADS as u64 - 1)
    );
    assert_eq!(counter(&engine, "idempotency_keys"), CALLS);
}

#[test]
fn a_snapshot_is_swapped_between_answers_and_never_inside_one() {
    let engine = engine_with(&[]);
    let version = |version: u64| {
        let mut experiment = experiment("running", Status::Running);
        for variant in &mut experiment.variants {
            variant.config = format!("{{\"version\": {version}}}").into();
        }
        load(&engine, version, vec![experiment]);
    };
    version(1);
    let mut next = 2;
    let ask_all = |_| {
        let mut seen = 0;
        for call in 0..CALLS {
            let answer = assign(&engine, &by_key("running", &format!("u{}", call % 9))).unwrap();
            assert_eq!(
                answer.config,
                format!("{{\"version\": {}}}", answer.snapshot_version)
            );
            assert!(
                answer.snapshot_version >= seen,
                "an older snapshot came back"
            );
            seen = answer.snapshot_version;
        }
    };
    race(ask_all, || {
        version(next);
        next += 1;
    });
    assert!(next > 3);
}

#[test]
fn bounds_hold_under_concurrency() {
    let engine: Engine = engine_with(&[("pending_exposures", 500)]);
    load(&engine, 1, everything());
    let refused = AtomicBool::new(false);
    let expose_all = |thread: usize| {
        for call in 0..CALLS {
            if expose(&engine, "running", &format!("{thread}-{call}")).is_err() {
                refused.store(true, Ordering::Relaxed);
            }
            assert!(counter(&engine, "pending_exposures") <= 500);
        }
    };
    race(expose_all, || {});
    assert!(refused.into_inner());
    assert_eq!(engine.seal().unwrap().unwrap().exposures.len(), 500);
}
