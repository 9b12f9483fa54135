//! A batch does what its items do one after the other, however it is read, and whatever is wrong with them.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;
#[path = "common/files.rs"]
mod files;

use common::*;
use files::{Files, open};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use prost::Message;
use sortition_core::engine::Engine;
use sortition_core::error::{Error, Result};
use sortition_core::wire::v1::{
    AssignBatchRequest, AssignBatchResponse, AssignRequest, AssignResponse, Delivery, Observation,
    Outcome, RecordBatchRequest, RecordRequest, RecordResponse, observation::Value,
};

/// A field that no message has: with it, a message is read by the generated types, and means the same.
const UNKNOWN: [u8; 3] = [0xf8, 0x06, 1];

/// Mostly `usual`, and now and then one of `odd`.
fn mostly(usual: &'static [&'static str], odd: &'static [&'static str]) -> BoxedStrategy<String> {
    let usual = prop::sample::select(usual);
    let odd = prop::sample::select(odd);
    prop_oneof![24 => usual, 1 => odd]
        .prop_map(str::to_owned)
        .boxed()
}

fn unit() -> BoxedStrategy<String> {
    prop_oneof![
        40 => (0..6_u8).prop_map(|number| format!("unit-{number}")),
        1 => Just(String::new()),
        1 => Just("u".repeat(5_000)),
    ]
    .boxed()
}

fn experiment_key() -> BoxedStrategy<String> {
    mostly(
        &["running", "running", "paused", "completed", "segmented"],
        &["draft", "external", "nowhere", "No Key", ""],
    )
}

fn organization() -> BoxedStrategy<String> {
    mostly(&["", "", "default"], &["other"])
}

prop_compose! {
    fn observed()(
        metric in mostly(&["score", "success", "time", "clicks"], &["ctr", "spend", "odd", ""]),
        number in prop_oneof![30 => Just(1.0), 1 => Just(f64::NAN), 1 => Just(-11.0), 4 => Just(0.0), 1 => Just(2e6)],
        flag in prop::bool::weighted(0.02),
        denominator in option::weighted(0.02, Just(2.0)),
        covariate in option::weighted(0.02, Just(3.0)),
        if_declared in any::<bool>(),
    ) -> Observation {
        let value = Some(if flag { Value::Flag(true) } else { Value::Number(number) });
        Observation { metric, value, denominator, covariate, if_declared }
    }
}

prop_compose! {
    fn told()(
        experiment in experiment_key(),
        unit in unit(),
        variant in mostly(&[""], &["plain", "fancy", "odd"]),
        organization in organization(),
        observations in prop_oneof![1 => vec(observed(), 0..1), 30 => vec(observed(), 1..7)],
        occurred_at_ms in prop_oneof![
            20 => Just(0), 4 => Just(NOW - 86_400_000), 1 => Just(NOW + 86_400_000), 1 => Just(NOW - 9 * 86_400_000),
        ],
        dimensions in prop_oneof![
            40 => Just(levels(&[])), 1 => btree_map("device", "mobile|desktop|odd", 0..2),
        ],
    ) -> Outcome {
        Outcome { experiment, unit, variant, observations, organization, occurred_at_ms, dimensions }
    }
}

prop_compose! {
    fn asked()(
        key in experiment_key(), unit in unit(), organization in organization(), by_key_of in prop::bool::weighted(0.8),
        expose in option::weighted(0.3, any::<bool>()), known in 0..3_usize,
    ) -> AssignRequest {
        let target = if by_key_of { by_key(&key, "").target } else { by_subject(&key, "").target };
        AssignRequest {
            unit, organization, target, expose, known_config_hashes: vec![vec![7; 16].into(); known],
        }
    }
}

