//! Assigning many units of one experiment at once, for callers that hold their ids in one piece of memory.

use std::sync::Arc;

use crate::assign::{At, Decision, Place, Question};
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

/// Units of one experiment on the way to their variants, piece by piece; all of them are decided by one snapshot.
#[derive(Debug)]
pub struct Pieces<'e> {
    engine: &'e Engine,
    /// Why nothing can be decided is said at the end, behind whatever is wrong with the pieces.
    snapshot: Result<Arc<Compiled>>,
    place: Option<Place>,
    problems: Problems,
    expose: bool,
    /// How many units there were.
    seen: usize,
    found: Option<u32>,
    variants: Vec<i16>,
    /// Of each unit, if they are to be exposed.
    decisions: Vec<Decision>,
    scratch: String,
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
        let mut pieces = self.pieces(&experiment, expose);
        pieces.assign(units);
        pieces.end([units], now_ms)
    }

    /// Begins to assign units that come in pieces.
    pub fn pieces(&self, experiment: &Question, expose: bool) -> Pieces<'_> {
        let mut problems = Problems::default();
        let snapshot = self.loaded().get().map(Arc::clone);
        let place = snapshot.as_ref().ok().and_then(|snapshot| {
            snapshot.find(experiment, At::Alone, self.limits(), &mut problems)
        });
        Pieces {
            engine: self,
            snapshot,
            place,
            problems,
            expose,
            seen: 0,
            found: None,
            variants: Vec::new(),
            decisions: Vec::new(),
            scratch: String::new(),
        }
    }
}

impl Pieces<'_> {
    /// Decides for the next units; none of them is exposed before the end.
    pub fn assign(&mut self, units: &impl Units) {
        let Ok(snapshot) = &self.snapshot else {
            return;
        };
        let (limits, begin) = (self.engine.limits(), self.seen);
        self.seen += units.len();
        self.variants.reserve(units.len());
        for index in 0..units.len() {
            let field = || format!("units[{}]", begin + index);
            let Some(unit) = units.get(index, &mut self.scratch) else {
                self.problems.invalid(field(), "is not UTF-8");
                continue;
            };
            self.problems.check_unit(field, unit, limits);
            let Some(place) = self.place else {
                continue;
            };
            let decision = snapshot.decide_at(place, unit);
            snapshot.told(&decision, At::Alone, &mut self.problems);
            let variant = decision.arm.map(|arm| {
                self.found = Some(arm.experiment);
                arm.variant
            });
            self.variants.push(
                variant
                    .and_then(|variant| i16::try_from(variant).ok())
                    .unwrap_or(NO_VARIANT),
            );
            if self.expose {
                self.decisions.push(decision);
            }
        }
    }

    /// Exposes the units, if they are to be, and returns what all of them got. `pieces` are the same again; where they need not be kept,
    /// none.
    ///
    /// # Errors
    /// See [`Engine::assign_many`].
    pub fn end<'u, U: Units + 'u>(
        self,
        pieces: impl IntoIterator<Item = &'u U>,
        now_ms: impl Fn() -> i64,
    ) -> Result<Many> {
        let (engine, snapshot, mut scratch) = (self.engine, self.snapshot?, self.scratch);
        self.problems.resolve(self.place)?;
        // Behind the checks: a refused call changes nothing. Each unit has a decision by now, as none was left out.
        let units = pieces
            .into_iter()
            .flat_map(|units| (0..units.len()).map(move |index| (units, index)));
        let told: Vec<_> = units
            .zip(&self.decisions)
            .filter(|(_, decision)| decision.exposes())
            .map(|((units, index), decision)| {
                let unit = units.get(index, &mut scratch).unwrap_or_default();
                engine.tell(&snapshot, decision, unit, &now_ms)
            })
            .collect();
        let kept = told
            .into_iter()
            .rev()
            .filter(|appended| engine.kept(*appended).is_some());
        let exposed = kept.count();
        engine.count(Counter::Assignments, self.variants.len() as u64);
        Ok(Many {
            snapshot,
            experiment: self.found,
            variants: self.variants,
            exposed,
        })
    }
}
