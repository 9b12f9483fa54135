//! What recording counts, what it refuses, and that it does either whole.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use common::*;
use prost::Message;
use sortition_core::engine::Engine;
use sortition_core::wire::v1::{
    ExperimentStatus as Status, Observation, Outcome, RecordBatchRequest, RecordRequest,
    RecordResponse, RecordStreamResponse, observation, record_stream_response,
};

const DAY_MS: i64 = 86_400_000;

fn flag(metric: &str, flag: bool) -> Observation {
    Observation {
        value: Some(observation::Value::Flag(flag)),
        ..observation(metric, 0.0)
    }
}

fn one(engine: &Engine, observation: Observation) -> sortition_core::error::Result<RecordResponse> {
    record(engine, outcome("running", "u", vec![observation]))
}

fn refused_cells(engine: &Engine) -> Vec<(u16, u64)> {
    let Some(batch) = engine.seal().unwrap() else {
        return Vec::new();
    };
    engine.commit(batch.number).unwrap();
    assert!(
        batch
            .cells
            .iter()
            .all(|delta| delta.cell.moments().n() == 0),
        "a refused call was counted"
    );
    batch
        .cells
        .iter()
        .map(|delta| (delta.metric, delta.cell.refused))
        .collect()
}

#[test]
fn observations_land_in_the_cells_of_their_arm_metric_and_day() {
    let engine = engine();
    let (plain, fancy) = (unit_of("running", "plain"), unit_of("running", "fancy"));
    let observations = vec![
        observation("score", 2.5),
        flag("success", true),
        observation("time", 4.0),
    ];
    let answer = record(&engine, outcome("running", &plain, observations)).unwrap();
    assert_eq!(
        answer,
        RecordResponse {
            accepted: 3,
            snapshot_version: 1,
            ..RecordResponse::default()
        }
    );
    record(
        &engine,
        outcome(
            "running",
            &fancy,
            vec![observation("score", -1.0), observation("score", 5.0)],
        ),
    )
    .unwrap();
    let yesterday = Outcome {
        occurred_at_ms: NOW - 2_000,
        ..outcome(
            "running",
            &plain,
            vec![observation("clicks", 3.0), flag("success", false)],
        )
    };
    record(&engine, yesterday).unwrap();
    let key = || "running".to_owned();
    let expected = vec![
        (key(), 0, 0, TODAY, 1, 2.5),
        (key(), 0, 1, TODAY - 1, 1, 0.0),
        (key(), 0, 1, TODAY, 1, 1.0),
        (key(), 0, 2, TODAY, 1, 4.0),
        (key(), 0, 3, TODAY - 1, 1, 3.0),
        (key(), 1, 0, TODAY, 2, 4.0),
    ];
    assert_eq!(drain(&engine), expected);
    assert_eq!(
        (
            counter(&engine, "calls_recorded"),
            counter(&engine, "observations")
        ),
        (3, 7)
    );
}

#[test]
fn denominators_and_covariates_reach_the_bucket_of_the_unit() {
    let engine = engine();
    let ratio = Observation {
        denominator: Some(4.0),
        ..observation("ctr", 3.0)
    };
    let spend = Observation {
        covariate: Some(7.0),
        ..observation("spend", 5.0)
    };
    record(
        &engine,
        outcome("running", "u", vec![ratio, observation("ctr", 1.0), spend]),
    )
    .unwrap();
    let batch = engine.seal().unwrap().unwrap();
    let sums = |index: usize| {
        let rows: Vec<_> = batch.cells[index]
            .cell
            .buckets()
            .rows()
            .map(<[f64]>::to_vec)
            .collect();
        let filled: Vec<_> = (0..rows.len()).filter(|row| rows[*row][0] > 0.0).collect();
        (filled[0], filled.len(), rows[filled[0]].clone())
    };
    let slot =
        sortition_core::hash::unit_slot(sortition_core::hash::unit_seed("id-of-running"), "u")
            .bucket();
    assert_eq!(sums(0), (slot, 1, vec![5.0, 4.0]));
    assert_eq!(sums(1), (slot, 1, vec![1.0, 5.0, 7.0]));
}

