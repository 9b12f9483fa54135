//! What one call costs without a server around it.
#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use prost::Message;
use sha2::{Digest, Sha256};
use sortition_core::assign::{Question, Target};
use sortition_core::engine::Engine;
use sortition_core::limits::Limits;
use sortition_core::wire::v1::{
    AssignBatchRequest, AssignRequest, BucketRange, Delivery, ExperimentStatus, MetricKind,
    Observation, Outcome, RecordBatchRequest, RecordRequest, Snapshot, SnapshotAllocation,
    SnapshotContent, SnapshotExperiment, SnapshotMetric, SnapshotSubject, SnapshotVariant,
    SubjectRef, assign_request, observation,
};

const NOW: i64 = 20_455 * 86_400_000;
/// Sizes between which the cost of a call must not grow.
const EXPERIMENTS: [usize; 2] = [1, 10_000];

fn engine(experiments: usize) -> sortition_core::error::Result<Engine> {
    let mut content = SnapshotContent::default();
    for number in 0..experiments {
        let subject = SubjectRef {
            kind: "agent".into(),
            id: format!("agent-{number}"),
        };
        let variant = |name: &str, control| SnapshotVariant {
            name: name.into(),
            control,
            config: Bytes::from(format!("{{\"strategy\": \"{name}\"}}")),
        };
        let metric = |name: &str, kind: MetricKind, quantiles| SnapshotMetric {
            name: name.into(),
            kind: kind.into(),
            quantiles,
            ..SnapshotMetric::default()
        };
        content.subjects.push(SnapshotSubject {
            organization: "default".into(),
            r#ref: Some(subject.clone()),
            ..SnapshotSubject::default()
        });
        content.experiments.push(SnapshotExperiment {
            id: format!("0190b7a2-5c1e-7d3f-8a4b-{number:012}"),
            organization: "default".into(),
            key: format!("experiment-{number}"),
            subject: Some(subject),
            status: ExperimentStatus::Running.into(),
            variants: vec![variant("sequential", true), variant("combined", false)],
            metrics: vec![
                metric("duration", MetricKind::Duration, true),
                metric("tokens", MetricKind::Count, false),
                metric("success", MetricKind::Binary, false),
            ],
            allocations: vec![SnapshotAllocation {
                generation: 1,
                ranges: vec![
                    BucketRange {
                        end: 5_000,
                        variant: 0,
                    },
                    BucketRange {
                        end: 10_000,
                        variant: 1,
                    },
                ],
            }],
            ..SnapshotExperiment::default()
        });
    }
    let content = Bytes::from(content.encode_to_vec());
    let content_hash = Bytes::copy_from_slice(&Sha256::digest(&content));
    let engine = Engine::new(&[7; 16], Limits::default())?;
    engine.load_snapshot(
        &Snapshot {
            version: 1,
            content_hash,
            content,
        }
        .encode_to_vec(),
    )?;
    Ok(engine)
}

fn outcome(unit: &str) -> Outcome {
    let observation = |metric: &str, number| Observation {
        metric: metric.into(),
        value: Some(observation::Value::Number(number)),
        ..Observation::default()
    };
    Outcome {
        experiment: "experiment-0".into(),
        unit: unit.into(),
        observations: vec![
            observation("duration", 0.25),
            observation("tokens", 812.0),
            observation("success", 1.0),
        ],
        ..Outcome::default()
    }
}

/// A batch of 100 outcomes of one observation each, of units of a thread's own: everything but the unit is as in the outcome before, so that
/// a hundredth of it is what recording costs once that is known.
fn small_outcomes(thread: usize) -> Vec<u8> {
    let outcomes = (0..100).map(|number| Outcome {
        observations: outcome("u").observations[1..2].to_vec(),
        ..outcome(&format!("session-{thread:04}{number:08}"))
    });
    RecordBatchRequest {
        outcomes: outcomes.collect(),
        ..RecordBatchRequest::default()
    }
    .encode_to_vec()
}

fn assigning(criterion: &mut Criterion) {
    for experiments in EXPERIMENTS {
        let Ok(engine) = engine(experiments) else {
            return;
        };
        let key = format!("experiment-{}", experiments / 2);
        let request = AssignRequest {
            target: Some(assign_request::Target::Experiment(key.clone())),
            unit: "session-000000000042".into(),
            ..AssignRequest::default()
        };
        let request = request.encode_to_vec();
        criterion.bench_function(
            &format!("assign a message, {experiments} experiments"),
            |bench| {
                bench.iter(|| engine.assign_message(black_box(&request), NOW));
            },
        );
        let question = Question {
            target: Some(Target::Experiment(&key)),
            unit: "session-000000000042",
            organization: "",
        };
        criterion.bench_function(
            &format!("assign in process, {experiments} experiments"),
            |bench| {
                bench.iter(|| {
                    engine.assign(
                        black_box(&question),
                        true,
                        || NOW,
                        |_, decision, exposed| (decision, exposed),
                    )
                });
            },
        );
        let mut number = 0;
        criterion.bench_function(
            &format!("assign a new unit, {experiments} experiments"),
            |bench| {
                bench.iter(|| {
                    number += 1;
                    let unit = format!("session-{number:012}");
                    let answer = engine.assign(
                        &Question {
                            unit: &unit,
                            ..question
                        },
                        true,
                        || NOW,
                        |_, decision, exposed| (decision, exposed),
                    );
                    if number % 100_000 == 0 {
                        let batch = engine.seal().ok().flatten();
                        let _ = batch.map(|batch| engine.commit(batch.number));
                    }
                    answer
                });
            },
        );
    }
}

