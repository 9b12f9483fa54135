//! Bytes that nobody meant: no handler panics, and what is refused changes nothing but the counts of refused values.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use common::*;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use sortition_core::engine::Engine;
use sortition_core::error::Result;
use sortition_core::wire::v1::{
    AssignBatchRequest, AssignBatchResponse, AssignRequest, AssignResponse, AssignStreamResponse,
    Delivery, ExposeRequest, ExposeResponse, Observation, Outcome, RecordBatchRequest,
    RecordRequest, RecordResponse, RecordStreamResponse, SubjectList, assign_request, observation,
};

type Handler = (
    &'static str,
    fn(&Engine, &[u8], i64) -> Result<Vec<u8>>,
    fn(&[u8]) -> bool,
);

fn decodes<M: Message + Default>(bytes: &[u8]) -> bool {
    M::decode(bytes).is_ok()
}

const HANDLERS: [Handler; 7] = [
    ("assign", Engine::assign_message, decodes::<AssignResponse>),
    (
        "assign_batch",
        Engine::assign_batch_message,
        decodes::<AssignBatchResponse>,
    ),
    (
        "assign_stream",
        |engine, bytes, now_ms| Ok(engine.assign_stream_message(bytes, now_ms)),
        decodes::<AssignStreamResponse>,
    ),
    ("expose", Engine::expose_message, decodes::<ExposeResponse>),
    ("record", Engine::record_message, decodes::<RecordResponse>),
    (
        "record_batch",
        Engine::record_batch_message,
        decodes::<RecordResponse>,
    ),
    (
        "record_stream",
        |engine, bytes, now_ms| Ok(engine.record_stream_message(bytes, now_ms)),
        decodes::<RecordStreamResponse>,
    ),
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "", "running", "paused", "draft", "completed", "external", "plain", "fancy", "score", "success", "time",
            "clicks", "ctr", "spend", "agent", "default", "u",
        ])
        .prop_map(str::to_owned),
        1 => ".{0,40}",
        1 => (500_usize..530).prop_map(|length| "x".repeat(length)),
    ]
}

fn unit() -> impl Strategy<Value = String> {
    prop_oneof![9 => Just("u".to_owned()), 1 => text()]
}

fn key() -> impl Strategy<Value = String> {
    let keys = [
        "running",
        "running",
        "paused",
        "draft",
        "completed",
        "cancelled",
        "external",
        "segmented",
    ];
    prop_oneof![9 => prop::sample::select(keys.to_vec()).prop_map(str::to_owned), 1 => text()]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just("device".to_owned()), 1 => text()]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![3 => prop::sample::select(vec![0.0, 1.0, 2.5, 60.5]), 1 => any::<f64>()]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![9 => Just(0), 2 => (NOW - 10 * 86_400_000)..(NOW + 600_000), 1 => any::<i64>()]
}

prop_compose! {
    fn strange_observations()(
        metric in text(),
        value in prop::option::weighted(0.9, prop_oneof![
            4 => number().prop_map(observation::Value::Number),
            1 => any::<bool>().prop_map(observation::Value::Flag),
        ]),
        denominator in prop::option::weighted(0.1, number()),
        covariate in prop::option::weighted(0.1, number()),
        if_declared: bool,
    ) -> Observation {
        Observation { metric, value, denominator, covariate, if_declared }
    }
}

fn observations() -> impl Strategy<Value = Observation> {
    let metrics = prop::sample::select(vec!["score", "success", "time", "clicks", "ctr"]);
    let right = (metrics, 0_u8..2).prop_map(|(metric, value)| observation(metric, value.into()));
    prop_oneof![9 => right, 1 => strange_observations()]
}

prop_compose! {
    fn outcomes()(
        experiment in key(),
        unit in unit(),
        variant in prop_oneof![4 => Just(String::new()), 1 => text()],
        observations in prop::collection::vec(observations(), 0..5),
        organization in prop_oneof![9 => Just(String::new()), 1 => text()],
        occurred_at_ms in time(),
        dimensions in prop::collection::btree_map(name(), text(), 0..3),
    ) -> Outcome {
        Outcome { experiment, unit, variant, observations, organization, occurred_at_ms, dimensions }
    }
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let right = prop_oneof![
        Just(Delivery::default()),
        (1_u64..5).prop_map(|seq| numbered(b"client", seq, 1)),
        any::<u8>().prop_map(|key| keyed(&[key])),
    ];
    prop_oneof![9 => right, 1 => strange_deliveries()]
}

prop_compose! {
    fn strange_deliveries()(
        client in prop::collection::vec(any::<u8>(), 0..3),
        seq in prop_oneof![0_u64..5, any::<u64>()],
        oldest_pending in prop_oneof![0_u64..5, any::<u64>()],
        key in prop::collection::vec(any::<u8>(), 0..2),
    ) -> Delivery {
        Delivery { client: client.into(), seq, oldest_pending, idempotency_key: key.into() }
    }
}

