//! Assigning many units of one experiment at once, for callers that hold their ids in one piece of memory.

use std::sync::Arc;

use crate::assign::{At, Decision, Question};
use crate::counters::Counter;
use crate::engine::Engine;
use crate::error::Result;
use crate::problems::Problems;
use crate::snapshot::Compiled;

/// Where no experiment decides.
pub const NO_VARIANT: i16 = -1;

/// The variants of many units.
#[derive(Debug)]
pub struct Many {
    /// The snapshot that answered.
    pub snapshot: Arc<Compiled>,
    /// The experiment that decided, as an index; none where none did.
    pub experiment: Option<u32>,
    /// The index of each unit's variant in the experiment's declared order, or [`NO_VARIANT`].
    pub variants: Vec<i16>,
    /// How many answers count as an exposure.
    pub exposed: usize,
}

/// The ids of units, in whatever form they are held.
pub trait Units: Sync {
    /// Returns how many there are.
    fn len(&self) -> usize;

    /// Returns whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the id at `index`, below [`Units::len`]; `scratch` may be used to write it. Not a text: none.
    fn get<'a>(&'a self, index: usize, scratch: &'a mut String) -> Option<&'a str>;
}

impl Engine {
    /// Assigns all units as [`Engine::assign`] would one after the other; one bad unit refuses the call.
    ///
    /// # Errors
    /// `NotReady`; `InvalidArgument`, `NotFound` or `FailedPrecondition` with the violations.
    pub fn assign_many(
        &self,
        experiment: Question,
        units: &impl Units,
        expose: bool,
        now_ms: impl Fn() -> i64,
    ) -> Result<Many> {
        let snapshot = Arc::clone(self.loaded().get()?);
        let mut problems = Problems::default();
        let place = snapshot.find(&experiment, At::Alone, self.limits(), &mut problems);
        let mut scratch = String::new();
        let mut variants = Vec::with_capacity(units.len());
        let mut decisions: Vec<Decision> = Vec::new();
        let mut found = None;
        for index in 0..units.len() {
            let Some(unit) = units.get(index, &mut scratch) else {
                problems.invalid(format!("units[{index}]"), "is not UTF-8");
                continue;
            };
            problems.check_unit(|| format!("units[{index}]"), unit, self.limits());
            let Some(place) = place else {
                continue;
            };
            let decision = snapshot.decide_at(place, unit);
            snapshot.told(&decision, At::Alone, &mut problems);
            let variant = decision.arm.map(|arm| {
                found = Some(arm.experiment);
                arm.variant
            });
            variants.push(
                variant
                    .and_then(|variant| i16::try_from(variant).ok())
                    .unwrap_or(NO_VARIANT),
            );
            if expose && decision.exposes() {
                decisions.push(decision);
            }
        }
        problems.resolve(place)?;
        let mut exposed = 0;
        // Behind the checks: a refused call changes nothing. All units of one place are decided alike, so none was left out.
        let told: Vec<_> = decisions
            .iter()
            .enumerate()
            .map(|(index, decision)| {
                let unit = units.get(index, &mut scratch).unwrap_or_default();
                self.tell(&snapshot, decision, unit, &now_ms)
            })
            .collect();
        for appended in told.into_iter().rev() {
            exposed += usize::from(self.kept(appended).is_some());
        }
        self.count(Counter::Assignments, variants.len() as u64);
        Ok(Many {
            snapshot,
            experiment: found,
            variants,
            exposed,
        })
    }
}
