//! What was recorded leaves in numbered batches, each once.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::*;
use sortition_core::aggregate::CellDelta;

#[test]
fn a_batch_is_handed_out_until_it_is_committed() {
    let engine = engine();
    assert!(engine.seal().unwrap().is_none());
    record(&engine, score("running", "u")).unwrap();
    let first = engine.seal().unwrap().unwrap();
    record(&engine, score("running", "u")).unwrap();
    let again = engine.seal().unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &again), "the sealed batch changed");
    assert_eq!((first.number, first.cells[0].cell.moments().n()), (1, 1));
    assert_eq!(counter(&engine, "live_cells"), 2);
    engine.commit(1).unwrap();
    let second = engine.seal().unwrap().unwrap();
    assert_eq!((second.number, second.cells[0].cell.moments().n()), (2, 1));
    engine.commit(2).unwrap();
    assert!(engine.seal().unwrap().is_none());
    assert_eq!(
        (
            counter(&engine, "live_cells"),
            counter(&engine, "pending_exposures")
        ),
        (0, 0)
    );
}

#[test]
fn only_the_sealed_batch_can_be_committed() {
    let engine = engine();
    assert_eq!(engine.commit(1).unwrap_err().code(), 9);
    record(&engine, score("running", "u")).unwrap();
    engine.seal().unwrap().unwrap();
    for wrong in [0, 2, u64::MAX] {
        assert_eq!(engine.commit(wrong).unwrap_err().code(), 9);
    }
    engine.commit(1).unwrap();
    assert_eq!(engine.commit(1).unwrap_err().code(), 9);
}

#[test]
fn numbering_goes_on_where_the_database_stands() {
    let engine = engine();
    assert!(engine.seal().unwrap().is_none());
    engine.resume(41).unwrap();
    record(&engine, score("running", "u")).unwrap();
    assert_eq!(engine.seal().unwrap().unwrap().number, 42);
    assert_eq!(engine.resume(50).unwrap_err().code(), 9);
    engine.commit(42).unwrap();
    assert_eq!(engine.resume(50).unwrap_err().code(), 9);
    record(&engine, score("running", "u")).unwrap();
    assert_eq!(engine.seal().unwrap().unwrap().number, 43);
}

#[test]
fn cells_survive_the_end_of_their_experiment() {
    let engine = engine();
    record(&engine, score("running", "u")).unwrap();
    load(&engine, 2, Vec::new());
    assert_eq!(drain(&engine)[0].0, "running");
}

#[test]
fn an_engine_needs_a_long_key_and_positive_bounds() {
    use sortition_core::engine::Engine;
    use sortition_core::limits::Limits;
    assert_invalid(Engine::new(&[0; 15], Limits::default()), &["unit_key"]);
    assert!(Engine::new(&[0; 16], Limits::default()).is_ok());
    let overrides = [
        ("no_such".to_owned(), 1),
        ("variants".to_owned(), 0),
        ("metrics".to_owned(), 1),
    ];
    assert_invalid(
        Limits::with(&overrides),
        &["limits.no_such", "limits.variants"],
    );
}

#[test]
fn what_is_pending_is_seen_batch_by_batch_and_stays_pending() {
    let engine = engine();
    let pending = |id: &str| -> Vec<(u64, u64)> {
        let found = engine.pending(|known| known == id);
        let n = |cells: &[CellDelta]| cells.iter().map(|delta| delta.cell.moments().n()).sum();
        assert!(found.iter().all(|batch| batch.exposures.is_empty()));
        found
            .iter()
            .map(|batch| (batch.number, n(&batch.cells)))
            .collect()
    };
    engine.resume(7).unwrap();
    assert_eq!(pending("id-of-running"), [(8, 0)]);
    record(&engine, score("running", "u")).unwrap();
    assert_eq!(pending("id-of-running"), [(8, 1)]);
    assert_eq!(pending("id-of-another"), [(8, 0)]);
    engine.seal().unwrap().unwrap();
    record(&engine, score("running", "v")).unwrap();
    record(&engine, score("running", "w")).unwrap();
    assert_eq!(pending("id-of-running"), [(8, 1), (9, 2)]);
    engine.commit(8).unwrap();
    assert_eq!(pending("id-of-running"), [(9, 2)]);
    assert_eq!(engine.seal().unwrap().unwrap().number, 9);
}
