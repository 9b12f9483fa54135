//! What a recording call does, worked out and checked before any of it is done.

use std::sync::Arc;

use prost::Message;
use xxhash_rust::xxh3::xxh3_128;

use crate::aggregate::{Aggregate, Effect, Step};
use crate::assign::{At, organization};
use crate::borrowed::{Numbered, Told};
use crate::dedup::{self, Delivery, ID_BYTES, WINDOW};
use crate::exposure::{Exposure, in_arm};
use crate::hash::{ExposureKey, unit_slot};
use crate::level::Levels;
use crate::limits::Limits;
use crate::observe::unknown_metric;
use crate::problems::Problems;
use crate::snapshot::{Compiled, Experiment, Status};
use crate::wire::v1::{self, ExposedUnit, Outcome, RecordResponse};

/// Milliseconds of a UTC day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The oldest outcome that is taken where this sidecar assigns.
const OLDEST_MS: i64 = 7 * DAY_MS;
/// How far the clock of a caller may be ahead.
const AHEAD_MS: i64 = 5 * 60 * 1000;
/// The year 1, before which calendars do not agree.
const FIRST_MS: i64 = -62_135_596_800_000;

/// Returns the UTC day of a time, counted from 1970-01-01.
pub fn utc_day(ms: i64) -> i32 {
    let day = ms.div_euclid(DAY_MS);
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

/// What a call needs to be checked against.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The snapshot.
    pub snapshot: &'a Compiled,
    /// The bounds.
    pub limits: &'a Limits,
    /// The installation's key.
    pub key: &'a ExposureKey,
    /// The open batch.
    pub aggregate: &'a Aggregate,
    /// The time.
    pub now_ms: i64,
}

/// What a call does, if there are no problems.
#[derive(Debug)]
pub struct Plan<'a> {
    context: Context<'a>,
    /// The experiment of the outcome before, which is that of the next one as a rule.
    last: Option<&'a Experiment>,
    /// Effects on cells.
    pub steps: Vec<Step<'a>>,
    /// Units that the call exposes, unless they were before.
    pub exposures: Vec<Exposure>,
    /// What to answer.
    pub response: RecordResponse,
    /// What is wrong with the call.
    pub problems: Problems,
    /// Counts of refused values: the one effect of a call with problems.
    pub refused: Vec<Step<'a>>,
}

/// Where the observations of an outcome go.
#[derive(Clone, Copy)]
enum Fate {
    Count,
    Ignore,
    Late,
}

/// The arm of an outcome; none where a finished experiment cannot tell any more.
#[derive(Clone, Copy)]
struct Place {
    fate: Fate,
    variant: Option<u16>,
    exposes: bool,
    bucket: u16,
    fingerprint: u64,
}

impl<'a> Plan<'a> {
    /// Makes the plan of a call that does nothing.
    pub fn new(context: Context<'a>) -> Self {
        Self {
            context,
            last: None,
            steps: Vec::new(),
            exposures: Vec::new(),
            response: RecordResponse {
                snapshot_version: context.snapshot.version,
                ..RecordResponse::default()
            },
            problems: Problems::default(),
            refused: Vec::new(),
        }
    }

    /// Adds one outcome, whose path is `at`.
    pub fn outcome(&mut self, at: At, outcome: &Told) {
        let limits = self.context.limits;
        self.problems
            .check_unit(|| format!("{at}unit"), outcome.unit, limits);
        let count = outcome.count;
        if !(1..=limits.observations).contains(&count) {
            let field = format!("{at}observations");
            self.problems.invalid(
                field,
                format!("has {count}; the limit is 1 to {}", limits.observations),
            );
        }
        self.problems
            .check_dimensions(at, outcome.dimensions, limits);
        let owner = organization(outcome.organization);
        let Some(experiment) = self.experiment(owner, outcome.experiment) else {
            let field = format!("{at}experiment");
            self.problems
                .unknown_experiment(field, outcome.experiment, owner, limits);
            return;
        };
        let day = self.day(at, experiment, outcome.occurred_at_ms);
        let place = self.place(at, experiment, outcome);
        if count > limits.observations {
            return;
        }
        let place = place.zip(day);
        self.observations(at, experiment, outcome, place);
        if let Some((
            Place {
                variant: Some(variant),
                exposes: true,
                bucket,
                fingerprint,
                ..
            },
            day,
        )) = place
        {
            self.expose(experiment, outcome, variant, (bucket, fingerprint), day);
        }
    }

