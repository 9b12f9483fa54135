//! A small world to test engines in.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses its part"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use sortition_core::engine::Engine;
use sortition_core::error::{Error, Result};
use sortition_core::limits::Limits;
use sortition_core::wire::v1::{
    AssignRequest, AssignResponse, BucketRange, Delivery, ExperimentStatus as Status,
    ExposeRequest, ExposeResponse, MetricKind, Observation, Outcome, RecordBatchRequest,
    RecordRequest, RecordResponse, Snapshot, SnapshotAllocation, SnapshotContent,
    SnapshotDimension, SnapshotExperiment, SnapshotMetric, SnapshotSubject, SnapshotVariant,
    SubjectRef, assign_request, observation,
};

/// 2026-01-02 00:00:00 UTC and a second, so that a day has just begun.
pub const NOW: i64 = 20_455 * 86_400_000 + 1_000;
pub const TODAY: i32 = 20_455;
pub const KEY: &[u8] = b"a key of at least 16 bytes";

pub fn subject(id: &str) -> SubjectRef {
    SubjectRef {
        kind: "agent".into(),
        id: id.into(),
    }
}

pub fn metric(name: &str, kind: MetricKind) -> SnapshotMetric {
    SnapshotMetric {
        name: name.into(),
        kind: kind.into(),
        ..SnapshotMetric::default()
    }
}

/// An experiment `key` on the subject of the same name: half `plain` (control), half `fancy`; metrics of every kind.
pub fn experiment(key: &str, status: Status) -> SnapshotExperiment {
    let variant = |name: &str, control| SnapshotVariant {
        name: name.into(),
        control,
        config: Bytes::from(format!("{{\"mode\": \"{name}\"}}")),
    };
    SnapshotExperiment {
        id: format!("id-of-{key}"),
        organization: "default".into(),
        key: key.into(),
        subject: Some(subject(key)),
        status: status.into(),
        external_assignment: false,
        variants: vec![variant("plain", true), variant("fancy", false)],
        metrics: vec![
            SnapshotMetric {
                min: Some(-10.0),
                max: Some(1e6),
                ..metric("score", MetricKind::Continuous)
            },
            metric("success", MetricKind::Binary),
            SnapshotMetric {
                quantiles: true,
                cap_max: Some(60.0),
                ..metric("time", MetricKind::Duration)
            },
            metric("clicks", MetricKind::Count),
            metric("ctr", MetricKind::Ratio),
            SnapshotMetric {
                covariate: true,
                ..metric("spend", MetricKind::Continuous)
            },
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
        dimensions: Vec::new(),
        declared: Bytes::new(),
        announced: None,
    }
}

/// An experiment as `experiment`, broken down by `device` (mobile 1, desktop 2, other 3) and `plan` (free 4, other 5).
pub fn segmented(key: &str) -> SnapshotExperiment {
    let dimension = |name: &str, levels: &[&str]| SnapshotDimension {
        name: name.into(),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
    };
    SnapshotExperiment {
        dimensions: vec![
            dimension("device", &["mobile", "desktop"]),
            dimension("plan", &["free"]),
        ],
        ..experiment(key, Status::Running)
    }
}

/// Levels by dimension, as an outcome gives them.
pub fn levels(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
    given.iter().map(owned).collect()
}

/// A subject with a configuration of its own for each experiment's, and `idle`, which has no experiment.
pub fn content(experiments: Vec<SnapshotExperiment>) -> SnapshotContent {
    let mut names: Vec<(String, SubjectRef)> = experiments
        .iter()
        .map(|experiment| {
            (
                experiment.organization.clone(),
                experiment.subject.clone().unwrap(),
            )
        })
        .collect();
    names.push(("default".into(), subject("idle")));
    names.sort_by(|left, right| (&left.0, &left.1.id).cmp(&(&right.0, &right.1.id)));
    names.dedup();
    let subjects = names
        .into_iter()
        .map(|(organization, name)| SnapshotSubject {
            organization,
            config: Bytes::from(format!("{{\"current\": \"{}\"}}", name.id)),
            r#ref: Some(name),
            version: 7,
        })
        .collect();
    SnapshotContent {
        subjects,
        experiments,
    }
}

pub fn snapshot(version: u64, content: &SnapshotContent) -> Vec<u8> {
    let content = Bytes::from(content.encode_to_vec());
    let content_hash = Bytes::copy_from_slice(&Sha256::digest(&content));
    Snapshot {
        version,
        content_hash,
        content,
    }
    .encode_to_vec()
}

pub fn engine_with(limits: &[(&str, usize)]) -> Engine {
    let limits: Vec<_> = limits
        .iter()
        .map(|(name, bound)| ((*name).to_owned(), *bound))
        .collect();
    Engine::new(KEY, Limits::with(&limits).unwrap()).unwrap()
}

/// An engine with one experiment in each status, by that name, and `external` and `segmented`, which are running.
pub fn engine() -> Engine {
    let engine = engine_with(&[]);
    load(&engine, 1, everything());
    engine
}

pub fn everything() -> Vec<SnapshotExperiment> {
    let external = SnapshotExperiment {
        external_assignment: true,
        allocations: Vec::new(),
        ..experiment("external", Status::Running)
    };
    vec![
        experiment("running", Status::Running),
        experiment("paused", Status::Paused),
        SnapshotExperiment {
            allocations: Vec::new(),
            ..experiment("draft", Status::Draft)
        },
        experiment("completed", Status::Completed),
        experiment("cancelled", Status::Cancelled),
        external,
        segmented("segmented"),
    ]
}

pub fn load(engine: &Engine, version: u64, experiments: Vec<SnapshotExperiment>) {
    assert!(
        engine
            .load_snapshot(&snapshot(version, &content(experiments)))
            .unwrap()
    );
}

/// The bucket as the specification words it.
pub fn bucket(key: &str, unit: &str) -> u32 {
    let hash = Sha256::digest(format!("id-of-{key}:{unit}"));
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 10_000
}

/// The variant of `unit` where both variants have half of the buckets.
pub fn variant(key: &str, unit: &str) -> &'static str {
    if bucket(key, unit) < 5_000 {
        "plain"
    } else {
        "fancy"
    }
}

