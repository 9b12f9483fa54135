//! Which snapshots are taken, and what is said about the others.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::*;
use prost::Message;
use sortition_core::wire::v1::{
    BucketRange, ExperimentStatus as Status, MetricKind, Reason, Snapshot, SnapshotContent,
    SnapshotExperiment,
};

fn running() -> SnapshotExperiment {
    experiment("running", Status::Running)
}

/// Asserts that content is refused as invalid, naming exactly these fields, and that the loaded snapshot stays.
fn assert_refused(content: &SnapshotContent, expected: &[&str]) {
    let engine = engine();
    assert_invalid(engine.load_snapshot(&snapshot(2, content)), expected);
    assert_eq!(engine.snapshot().unwrap().version, 1);
    assert_eq!(
        assign(&engine, &by_key("running", "u"))
            .unwrap()
            .snapshot_version,
        1
    );
}

#[test]
fn only_a_newer_snapshot_is_taken() {
    let engine = engine_with(&[]);
    let load = |version| {
        engine
            .load_snapshot(&snapshot(version, &content(vec![running()])))
            .unwrap()
    };
    assert_eq!(
        [load(3), load(3), load(2), load(4)],
        [true, false, false, true]
    );
    assert_eq!(engine.snapshot().unwrap().version, 4);
    assert_eq!(counter(&engine, "experiments"), 1);
}

#[test]
fn damage_is_found_wherever_it_is() {
    let engine = engine();
    let good = snapshot(2, &content(vec![running()]));
    // The first two bytes are the version, of which the content's hash says nothing.
    for index in 2..good.len() {
        let mut damaged = good.clone();
        for bit in 0..8 {
            damaged[index] = good[index] ^ 1 << bit;
            assert!(
                engine.load_snapshot(&damaged).is_err(),
                "byte {index}, bit {bit}"
            );
        }
    }
    for length in 0..good.len() {
        assert!(
            engine.load_snapshot(&good[..length]).is_err(),
            "cut to {length} bytes"
        );
    }
    assert_eq!(engine.snapshot().unwrap().version, 1);
}

#[test]
fn content_that_is_no_content_is_data_loss() {
    use sha2::{Digest, Sha256};
    let content = Bytes::from_static(b"\x0a\xff\xff");
    let content_hash = Bytes::copy_from_slice(&Sha256::digest(&content));
    let bytes = Snapshot {
        version: 2,
        content_hash,
        content,
    }
    .encode_to_vec();
    assert_eq!(engine().load_snapshot(&bytes).unwrap_err().code(), 15);
}

#[test]
fn version_zero_is_refused() {
    let engine = engine_with(&[]);
    assert_invalid(
        engine.load_snapshot(&snapshot(0, &content(vec![]))),
        &["version"],
    );
    assert!(engine.snapshot().is_none());
}

#[test]
fn names_are_checked() {
    let mut bad = running();
    bad.id = "with:colon".into();
    bad.key = "with space".into();
    bad.organization = String::new();
    bad.variants[1].name = "ü".into();
    bad.metrics[0].name = "x".repeat(129);
    bad.metrics[1].kind = 9;
    bad.status = 0;
    let mut content = content(vec![bad]);
    content.subjects[1].organization = String::new();
    let expected = [
        "subjects[0].organization",
        "subjects[1].organization",
        "experiments[0].id",
        "experiments[0].organization",
        "experiments[0].key",
        "experiments[0].status",
        "experiments[0].variants[1].name",
        "experiments[0].metrics[0].name",
        "experiments[0].metrics[1].kind",
    ];
    assert_refused(&content, &expected);
}

#[test]
fn everything_is_there_once() {
    let mut twice = content(vec![running(), running()]);
    twice.subjects.push(twice.subjects[0].clone());
    let mut second = running();
    second.id = "another".into();
    second.key = "another".into();
    second.variants[1].name = "plain".into();
    second.metrics[1].name = "score".into();
    twice.experiments.push(second);
    let expected = [
        "subjects[2]",
        "experiments[1].id",
        "experiments[1].key",
        "experiments[1].status",
        "experiments[2].variants[1].name",
        "experiments[2].metrics[1].name",
        "experiments[2].status",
    ];
    assert_refused(&twice, &expected);
}

#[test]
fn an_experiment_has_one_control_and_a_subject() {
    for controls in [[true, true], [false, false]] {
        let mut bad = experiment("other", Status::Running);
        bad.variants[0].control = controls[0];
        bad.variants[1].control = controls[1];
        assert_refused(&content(vec![bad]), &["experiments[0].variants"]);
    }
    let mut homeless = content(vec![experiment("other", Status::Running)]);
    homeless.experiments[0].subject = Some(subject("nobody"));
    assert_refused(&homeless, &["experiments[0].subject"]);
    homeless.experiments[0].subject = None;
    homeless.subjects[0].r#ref = None;
    assert_refused(&homeless, &["subjects[0].ref", "experiments[0].subject"]);
}

