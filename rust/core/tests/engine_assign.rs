//! Which answer an engine gives, for every status and every way to ask.

#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::*;
use prost::Message;
use sha2::{Digest, Sha256};
use sortition_core::assign::{Question, Target};
use sortition_core::engine::Engine;
use sortition_core::many::Units;
use sortition_core::wire::v1::{
    AssignBatchRequest, AssignBatchResponse, AssignRequest, AssignStreamResponse, BucketRange,
    ExperimentStatus as Status, Reason, SnapshotAllocation, SnapshotExperiment, SubjectList,
    assign_request, assign_stream_response,
};

fn any_of(ids: &[&str], unit: &str) -> AssignRequest {
    let subjects = ids.iter().map(|id| subject(id)).collect();
    AssignRequest {
        target: Some(assign_request::Target::AnyOf(SubjectList { subjects })),
        ..by_key("", unit)
    }
}

#[test]
fn a_running_experiment_splits_by_the_bucket() {
    let engine = engine();
    for number in 0..200 {
        let unit = format!("sitzung-ü-{number}");
        let answer = assign(&engine, &by_key("running", &unit)).unwrap();
        let expected = variant("running", &unit);
        assert_eq!(
            (answer.variant.as_str(), answer.bucket),
            (expected, bucket("running", &unit))
        );
        assert_eq!(answer.config, format!("{{\"mode\": \"{expected}\"}}"));
        assert_eq!(answer.config_hash, Sha256::digest(&answer.config)[..16]);
        assert_eq!(answer.reason(), Reason::Split);
        assert_eq!(
            (answer.experiment.as_str(), answer.allocation_generation),
            ("running", 1)
        );
        assert_eq!(
            (answer.subject, answer.subject_version),
            (Some(subject("running")), 7)
        );
        assert!(answer.exposed && !answer.config_omitted);
    }
}

#[test]
fn the_edges_of_a_range_belong_to_it() {
    let engine = engine();
    for edge in [0, 4_999, 5_000, 9_999] {
        let mut units = (0..).map(|number| format!("unit-{number}"));
        let unit = units.find(|unit| bucket("running", unit) == edge).unwrap();
        let answer = assign(&engine, &by_key("running", &unit)).unwrap();
        let expected = if edge < 5_000 { "plain" } else { "fancy" };
        assert_eq!((answer.bucket, answer.variant.as_str()), (edge, expected));
    }
}

#[test]
fn an_answer_names_the_snapshot() {
    let engine = engine();
    let content_hash = Sha256::digest(content(everything()).encode_to_vec());
    for key in ["running", "paused", "completed"] {
        let answer = assign(&engine, &by_key(key, "u")).unwrap();
        assert_eq!(
            (answer.snapshot_version, &answer.snapshot_hash[..]),
            (1, &content_hash[..16])
        );
    }
}

#[test]
fn a_paused_experiment_serves_the_control_and_exposes_nobody() {
    let engine = engine();
    let unit = unit_of("paused", "fancy");
    for request in [by_key("paused", &unit), by_subject("paused", &unit)] {
        let answer = assign(&engine, &request).unwrap();
        assert_eq!(
            (answer.reason(), answer.variant.as_str()),
            (Reason::Paused, "plain")
        );
        assert_eq!(
            (answer.bucket, answer.exposed),
            (bucket("paused", &unit), false)
        );
    }
    assert!(engine.seal().unwrap().is_none());
}

#[test]
fn where_nothing_runs_the_current_configuration_answers() {
    let engine = engine();
    for id in ["draft", "completed", "cancelled"] {
        for request in [by_key(id, "u"), by_subject(id, "u")] {
            let answer = assign(&engine, &request).unwrap();
            assert_eq!(answer.reason(), Reason::NoExperiment);
            assert_eq!(
                (answer.experiment.as_str(), answer.variant.as_str()),
                ("", "")
            );
            assert_eq!(answer.config, format!("{{\"current\": \"{id}\"}}"));
            assert_eq!(
                (answer.bucket, answer.allocation_generation, answer.exposed),
                (0, 0, false)
            );
        }
    }
    let answer = assign(&engine, &by_subject("idle", "u")).unwrap();
    assert_eq!(
        (answer.reason(), &answer.config[..]),
        (Reason::NoExperiment, &b"{\"current\": \"idle\"}"[..])
    );
    assert!(engine.seal().unwrap().is_none());
}