#[test]
fn a_value_above_the_cap_counts_as_the_cap() {
    let engine = engine();
    let answer = record(
        &engine,
        outcome(
            "running",
            "u",
            vec![observation("time", 1e9), observation("time", 60.0)],
        ),
    );
    let answer = answer.unwrap();
    assert_eq!((answer.accepted, answer.clamped), (2, 1));
    let batch = engine.seal().unwrap().unwrap();
    assert_eq!(
        (
            batch.cells[0].cell.clamped,
            batch.cells[0].cell.moments().max()
        ),
        (1, Some(60.0))
    );
    assert!(batch.cells[0].cell.sketch().is_some());
}

#[test]
fn values_that_do_not_fit_are_refused_and_only_counted_as_refused() {
    let engine = engine();
    let cases: Vec<(Observation, &str)> = vec![
        (observation("score", f64::NAN), "number"),
        (observation("score", f64::INFINITY), "number"),
        (observation("score", f64::NEG_INFINITY), "number"),
        (observation("score", -10.5), "number"),
        (observation("score", 1_000_001.0), "number"),
        (
            Observation {
                covariate: Some(0.0),
                ..observation("spend", 1e101)
            },
            "number",
        ),
        (
            Observation {
                covariate: Some(-1e101),
                ..observation("spend", 1.0)
            },
            "covariate",
        ),
        (observation("success", 0.5), "number"),
        (observation("success", f64::NAN), "number"),
        (observation("time", -0.001), "number"),
        (observation("clicks", -1.0), "number"),
        (observation("clicks", 1.5), "number"),
        (flag("score", true), "flag"),
        (
            Observation {
                value: None,
                ..observation("score", 0.0)
            },
            "number",
        ),
        (
            Observation {
                denominator: Some(0.0),
                ..observation("ctr", 1.0)
            },
            "denominator",
        ),
        (
            Observation {
                denominator: Some(-1.0),
                ..observation("ctr", 1.0)
            },
            "denominator",
        ),
        (
            Observation {
                denominator: Some(f64::NAN),
                ..observation("ctr", 1.0)
            },
            "denominator",
        ),
        (
            Observation {
                denominator: Some(f64::INFINITY),
                ..observation("ctr", 1.0)
            },
            "denominator",
        ),
        (
            Observation {
                denominator: Some(1.0),
                ..observation("score", 1.0)
            },
            "denominator",
        ),
        (observation("spend", 1.0), "covariate"),
        (
            Observation {
                covariate: Some(f64::NAN),
                ..observation("spend", 1.0)
            },
            "covariate",
        ),
        (
            Observation {
                covariate: Some(1.0),
                ..observation("score", 1.0)
            },
            "covariate",
        ),
    ];
    for (bad, field) in cases {
        let metric = bad.metric.clone();
        let error = record(
            &engine,
            outcome("running", "u", vec![observation("clicks", 1.0), bad]),
        )
        .unwrap_err();
        let last = fields(&error).pop().unwrap().to_owned();
        assert_eq!(
            (error.code(), last),
            (3, format!("outcome.observations[1].{field}")),
            "{error}"
        );
        assert!(error.to_string().contains(&metric), "{error}");
        let cells = refused_cells(&engine);
        assert!(matches!(cells.as_slice(), [(_, 1)]), "{metric}: {cells:?}");
    }
    for good in [
        observation("score", -10.0),
        observation("score", 1e6),
        observation("clicks", 0.0),
        flag("success", false),
    ] {
        assert_eq!(one(&engine, good).unwrap().accepted, 1);
    }
}

#[test]
fn what_an_outcome_lacks_is_said_at_once() {
    let engine = engine();
    let path = |name: &str| format!("outcome.{name}");
    let empty = record(&engine, Outcome::default()).unwrap_err();
    assert_eq!(
        fields(&empty),
        [path("unit"), path("observations"), path("experiment")]
    );
    let error = one(&engine, observation("scoer", 1.0)).unwrap_err();
    assert_eq!(
        (error.code(), fields(&error)),
        (3, vec!["outcome.observations[0].metric"])
    );
    assert!(
        error.to_string().contains("score, success, time"),
        "{error}"
    );
    let unknown = record(&engine, score("no-such", "u")).unwrap_err();
    assert_eq!(
        (unknown.code(), fields(&unknown)),
        (5, vec!["outcome.experiment"])
    );
    assert_invalid(
        record(&engine, score("running", &"x".repeat(513))),
        &["outcome.unit"],
    );
    let many = outcome("running", "u", vec![observation("score", 1.0); 257]);
    assert_invalid(record(&engine, many), &["outcome.observations"]);
    assert_invalid(engine.record_message(b"\x0a\xff", NOW), &["request"]);
    assert_invalid(
        engine.record_message(&RecordRequest::default().encode_to_vec(), NOW),
        &["outcome"],
    );
    assert!(engine.seal().unwrap().is_none());
    let most = outcome("running", "u", vec![observation("score", 1.0); 256]);
    assert_eq!(record(&engine, most).unwrap().accepted, 256);
}

