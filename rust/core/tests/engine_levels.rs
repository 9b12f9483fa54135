//! Outcomes are counted for everyone, and once more at the levels of who they are about.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::*;
use proptest::prelude::*;
use sortition_core::engine::Engine;
use sortition_core::level::{DIMENSIONS, LEVELS, LEVELS_TOGETHER, OTHER};
use sortition_core::wire::v1::{
    ExperimentStatus as Status, Outcome, SnapshotDimension, SnapshotExperiment,
};

/// What was recorded about metric 0, "score": by variant and level, how often and the sum of the values.
fn scores(engine: &Engine) -> BTreeMap<(u16, u8), (u64, f64)> {
    let batch = engine.seal().unwrap().unwrap();
    engine.commit(batch.number).unwrap();
    let mut found = BTreeMap::new();
    for delta in batch.cells.iter().filter(|delta| delta.metric == 0) {
        let moments = delta.cell.moments();
        let sum = moments.mean() * moments.n() as f64;
        let before = found.insert((delta.variant, delta.level), (moments.n(), sum));
        assert_eq!(before, None, "a cell is there twice");
    }
    found
}

fn of(unit: &str, value: f64, given: &[(&str, &str)]) -> Outcome {
    Outcome {
        dimensions: levels(given),
        ..outcome("segmented", unit, vec![observation("score", value)])
    }
}

#[test]
fn an_outcome_is_counted_at_its_level_of_each_dimension() {
    let engine = engine();
    let (plain, fancy) = (unit_of("segmented", "plain"), unit_of("segmented", "fancy"));
    for outcome in [
        of(&plain, 1.0, &[("device", "mobile"), ("plan", "free")]),
        of(&plain, 2.0, &[("device", "desktop"), ("plan", "gold")]),
        of(&fancy, 4.0, &[("device", "watch"), ("country", "mobile")]),
        of(&fancy, 8.0, &[]),
    ] {
        let response = record(&engine, outcome).unwrap();
        assert_eq!(
            response.accepted, 1,
            "one observation is one, however broken down"
        );
    }
    let expected = BTreeMap::from([
        ((0, 0), (2, 3.0)),
        ((0, 1), (1, 1.0)),
        ((0, 2), (1, 2.0)),
        ((0, 4), (1, 1.0)),
        ((0, 5), (1, 2.0)),
        ((1, 0), (2, 12.0)),
        ((1, 3), (2, 12.0)),
        ((1, 5), (2, 12.0)),
    ]);
    assert_eq!(scores(&engine), expected);
}

#[test]
fn without_declared_dimensions_nothing_is_broken_down() {
    let engine = engine();
    let outcome = Outcome {
        dimensions: levels(&[("device", "mobile")]),
        ..score("running", "u")
    };
    record(&engine, outcome).unwrap();
    assert_eq!(drain(&engine).len(), 1);
}

#[test]
fn a_level_keeps_what_the_metric_keeps() {
    let engine = engine();
    let mut spend = observation("spend", 0.25);
    spend.covariate = Some(-3.0);
    let mut outcome = of("u", 1.0, &[("device", "mobile"), ("plan", "free")]);
    outcome.observations = vec![spend, observation("time", 90.0)];
    record(&engine, outcome).unwrap();
    let batch = engine.seal().unwrap().unwrap();
    let cells = |metric| {
        let of_metric = batch
            .cells
            .iter()
            .filter(move |delta| delta.metric == metric);
        of_metric.map(|delta| (delta.level, delta.cell.encode()))
    };
    for metric in [2, 5] {
        let found: Vec<_> = cells(metric).collect();
        let numbers: Vec<u8> = found.iter().map(|(level, _)| *level).collect();
        assert_eq!(numbers, [0, 1, 4]);
        assert!(found.iter().all(|(_, cell)| *cell == found[0].1));
    }
    let time = batch.cells.iter().find(|delta| delta.metric == 2).unwrap();
    assert_eq!(time.cell.clamped, 1);
}

#[test]
fn what_is_not_counted_has_no_level() {
    let engine = engine();
    record(&engine, of("u", 1e9, &[("device", "mobile")])).unwrap_err();
    let late = SnapshotExperiment {
        status: Status::Completed.into(),
        ..segmented("segmented")
    };
    load(&engine, 2, vec![late]);
    assert_eq!(
        record(&engine, of("u", 1.0, &[("device", "mobile")]))
            .unwrap()
            .late,
        1
    );
    let batch = engine.seal().unwrap().unwrap();
    let found: Vec<_> = batch
        .cells
        .iter()
        .map(|delta| (delta.level, delta.cell.refused, delta.cell.late))
        .collect();
    assert_eq!(found, [(0, 1, 1)]);
}