#[test]
fn an_external_experiment_is_not_assigned() {
    let engine = engine();
    let error = assign(&engine, &by_key("external", "u")).unwrap_err();
    assert_eq!(error.code(), 9);
    assert!(error.to_string().contains("elsewhere"), "{error}");
    // Its subject is served as if nothing ran.
    assert_eq!(
        assign(&engine, &by_subject("external", "u"))
            .unwrap()
            .reason(),
        Reason::NoExperiment
    );
}

#[test]
fn among_several_subjects_the_running_one_wins_then_the_paused_then_the_first_known() {
    let engine = engine();
    let ask = |ids: &[&str]| assign(&engine, &any_of(ids, "u"));
    assert_eq!(
        ask(&["unknown", "idle", "paused", "running"])
            .unwrap()
            .experiment,
        "running"
    );
    assert_eq!(
        ask(&["idle", "paused", "draft"]).unwrap().experiment,
        "paused"
    );
    assert_eq!(
        ask(&["unknown", "idle", "draft"]).unwrap().subject,
        Some(subject("idle"))
    );
    let error = ask(&["unknown", "stranger"]).unwrap_err();
    assert_eq!((error.code(), fields(&error)), (5, vec!["any_of.subjects"]));
    assert_invalid(ask(&[]), &["any_of.subjects"]);
    assert_invalid(ask(&["idle"; 65]), &["any_of.subjects"]);
    assert_invalid(ask(&["idle", ""]), &["any_of.subjects[1].id"]);
}

#[test]
fn an_unknown_name_is_named() {
    let engine = engine();
    let error = assign(&engine, &by_key("no-such", "u")).unwrap_err();
    assert_eq!((error.code(), fields(&error)), (5, vec!["experiment"]));
    assert!(error.to_string().contains("no-such"), "{error}");
    let error = assign(&engine, &by_subject("no-such", "u")).unwrap_err();
    assert_eq!((error.code(), fields(&error)), (5, vec!["subject"]));
    let elsewhere = AssignRequest {
        organization: "other".into(),
        ..by_key("running", "u")
    };
    assert_eq!(assign(&engine, &elsewhere).unwrap_err().code(), 5);
}

#[test]
fn organizations_do_not_see_each_other() {
    let engine = engine_with(&[]);
    let other = SnapshotExperiment {
        id: "id-of-other".into(),
        organization: "other".into(),
        ..experiment("running", Status::Paused)
    };
    load(
        &engine,
        1,
        vec![experiment("running", Status::Running), other],
    );
    let ask = |organization: &str| {
        let request = AssignRequest {
            organization: organization.into(),
            ..by_key("running", "u")
        };
        assign(&engine, &request).unwrap().reason()
    };
    assert_eq!(
        [ask(""), ask("default"), ask("other")],
        [Reason::Split, Reason::Split, Reason::Paused]
    );
}

#[test]
fn everything_wrong_with_a_request_is_said_at_once() {
    let engine = engine();
    assert_invalid(
        assign(&engine, &AssignRequest::default()),
        &["unit", "target"],
    );
    let long = "x".repeat(513);
    assert_invalid(assign(&engine, &by_key("running", &long)), &["unit"]);
    assert!(assign(&engine, &by_key("running", &long[1..])).is_ok());
    assert_invalid(
        assign(&engine, &by_key(&"x".repeat(129), "")),
        &["unit", "experiment"],
    );
    assert_invalid(assign(&engine, &by_key("No Such", "u")), &["experiment"]);
    let hashes = AssignRequest {
        known_config_hashes: vec![Bytes::from_static(b"x"); 65],
        ..by_key("running", "u")
    };
    assert_invalid(assign(&engine, &hashes), &["known_config_hashes"]);
    assert_invalid(engine.assign_message(b"\xff\xff", NOW), &["request"]);
    assert_eq!(
        engine.seal().unwrap().unwrap().exposures.len(),
        1,
        "only the accepted call may have an effect"
    );
}

#[test]
fn a_known_configuration_is_not_sent_again() {
    let engine = engine();
    for request in [by_key("running", "u"), by_subject("idle", "u")] {
        let first = assign(&engine, &request).unwrap();
        let known = vec![Bytes::from_static(b"another"), first.config_hash.clone()];
        let again = assign(
            &engine,
            &AssignRequest {
                known_config_hashes: known,
                ..request
            },
        )
        .unwrap();
        assert!(again.config_omitted && again.config.is_empty());
        assert_eq!(
            (again.config_hash, again.variant),
            (first.config_hash, first.variant)
        );
    }
}