#[test]
fn an_undeclared_metric_is_left_out_only_if_the_caller_says_so() {
    let engine = engine();
    let offered = |metric: &str| Observation {
        if_declared: true,
        ..observation(metric, 0.3)
    };
    let observations = vec![
        observation("score", 812.0),
        offered("duration"),
        offered("memory"),
    ];
    let answer = record(&engine, outcome("running", "u", observations)).unwrap();
    assert_eq!(
        answer,
        RecordResponse {
            accepted: 1,
            snapshot_version: 1,
            ..RecordResponse::default()
        }
    );
    assert_eq!(one(&engine, offered("duration")).unwrap().accepted, 0);
    assert_eq!(drain(&engine).len(), 1);
    assert_invalid(
        one(&engine, offered("")),
        &["outcome.observations[0].metric"],
    );
    assert_invalid(
        one(&engine, offered(&"x".repeat(129))),
        &["outcome.observations[0].metric"],
    );
    // A declared one is checked and counted like any other.
    assert_invalid(
        one(&engine, offered("success")),
        &["outcome.observations[0].number"],
    );
    assert_eq!(one(&engine, offered("score")).unwrap().accepted, 1);
}

#[test]
fn a_variant_that_is_named_must_be_the_assigned_one() {
    let engine = engine();
    let unit = unit_of("running", "fancy");
    let named = |variant: &str| Outcome {
        variant: variant.into(),
        ..score("running", &unit)
    };
    assert_eq!(record(&engine, named("fancy")).unwrap().accepted, 1);
    let error = record(&engine, named("plain")).unwrap_err();
    assert_eq!((error.code(), fields(&error)), (3, vec!["outcome.variant"]));
    assert!(
        error.to_string().contains("plain") && error.to_string().contains("fancy"),
        "{error}"
    );
    let error = record(&engine, named("other")).unwrap_err();
    assert!(error.to_string().contains("plain, fancy"), "{error}");
    assert_eq!(drain(&engine).len(), 1);
}

#[test]
fn a_paused_experiment_counts_only_who_was_there_before() {
    let engine = engine();
    let unit = unit_of("paused", "fancy");
    for (variant, accepted, ignored) in [("fancy", 1, 0), ("plain", 0, 1), ("", 0, 1)] {
        let answer = record(
            &engine,
            Outcome {
                variant: variant.into(),
                ..score("paused", &unit)
            },
        )
        .unwrap();
        assert_eq!(
            (answer.accepted, answer.ignored),
            (accepted, ignored),
            "{variant:?}"
        );
    }
    let external = Outcome {
        variant: "plain".into(),
        ..score("external", "u")
    };
    let paused = sortition_core::wire::v1::SnapshotExperiment {
        external_assignment: true,
        ..experiment("external", Status::Paused)
    };
    load(
        &engine,
        2,
        vec![experiment("paused", Status::Paused), paused],
    );
    assert_eq!(record(&engine, external).unwrap().ignored, 1);
    assert_eq!(drain(&engine).len(), 1);
    assert_eq!(counter(&engine, "ignored"), 3);
}

#[test]
fn who_was_served_by_a_pause_is_ignored_after_it() {
    let engine = engine_with(&[]);
    let unit = unit_of("running", "fancy");
    let served = || Outcome {
        variant: "plain".into(),
        ..score("running", &unit)
    };
    load(&engine, 1, vec![experiment("running", Status::Running)]);
    assert_invalid(record(&engine, served()), &["outcome.variant"]);
    load(&engine, 2, vec![experiment("running", Status::Paused)]);
    load(&engine, 3, vec![experiment("running", Status::Running)]);
    assert_eq!(record(&engine, served()).unwrap().ignored, 1);
    let other = unit_of("running", "plain");
    assert_invalid(
        record(
            &engine,
            Outcome {
                variant: "fancy".into(),
                ..score("running", &other)
            },
        ),
        &["outcome.variant"],
    );
    assert!(drain(&engine).is_empty());
}

