//! Which variant a unit gets.

use std::fmt;

use crate::limits::{KIND_BYTES, Limits};
use crate::problems::Problems;
use crate::snapshot::{Answer, Compiled, Status};
use crate::wire::v1::SubjectRef;

pub use crate::wire::v1::Reason;

/// The organization that an empty name means.
pub const DEFAULT_ORGANIZATION: &str = "default";

/// What to assign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target<'a> {
    /// The key of an experiment.
    Experiment(&'a str),
    /// A subject.
    Subject {
        /// Its kind.
        kind: &'a str,
        /// Its id.
        id: &'a str,
    },
    /// The first subject with a running experiment, else with a paused one, else the first that is known.
    AnyOf(&'a [SubjectRef]),
}

/// A question: which variant does this unit get?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What to assign.
    pub target: Option<Target<'a>>,
    /// The unit.
    pub unit: &'a str,
    /// The organization; empty means the default one.
    pub organization: &'a str,
}

/// An arm of an experiment, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arm {
    /// The experiment.
    pub experiment: u32,
    /// The variant.
    pub variant: u16,
}

/// Who decides, by an index into the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A running or paused experiment.
    Experiment(u32),
    /// A subject, by its running or paused experiment if it has one.
    Subject(u32),
}

/// An answer, by indices into the snapshot that gave it.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// The subject.
    pub subject: u32,
    /// The arm; none where no experiment decides.
    pub arm: Option<Arm>,
    /// Why.
    pub reason: Reason,
    /// The unit's bucket; 0 where no experiment decides.
    pub bucket: u16,
    /// The allocation that decided; 0 where none did.
    pub generation: u32,
    /// Tells the unit apart in the filter of exposures.
    pub fingerprint: u64,
    /// Whether its bucket is about to change hands, so that it must not be exposed now.
    pub moving: bool,
    /// Whether only the sidecar can tell; then nothing else of it holds.
    pub elsewhere: bool,
}

impl Decision {
    /// Returns whether using this answer exposes the unit.
    pub fn exposes(&self) -> bool {
        !self.moving && matches!(self.reason, Reason::Split | Reason::Sticky)
    }
}

impl Compiled {
    /// Decides; on a problem, adds everything that is wrong and returns nothing. `at` is the path of the request, ending in a dot.
    pub fn decide(
        &self,
        question: &Question,
        at: At,
        limits: &Limits,
        problems: &mut Problems,
    ) -> Option<Decision> {
        problems.check_unit(|| format!("{at}unit"), question.unit, limits);
        let place = self.find(question, at, limits, problems)?;
        let decision = self.decide_at(place, question.unit);
        self.told(&decision, at, problems).then_some(decision)
    }

    /// Returns whether a decision holds; adds a problem where only the sidecar can tell.
    pub fn told(&self, decision: &Decision, at: At, problems: &mut Problems) -> bool {
        if let Some(arm) = decision.arm.filter(|_| decision.elsewhere) {
            let key = &self.experiment(arm.experiment).key;
            problems.state(format!("{at}unit"), elsewhere(key));
        }
        !decision.elsewhere
    }

    /// Finds who decides a question, whatever its unit is; on a problem, adds it and returns nothing.
    pub fn find(
        &self,
        question: &Question,
        at: At,
        limits: &Limits,
        problems: &mut Problems,
    ) -> Option<Place> {
        let organization = organization(question.organization);
        match question.target {
            None => {
                problems.invalid(
                    format!("{at}target"),
                    "is required: an experiment, a subject, or several subjects",
                );
                None
            }
            Some(Target::Experiment(key)) => {
                let Some(index) = self.find_experiment(organization, key) else {
                    problems.unknown_experiment(
                        format!("{at}experiment"),
                        key,
                        organization,
                        limits,
                    );
                    return None;
                };
                let experiment = self.experiment(index);
                if experiment.external {
                    let why = format!(
                        "variants of {key:?} are chosen elsewhere; name them when recording"
                    );
                    problems.state(format!("{at}experiment"), why);
                    return None;
                }
                Some(match experiment.status {
                    Status::Running | Status::Paused => Place::Experiment(index),
                    _ => Place::Subject(experiment.subject),
                })
            }
            Some(Target::Subject { kind, id }) => {
                if !check_subject(&format_args!("{at}subject"), (kind, id), problems, limits) {
                    return None;
                }
                let Some(index) = self.find_subject(organization, kind, id) else {
                    problems.missing(format!("{at}subject"), unknown((kind, id), organization));
                    return None;
                };
                Some(Place::Subject(index))
            }
            Some(Target::AnyOf(subjects)) => {
                self.find_any(subjects, question, at, limits, problems)
            }
        }
    }

    /// Decides for a unit whose id is fine.
    pub fn decide_at(&self, place: Place, unit: &str) -> Decision {
        match place {
            Place::Experiment(index) => self.decide_experiment(index, unit),
            Place::Subject(index) => self.decide_subject(index, unit),
        }
    }