fn reweighted(generation: u32, end: u32) -> SnapshotAllocation {
    SnapshotAllocation {
        generation,
        ranges: vec![
            BucketRange { end, variant: 0 },
            BucketRange {
                end: 10_000,
                variant: 1,
            },
        ],
    }
}

fn hash_of(unit: &str) -> i64 {
    sortition_core::hash::exposure_hash(KEY, "id-of-running", unit)
}

#[test]
fn an_allocation_decides_once_it_is_known_who_was_exposed_before() {
    let engine = engine_with(&[]);
    let mut running = experiment("running", Status::Running);
    running.allocations.push(reweighted(4, 1));
    load(&engine, 1, vec![running.clone()]);
    let (stays, moves) = (unit_of("running", "fancy"), unit_of("running", "plain"));
    let before = assign(&engine, &by_key("running", &moves)).unwrap();
    assert_eq!(
        (
            before.variant.as_str(),
            before.allocation_generation,
            before.exposed
        ),
        ("plain", 1, false)
    );
    assert!(assign(&engine, &by_key("running", &stays)).unwrap().exposed);
    engine
        .keep_units("id-of-running", 4, [(hash_of(&moves), 0, 1)].into_iter())
        .unwrap();
    assert_eq!(engine.kept_through("id-of-running"), 4);
    let kept = assign(&engine, &by_key("running", &moves)).unwrap();
    assert_eq!(
        (
            kept.variant.as_str(),
            kept.reason(),
            kept.allocation_generation,
            kept.exposed
        ),
        ("plain", Reason::Sticky, 1, true)
    );
    let other = (0..)
        .map(|number| format!("other-{number}"))
        .find(|unit| (1..5_000).contains(&bucket("running", unit)))
        .unwrap();
    let moved = assign(&engine, &by_key("running", &other)).unwrap();
    assert_eq!(
        (
            moved.variant.as_str(),
            moved.reason(),
            moved.allocation_generation,
            moved.exposed
        ),
        ("fancy", Reason::Split, 4, true)
    );
}

#[test]
fn nobody_is_exposed_in_a_bucket_that_is_announced_to_move() {
    let engine = engine_with(&[]);
    let mut running = experiment("running", Status::Running);
    running.announced = Some(reweighted(2, 1));
    load(&engine, 1, vec![running]);
    for (variant, exposed) in [("plain", false), ("fancy", true)] {
        let unit = unit_of("running", variant);
        let answer = assign(&engine, &by_key("running", &unit)).unwrap();
        assert_eq!(
            (answer.variant.as_str(), answer.exposed),
            (variant, exposed)
        );
        assert_eq!(expose(&engine, "running", &unit).unwrap().exposed, exposed);
    }
}

struct Texts(Vec<String>);

impl Units for Texts {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get<'a>(&'a self, index: usize, _: &'a mut String) -> Option<&'a str> {
        self.0.get(index).map(String::as_str)
    }
}

#[test]
fn many_units_are_exposed_as_one_by_one_where_some_are_about_to_move() {
    let (one, many) = (engine_with(&[]), engine_with(&[]));
    for engine in [&one, &many] {
        let mut running = experiment("running", Status::Running);
        running.announced = Some(reweighted(2, 1));
        load(engine, 1, vec![running]);
    }
    let texts: Vec<String> = (0..50).map(|number| format!("unit-{number}")).collect();
    let answers = texts
        .iter()
        .map(|unit| assign(&one, &by_key("running", unit)).unwrap());
    let exposed = answers.filter(|answer| answer.exposed).count();
    assert!(exposed > 0 && exposed < texts.len());
    let question = Question {
        target: Some(Target::Experiment("running")),
        unit: "",
        organization: "",
    };
    let pieces: Vec<Texts> = texts.chunks(7).map(|piece| Texts(piece.to_vec())).collect();
    let mut assigning = many.pieces(&question, true);
    pieces.iter().for_each(|piece| assigning.assign(piece));
    let found = assigning.end(&pieces, || NOW).unwrap();
    assert_eq!(
        (found.variants.len(), found.exposed),
        (texts.len(), exposed)
    );
    let told = |engine: &Engine| {
        let batch = engine.seal().unwrap().unwrap();
        let mut told: Vec<_> = batch
            .exposures
            .iter()
            .map(|exposure| (exposure.unit_hash, exposure.variant, exposure.bucket))
            .collect();
        told.sort_unstable();
        told
    };
    assert_eq!(told(&many), told(&one));
}