#[test]
fn what_comes_after_the_end_is_late() {
    let engine = engine();
    for key in ["completed", "cancelled"] {
        let answer = record(
            &engine,
            outcome(
                key,
                "u",
                vec![observation("score", 1.0), observation("time", 1.0)],
            ),
        );
        let answer = answer.unwrap();
        assert_eq!((answer.accepted, answer.late), (0, 2));
    }
    let batch = engine.seal().unwrap().unwrap();
    let late: u64 = batch.cells.iter().map(|delta| delta.cell.late).sum();
    assert_eq!(
        (
            late,
            batch
                .cells
                .iter()
                .all(|delta| delta.cell.moments().n() == 0)
        ),
        (4, true)
    );
    assert_eq!(counter(&engine, "late"), 4);
}

#[test]
fn a_draft_does_not_record() {
    let engine = engine();
    let error = record(&engine, score("draft", "u")).unwrap_err();
    assert_eq!(error.code(), 9);
    assert!(
        error.to_string().starts_with("outcome.experiment"),
        "{error}"
    );
    assert!(engine.seal().unwrap().is_none());
}

#[test]
fn an_external_outcome_names_its_variant_and_exposes() {
    let engine = engine();
    assert_invalid(
        record(&engine, score("external", "u")),
        &["outcome.variant"],
    );
    let old = 1_000 * DAY_MS;
    let named = Outcome {
        variant: "fancy".into(),
        occurred_at_ms: old,
        ..score("external", "u")
    };
    for _ in 0..2 {
        assert_eq!(record(&engine, named.clone()).unwrap().accepted, 1);
    }
    let batch = engine.seal().unwrap().unwrap();
    let [exposure] = batch.exposures.as_slice() else {
        panic!("{:?}", batch.exposures)
    };
    assert_eq!(
        (exposure.variant, exposure.generation, exposure.day),
        (1, 0, 1_000)
    );
    assert_eq!(
        (
            batch.cells.len(),
            batch.cells[0].day,
            batch.cells[0].variant
        ),
        (1, 1_000, 1)
    );
    assert_eq!(batch.cells[0].cell.moments().n(), 2);
}

#[test]
fn recording_alone_exposes_nobody() {
    let engine = engine();
    record(&engine, score("running", "u")).unwrap();
    assert!(engine.seal().unwrap().unwrap().exposures.is_empty());
}

#[test]
fn the_time_of_an_outcome_is_bounded() {
    let engine = engine();
    let at = |key: &str, ms: i64| Outcome {
        occurred_at_ms: ms,
        variant: "fancy".into(),
        ..score(key, &unit_of(key, "fancy"))
    };
    for fine in [NOW, NOW + 300_000, NOW - 7 * DAY_MS] {
        assert_eq!(record(&engine, at("running", fine)).unwrap().accepted, 1);
    }
    for wrong in [NOW + 300_001, NOW - 7 * DAY_MS - 1, i64::MIN, i64::MAX, -1] {
        assert_invalid(
            record(&engine, at("running", wrong)),
            &["outcome.occurred_at_ms"],
        );
    }
    for fine in [1, -1, -62_135_596_800_000] {
        assert_eq!(record(&engine, at("external", fine)).unwrap().accepted, 1);
    }
    for wrong in [NOW + 300_001, -62_135_596_800_001, i64::MIN] {
        assert_invalid(
            record(&engine, at("external", wrong)),
            &["outcome.occurred_at_ms"],
        );
    }
    let days: Vec<_> = drain(&engine).into_iter().map(|row| row.3).collect();
    assert_eq!(days, [-719_162, -1, 0, TODAY - 7, TODAY]);
}