prop_compose! {
    fn assign_requests()(
        target in prop::option::weighted(0.9, prop_oneof![
            key().prop_map(assign_request::Target::Experiment),
            key().prop_map(|id| assign_request::Target::Subject(subject(&id))),
            prop::collection::vec(key(), 0..4).prop_map(|ids| {
                let subjects = ids.iter().map(|id| subject(id)).collect();
                assign_request::Target::AnyOf(SubjectList { subjects })
            }),
        ]),
        unit in unit(),
        organization in prop_oneof![9 => Just(String::new()), 1 => text()],
        expose in any::<Option<bool>>(),
    ) -> AssignRequest {
        AssignRequest { target, unit, organization, expose, known_config_hashes: Vec::new() }
    }
}

/// Serialized requests of every kind, each nearly right.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let record = (outcomes(), prop::option::of(delivery())).prop_map(|(outcome, delivery)| {
        RecordRequest {
            outcome: Some(outcome),
            delivery,
        }
        .encode_to_vec()
    });
    let batch = (
        prop::collection::vec(outcomes(), 0..4),
        prop::option::of(delivery()),
    )
        .prop_map(|(outcomes, delivery)| {
            RecordBatchRequest {
                outcomes,
                delivery,
                ..RecordBatchRequest::default()
            }
            .encode_to_vec()
        });
    let expose = (key(), unit()).prop_map(|(experiment, unit)| {
        ExposeRequest {
            experiment,
            unit,
            organization: String::new(),
        }
        .encode_to_vec()
    });
    prop_oneof![
        assign_requests().prop_map(|request| request.encode_to_vec()),
        prop::collection::vec(assign_requests(), 0..4)
            .prop_map(|requests| AssignBatchRequest { requests }.encode_to_vec()),
        record,
        batch,
        expose,
    ]
}

/// The same with bytes changed, cut off and inserted.
fn mutants() -> impl Strategy<Value = Vec<u8>> {
    (
        requests(),
        prop::collection::vec((any::<Index>(), any::<u8>(), 0_u8..3), 1..6),
    )
        .prop_map(|(mut bytes, changes)| {
            for (index, byte, how) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = index.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.truncate(at),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        })
}

/// Sends bytes to every handler and checks what each refusal left behind.
fn send_to_all(bytes: &[u8], now_ms: i64) -> std::result::Result<(), TestCaseError> {
    let engine = engine();
    for (name, handler, readable) in HANDLERS {
        match handler(&engine, bytes, now_ms) {
            Ok(answer) => {
                prop_assert!(readable(&answer), "{} answered with something else", name);
                while let Some(batch) = engine.seal().unwrap() {
                    engine.commit(batch.number).unwrap();
                }
            }
            Err(error) => {
                prop_assert!(error.code() != 13, "{}: {}", name, error);
                prop_assert!(!error.to_string().is_empty());
                if let Some(batch) = engine.seal().unwrap() {
                    prop_assert!(batch.exposures.is_empty(), "{} refused and exposed", name);
                    for delta in &batch.cells {
                        prop_assert!(
                            delta.cell.moments().n() == 0 && delta.cell.late == 0,
                            "{} refused and counted",
                            name
                        );
                        prop_assert!(delta.cell.refused > 0);
                    }
                    engine.commit(batch.number).unwrap();
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), now_ms: i64) {
        send_to_all(&bytes, now_ms)?;
        let engine = engine();
        prop_assert!(engine.load_snapshot(&bytes).is_err());
    }

    #[test]
    fn nearly_right_requests(bytes in requests()) {
        send_to_all(&bytes, NOW)?;
    }

    #[test]
    fn mutated_requests(bytes in mutants(), now_ms in prop_oneof![Just(NOW), any::<i64>()]) {
        send_to_all(&bytes, now_ms)?;
    }
}

#[test]
fn the_generator_reaches_both_ends() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = [[0; 2]; HANDLERS.len()];
    for _ in 0..3_000 {
        let bytes = requests().new_tree(&mut runner).unwrap().current();
        let engine = engine();
        for (handler, counts) in HANDLERS.iter().zip(&mut seen) {
            counts[usize::from(handler.1(&engine, &bytes, NOW).is_ok())] += 1;
        }
    }
    for (handler, [refused, answered]) in HANDLERS.iter().zip(seen) {
        let stream = handler.0.ends_with("stream");
        assert!(
            answered > 20 && (stream || refused > 20),
            "{}: {answered} answered, {refused} refused",
            handler.0
        );
    }
}
