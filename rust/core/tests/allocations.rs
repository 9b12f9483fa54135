//! What a call takes from the allocator once it has come before: for assigning, nothing.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use allocation_counter::measure;
use common::*;
use prost::Message;
use sortition_core::assign::{Question, Target};
use sortition_core::engine::Engine;
use sortition_core::wire::v1::{
    AssignBatchRequest, AssignRequest, AssignResponse, RecordBatchRequest, RecordRequest,
};

const UNIT: &str =
    "a-unit-whose-id-is-longer-than-what-fits-into-one-block-of-the-hash-together-with-a-prefix";
const CALLS: u64 = 100;

/// Returns how often `call` allocates in its `CALLS` turns after the first.
fn allocations(mut call: impl FnMut()) -> u64 {
    call();
    measure(|| (0..CALLS).for_each(|_| call())).count_total
}

#[test]
fn the_allocator_is_counted() {
    assert_eq!(
        allocations(|| drop(std::hint::black_box(vec![7_u8]))),
        CALLS
    );
}

#[test]
fn assigning_in_process_allocates_nothing() {
    let engine = engine();
    for target in [
        Target::Experiment("running"),
        Target::Subject {
            kind: "agent",
            id: "running",
        },
    ] {
        let question = Question {
            target: Some(target),
            unit: UNIT,
            organization: "",
        };
        let assign = || {
            let read = |_: &_, decision, exposed| (decision, exposed);
            let (_, exposed) = engine.assign(&question, true, || NOW, read).unwrap();
            assert!(exposed);
        };
        assert_eq!(allocations(assign), 0, "{target:?}");
    }
}

fn assign_again(engine: &Engine, request: &AssignRequest) -> u64 {
    let (request, mut out) = (request.encode_to_vec(), Vec::new());
    let count = allocations(|| {
        out.clear();
        engine.assign_message_to(&request, NOW, &mut out).unwrap();
    });
    assert!(AssignResponse::decode(&*out).unwrap().exposed);
    count
}

#[test]
fn assigning_a_message_allocates_nothing_but_the_answer() {
    let engine = engine();
    let known = AssignRequest {
        known_config_hashes: vec![vec![7; 16].into(); 3],
        organization: "default".into(),
        expose: Some(true),
        ..by_key("running", UNIT)
    };
    for request in [by_key("running", UNIT), by_subject("running", UNIT), known] {
        assert_eq!(assign_again(&engine, &request), 0, "{request:?}");
        let message = request.encode_to_vec();
        let answer = || drop(engine.assign_message(&message, NOW).unwrap());
        assert_eq!(allocations(answer), CALLS);
    }
}

#[test]
fn recording_allocates_its_plan_and_its_answer() {
    let engine = engine();
    let request = RecordRequest {
        outcome: Some(outcome("running", UNIT, vec![observation("score", 1.0); 5])),
        delivery: Some(numbered(b"client", 1, 1)),
    };
    let mut seq = 0;
    let messages: Vec<_> = (0..=CALLS)
        .map(|_| {
            seq += 1;
            let delivery = Some(numbered(b"client", seq, seq));
            let request = RecordRequest {
                delivery,
                ..request.clone()
            };
            request.encode_to_vec()
        })
        .collect();
    let mut next = messages.iter();
    let record = || drop(engine.record_message(next.next().unwrap(), NOW).unwrap());
    assert_eq!(allocations(record), 2 * CALLS);
}

/// Lists of a batch grow by doubling; its items take nothing of their own.
#[test]
fn the_items_of_a_batch_allocate_nothing() {
    let engine = engine();
    let unit = |number: usize| format!("unit-{}", number % 5);
    let outcomes = (0..100).map(|number| score("running", &unit(number)));
    let told = RecordBatchRequest {
        outcomes: outcomes.collect(),
        ..RecordBatchRequest::default()
    };
    let told = told.encode_to_vec();
    let record = || drop(engine.record_batch_message(&told, NOW).unwrap());
    let requests = (0..100).map(|number| by_key("running", &unit(number)));
    let asked = AssignBatchRequest {
        requests: requests.collect(),
    };
    let asked = asked.encode_to_vec();
    let assign = || drop(engine.assign_batch_message(&asked, NOW).unwrap());
    assert!(allocations(record) <= 10 * CALLS);
    assert!(allocations(assign) <= 10 * CALLS);
}