#[test]
fn a_batch_counts_whole_or_not_at_all() {
    let engine = engine();
    let external = |unit: &str| Outcome {
        variant: "plain".into(),
        ..score("external", unit)
    };
    let good: Vec<_> = (0..100)
        .map(|number| external(&format!("u{}", number % 30)))
        .collect();
    let mut bad = good.clone();
    bad[7].observations[0].value = None;
    bad.push(score("no-such", "u"));
    assert_invalid(
        record_batch(&engine, bad),
        &[
            "outcomes[7].observations[0].number",
            "outcomes[100].experiment",
        ],
    );
    assert_eq!(refused_cells(&engine), [(0, 1)]);
    assert_eq!(record_batch(&engine, good).unwrap().accepted, 100);
    let batch = engine.seal().unwrap().unwrap();
    assert_eq!(
        (batch.exposures.len(), batch.cells[0].cell.moments().n()),
        (30, 100)
    );
    engine.commit(batch.number).unwrap();
    assert_invalid(record_batch(&engine, Vec::new()), &["outcomes"]);
    assert_invalid(
        record_batch(&engine, vec![score("running", "u"); 10_001]),
        &["outcomes"],
    );
    assert!(engine.seal().unwrap().is_none());
}

#[test]
fn an_error_stays_short_however_much_is_wrong() {
    let engine = engine();
    let error = record_batch(&engine, vec![Outcome::default(); 10_000]).unwrap_err();
    assert_eq!(error.violations().len(), 100);
}

#[test]
fn without_room_for_another_cell_the_call_is_refused_whole() {
    let engine = engine_with(&[("live_cells", 2), ("pending_exposures", 1)]);
    load(&engine, 1, everything());
    let three = vec![
        observation("score", 1.0),
        observation("clicks", 1.0),
        observation("time", 1.0),
    ];
    let refuse = |result: sortition_core::error::Result<RecordResponse>, bound: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.code(), 8);
        assert!(error.to_string().starts_with(bound), "{error}");
    };
    refuse(
        record(&engine, outcome("running", "u", three.clone())),
        "live_cells",
    );
    assert_eq!(counter(&engine, "live_cells"), 0);
    assert!(engine.seal().unwrap().is_none());
    record(&engine, outcome("running", "u", three[..2].to_vec())).unwrap();
    record(&engine, outcome("running", "u", three[..2].to_vec())).unwrap();
    refuse(
        record(&engine, outcome("running", "u", three[2..].to_vec())),
        "live_cells",
    );
    let external = |unit: &str| Outcome {
        variant: "plain".into(),
        ..score("external", unit)
    };
    refuse(record(&engine, external("u")), "live_cells");
    assert_eq!(
        counter(&engine, "pending_exposures"),
        0,
        "a reserved place was kept"
    );
    let batch = engine.seal().unwrap().unwrap();
    refuse(
        record(&engine, outcome("running", "u", three[2..].to_vec())),
        "live_cells",
    );
    engine.commit(batch.number).unwrap();
    refuse(
        record_batch(&engine, vec![external("a"), external("b")]),
        "pending_exposures",
    );
    record(&engine, external("a")).unwrap();
    record(&engine, external("a")).unwrap();
    refuse(record(&engine, external("b")), "pending_exposures");
    assert_eq!(
        drain(&engine),
        [("external".to_owned(), 0, 0, TODAY, 2, 2.0)]
    );
}

#[test]
fn a_stream_goes_on_after_a_failure() {
    let engine = engine();
    let send = |outcome: Outcome| {
        let request = RecordRequest {
            outcome: Some(outcome),
            delivery: None,
        }
        .encode_to_vec();
        RecordStreamResponse::decode(&engine.record_stream_message(&request, NOW)[..])
            .unwrap()
            .result
            .unwrap()
    };
    let record_stream_response::Result::Failure(failure) = send(outcome("running", "", vec![]))
    else {
        panic!("an empty outcome was recorded");
    };
    assert_eq!((failure.code, failure.violations.len()), (3, 2));
    let record_stream_response::Result::Recorded(answer) = send(score("running", "u")) else {
        panic!("a good message was refused");
    };
    assert_eq!(answer.accepted, 1);
}

#[test]
fn a_batch_request_with_a_key_is_safe_to_retry() {
    let engine = engine();
    let request = RecordBatchRequest {
        outcomes: vec![score("running", "u"); 3],
        delivery: Some(keyed(b"k")),
        ..RecordBatchRequest::default()
    };
    let send = || {
        RecordResponse::decode(
            &engine
                .record_batch_message(&request.encode_to_vec(), NOW)
                .unwrap()[..],
        )
        .unwrap()
    };
    assert_eq!((send().accepted, send().duplicate), (3, true));
    assert_eq!(drain(&engine)[0].4, 3);
}