#[test]
fn units_of_another_experiment_are_not_kept() {
    let engine = engine_with(&[]);
    let mut running = experiment("running", Status::Running);
    running.allocations.push(reweighted(2, 1));
    load(&engine, 1, vec![running]);
    // The index of no variant: what is kept belongs to another experiment, so the first allocation goes on.
    let units = [(hash_of("u"), 9, 1)].into_iter();
    engine.keep_units("id-of-running", 2, units).unwrap();
    let answer = assign(&engine, &by_key("running", "u")).unwrap();
    assert_eq!(answer.allocation_generation, 1);
    let refused = engine.keep_units("id-of-running", 2, [(1, 0, 256)].into_iter());
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("256 is above 255")
    );
}

#[test]
fn the_last_allocation_decides() {
    let engine = engine_with(&[]);
    let mut reweighted = experiment("running", Status::Running);
    reweighted.allocations.push(SnapshotAllocation {
        generation: 4,
        ranges: vec![
            BucketRange { end: 1, variant: 0 },
            BucketRange {
                end: 10_000,
                variant: 1,
            },
        ],
    });
    load(&engine, 1, vec![reweighted]);
    engine
        .keep_units("id-of-running", 4, std::iter::empty())
        .unwrap();
    let unit = unit_of("running", "plain");
    let answer = assign(&engine, &by_key("running", &unit)).unwrap();
    assert_eq!(
        (answer.variant.as_str(), answer.allocation_generation),
        ("fancy", 4)
    );
}

#[test]
fn a_unit_is_exposed_once() {
    let engine = engine();
    let quiet = AssignRequest {
        expose: Some(false),
        ..by_key("running", "u")
    };
    assert!(!assign(&engine, &quiet).unwrap().exposed);
    assert!(engine.seal().unwrap().is_none());
    let exposed = expose(&engine, "running", "u").unwrap();
    assert_eq!(
        (exposed.exposed, exposed.variant.as_str()),
        (true, variant("running", "u"))
    );
    for _ in 0..3 {
        assert!(assign(&engine, &by_key("running", "u")).unwrap().exposed);
        assert!(expose(&engine, "running", "u").unwrap().exposed);
    }
    let batch = engine.seal().unwrap().unwrap();
    let [exposure] = batch.exposures.as_slice() else {
        panic!("{:?}", batch.exposures)
    };
    assert_eq!(
        exposure.unit_hash,
        sortition_core::hash::exposure_hash(KEY, "id-of-running", "u")
    );
    assert_eq!(u32::from(exposure.bucket), bucket("running", "u"));
    assert_eq!(
        (exposure.generation, exposure.day, &*exposure.experiment_id),
        (1, TODAY, "id-of-running")
    );
    assert_eq!(
        exposure.variant,
        u16::from(variant("running", "u") == "fancy")
    );
    engine.commit(1).unwrap();
    assert!(assign(&engine, &by_key("running", "u")).unwrap().exposed);
    assert!(
        engine.seal().unwrap().is_none(),
        "a unit was handed on again"
    );
    assert_eq!(counter(&engine, "exposures"), 1);
}

#[test]
fn only_a_running_experiment_can_be_exposed_to() {
    let engine = engine();
    for key in ["paused", "draft", "completed", "cancelled"] {
        let answer = expose(&engine, key, "u").unwrap();
        assert_eq!(
            (
                answer.exposed,
                answer.variant.as_str(),
                answer.snapshot_version
            ),
            (false, "", 1)
        );
    }
    assert_eq!(expose(&engine, "external", "u").unwrap_err().code(), 9);
    assert_eq!(expose(&engine, "no-such", "u").unwrap_err().code(), 5);
    assert_invalid(expose(&engine, "", ""), &["unit", "experiment"]);
}