/// The first unit that gets `name` in `key`.
pub fn unit_of(key: &str, name: &str) -> String {
    (0..)
        .map(|number| format!("unit-{number}"))
        .find(|unit| variant(key, unit) == name)
        .unwrap()
}

pub fn by_key(key: &str, unit: &str) -> AssignRequest {
    AssignRequest {
        target: Some(assign_request::Target::Experiment(key.into())),
        unit: unit.into(),
        ..AssignRequest::default()
    }
}

pub fn by_subject(id: &str, unit: &str) -> AssignRequest {
    AssignRequest {
        target: Some(assign_request::Target::Subject(subject(id))),
        ..by_key("", unit)
    }
}

pub fn assign(engine: &Engine, request: &AssignRequest) -> Result<AssignResponse> {
    let answer = engine.assign_message(&request.encode_to_vec(), NOW)?;
    Ok(AssignResponse::decode(answer.as_slice()).unwrap())
}

pub fn expose(engine: &Engine, key: &str, unit: &str) -> Result<ExposeResponse> {
    let request = ExposeRequest {
        experiment: key.into(),
        unit: unit.into(),
        ..ExposeRequest::default()
    };
    let answer = engine.expose_message(&request.encode_to_vec(), NOW)?;
    Ok(ExposeResponse::decode(answer.as_slice()).unwrap())
}

pub fn observation(metric: &str, number: f64) -> Observation {
    Observation {
        metric: metric.into(),
        value: Some(observation::Value::Number(number)),
        ..Observation::default()
    }
}

pub fn outcome(key: &str, unit: &str, observations: Vec<Observation>) -> Outcome {
    Outcome {
        experiment: key.into(),
        unit: unit.into(),
        observations,
        ..Outcome::default()
    }
}

pub fn score(key: &str, unit: &str) -> Outcome {
    outcome(key, unit, vec![observation("score", 1.0)])
}

pub fn record(engine: &Engine, outcome: Outcome) -> Result<RecordResponse> {
    deliver(engine, outcome, Delivery::default(), NOW)
}

pub fn deliver(
    engine: &Engine,
    outcome: Outcome,
    delivery: Delivery,
    now_ms: i64,
) -> Result<RecordResponse> {
    let request = RecordRequest {
        outcome: Some(outcome),
        delivery: Some(delivery),
    };
    let answer = engine.record_message(&request.encode_to_vec(), now_ms)?;
    Ok(RecordResponse::decode(answer.as_slice()).unwrap())
}

pub fn record_batch(engine: &Engine, outcomes: Vec<Outcome>) -> Result<RecordResponse> {
    let request = RecordBatchRequest {
        outcomes,
        delivery: None,
        ..RecordBatchRequest::default()
    };
    let answer = engine.record_batch_message(&request.encode_to_vec(), NOW)?;
    Ok(RecordResponse::decode(answer.as_slice()).unwrap())
}

pub fn numbered(client: &[u8], seq: u64, oldest_pending: u64) -> Delivery {
    Delivery {
        client: Bytes::copy_from_slice(client),
        seq,
        oldest_pending,
        ..Delivery::default()
    }
}

pub fn keyed(key: &[u8]) -> Delivery {
    Delivery {
        idempotency_key: Bytes::copy_from_slice(key),
        ..Delivery::default()
    }
}

pub fn counter(engine: &Engine, name: &str) -> u64 {
    engine
        .counters()
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
}

/// The fields that an error names.
pub fn fields(error: &Error) -> Vec<&str> {
    error
        .violations()
        .iter()
        .map(|violation| violation.field.as_str())
        .collect()
}

/// Asserts that a call was refused as invalid, naming exactly these fields.
pub fn assert_invalid<T: std::fmt::Debug>(result: Result<T>, expected: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(
        (error.code(), fields(&error)),
        (3, expected.to_vec()),
        "{error}"
    );
}

/// What one sealed batch says: experiment key, variant, metric, day, n, sum of the values.
pub fn drain(engine: &Engine) -> Vec<(String, u16, u16, i32, u64, f64)> {
    let Some(batch) = engine.seal().unwrap() else {
        return Vec::new();
    };
    engine.commit(batch.number).unwrap();
    let row = |delta: &sortition_core::aggregate::CellDelta| {
        let moments = delta.cell.moments();
        let key = delta.experiment_id.trim_start_matches("id-of-").to_owned();
        (
            key,
            delta.variant,
            delta.metric,
            delta.day,
            moments.n(),
            moments.mean() * moments.n() as f64,
        )
    };
    batch.cells.iter().map(row).collect()
}
