//! A retry is never counted twice, and nothing else is taken for one.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use common::*;
use proptest::prelude::*;
use sortition_core::engine::Engine;
use sortition_core::error::Result;
use sortition_core::wire::v1::{Delivery, RecordResponse};

fn send(engine: &Engine, delivery: Delivery) -> Result<RecordResponse> {
    deliver(engine, score("running", "u"), delivery, NOW)
}

fn counted(engine: &Engine) -> u64 {
    drain(engine).iter().map(|row| row.4).sum()
}

#[test]
fn a_numbered_call_counts_once() {
    let engine = engine();
    for seq in [1, 2, 2, 1, 3] {
        send(&engine, numbered(b"client", seq, 1)).unwrap();
    }
    assert!(send(&engine, numbered(b"client", 3, 1)).unwrap().duplicate);
    assert!(!send(&engine, numbered(b"other", 3, 1)).unwrap().duplicate);
    assert!(
        !send(&engine, numbered(b"client\0", 3, 0))
            .unwrap()
            .duplicate,
        "ids differ by their length alone"
    );
    assert_eq!(counted(&engine), 5);
    assert_eq!(
        (
            counter(&engine, "duplicates"),
            counter(&engine, "dedup_clients")
        ),
        (3, 3)
    );
}

#[test]
fn settled_numbers_are_duplicates_and_far_ones_are_refused() {
    let engine = engine();
    assert!(!send(&engine, numbered(b"c", 1_000, 900)).unwrap().duplicate);
    assert!(send(&engine, numbered(b"c", 899, 800)).unwrap().duplicate);
    assert!(!send(&engine, numbered(b"c", 900, 800)).unwrap().duplicate);
    assert!(send(&engine, numbered(b"c", 900, 900)).unwrap().duplicate);
    assert!(!send(&engine, numbered(b"c", 1_156, 900)).unwrap().duplicate);
    assert!(send(&engine, numbered(b"c", 1_156, 900)).unwrap().duplicate);
    assert!(send(&engine, numbered(b"c", 1_000, 900)).unwrap().duplicate);
    assert_invalid(
        send(&engine, numbered(b"c", 1_157, 900)),
        &["delivery.oldest_pending"],
    );
    assert_invalid(
        send(&engine, numbered(b"c", 1_200, 1_201)),
        &["delivery.oldest_pending"],
    );
    let last = u64::MAX;
    assert!(
        !send(&engine, numbered(b"c", last, last - 256))
            .unwrap()
            .duplicate
    );
    assert!(send(&engine, numbered(b"c", last, last)).unwrap().duplicate);
}

#[test]
fn a_refused_call_may_be_sent_again() {
    let engine = engine();
    let bad = || outcome("running", "u", vec![observation("success", 0.5)]);
    assert!(deliver(&engine, bad(), numbered(b"c", 1, 1), NOW).is_err());
    assert!(deliver(&engine, bad(), keyed(b"k"), NOW).is_err());
    assert!(!send(&engine, numbered(b"c", 1, 1)).unwrap().duplicate);
    assert!(!send(&engine, keyed(b"k")).unwrap().duplicate);
}

#[test]
fn a_call_that_counted_stays_a_duplicate_when_it_would_be_refused_by_now() {
    let engine = engine();
    send(&engine, numbered(b"c", 1, 1)).unwrap();
    send(&engine, keyed(b"k")).unwrap();
    load(&engine, 2, Vec::new());
    assert!(send(&engine, numbered(b"c", 1, 1)).unwrap().duplicate);
    assert!(send(&engine, keyed(b"k")).unwrap().duplicate);
    assert_eq!(send(&engine, numbered(b"c", 2, 1)).unwrap_err().code(), 5);
}

#[test]
fn a_key_counts_once_and_for_one_payload() {
    let engine = engine();
    assert!(!send(&engine, keyed(b"key")).unwrap().duplicate);
    assert!(send(&engine, keyed(b"key")).unwrap().duplicate);
    let error = deliver(&engine, score("running", "other"), keyed(b"key"), NOW).unwrap_err();
    assert_eq!(error.code(), 6);
    assert_eq!(counted(&engine), 1);
}

/// Lets time pass, as whoever embeds an engine does.
fn pass(engine: &Engine, from_ms: i64, to_ms: i64) {
    for now_ms in (from_ms..to_ms).step_by(30_000) {
        engine.age(now_ms);
    }
    engine.age(to_ms);
}

#[test]
fn a_key_is_remembered_for_ten_minutes_where_there_is_no_room() {
    let engine = engine_with(&[("idempotency_keys", 1)]);
    load(&engine, 1, everything());
    let at = |key: &[u8], now_ms| {
        deliver(&engine, score("running", "u"), keyed(key), now_ms).map(|answer| answer.duplicate)
    };
    assert!(!at(b"key", NOW).unwrap());
    pass(&engine, NOW, NOW + 600_000);
    assert!(at(b"key", NOW + 600_000).unwrap());
    assert_eq!(at(b"other", NOW + 600_000).unwrap_err().code(), 8);
    assert!(!at(b"other", NOW + 600_001).unwrap());
    assert_eq!(at(b"key", NOW + 600_002).unwrap_err().code(), 8);
}