/// What an error says, in parts, each line of it with another path.
fn parts(error: &Error, path: impl Fn(String) -> String) -> Vec<String> {
    let lines = match error.violations() {
        [] => vec![error.to_string()],
        violations => violations.iter().map(ToString::to_string).collect(),
    };
    let lines = lines.into_iter().map(path);
    lines
        .flat_map(|line| line.split("; ").map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Asserts that a batch is refused for what its items are refused for, and as what waiting can mend least.
fn assert_all_wrong<T>(
    refused: &Error,
    items: &[Result<T>],
    path: impl Fn(usize, String) -> String,
) {
    let errors = items.iter().enumerate();
    let errors = errors.filter_map(|(index, item)| Some((index, item.as_ref().err()?)));
    let codes: Vec<_> = errors.clone().map(|(_, error)| error.code()).collect();
    let worst = [3, 5, 9].into_iter().find(|code| codes.contains(code));
    assert_eq!(Some(refused.code()), worst, "{refused}");
    let expected = errors.flat_map(|(index, error)| parts(error, |line| path(index, line)));
    let mut expected: Vec<_> = expected.collect();
    let mut found = parts(refused, |line| line);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// All that an engine holds and has counted, but how many calls that took.
fn state(engine: &Engine) -> String {
    let mut counters = engine.counters();
    counters.retain(|(name, _)| !matches!(*name, "calls_recorded" | "log_bytes"));
    let batch = engine.seal().unwrap().map(|batch| {
        let cells = batch.cells.iter();
        let cells = cells.map(|delta| (format!("{:?}", delta.address()), delta.cell.encode()));
        let mut cells: Vec<_> = cells.collect();
        // Sketches hold their counts in no order.
        cells
            .iter_mut()
            .for_each(|(_, bytes)| bytes.sort_unstable());
        (cells, batch.exposures.clone())
    });
    format!("{counters:?} {batch:?}")
}

fn record_one(engine: &Engine, outcome: &Outcome) -> Result<RecordResponse> {
    deliver(engine, outcome.clone(), Delivery::default(), NOW)
}

fn message(outcomes: &[Outcome], delivery: Option<Delivery>) -> Vec<u8> {
    let request = RecordBatchRequest {
        outcomes: outcomes.to_vec(),
        delivery,
        ..RecordBatchRequest::default()
    };
    request.encode_to_vec()
}

fn as_generated(message: &[u8]) -> Vec<u8> {
    [message, &UNKNOWN].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_batch_of_outcomes_is_as_many_calls(outcomes in vec(told(), 1..8)) {
        let (batch, generated) = (engine(), engine());
        let sent = message(&outcomes, None);
        let answer = batch.record_batch_message(&sent, NOW);
        assert_eq!(answer, generated.record_batch_message(&as_generated(&sent), NOW));
        // Each of them alone, to know which are refused; those that are leave their counts in a refused batch as well.
        let alone: Vec<_> = outcomes.iter().map(|outcome| record_one(&engine(), outcome)).collect();
        let refused = alone.iter().any(Result::is_err);
        let calls = engine();
        let done = outcomes.iter().zip(&alone).filter(|(_, alone)| alone.is_err() == refused);
        let done: Vec<_> = done.map(|(outcome, _)| record_one(&calls, outcome)).collect();
        match &answer {
            Err(error) => assert_all_wrong(error, &alone, |index, line| {
                line.replace("outcome.", &format!("outcomes[{index}]."))
            }),
            Ok(answer) => {
                assert!(!refused);
                let answer = RecordResponse::decode(&**answer).unwrap();
                let sum = |count: fn(&RecordResponse) -> u32| -> u32 {
                    done.iter().map(|one| count(one.as_ref().unwrap())).sum()
                };
                assert_eq!(answer.accepted, sum(|one| one.accepted));
                assert_eq!(answer.ignored, sum(|one| one.ignored));
                assert_eq!(answer.late, sum(|one| one.late));
                assert_eq!(answer.clamped, sum(|one| one.clamped));
            }
        }
        let held = state(&batch);
        assert_eq!(held, state(&calls));
        assert_eq!(held, state(&generated));
    }

    #[test]
    fn a_batch_is_written_down_the_same_however_it_is_read(outcomes in vec(told(), 1..8), twice in any::<bool>()) {
        let (files, others) = (Files::default(), Files::default());
        let (batch, generated) = (open(&files), open(&others));
        let sent = message(&outcomes, Some(numbered(b"client", 1, 1)));
        for _ in 0..=u8::from(twice) {
            let answer = batch.record_batch_message(&sent, NOW);
            assert_eq!(answer, generated.record_batch_message(&as_generated(&sent), NOW));
        }
        assert_eq!(files.all(), others.all());
        for engine in [&batch, &generated] {
            engine.resume(0).unwrap();
        }
        assert_eq!(state(&batch), state(&generated));
    }

    #[test]
    fn a_call_is_the_same_however_it_is_read(outcome in told()) {
        let (one, generated) = (engine(), engine());
        let sent = RecordRequest { outcome: Some(outcome), delivery: None }.encode_to_vec();
        let answer = one.record_message(&sent, NOW);
        assert_eq!(answer, generated.record_message(&as_generated(&sent), NOW));
        assert_eq!(state(&one), state(&generated));
    }

    #[test]
    fn a_batch_of_questions_is_as_many_calls(requests in vec(asked(), 1..8)) {
        let (calls, batch, generated) = (engine(), engine(), engine());
        let sent = AssignBatchRequest { requests: requests.clone() }.encode_to_vec();
        let answer = batch.assign_batch_message(&sent, NOW);
        assert_eq!(answer, generated.assign_batch_message(&as_generated(&sent), NOW));
        let alone: Vec<_> = requests.iter().map(|request| assign(&engine(), request)).collect();
        match &answer {
            Err(error) => {
                assert_all_wrong(error, &alone, |index, line| format!("requests[{index}].{line}"));
            }
            Ok(answer) => {
                let answers: Result<Vec<AssignResponse>> =
                    requests.iter().map(|request| assign(&calls, request)).collect();
                let responses = AssignBatchResponse::decode(&**answer).unwrap().responses;
                assert_eq!(responses, answers.unwrap());
            }
        }
        // A refused batch has done nothing.
        let held = state(&batch);
        assert_eq!(held, state(&calls));
        assert_eq!(held, state(&generated));
    }
}

#[test]
fn both_kinds_of_batches_come_up() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = [0_u32; 4];
    for _ in 0..300 {
        let outcomes = vec(told(), 1..8).new_tree(&mut runner).unwrap().current();
        let recorded = engine().record_batch_message(&message(&outcomes, None), NOW);
        seen[usize::from(recorded.is_ok())] += 1;
        let requests = vec(asked(), 1..8).new_tree(&mut runner).unwrap().current();
        let sent = AssignBatchRequest { requests }.encode_to_vec();
        let assigned = engine().assign_batch_message(&sent, NOW);
        seen[2 + usize::from(assigned.is_ok())] += 1;
    }
    assert!(seen.iter().all(|count| *count > 30), "{seen:?}");
}

#[test]
fn a_batch_has_as_many_items_as_the_limit_says() {
    let engine = engine_with(&[("batch_items", 3)]);
    load(&engine, 1, everything());
    for count in [0, 1, 3, 4] {
        let outcomes = vec![score("running", "u"); count];
        let sent = message(&outcomes, None);
        let requests = vec![by_key("running", "u"); count];
        let asked = AssignBatchRequest { requests }.encode_to_vec();
        let (told, asked) = (
            engine.record_batch_message(&sent, NOW),
            engine.assign_batch_message(&asked, NOW),
        );
        if (1..=3).contains(&count) {
            assert!(told.is_ok() && asked.is_ok());
        } else {
            let why = format!("has {count}; the limit is 1 to 3");
            assert_eq!(told.unwrap_err().to_string(), format!("outcomes: {why}"));
            assert_eq!(asked.unwrap_err().to_string(), format!("requests: {why}"));
        }
    }
}