#[test]
fn ranges_cover_every_bucket_once() {
    let range = |end, variant| BucketRange { end, variant };
    let ranges = "experiments[0].allocations[0].ranges";
    let cases = [
        (vec![], vec![ranges.to_owned()]),
        (vec![range(9_999, 0)], vec![ranges.to_owned()]),
        (
            vec![range(10_001, 0)],
            vec![format!("{ranges}[0].end"), ranges.to_owned()],
        ),
        (
            vec![range(0, 0), range(10_000, 1)],
            vec![format!("{ranges}[0].end")],
        ),
        (
            vec![range(6_000, 0), range(6_000, 1), range(10_000, 0)],
            vec![format!("{ranges}[1].end")],
        ),
        (vec![range(10_000, 2)], vec![format!("{ranges}[0].variant")]),
    ];
    for (ranges, expected) in cases {
        let mut bad = experiment("other", Status::Running);
        bad.allocations[0].ranges = ranges;
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_refused(&content(vec![bad]), &expected);
    }
    for status in [Status::Running, Status::Paused] {
        let mut bad = experiment("other", status);
        bad.allocations.clear();
        assert_refused(&content(vec![bad]), &["experiments[0].allocations"]);
    }
    let mut bad = experiment("other", Status::Running);
    bad.allocations.push(bad.allocations[0].clone());
    assert_refused(
        &content(vec![bad]),
        &["experiments[0].allocations[1].generation"],
    );
}

#[test]
fn the_bounds_of_a_metric_are_ordered_numbers() {
    let mut bad = experiment("other", Status::Running);
    bad.metrics[0].min = Some(f64::NAN);
    bad.metrics[2].cap_min = Some(61.0);
    bad.metrics[3].min = Some(2.0);
    bad.metrics[3].max = Some(1.0);
    bad.metrics[4].max = Some(f64::INFINITY);
    let expected = [
        "experiments[0].metrics[0].min",
        "experiments[0].metrics[2].cap_min",
        "experiments[0].metrics[3].min",
        "experiments[0].metrics[4].max",
    ];
    assert_refused(&content(vec![bad]), &expected);
}

#[test]
fn there_are_bounds_on_how_much_an_experiment_holds() {
    let mut bad = experiment("other", Status::Running);
    bad.variants = (0..65)
        .map(|number| {
            let mut variant = bad.variants[usize::from(number > 0)].clone();
            variant.name = format!("v{number}");
            variant
        })
        .collect();
    bad.variants[3].config = Bytes::from(vec![b' '; 262_145]);
    bad.metrics = (0..65)
        .map(|number| metric(&format!("m{number}"), MetricKind::Count))
        .collect();
    let expected = [
        "experiments[0].variants",
        "experiments[0].variants[3].config",
        "experiments[0].metrics",
    ];
    assert_refused(&content(vec![bad]), &expected);
    let mut none = experiment("other", Status::Draft);
    none.variants.clear();
    none.allocations.clear();
    assert_refused(
        &content(vec![none]),
        &["experiments[0].variants", "experiments[0].variants"],
    );
}

#[test]
fn what_an_index_means_stays_once_it_was_used() {
    let mut renamed = running();
    renamed.variants[1].name = "other".into();
    renamed.metrics.swap(0, 1);
    assert_refused(
        &content(vec![renamed]),
        &["experiments[0].variants", "experiments[0].metrics"],
    );
    // A draft recorded nothing yet.
    let mut draft = experiment("draft", Status::Running);
    draft.metrics.truncate(1);
    assert!(
        engine()
            .load_snapshot(&snapshot(2, &content(vec![draft])))
            .unwrap()
    );
}

#[test]
fn an_external_experiment_needs_no_allocation_and_shares_its_subject() {
    let mut external = experiment("external", Status::Running);
    external.external_assignment = true;
    external.allocations.clear();
    external.subject = running().subject;
    let engine = engine_with(&[]);
    load(&engine, 1, vec![external, running()]);
    assert_eq!(
        assign(&engine, &by_subject("running", "u"))
            .unwrap()
            .experiment,
        "running"
    );
}

#[test]
fn what_is_held_answers_as_if_it_were_paused_whatever_snapshots_say() {
    let engine = engine();
    let fancy = unit_of("running", "fancy");
    let answer = || {
        let found = assign(&engine, &by_key("running", &fancy)).unwrap();
        (
            found.variant,
            found.reason,
            found.exposed,
            found.snapshot_version,
        )
    };
    let split = |version| {
        let reason = i32::from(Reason::Split);
        ("fancy".to_owned(), reason, true, version)
    };
    let paused = |version| {
        let reason = i32::from(Reason::Paused);
        ("plain".to_owned(), reason, false, version)
    };
    assert_eq!(answer(), split(1));
    engine.hold(["id-of-running".into()]).unwrap();
    assert_eq!(answer(), paused(1));
    load(&engine, 2, everything());
    assert_eq!(answer(), paused(2), "a newer snapshot does not end it");
    engine.hold(["unheard-of".into()]).unwrap();
    assert_eq!(answer(), split(2));
    engine.hold([]).unwrap();
    assert_eq!(answer(), split(2));
}

#[test]
fn what_is_held_before_the_first_snapshot_is_never_answered_otherwise() {
    let engine = engine_with(&[]);
    engine.hold(["id-of-running".into()]).unwrap();
    load(&engine, 1, everything());
    let unit = unit_of("running", "fancy");
    let found = assign(&engine, &by_key("running", &unit)).unwrap();
    assert_eq!(found.variant, "plain");
}