#[test]
fn a_clock_that_is_set_makes_nothing_old() {
    let engine = engine_with(&[("idempotency_keys", 1), ("dedup_clients", 1)]);
    load(&engine, 1, everything());
    let at = |delivery, now_ms| {
        deliver(&engine, score("running", "u"), delivery, now_ms).map(|answer| answer.duplicate)
    };
    assert!(!at(keyed(b"key"), NOW).unwrap());
    assert!(!at(numbered(b"a", 1, 1), NOW).unwrap());
    for hours in [25, -25, 25] {
        let now_ms = NOW + hours * 3_600_000;
        assert_eq!(at(keyed(b"other"), now_ms).unwrap_err().code(), 8);
        assert_eq!(at(numbered(b"b", 1, 1), now_ms).unwrap_err().code(), 8);
        assert!(at(keyed(b"key"), now_ms).unwrap());
        assert!(at(numbered(b"a", 1, 1), now_ms).unwrap());
    }
}

#[test]
fn a_delivery_that_contradicts_itself_is_refused() {
    let engine = engine();
    let cases = [
        (
            Delivery {
                seq: 1,
                ..Delivery::default()
            },
            "delivery.client",
        ),
        (numbered(b"", 0, 3), "delivery.client"),
        (numbered(b"c", 0, 0), "delivery.seq"),
        (numbered(b"a client of 17 b!", 1, 1), "delivery.client"),
        (keyed(b"a key of 17 bytes"), "delivery.idempotency_key"),
        (
            Delivery {
                seq: 1,
                ..keyed(b"k")
            },
            "delivery.idempotency_key",
        ),
    ];
    for (delivery, field) in cases {
        let error = send(&engine, delivery.clone()).unwrap_err();
        assert!(
            error.code() == 3 && fields(&error).contains(&field),
            "{delivery:?}: {error}"
        );
    }
    // Also when the number would have been taken for a settled one.
    send(&engine, numbered(b"c", 9, 9)).unwrap();
    assert_invalid(send(&engine, numbered(b"c", 0, 0)), &["delivery.seq"]);
    assert_eq!(counted(&engine), 1);
}

#[test]
fn a_full_table_refuses_rather_than_forgets() {
    let engine = engine_with(&[("dedup_clients", 2), ("idempotency_keys", 2)]);
    load(&engine, 1, everything());
    for id in [b"a", b"q"] {
        send(&engine, numbered(id, 1, 1)).unwrap();
        send(&engine, keyed(id)).unwrap();
    }
    for (delivery, bound) in [
        (numbered(b"c", 1, 1), "dedup_clients"),
        (keyed(b"c"), "idempotency_keys"),
    ] {
        let error = send(&engine, delivery).unwrap_err();
        assert_eq!(error.code(), 8);
        assert!(error.to_string().starts_with(bound), "{error}");
    }
    for id in [b"a", b"q"] {
        assert!(send(&engine, numbered(id, 1, 1)).unwrap().duplicate);
        assert!(send(&engine, keyed(id)).unwrap().duplicate);
        assert!(!send(&engine, numbered(id, 2, 1)).unwrap().duplicate);
    }
    assert!(send(&engine, Delivery::default()).is_ok());
    let later = |delivery, ms| deliver(&engine, score("running", "u"), delivery, NOW + ms);
    pass(&engine, NOW, NOW + 600_001);
    assert!(
        !later(keyed(b"c"), 600_001).unwrap().duplicate,
        "expired keys make room"
    );
    pass(&engine, NOW + 600_001, NOW + 3_600_000);
    // A day later the silent clients make room; the one that is still heard keeps its window.
    assert!(later(numbered(b"a", 2, 1), 3_600_000).unwrap().duplicate);
    pass(&engine, NOW + 3_600_000, NOW + 86_460_000);
    assert!(!later(numbered(b"c", 1, 1), 86_460_001).unwrap().duplicate);
    assert!(later(numbered(b"a", 2, 1), 86_460_002).unwrap().duplicate);
    assert_eq!(counter(&engine, "dedup_clients"), 2);
}

/// Calls of a client as a network may deliver them: how far the oldest pending one moved, and how far above it the call is.
fn deliveries() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let moved = prop_oneof![6 => 0_u64..3, 2 => 0_u64..80, 1 => 0_u64..600];
    let above = prop_oneof![3 => 0_u64..100, 1 => 0_u64..=256];
    prop::collection::vec((moved, above), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Against a model that remembers every number for ever.
    #[test]
    fn the_window_is_exact(calls in deliveries()) {
        let engine = engine();
        let mut applied = std::collections::HashSet::new();
        let (mut base, mut oldest) = (1, 1);
        for (moved, above) in calls {
            oldest += moved;
            let seq = oldest + above;
            let expected = seq < base || applied.contains(&seq);
            let answer = send(&engine, numbered(b"client", seq, oldest)).unwrap();
            prop_assert_eq!(answer.duplicate, expected, "seq {} oldest {} base {}", seq, oldest, base);
            if !expected {
                applied.insert(seq);
                base = base.max(oldest);
            }
        }
        prop_assert_eq!(counted(&engine), applied.len() as u64);
    }
}