    /// Finds the experiment called `key`.
    fn experiment(&mut self, organization: &str, key: &str) -> Option<&'a Experiment> {
        let snapshot = self.context.snapshot;
        let called =
            |known: &&Experiment| *known.key == *key && known.organization() == organization;
        if self.last.filter(called).is_none() {
            let found = snapshot.find_experiment(organization, key)?;
            self.last = Some(snapshot.experiment(found));
        }
        self.last
    }

    /// Adds a unit that its caller has exposed; where the experiment is over, it is left out.
    pub fn exposed(&mut self, at: At, unit: &ExposedUnit) {
        let limits = self.context.limits;
        self.problems
            .check_unit(|| format!("{at}unit"), &unit.unit, limits);
        let owner = organization(&unit.organization);
        let Some(experiment) = self.experiment(owner, &unit.experiment) else {
            let field = format!("{at}experiment");
            self.problems
                .unknown_experiment(field, &unit.experiment, owner, limits);
            return;
        };
        let day = self.day(at, experiment, unit.occurred_at_ms);
        if experiment.external {
            let why = format!(
                "variants of {:?} are chosen elsewhere; name them when recording",
                unit.experiment
            );
            self.problems.state(format!("{at}experiment"), why);
            return;
        }
        if matches!(experiment.status, Status::Draft | Status::Unspecified) {
            let why = format!("{:?} is a draft; start it first", unit.experiment);
            self.problems.state(format!("{at}experiment"), why);
            return;
        }
        let given = self.named(at, experiment, &unit.variant);
        let generation = unit.allocation_generation;
        let Some(allocation) = experiment.allocations.find(generation) else {
            let why = format!(
                "{generation} is not an allocation of {:?}; send what the snapshot says",
                unit.experiment
            );
            self.problems
                .invalid(format!("{at}allocation_generation"), why);
            return;
        };
        let (bucket, fingerprint) = experiment.prefix.place(&unit.unit);
        let variant = allocation.variant(bucket);
        let (Some(given), Some(day)) = (given, day) else {
            return;
        };
        if given != variant {
            let name = &experiment.variants[usize::from(variant)].name;
            let why = format!(
                "is {:?}, but allocation {generation} gives the unit {name:?}",
                unit.variant
            );
            self.problems.invalid(format!("{at}variant"), why);
            return;
        }
        let over = matches!(experiment.status, Status::Completed | Status::Cancelled);
        if over || self.context.aggregate.is_exposed(fingerprint) {
            return;
        }
        self.exposures.push(Exposure {
            experiment_id: Arc::clone(&experiment.id),
            unit_hash: self.context.key.experiment(&experiment.id).hash(&unit.unit),
            fingerprint,
            variant,
            bucket,
            generation,
            day,
        });
    }

    fn observations(
        &mut self,
        at: At,
        experiment: &'a Experiment,
        outcome: &Told,
        place: Option<(Place, i32)>,
    ) {
        let slot = unit_slot(experiment.seed, outcome.unit);
        let levels = Levels::of(&experiment.dimensions, outcome.dimensions)
            .in_period(experiment.allocations.period(outcome.unit));
        self.steps.reserve(outcome.count);
        for (index, observation) in outcome.observations().enumerate() {
            let name = observation.metric;
            let Some(metric) = experiment.metric(name) else {
                let fits = (1..=self.context.limits.key_bytes).contains(&name.len());
                if !(observation.if_declared && fits) {
                    let why = unknown_metric(experiment, name, self.context.limits);
                    self.problems
                        .invalid(format!("{at}observations[{index}].metric"), why);
                }
                continue;
            };
            let problems = &mut self.problems;
            let refuse = |field: &str, why: String| {
                problems.invalid(format!("{at}observations[{index}].{field}"), why)
            };
            let accepted = experiment.metrics[usize::from(metric)].accept(&observation, refuse);
            let Some((Place { fate, variant, .. }, day)) = place else {
                continue;
            };
            let step = |effect| {
                variant.map(|variant| Step {
                    experiment,
                    variant,
                    metric,
                    day,
                    // What was not counted is counted for everyone alone.
                    levels: match effect {
                        Effect::Add { .. } => levels,
                        Effect::Refused | Effect::Late => Levels::default(),
                    },
                    effect,
                })
            };
            let Some(accepted) = accepted else {
                self.refused.extend(step(Effect::Refused));
                continue;
            };
            match fate {
                Fate::Count => {
                    self.response.accepted += 1;
                    self.response.clamped += u32::from(accepted.clamped);
                    self.steps.extend(step(Effect::Add { slot, accepted }));
                }
                Fate::Ignore => self.response.ignored += 1,
                Fate::Late => {
                    self.response.late += 1;
                    self.steps.extend(step(Effect::Late));
                }
            }
        }
    }

    /// Finds the day that an outcome counts on.
    fn day(&mut self, at: At, experiment: &Experiment, occurred_at_ms: i64) -> Option<i32> {
        let now_ms = self.context.now_ms;
        if occurred_at_ms == 0 {
            return Some(utc_day(now_ms));
        }
        let wrong = if occurred_at_ms > now_ms.saturating_add(AHEAD_MS) {
            "is more than 5 minutes ahead; check the clock of the caller"
        } else if occurred_at_ms < FIRST_MS {
            "is before the year 1"
        } else if !experiment.external && occurred_at_ms < now_ms.saturating_sub(OLDEST_MS) {
            "is more than 7 days ago"
        } else {
            return Some(utc_day(occurred_at_ms));
        };
        self.problems.invalid(
            format!("{at}occurred_at_ms"),
            format!("{occurred_at_ms} {wrong}"),
        );
        None
    }

    /// Finds the arm of an outcome, and whether it counts there.
    fn place(&mut self, at: At, experiment: &Experiment, outcome: &Told) -> Option<Place> {
        let given = self.given(at, experiment, outcome)?;
        let (bucket, fingerprint) = experiment.prefix.place(outcome.unit);
        let share = experiment.allocations.share(bucket, outcome.unit);
        let share = share.filter(|_| !experiment.external);
        let computed = match (share, given) {
            // The sidecar finds out, once it is told.
            (Some(share), Some(given)) if share.elsewhere => Some(given),
            (share, _) => share.map(|share| share.variant),
        };
        let place = |fate, variant, exposes| {
            Some(Place {
                fate,
                variant,
                exposes,
                bucket,
                fingerprint,
            })
        };
        match experiment.status {
            Status::Running if experiment.external => place(Fate::Count, given, true),
            Status::Running if given.is_none() || given == computed => {
                place(Fate::Count, computed, false)
            }
            // Served by a pause that has ended since: a truth, but not one about the variants.
            Status::Running if experiment.was_paused && given == Some(experiment.control) => {
                place(Fate::Ignore, given, false)
            }
            // Answered under another allocation while the weights were changing, here or by another sidecar, and not exposed here.
            Status::Running
                if given.is_some_and(|given| experiment.allocations.gives(bucket, given)) =>
            {
                place(Fate::Ignore, given, false)
            }
            Status::Running => {
                let name = |variant: Option<u16>| {
                    variant.map_or("", |variant| {
                        &experiment.variants[usize::from(variant)].name
                    })
                };
                let (given, computed) = (name(given), name(computed));
                let why = format!(
                    "is {given:?}, but the unit is assigned {computed:?}; send back what Assign answered"
                );
                self.problems.invalid(format!("{at}variant"), why);
                None
            }
            // Who names the variant that its bucket gives was there before the pause, as far as anyone can tell.
            Status::Paused if given.is_some() && given == computed => {
                place(Fate::Count, computed, false)
            }
            Status::Paused => place(Fate::Ignore, given.or(computed), false),
            Status::Completed | Status::Cancelled => place(Fate::Late, given.or(computed), false),
            Status::Draft | Status::Unspecified => {
                let why = format!("{:?} is a draft; start it first", outcome.experiment);
                self.problems.state(format!("{at}experiment"), why);
                None
            }
        }
    }

    /// Finds the variant that an outcome names, if it does.
    #[allow(
        clippy::option_option,
        reason = "the outer one says whether it is right, the inner one whether it is there"
    )]
    fn given(&mut self, at: At, experiment: &Experiment, outcome: &Told) -> Option<Option<u16>> {
        let name = outcome.variant;
        if name.is_empty() {
            if !experiment.external {
                return Some(None);
            }
            let why = format!(
                "is required: variants of {:?} are chosen elsewhere",
                outcome.experiment
            );
            self.problems.invalid(format!("{at}variant"), why);
            return None;
        }
        self.named(at, experiment, name).map(Some)
    }

    /// Finds the variant called `name`.
    fn named(&mut self, at: At, experiment: &Experiment, name: &str) -> Option<u16> {
        let variant = experiment.variant(name);
        if variant.is_none() {
            let shown: String = name.chars().take(self.context.limits.key_bytes).collect();
            let known: Vec<&str> = experiment
                .variants
                .iter()
                .take(10)
                .map(|variant| &*variant.name)
                .collect();
            let more = if experiment.variants.len() > known.len() {
                ", …"
            } else {
                ""
            };
            let why = format!(
                "{shown:?} is not a variant of {:?}; it has {}{more}",
                experiment.key,
                known.join(", ")
            );
            self.problems.invalid(format!("{at}variant"), why);
        }
        variant
    }

    fn expose(
        &mut self,
        experiment: &Experiment,
        outcome: &Told,
        variant: u16,
        place: (u16, u64),
        day: i32,
    ) {
        let (bucket, unit) = place;
        // Whoever chooses elsewhere may choose twice. The database has to hear of a second variant to tell.
        let fingerprint = in_arm(unit, variant);
        if self.context.aggregate.is_exposed(fingerprint) {
            return;
        }
        let exposure = Exposure {
            experiment_id: experiment.id.clone(),
            unit_hash: self
                .context
                .key
                .experiment(&experiment.id)
                .hash(outcome.unit),
            fingerprint,
            variant,
            bucket,
            generation: 0,
            day,
        };
        self.exposures.push(exposure);
    }

    /// Finds out how the call says which call it is; on a problem, the answer is not used.
    pub fn delivery(
        &mut self,
        delivery: Option<&v1::Delivery>,
        outcomes: &[Outcome],
        exposed: &[ExposedUnit],
    ) -> Delivery {
        let Some(delivery) = delivery else {
            return Delivery::Anonymous;
        };
        let keyed = !delivery.idempotency_key.is_empty();
        let numbered =
            !delivery.client.is_empty() || delivery.seq != 0 || delivery.oldest_pending != 0;
        match (numbered, keyed) {
            (false, false) => Delivery::Anonymous,
            (true, true) => {
                let why = "is given beside client or seq; use either";
                self.problems.invalid("delivery.idempotency_key", why);
                Delivery::Anonymous
            }
            (true, false) => self.numbered(&Numbered {
                client: &delivery.client,
                seq: delivery.seq,
                oldest_pending: delivery.oldest_pending,
            }),
            (false, true) => {
                let Some(key) = self.id("delivery.idempotency_key", &delivery.idempotency_key)
                else {
                    return Delivery::Anonymous;
                };
                // Encoded anew, so that only what is said matters and not how it was written down.
                let mut payload = Vec::new();
                for outcome in outcomes {
                    payload.extend_from_slice(&outcome.encode_length_delimited_to_vec());
                }
                for unit in exposed {
                    // No outcome is empty, so that this tells the two apart.
                    payload.push(0);
                    payload.extend_from_slice(&unit.encode_length_delimited_to_vec());
                }
                Delivery::Keyed {
                    key,
                    payload: xxh3_128(&payload),
                }
            }
        }
    }

    /// Finds out how a call without a key says which call it is; on a problem, the answer is not used.
    pub fn unkeyed(&mut self, delivery: Option<Numbered>) -> Delivery {
        match delivery {
            Some(Numbered {
                client: [],
                seq: 0,
                oldest_pending: 0,
            })
            | None => Delivery::Anonymous,
            Some(numbered) => self.numbered(&numbered),
        }
    }

    fn numbered(&mut self, delivery: &Numbered) -> Delivery {
        let client = self.id("delivery.client", delivery.client);
        let (seq, oldest_pending) = (delivery.seq, delivery.oldest_pending.max(1));
        let wrong = if seq == 0 {
            Some((
                "delivery.seq",
                "is required beside client; count calls from 1".to_owned(),
            ))
        } else if oldest_pending > seq {
            Some((
                "delivery.oldest_pending",
                format!("{oldest_pending} is above seq {seq}"),
            ))
        } else if seq - oldest_pending > WINDOW {
            let why = format!(
                "{oldest_pending} is more than {WINDOW} below seq {seq}; wait for older calls first"
            );
            Some(("delivery.oldest_pending", why))
        } else {
            None
        };
        match (client, wrong) {
            (Some(client), None) => Delivery::Numbered {
                client,
                seq,
                oldest_pending,
            },
            (_, wrong) => {
                if let Some((field, why)) = wrong {
                    self.problems.invalid(field, why);
                }
                Delivery::Anonymous
            }
        }
    }

    fn id(&mut self, field: &str, bytes: &[u8]) -> Option<dedup::Id> {
        let id = dedup::Id::new(bytes);
        if id.is_none() {
            self.problems.invalid(
                field,
                format!("has {} bytes; the limit is 1 to {ID_BYTES}", bytes.len()),
            );
        }
        id
    }
}