fn assigning_batches(criterion: &mut Criterion) {
    let Ok(engine) = engine(1) else { return };
    let requests = (0..100).map(|number| AssignRequest {
        target: Some(assign_request::Target::Experiment("experiment-0".into())),
        unit: format!("session-{number:012}"),
        ..AssignRequest::default()
    });
    let request = AssignBatchRequest {
        requests: requests.collect(),
    };
    let request = request.encode_to_vec();
    criterion.bench_function("assign a batch of 100 units", |bench| {
        bench.iter(|| engine.assign_batch_message(black_box(&request), NOW));
    });
}

fn recording(criterion: &mut Criterion) {
    let Ok(engine) = engine(1) else { return };
    let single = RecordRequest {
        outcome: Some(Outcome {
            observations: outcome("u").observations[1..2].to_vec(),
            ..outcome("session-000000000042")
        }),
        delivery: None,
    };
    let anonymous = RecordRequest {
        outcome: Some(outcome("session-000000000042")),
        delivery: None,
    };
    for (name, request) in [
        ("one observation", &single),
        ("three observations", &anonymous),
    ] {
        let request = request.encode_to_vec();
        criterion.bench_function(&format!("record {name}"), |bench| {
            bench.iter(|| engine.record_message(black_box(&request), NOW));
        });
    }
    let mut seq = 0;
    criterion.bench_function("record three observations, numbered", |bench| {
        bench.iter(|| {
            seq += 1;
            let delivery = Delivery {
                client: Bytes::from_static(&[7; 16]),
                seq,
                oldest_pending: seq,
                ..Delivery::default()
            };
            let request = RecordRequest {
                delivery: Some(delivery),
                ..anonymous.clone()
            };
            engine.record_message(&request.encode_to_vec(), NOW)
        });
    });
    let outcomes = (0..100)
        .map(|number| outcome(&format!("session-{number:012}")))
        .collect();
    let request = RecordBatchRequest {
        outcomes,
        ..RecordBatchRequest::default()
    }
    .encode_to_vec();
    criterion.bench_function("record a batch of 100 outcomes", |bench| {
        bench.iter(|| engine.record_batch_message(black_box(&request), NOW));
    });
    let request = small_outcomes(0);
    criterion.bench_function("record a batch of 100 observations", |bench| {
        bench.iter(|| engine.record_batch_message(black_box(&request), NOW));
    });
}

fn loading(criterion: &mut Criterion) {
    criterion.bench_function("load a snapshot, 1000 experiments", |bench| {
        bench.iter(|| engine(black_box(1_000)));
    });
}

/// Returns the time that this thread had a processor, in nanoseconds; other processes do not show in it.
fn busy_ns() -> u64 {
    // Which the kernel adds up when threads take turns.
    thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let busy = told.split(' ').next().and_then(|busy| busy.parse().ok());
    busy.unwrap_or_default()
}

/// What a call costs while another thread does the same: what they wait for each other shows as time that a call takes more.
fn together(criterion: &mut Criterion) {
    let Ok(engine) = engine(1).map(Arc::new) else {
        return;
    };
    let record = |thread: usize| {
        let request = RecordRequest {
            outcome: Some(outcome(&format!("session-{thread:012}"))),
            delivery: None,
        };
        request.encode_to_vec()
    };
    let assign = |thread: usize| {
        let request = AssignRequest {
            target: Some(assign_request::Target::Experiment("experiment-0".into())),
            unit: format!("session-{thread:012}"),
            ..AssignRequest::default()
        };
        request.encode_to_vec()
    };
    for threads in [1, 2] {
        let mut measured =
            |name: &str, call: &(dyn Fn(usize) -> Box<dyn FnMut() + Send> + Sync)| {
                let name = format!("{name}, {threads} threads, time of a processor");
                criterion.bench_function(&name, |bench| {
                    bench.iter_custom(|count| {
                        let start = Barrier::new(threads);
                        let busy: u64 = thread::scope(|scope| {
                            let run = |thread| {
                                let (start, mut call) = (&start, call(thread));
                                scope.spawn(move || {
                                    start.wait();
                                    let begin = busy_ns();
                                    (0..count).for_each(|_| call());
                                    busy_ns() - begin
                                })
                            };
                            let running: Vec<_> = (0..threads).map(run).collect();
                            running
                                .into_iter()
                                .filter_map(|running| running.join().ok())
                                .sum()
                        });
                        Duration::from_nanos(busy / threads as u64)
                    });
                });
            };
        measured("record three observations", &|thread| {
            let (engine, request) = (Arc::clone(&engine), record(thread));
            Box::new(move || drop(black_box(engine.record_message(&request, NOW))))
        });
        measured("record a batch of 100 observations", &|thread| {
            let (engine, request) = (Arc::clone(&engine), small_outcomes(thread));
            Box::new(move || drop(black_box(engine.record_batch_message(&request, NOW))))
        });
        measured("assign a message", &|thread| {
            let (engine, request) = (Arc::clone(&engine), assign(thread));
            Box::new(move || drop(black_box(engine.assign_message(&request, NOW))))
        });
    }
}

criterion_group!(
    benches,
    assigning,
    assigning_batches,
    recording,
    together,
    loading
);
criterion_main!(benches);
