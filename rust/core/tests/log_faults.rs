//! Disks that are full, that fail once, and that cannot sync.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;
#[path = "common/files.rs"]
mod files;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, thread};

use common::*;
use files::{Faults, Files, open, options, try_open};
use sortition_core::engine::Engine;
use sortition_core::limits::Limits;
use sortition_core::log::{Ack, File, Fs, Options};

fn total(engine: &Engine) -> u64 {
    let mut n = 0;
    while let Some(batch) = engine.seal().unwrap() {
        n += batch
            .cells
            .iter()
            .map(|delta| delta.cell.moments().n())
            .sum::<u64>();
        engine.commit(batch.number).unwrap();
    }
    n
}

#[test]
fn a_full_disk_refuses_recording_and_not_assigning_until_there_is_room() {
    for room in 0..120 {
        let files = Files::default();
        let engine = open(&files);
        engine.resume(0).unwrap();
        record(&engine, score("running", "u")).unwrap();
        files.fail(Faults {
            room: Some(room),
            ..Faults::default()
        });
        let mut accepted = 1;
        let error = loop {
            match record(&engine, score("running", "u")) {
                Ok(_) => accepted += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), 8, "{error}");
        let answer = assign(&engine, &by_key("running", "someone")).unwrap();
        assert_eq!(answer.variant, variant("running", "someone"));
        files.fail(Faults::default());
        record(&engine, score("running", "u")).unwrap();
        accepted += 1;
        drop(engine);
        let again = open(&files);
        again.resume(0).unwrap();
        assert_eq!(total(&again), accepted, "{room} bytes of room");
    }
}

#[test]
fn what_cannot_be_cut_off_now_is_before_anything_else_is_written() {
    let files = Files::default();
    let engine = open(&files);
    engine.resume(0).unwrap();
    files.fail(Faults {
        room: Some(10),
        truncate: true,
        ..Faults::default()
    });
    record(&engine, score("running", "u")).unwrap_err();
    files.fail(Faults {
        truncate: true,
        ..Faults::default()
    });
    record(&engine, score("running", "u")).unwrap_err();
    files.fail(Faults::default());
    record(&engine, score("running", "u")).unwrap();
    drop(engine);
    let again = open(&files);
    again.resume(0).unwrap();
    assert_eq!(total(&again), 1);
}

#[test]
fn a_failure_of_any_call_loses_nothing_acknowledged() {
    let script = |files: &Files| {
        let (mut acknowledged, mut stored, mut in_database) = (0, 0, 0_u64);
        let opened = try_open(files, options());
        if let Ok((engine, _)) = opened
            && engine.resume(0).is_ok()
        {
            for round in 0..3 {
                for _ in 0..3 {
                    acknowledged += u64::from(record(&engine, score("running", "u")).is_ok());
                }
                let _ = engine.tend();
                if let Ok(Some(batch)) = engine.seal()
                    && round < 2
                {
                    stored = batch.number;
                    in_database += batch
                        .cells
                        .iter()
                        .map(|delta| delta.cell.moments().n())
                        .sum::<u64>();
                    let _ = engine.commit(batch.number);
                }
            }
        }
        (acknowledged, stored, in_database)
    };
    let calls = {
        let files = Files::default();
        script(&files);
        files.changes()
    };
    assert!(calls > 40);
    for working in 0..calls {
        let files = Files::default();
        files.fail(Faults {
            calls: Some(working),
            ..Faults::default()
        });
        let (acknowledged, stored, in_database) = script(&files);
        files.fail(Faults::default());
        let again = open(&files);
        again.resume(stored).unwrap();
        let found = in_database + total(&again);
        // A call that was written and whose sync failed counts, though nobody was told.
        assert!(
            found >= acknowledged,
            "call {working}: {found} of {acknowledged}"
        );
        assert!(found <= 9, "call {working}: {found}");
    }
}

#[test]
fn a_failed_sync_ends_recording_for_good() {
    for ack in [Ack::Written, Ack::Fsynced] {
        let files = Files::default();
        let (engine, _) = try_open(&files, Options { ack, ..options() }).unwrap();
        engine.resume(0).unwrap();
        record(&engine, score("running", "u")).unwrap();
        files.fail(Faults {
            sync: true,
            ..Faults::default()
        });
        let _ = record(&engine, score("running", "u"));
        assert_eq!(engine.tend().unwrap_err().code(), 14);
        files.fail(Faults::default());
        for _ in 0..3 {
            assert_eq!(
                record(&engine, score("running", "u")).unwrap_err().code(),
                14
            );
            assert_eq!(engine.seal().unwrap_err().code(), 14);
            assert!(!engine.sound());
        }
        assert!(assign(&engine, &by_key("running", "someone")).is_ok());
        drop(engine);
        record(&open(&files), score("running", "u")).unwrap();
    }
}

#[test]
fn a_log_that_is_full_refuses_and_goes_on_after_a_flush() {
    let files = Files::default();
    let small = Options {
        max_bytes: 4_000,
        retain_bytes: 1,
        ..options()
    };
    let (engine, _) = try_open(&files, small).unwrap();
    engine.resume(0).unwrap();
    let error = loop {
        if let Err(error) = record(&engine, score("running", "u")) {
            break error;
        }
    };
    assert_eq!(error.code(), 8);
    assert!(error.to_string().starts_with("log_max_bytes: "), "{error}");
    let batch = engine.seal().unwrap().unwrap();
    engine.commit(batch.number).unwrap();
    record(&engine, score("running", "u")).unwrap();
}

/// Counts syncs, each of which takes a moment.
#[derive(Debug)]
struct Slow(Files, Arc<AtomicUsize>);

#[derive(Debug)]
struct SlowFile(Arc<dyn File>, Arc<AtomicUsize>);

impl Fs for Slow {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.read(name)
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(SlowFile(
            self.0.create(name)?,
            Arc::clone(&self.1),
        )))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.0.open(name)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
}

impl File for SlowFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.1.fetch_add(1, Ordering::SeqCst);
        thread::sleep(std::time::Duration::from_millis(2));
        self.0.sync()
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
}

#[test]
fn callers_that_wait_share_one_sync() {
    let syncs = Arc::new(AtomicUsize::new(0));
    let fs = Arc::new(Slow(Files::default(), Arc::clone(&syncs)));
    let fsynced = Options {
        ack: Ack::Fsynced,
        ..options()
    };
    let (engine, _) = Engine::open(KEY, Limits::default(), fs, fsynced).unwrap();
    load(&engine, 1, everything());
    let before = syncs.load(Ordering::SeqCst);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    record(&engine, score("running", "u")).unwrap();
                }
            });
        }
    });
    let done = syncs.load(Ordering::SeqCst) - before;
    assert!(
        (25..150).contains(&done),
        "{done} syncs for 200 calls of 8 threads"
    );
}