#[test]
fn too_many_or_too_long_levels_are_refused() {
    let engine = engine();
    let many: Vec<String> = (0..17).map(|number| format!("d{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
    let long = "x".repeat(129);
    for given in [
        &many[..],
        &[("device", long.as_str())],
        &[(long.as_str(), "x")],
    ] {
        assert_invalid(
            record(&engine, of("u", 1.0, given)),
            &["outcome.dimensions"],
        );
    }
    assert!(engine.seal().unwrap().is_none());
    record(&engine, of("u", 1.0, &many[..16])).unwrap();
    record(&engine, of("u", 1.0, &[("device", &long[..128])])).unwrap();
}

#[test]
fn without_room_for_the_cell_of_a_level_the_call_is_refused_whole() {
    let engine = engine_with(&[("live_cells", 4)]);
    load(&engine, 1, everything());
    let unit = unit_of("segmented", "plain");
    record(&engine, of(&unit, 1.0, &[("device", "mobile")])).unwrap();
    let error = record(
        &engine,
        of(&unit, 2.0, &[("device", "watch"), ("plan", "free")]),
    )
    .unwrap_err();
    assert_eq!(error.code(), 8);
    assert_eq!(counter(&engine, "live_cells"), 3);
    let expected = BTreeMap::from([((0, 0), (1, 1.0)), ((0, 1), (1, 1.0)), ((0, 5), (1, 1.0))]);
    assert_eq!(scores(&engine), expected);
    assert_eq!(counter(&engine, "live_cells"), 0);
}

#[test]
fn a_key_is_of_one_payload_levels_included() {
    let engine = engine();
    let given: Vec<(String, String)> = (0..16)
        .map(|number| (format!("d{number}"), "x".into()))
        .collect();
    let given: Vec<(&str, &str)> = given
        .iter()
        .map(|(name, level)| (&**name, &**level))
        .collect();
    let deliver =
        |given: &[(&str, &str)]| deliver(&engine, of("u", 1.0, given), keyed(b"key"), NOW);
    assert!(!deliver(&given).unwrap().duplicate);
    // Sent in another order, as maps are, it is the same.
    let backwards: Vec<_> = given.iter().rev().copied().collect();
    assert!(deliver(&backwards).unwrap().duplicate);
    assert_eq!(deliver(&given[..15]).unwrap_err().code(), 6);
}

fn declared(dimensions: &[(&str, &[&str])]) -> SnapshotExperiment {
    let dimension = |(name, levels): &(&str, &[&str])| SnapshotDimension {
        name: (*name).to_owned(),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
    };
    SnapshotExperiment {
        dimensions: dimensions.iter().map(dimension).collect(),
        ..experiment("segmented", Status::Running)
    }
}

fn refused(experiments: Vec<SnapshotExperiment>, fields: &[&str]) {
    let engine = engine();
    let bytes = snapshot(2, &content(experiments));
    assert_invalid(engine_with(&[]).load_snapshot(&bytes), fields);
    // Neither beside a snapshot that is loaded.
    assert!(engine.load_snapshot(&bytes).is_err());
}

#[test]
fn declarations_are_bounded_and_free_of_contradictions() {
    let names: Vec<String> = (0..=LEVELS).map(|number| format!("l{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let most = [
        ("a", &names[..LEVELS]),
        ("b", &names[..LEVELS_TOGETHER - LEVELS - 1]),
        ("c", &names[..1]),
    ];
    assert_eq!(most.len(), DIMENSIONS);
    load(&engine_with(&[]), 1, vec![declared(&most)]);
    let at = "experiments[0].dimensions";
    let in_first = |rest: &str| format!("{at}[0].{rest}");
    refused(
        vec![declared(&[most[0], most[1], most[2], ("d", &["x"])])],
        &[at, at],
    );
    refused(
        vec![declared(&[
            ("a", &names[..LEVELS]),
            ("b", &names[..LEVELS]),
            ("c", &["x"]),
        ])],
        &[at],
    );
    refused(
        vec![declared(&[("a", &names[..=LEVELS])])],
        &[&in_first("levels")],
    );
    refused(vec![declared(&[("a", &[])])], &[&in_first("levels")]);
    refused(
        vec![declared(&[("a", &["x", "x"])])],
        &[&in_first("levels[1]")],
    );
    refused(
        vec![declared(&[("a", &[OTHER])])],
        &[&in_first("levels[0]")],
    );
    refused(
        vec![declared(&[("a", &["no spaces"])])],
        &[&in_first("levels[0]")],
    );
    refused(vec![declared(&[("", &["x"])])], &[&in_first("name")]);
    refused(
        vec![declared(&[("a", &["x"]), ("a", &["x"])])],
        &["experiments[0].dimensions[1].name"],
    );
}

#[test]
fn what_a_level_means_does_not_change_after_the_start() {
    let at = "experiments[0].dimensions";
    let engine = engine_with(&[]);
    load(
        &engine,
        1,
        vec![declared(&[("device", &["mobile", "desktop"])])],
    );
    for changed in [
        declared(&[("device", &["desktop", "mobile"])]),
        declared(&[("device", &["mobile"])]),
        declared(&[("machine", &["mobile", "desktop"])]),
        declared(&[]),
    ] {
        let bytes = snapshot(2, &content(vec![changed]));
        assert_invalid(engine.load_snapshot(&bytes), &[at]);
    }
    // The last good snapshot of a version that knew of no dimensions names none.
    let engine = engine_with(&[]);
    load(&engine, 1, vec![declared(&[])]);
    load(&engine, 2, vec![segmented("segmented")]);
}

proptest! {
    #[test]
    fn the_levels_of_a_dimension_add_up_to_everyone(
        outcomes in prop::collection::vec((0_u8..20, 0_u8..4, 0_u8..3, -8_i32..8), 1..60)
    ) {
        let engine = engine();
        let devices = ["mobile", "desktop", "watch", ""];
        let plans = ["free", "gold", "other"];
        for (unit, device, plan, value) in outcomes {
            let given = [("device", devices[usize::from(device)]), ("plan", plans[usize::from(plan)])];
            let unit = format!("unit-{unit}");
            record(&engine, of(&unit, f64::from(value), &given)).unwrap();
        }
        let found = scores(&engine);
        for variant in 0..2 {
            let sum = |levels: std::ops::RangeInclusive<u8>| {
                let at = levels.filter_map(|level| found.get(&(variant, level)));
                at.fold((0, 0.0), |(n, sum), (more, added)| (n + more, f64::round(sum + added)))
            };
            prop_assert_eq!(sum(0..=0), sum(1..=3));
            prop_assert_eq!(sum(0..=0), sum(4..=5));
        }
    }
}