    fn find_any(
        &self,
        subjects: &[SubjectRef],
        question: &Question,
        at: At,
        limits: &Limits,
        problems: &mut Problems,
    ) -> Option<Place> {
        let organization = organization(question.organization);
        if !(1..=limits.subjects).contains(&subjects.len()) {
            let count = format!(
                "has {}; the limit is 1 to {}",
                subjects.len(),
                limits.subjects
            );
            problems.invalid(format!("{at}any_of.subjects"), count);
            return None;
        }
        let mut fine = true;
        for (index, subject) in subjects.iter().enumerate() {
            fine &= check_subject(
                &format_args!("{at}any_of.subjects[{index}]"),
                (&subject.kind, &subject.id),
                problems,
                limits,
            );
        }
        if !fine {
            return None;
        }
        let known = || {
            let find =
                |subject: &SubjectRef| self.find_subject(organization, &subject.kind, &subject.id);
            subjects.iter().filter_map(find)
        };
        let chosen = known()
            .find(|index| self.subject(*index).running.is_some())
            .or_else(|| known().find(|index| self.subject(*index).paused.is_some()))
            .or_else(|| known().next());
        if chosen.is_none() {
            let why = format!(
                "none of them is known; the first: {}",
                unknown((&subjects[0].kind, &subjects[0].id), organization)
            );
            problems.missing(format!("{at}any_of.subjects"), why);
        }
        chosen.map(Place::Subject)
    }

    fn decide_subject(&self, index: u32, unit: &str) -> Decision {
        let subject = self.subject(index);
        match subject.running.or(subject.paused) {
            Some(experiment) => self.decide_experiment(experiment, unit),
            None => Decision {
                subject: index,
                arm: None,
                reason: Reason::NoExperiment,
                bucket: 0,
                generation: 0,
                fingerprint: 0,
                moving: false,
                elsewhere: false,
            },
        }
    }

    /// Decides in a running or paused experiment.
    fn decide_experiment(&self, index: u32, unit: &str) -> Decision {
        let experiment = self.experiment(index);
        let (bucket, fingerprint) = experiment.prefix.place(unit);
        let share = match experiment.status {
            Status::Running => experiment.allocations.share(bucket, unit),
            _ => None,
        };
        let (reason, variant) = match share {
            Some(share) if share.kept => (Reason::Sticky, share.variant),
            Some(share) => (Reason::Split, share.variant),
            None => (Reason::Paused, experiment.control),
        };
        let deciding = experiment.allocations.deciding();
        let generation = share.map(|share| share.generation);
        Decision {
            subject: experiment.subject,
            arm: Some(Arm {
                experiment: index,
                variant,
            }),
            reason,
            bucket,
            generation: generation
                .or(deciding.map(|allocation| allocation.generation))
                .unwrap_or_default(),
            fingerprint,
            moving: share.is_some_and(|share| share.moving),
            elsewhere: share.is_some_and(|share| share.elsewhere),
        }
    }

    /// Returns the name of the variant of an arm of this snapshot.
    pub fn variant_name(&self, arm: Arm) -> &str {
        &self.experiment(arm.experiment).variants[usize::from(arm.variant)].name
    }

    /// Returns what to answer with a decision of this snapshot.
    pub fn answer(&self, decision: &Decision) -> &Answer {
        match decision.arm {
            Some(arm) => &self.experiment(arm.experiment).variants[usize::from(arm.variant)].answer,
            None => &self.subject(decision.subject).answer,
        }
    }
}

/// Where in a message a request stands: alone, or in a list.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// The message itself.
    Alone,
    /// Its only outcome.
    Outcome,
    /// One of its requests.
    Request(usize),
    /// One of its outcomes.
    OutcomeOf(usize),
    /// One of its exposed units.
    ExposedOf(usize),
}

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => Ok(()),
            Self::Outcome => formatter.write_str("outcome."),
            Self::Request(index) => write!(formatter, "requests[{index}]."),
            Self::OutcomeOf(index) => write!(formatter, "outcomes[{index}]."),
            Self::ExposedOf(index) => write!(formatter, "exposed[{index}]."),
        }
    }
}

/// Returns the organization that a name means.
pub fn organization(name: &str) -> &str {
    if name.is_empty() {
        DEFAULT_ORGANIZATION
    } else {
        name
    }
}

/// Adds what is wrong with the form of a subject's name; returns whether nothing is.
fn check_subject(
    at: &fmt::Arguments,
    (kind, id): (&str, &str),
    problems: &mut Problems,
    limits: &Limits,
) -> bool {
    let mut fine = true;
    for (name, value, limit) in [("kind", kind, KIND_BYTES), ("id", id, limits.key_bytes)] {
        if value.is_empty() || value.len() > limit {
            problems.invalid(
                format!("{at}.{name}"),
                format!("has {} bytes; the limit is 1 to {limit}", value.len()),
            );
            fine = false;
        }
    }
    fine
}

/// Says why a unit of a re-weighted experiment is not assigned in an agent's process.
fn elsewhere(key: &str) -> String {
    format!(
        "the weights of {key:?} were changed, and whether this unit was exposed before is known to the sidecar alone; ask the sidecar"
    )
}

fn unknown((kind, id): (&str, &str), organization: &str) -> String {
    let organization: String = organization.chars().take(64).collect();
    format!("no subject {kind}/{id} in organization {organization:?}")
}
