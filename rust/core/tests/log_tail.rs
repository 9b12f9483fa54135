//! The end of a log: what was cut short is cut off, what was damaged is told.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;
#[path = "common/files.rs"]
mod files;

use common::*;
use files::{BOOT, Files, open, options, try_open};
use sortition_core::engine::Engine;
use sortition_core::log::{Options, inspect, salvage};

/// Observations of `clicks`, each worth a power of two, so that the sum tells which were counted.
fn clicks(engine: &Engine, number: u32) {
    let value = f64::from(1_u32 << number);
    record(
        engine,
        outcome("running", "u", vec![observation("clicks", value)]),
    )
    .unwrap();
}

fn sum(engine: &Engine) -> f64 {
    engine.resume(0).unwrap();
    drain(engine).iter().map(|row| row.5).sum()
}

/// A log of `count` calls, and where each of them ends in its only segment.
fn written(count: u32) -> (Files, String, Vec<usize>) {
    let files = Files::default();
    let engine = open(&files);
    let (name, _) = files.segments()[0].clone();
    let mut ends = vec![files.get(&name).len()];
    for number in 0..count {
        clicks(&engine, number);
        ends.push(files.get(&name).len());
    }
    (files, name, ends)
}

#[test]
fn an_end_torn_at_any_byte_keeps_every_whole_record() {
    let (files, name, ends) = written(4);
    let whole = files.get(&name);
    for length in ends[0]..=whole.len() {
        let torn = files.copy();
        torn.set(&name, &whole[..length]);
        let (engine, recovery) = try_open(&torn, options()).unwrap();
        let kept = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(sum(&engine), f64::from((1_u32 << kept) - 1), "{length}");
        let cut = length - ends[kept];
        match recovery.torn {
            None => assert_eq!(cut, 0),
            Some(found) => {
                assert_eq!((found.at, found.bytes), (ends[kept] as u64, cut as u64));
                assert_eq!(torn.get(&found.copy), whole[ends[kept]..length]);
                assert_eq!(torn.get(&name).len(), ends[kept]);
            }
        }
    }
}

#[test]
fn a_beginning_torn_at_any_byte_is_an_empty_log() {
    let (files, name, ends) = written(0);
    let whole = files.get(&name);
    for length in 0..ends[0] {
        let torn = files.copy();
        torn.set(&name, &whole[..length]);
        let engine = open(&torn);
        clicks(&engine, 3);
        assert_eq!(sum(&engine), 8.0, "{length}");
    }
}

#[test]
fn any_flipped_bit_is_told() {
    let (files, name, _) = written(3);
    let whole = files.get(&name);
    for bit in 0..whole.len() * 8 {
        let flipped = files.copy();
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        flipped.set(&name, &bytes);
        let before = flipped.all();
        let error = match try_open(&flipped, options()) {
            Err(error) => error,
            Ok((_, recovery)) => panic!("bit {bit} was not noticed: {recovery:?}"),
        };
        // The identity is a part of what may be flipped.
        assert!([9, 15].contains(&error.code()), "bit {bit}: {error}");
        assert!(error.to_string().contains(&name), "{error}");
        assert_eq!(flipped.all(), before, "a refused log was changed");
    }
}

#[test]
fn after_a_loss_of_power_only_what_was_synced_counts_as_damage() {
    let (files, name, ends) = written(3);
    let other = Options {
        boot: [8; 16],
        ..options()
    };
    // Nothing says that the last call was synced: it may be lost, and is cut off.
    let mut bytes = files.get(&name);
    bytes[ends[2] + 30] ^= 1;
    let lost = files.copy();
    lost.set(&name, &bytes);
    let (engine, recovery) = try_open(&lost, other.clone()).unwrap();
    assert_eq!(recovery.torn.unwrap().at, ends[2] as u64);
    assert_eq!(sum(&engine), 3.0);
    // Once it was synced, and something written behind it says so, it may not.
    let synced = Files::default();
    let engine = open(&synced);
    clicks(&engine, 0);
    let at = synced.get(&name).len() - 10;
    engine.tend().unwrap();
    let mut bytes = synced.get(&name);
    bytes[at] ^= 1;
    synced.set(&name, &bytes);
    assert_eq!(try_open(&synced, other).unwrap_err().code(), 15);
}

#[test]
fn zeros_at_the_end_after_a_loss_of_power_are_cut_off() {
    let (files, name, _) = written(2);
    let mut bytes = files.get(&name);
    bytes.extend([0; 4096]);
    files.set(&name, &bytes);
    let unknown_boot = Options {
        boot: [0; 16],
        ..options()
    };
    assert_eq!(sum(&try_open(&files, unknown_boot).unwrap().0), 3.0);
}

#[test]
fn a_missing_segment_is_told() {
    let files = Files::default();
    for number in 0..3 {
        clicks(&open(&files), number);
    }
    let names: Vec<String> = files.segments().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 3);
    for missing in &names[..2] {
        let less = Files::default();
        for (name, bytes) in files.all() {
            if name != *missing {
                less.set(&name, &bytes);
            }
        }
        assert_eq!(try_open(&less, options()).unwrap_err().code(), 15);
    }
}

#[test]
fn another_directory_is_refused() {
    let (files, _, _) = written(1);
    let other = Options {
        identity: [1; 16],
        ..options()
    };
    assert_eq!(try_open(&files, other).unwrap_err().code(), 9);
}

#[test]
fn salvage_keeps_all_but_the_damaged_record() {
    let (files, name, ends) = written(4);
    let whole = files.get(&name);
    for damaged in 0..4 {
        let files = files.copy();
        let mut bytes = whole.clone();
        bytes[ends[damaged] + 30] ^= 1;
        files.set(&name, &bytes);
        assert!(inspect(&files, &options()).unwrap().damage.is_some());
        let saved = salvage(&files, &options()).unwrap();
        // Behind the last record nothing tells that one is missing but the bytes.
        let known = u64::from(damaged < 3);
        assert_eq!((saved.lost_records, saved.copies.len()), (known, 1));
        assert!(saved.lost_bytes > 0);
        assert_eq!(files.get(&saved.copies[0]), bytes);
        assert_eq!(inspect(&files, &options()).unwrap().damage, None);
        let engine = open(&files);
        assert_eq!(sum(&engine), f64::from(15 - (1_u32 << damaged)));
    }
    assert_eq!(options().boot, BOOT);
}