#[test]
fn with_too_many_exposures_waiting_assigning_goes_on_and_says_so() {
    let engine = engine_with(&[("pending_exposures", 2)]);
    load(&engine, 1, everything());
    for unit in ["a", "b"] {
        assert!(assign(&engine, &by_key("running", unit)).unwrap().exposed);
    }
    let answer = assign(&engine, &by_key("running", "c")).unwrap();
    assert_eq!((answer.exposed, answer.reason()), (false, Reason::Split));
    assert_eq!(
        (
            counter(&engine, "exposures_dropped"),
            counter(&engine, "pending_exposures")
        ),
        (1, 2)
    );
    let error = expose(&engine, "running", "c").unwrap_err();
    assert_eq!(error.code(), 8);
    assert!(
        error.to_string().starts_with("pending_exposures"),
        "{error}"
    );
    assert!(
        assign(&engine, &by_key("running", "a")).unwrap().exposed,
        "known ones need no room"
    );
    let batch = engine.seal().unwrap().unwrap();
    assert!(
        !assign(&engine, &by_key("running", "c")).unwrap().exposed,
        "sealed is not in the database"
    );
    engine.commit(batch.number).unwrap();
    assert!(assign(&engine, &by_key("running", "c")).unwrap().exposed);
}

#[test]
fn a_batch_is_answered_in_order_or_refused_whole() {
    let engine = engine();
    let send = |requests: Vec<AssignRequest>| {
        let request = AssignBatchRequest { requests }.encode_to_vec();
        let answer = engine.assign_batch_message(&request, NOW)?;
        Ok::<_, sortition_core::error::Error>(
            AssignBatchResponse::decode(&answer[..]).unwrap().responses,
        )
    };
    let mut requests: Vec<_> = (0..50)
        .map(|number| by_key("running", &format!("u{number}")))
        .collect();
    requests.push(by_subject("idle", "u"));
    requests.push(AssignRequest {
        expose: Some(false),
        ..by_key("running", "quiet")
    });
    let answers = send(requests.clone()).unwrap();
    assert_eq!(answers.len(), requests.len());
    for (request, answer) in requests.iter().zip(&answers) {
        assert_eq!(assign(&engine, request).unwrap(), *answer);
    }
    assert_eq!(engine.seal().unwrap().unwrap().exposures.len(), 50);
    engine.commit(1).unwrap();

    let bad = vec![
        by_key("running", "new"),
        by_key("no-such", "u"),
        by_key("running", ""),
        by_subject("", "u"),
    ];
    assert_invalid(
        send(bad),
        &[
            "requests[2].unit",
            "requests[3].subject.id",
            "requests[1].experiment",
        ],
    );
    assert!(
        engine.seal().unwrap().is_none(),
        "a refused batch exposed somebody"
    );
    assert_invalid(send(Vec::new()), &["requests"]);
    assert_invalid(send(vec![by_key("running", "u"); 10_001]), &["requests"]);
}

#[test]
fn a_batch_that_would_be_answered_with_too_much_is_refused() {
    let engine = engine_with(&[]);
    let mut large = experiment("running", Status::Running);
    for variant in &mut large.variants {
        variant.config = Bytes::from(vec![b' '; 262_144]);
    }
    load(&engine, 1, vec![large]);
    let send = |count| {
        let requests = vec![by_key("running", "u"); count];
        engine.assign_batch_message(&AssignBatchRequest { requests }.encode_to_vec(), NOW)
    };
    assert_eq!(send(300).unwrap_err().code(), 8);
    assert!(engine.seal().unwrap().is_none());
    assert!(send(200).unwrap().len() > 200 * 262_144);
}

#[test]
fn a_stream_goes_on_after_a_failure() {
    let engine = engine();
    let send = |bytes: &[u8]| {
        AssignStreamResponse::decode(&engine.assign_stream_message(bytes, NOW)[..])
            .unwrap()
            .result
            .unwrap()
    };
    let assign_stream_response::Result::Failure(failure) =
        send(&by_key("no-such", "u").encode_to_vec())
    else {
        panic!("an unknown experiment was assigned");
    };
    assert_eq!(
        (failure.code, failure.violations[0].field.as_str()),
        (5, "experiment")
    );
    assert!(!failure.message.is_empty());
    let request = by_key("running", "u");
    let assign_stream_response::Result::Assignment(answer) = send(&request.encode_to_vec()) else {
        panic!("a good message was refused");
    };
    assert_eq!(answer, assign(&engine, &request).unwrap());
}

#[test]
fn without_a_snapshot_nothing_is_answered() {
    let engine = engine_with(&[]);
    assert_eq!(
        assign(&engine, &by_key("running", "u")).unwrap_err().code(),
        14
    );
    assert_eq!(expose(&engine, "running", "u").unwrap_err().code(), 14);
    assert_eq!(
        record(&engine, score("running", "u")).unwrap_err().code(),
        14
    );
    assert_eq!(
        record_batch(&engine, vec![score("running", "u")])
            .unwrap_err()
            .code(),
        14
    );
}
