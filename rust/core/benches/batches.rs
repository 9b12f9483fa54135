//! What happens beside the calls: a snapshot is swapped in, a batch is sealed, a log is replayed.
#![allow(missing_docs)]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use prost::Message;
use sha2::{Digest, Sha256};
use sortition_core::engine::Engine;
use sortition_core::error::Result;
use sortition_core::limits::Limits;
use sortition_core::log::{Disk, Options};
use sortition_core::wire::v1::{
    BucketRange, ExperimentStatus, MetricKind, Observation, Outcome, RecordBatchRequest, Snapshot,
    SnapshotAllocation, SnapshotContent, SnapshotExperiment, SnapshotMetric, SnapshotSubject,
    SnapshotVariant, SubjectRef, observation,
};

const NOW: i64 = 20_455 * 86_400_000;
const KEY: [u8; 16] = [7; 16];
const CELLS: usize = 10_000;
/// A call of so many outcomes is one record of the log.
const BATCH: usize = 1_000;
const LOGGED: usize = 100_000;

/// Running experiments with one variant and one metric: recording one outcome of each makes as many cells.
fn snapshot(experiments: usize, version: u64) -> Vec<u8> {
    let mut content = SnapshotContent::default();
    for number in 0..experiments {
        let subject = SubjectRef {
            kind: "agent".into(),
            id: format!("agent-{number}"),
        };
        content.subjects.push(SnapshotSubject {
            organization: "default".into(),
            r#ref: Some(subject.clone()),
            ..SnapshotSubject::default()
        });
        content.experiments.push(SnapshotExperiment {
            id: format!("id-{number}"),
            organization: "default".into(),
            key: format!("experiment-{number}"),
            subject: Some(subject),
            status: ExperimentStatus::Running.into(),
            variants: vec![SnapshotVariant {
                name: "only".into(),
                control: true,
                config: Bytes::from_static(b"{}"),
            }],
            metrics: vec![SnapshotMetric {
                name: "duration".into(),
                kind: MetricKind::Duration.into(),
                quantiles: true,
                ..SnapshotMetric::default()
            }],
            allocations: vec![SnapshotAllocation {
                generation: 1,
                ranges: vec![BucketRange {
                    end: 10_000,
                    variant: 0,
                }],
            }],
            ..SnapshotExperiment::default()
        });
    }
    let content = Bytes::from(content.encode_to_vec());
    let content_hash = Bytes::copy_from_slice(&Sha256::digest(&content));
    Snapshot {
        version,
        content_hash,
        content,
    }
    .encode_to_vec()
}

/// Calls that record one outcome of a new unit each, of the experiments in turn.
fn calls(outcomes: usize, experiments: usize) -> Vec<Vec<u8>> {
    let outcome = |number: usize| Outcome {
        experiment: format!("experiment-{}", number % experiments),
        unit: format!("session-{number:012}"),
        observations: vec![Observation {
            metric: "duration".into(),
            value: Some(observation::Value::Number(
                1.0 + f64::from(u8::try_from(number % 97).unwrap_or_default()),
            )),
            ..Observation::default()
        }],
        ..Outcome::default()
    };
    (0..outcomes / BATCH)
        .map(|call| RecordBatchRequest {
            outcomes: (call * BATCH..(call + 1) * BATCH).map(outcome).collect(),
            ..RecordBatchRequest::default()
        })
        .map(|request| request.encode_to_vec())
        .collect()
}

fn swapping(criterion: &mut Criterion) {
    for experiments in [1_000, 10_000] {
        let versions: Vec<_> = (1..=2)
            .map(|version| snapshot(experiments, version))
            .collect();
        criterion.bench_function(
            &format!("swap a snapshot, {experiments} experiments"),
            |bench| {
                bench.iter_batched(
                    || -> Result<Engine> {
                        let engine = Engine::new(&KEY, Limits::default())?;
                        engine.load_snapshot(&versions[0])?;
                        Ok(engine)
                    },
                    |engine| {
                        engine.map(|engine| {
                            engine
                                .load_snapshot(black_box(&versions[1]))
                                .map(|_| engine)
                        })
                    },
                    BatchSize::PerIteration,
                );
            },
        );
    }
}

fn sealing(criterion: &mut Criterion) {
    let (snapshot, calls) = (snapshot(CELLS, 1), calls(CELLS, CELLS));
    criterion.bench_function(&format!("seal and commit {CELLS} cells"), |bench| {
        bench.iter_batched(
            || -> Result<Engine> {
                let engine = Engine::new(&KEY, Limits::default())?;
                engine.load_snapshot(&snapshot)?;
                for call in &calls {
                    engine.record_batch_message(call, NOW)?;
                }
                Ok(engine)
            },
            |engine| -> Result<(Engine, usize)> {
                let engine = engine?;
                let batch = engine.seal()?;
                let cells = batch.as_ref().map_or(0, |batch| batch.cells.len());
                assert_eq!(cells, CELLS, "every outcome has a cell of its own");
                if let Some(batch) = batch {
                    engine.commit(batch.number)?;
                }
                Ok((engine, cells))
            },
            BatchSize::PerIteration,
        );
    });
}

/// Writes a log and leaves it as a process does that was killed.
fn write_log(folder: &Path) -> Result<()> {
    let (disk, _lock) = Disk::lock(folder)?;
    let (engine, _) = Engine::open(&KEY, Limits::default(), Arc::new(disk), Options::default())?;
    engine.load_snapshot(&snapshot(100, 1))?;
    for call in calls(LOGGED, 100) {
        engine.record_batch_message(&call, NOW)?;
    }
    Ok(())
}

fn copied(from: &Path, number: usize) -> std::io::Result<PathBuf> {
    let to = from.with_extension(format!("copy-{number}"));
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(to)
}

fn replaying(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("sortition-replay-{}", std::process::id()));
    let written = write_log(&folder);
    assert!(written.is_ok(), "no log: {written:?}");
    let mut number = 0;
    criterion.bench_function(&format!("replay a log of {LOGGED} outcomes"), |bench| {
        bench.iter_batched(
            || {
                number += 1;
                copied(&folder, number)
            },
            |copy| {
                let copy = copy.ok()?;
                let (disk, lock) = Disk::lock(&copy).ok()?;
                let opened =
                    Engine::open(&KEY, Limits::default(), Arc::new(disk), Options::default());
                assert!(opened.is_ok(), "the log is whole");
                let _ = fs::remove_dir_all(&copy);
                opened.ok().map(|opened| (opened, lock))
            },
            BatchSize::PerIteration,
        );
    });
    let _ = fs::remove_dir_all(&folder);
}

criterion_group! {
    name = benches;
    // Each of them takes milliseconds.
    config = Criterion::default().sample_size(20);
    targets = swapping, sealing, replaying
}
criterion_main!(benches);
