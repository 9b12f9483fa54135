//! The open batch: what was recorded since the batch before, in cells, and who was exposed.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use parking_lot::{Mutex, MutexGuard};

use crate::cell::Cell;
use crate::error::{Error, Result};
use crate::exposure::{Exposure, Filter};
use crate::hash::Slot;
use crate::level::{EVERYONE, Levels, PERIODS};
use crate::limits::Limits;
use crate::observe::Accepted;
use crate::slots::{SLOTS, own_slot};
use crate::snapshot::Experiment;

/// How many cells are remembered.
const RECENT: usize = 16;
/// Cells of a call beyond which the room for their places is not kept.
const PLACES_KEPT: usize = 4096;

/// What was added to one cell since the batch before.
#[derive(Clone, Debug)]
pub struct CellDelta {
    /// The experiment's id.
    pub experiment_id: Arc<str>,
    /// The variant's index.
    pub variant: u16,
    /// The metric's index.
    pub metric: u16,
    /// The UTC day, counted from 1970-01-01.
    pub day: i32,
    /// Whose: see [`crate::level`]; 0 for everyone.
    pub level: u8,
    /// The statistics.
    pub cell: Cell,
}

/// Which cell is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The experiment's id.
    pub experiment_id: Arc<str>,
    /// The variant's index.
    pub variant: u16,
    /// The metric's index.
    pub metric: u16,
    /// The UTC day, counted from 1970-01-01.
    pub day: i32,
    /// Whose: see [`crate::level`]; 0 for everyone.
    pub level: u8,
}

/// What a batch, or a part of one, is made of.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// What was added to each cell, ordered by experiment, variant, metric, day and level.
    pub cells: Vec<CellDelta>,
    /// Who was exposed.
    pub exposures: Vec<Exposure>,
}

impl Content {
    /// Returns whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.exposures.is_empty()
    }
}

/// One effect on one cell, and on those of the levels that it belongs to; fully checked.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// The variant's index.
    pub variant: u16,
    /// The metric's index.
    pub metric: u16,
    /// The UTC day.
    pub day: i32,
    /// The levels of who it is about.
    pub levels: Levels,
    /// What to do.
    pub effect: Effect,
}

/// What to do to a cell.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// Add an observation.
    Add {
        /// Where its unit belongs.
        slot: Slot,
        /// The observation.
        accepted: Accepted,
    },
    /// Count a value that was refused.
    Refused,
    /// Count a value that came when the experiment was over.
    Late,
}

impl Step<'_> {
    fn keys(&self) -> impl Iterator<Item = Key> {
        let (experiment, day) = (self.experiment.handle, self.day);
        let (variant, metric) = (self.variant, self.metric);
        self.levels.with_everyone().map(move |level| Key {
            experiment,
            day,
            variant,
            metric,
            level,
        })
    }

    fn empty_cell(&self, key: Key) -> Held {
        let metric = &self.experiment.metrics[usize::from(self.metric)];
        Held {
            key,
            experiment_id: Arc::clone(&self.experiment.id),
            cell: Cell::new(metric.quantiles, metric.covariate),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    experiment: u32,
    day: i32,
    variant: u16,
    metric: u16,
    level: u8,
}

impl Key {
    /// Returns at which of the remembered places a cell is: not at the same one as the other metrics of a few variants.
    fn recent(&self) -> usize {
        let (variant, metric) = (usize::from(self.variant), usize::from(self.metric));
        (metric + 5 * variant + usize::from(self.level)) % RECENT
    }
}

#[derive(Debug)]
struct Held {
    key: Key,
    experiment_id: Arc<str>,
    cell: Cell,
}

#[derive(Debug, Default)]
struct Open {
    held: Vec<Held>,
    /// Where in `held` a cell is.
    places: HashMap<Key, usize>,
    /// Where cells were found last, each at one of few places of its own: calls name the same cells again and again, as a rule. They may be
    /// gone meanwhile, or be others.
    recent: [usize; RECENT],
    exposures: Vec<Exposure>,
    /// What [`Room::places`] is made of: calls use its room again.
    used: Vec<usize>,
}

/// One thread's part, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Open>);

/// Room for one call in the open batch. Dropped without [`Room::apply`], the call never happened.
#[derive(Debug)]
pub struct Room<'a> {
    aggregate: &'a Aggregate,
    open: MutexGuard<'a, Open>,
    steps: &'a [Step<'a>],
    exposures: Vec<Exposure>,
    /// Where the cells of the steps are, one behind the other.
    places: Vec<usize>,
    /// How many cells were made, which are the last ones.
    made: usize,
    reserved: usize,
}

/// The open batch, sharded by thread.
///
/// A call takes effect under the lock of one shard, and closing the batch takes all of them, so that a call is in one batch whole.
#[derive(Debug, Default)]
pub struct Aggregate {
    shards: [Shard; SLOTS],
    exposed: Filter,
    // Both count what the database does not have yet, in the open and in the sealed batch.
    live_cells: AtomicUsize,
    pending_exposures: AtomicUsize,
}

impl Aggregate {
    /// Returns whether a unit's exposure was handed on before.
    pub fn is_exposed(&self, fingerprint: u64) -> bool {
        self.exposed.contains(fingerprint)
    }

    /// Remembers a unit's exposure that is handed on elsewhere; returns whether it is new.
    pub fn expose(&self, fingerprint: u64) -> bool {
        self.exposed.insert(fingerprint)
    }

    /// Makes room for a call: what it will change can then be neither refused nor taken away by another thread.
    ///
    /// # Errors
    /// `ResourceExhausted` when a bound was reached; then nothing changed.
    pub fn reserve<'a>(
        &'a self,
        steps: &'a [Step<'a>],
        exposures: Vec<Exposure>,
        limits: &Limits,
    ) -> Result<Room<'a>> {
        let reserved = exposures.len();
        reserve(
            &self.pending_exposures,
            reserved,
            "pending_exposures",
            limits.pending_exposures,
        )?;
        let mut open = self.shards[own_slot()].0.lock();
        let places = mem::take(&mut open.used);
        let mut room = Room {
            aggregate: self,
            open,
            steps,
            exposures,
            places,
            made: 0,
            reserved,
        };
        // On an error the room is dropped, and gives back what it had.
        room.make_cells(limits)?;
        Ok(room)
    }

    /// Closes the open batch and returns what was in it, together with `base`, ordered by what it is about; a new one is open.
    ///
    /// What is in `base` counts as held already.
    pub fn drain(&self, base: Content) -> Content {
        // All locks at once: whatever ended before is in this batch, whatever begins after is in the next.
        let mut shards: Vec<_> = self.shards.iter().map(|shard| shard.0.lock()).collect();
        let drained: Vec<Open> = shards
            .iter_mut()
            .map(|open| mem::take(&mut **open))
            .collect();
        drop(shards);
        let Content {
            mut cells,
            mut exposures,
        } = base;
        for open in drained {
            cells.extend(open.held.into_iter().map(|held| CellDelta {
                experiment_id: held.experiment_id,
                variant: held.key.variant,
                metric: held.key.metric,
                day: held.key.day,
                level: held.key.level,
                cell: held.cell,
            }));
            exposures.extend(open.exposures);
        }
        let before = cells.len();
        cells.sort_by(|left, right| left.place().cmp(&right.place()));
        // Cells of one address have one shape, so they always merge; if they did not, both would be handed on.
        cells.dedup_by(|later, first| {
            later.place() == first.place() && first.cell.merge(&later.cell).is_ok()
        });
        self.live_cells
            .fetch_sub(before - cells.len(), Ordering::Relaxed);
        Content { cells, exposures }
    }

    /// Returns copies of the open batch's cells of some experiments, those of everyone and of periods alone; nothing changes.
    pub fn copy(&self, wanted: impl Fn(&str) -> bool) -> Vec<CellDelta> {
        let mut cells = Vec::new();
        for shard in &self.shards {
            let open = shard.0.lock();
            let held = open.held.iter();
            cells.extend(
                held.filter(|held| is_whole(held.key.level) && wanted(&held.experiment_id))
                    .map(|held| CellDelta {
                        experiment_id: Arc::clone(&held.experiment_id),
                        variant: held.key.variant,
                        metric: held.key.metric,
                        day: held.key.day,
                        level: held.key.level,
                        cell: held.cell.clone(),
                    }),
            );
        }
        cells
    }

    /// Returns whether nothing is in the open batch.
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| {
            let open = shard.0.lock();
            open.held.is_empty() && open.exposures.is_empty()
        })
    }

    /// Counts what an earlier process left behind as held, and remembers who was exposed.
    pub fn restore(&self, content: &Content) {
        self.live_cells
            .fetch_add(content.cells.len(), Ordering::Relaxed);
        self.pending_exposures
            .fetch_add(content.exposures.len(), Ordering::Relaxed);
        for exposure in &content.exposures {
            self.exposed.insert(exposure.fingerprint);
        }
    }

    /// Says that a drained batch is in the database, so that it no longer counts against the bounds.
    pub fn settle(&self, cells: usize, exposures: usize) {
        self.live_cells.fetch_sub(cells, Ordering::Relaxed);
        self.pending_exposures
            .fetch_sub(exposures, Ordering::Relaxed);
    }

    /// Returns how many cells the database does not have yet.
    pub fn live_cells(&self) -> usize {
        self.live_cells.load(Ordering::Relaxed)
    }

    /// Returns how many exposures the database does not have yet.
    pub fn pending_exposures(&self) -> usize {
        self.pending_exposures.load(Ordering::Relaxed)
    }
}

impl Room<'_> {
    /// Sees to it that every cell of the steps is there, and notes where.
    fn make_cells(&mut self, limits: &Limits) -> Result<()> {
        for step in self.steps {
            for key in step.keys() {
                let recent = key.recent();
                let mut place = self.open.recent[recent];
                let known = self.open.held.get(place);
                if known.is_none_or(|held| held.key != key) {
                    place = self.place(key, step, limits)?;
                    self.open.recent[recent] = place;
                }
                self.places.push(place);
            }
        }
        Ok(())
    }

    /// Returns where a cell is, which is made where there is none.
    fn place(&mut self, key: Key, step: &Step, limits: &Limits) -> Result<usize> {
        let Open { held, places, .. } = &mut *self.open;
        if let Some(place) = places.get(&key) {
            return Ok(*place);
        }
        let live = &self.aggregate.live_cells;
        reserve(live, 1, "live_cells", limits.live_cells)?;
        let place = held.len();
        held.push(step.empty_cell(key));
        places.insert(key, place);
        self.made += 1;
        Ok(place)
    }

    /// Returns who is about to be exposed.
    pub fn exposures(&self) -> &[Exposure] {
        &self.exposures
    }

    /// Applies all steps and hands on the exposures that are new; returns how many were.
    pub fn apply(mut self) -> usize {
        let mut places = self.places.iter();
        for step in self.steps {
            for place in places.by_ref().take(step.levels.count()) {
                step.effect.apply(&mut self.open.held[*place].cell);
            }
        }
        self.made = 0;
        let exposed = &self.aggregate.exposed;
        let mut new = mem::take(&mut self.exposures);
        new.retain(|exposure| exposed.insert(exposure.fingerprint));
        let added = new.len();
        self.open.exposures.extend(new);
        // What is still reserved when this is dropped is given back.
        self.reserved -= added;
        added
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let Open {
            held, places, used, ..
        } = &mut *self.open;
        if self.made > 0 {
            for unused in held.drain(held.len() - self.made..) {
                places.remove(&unused.key);
            }
        }
        if self.places.capacity() <= PLACES_KEPT {
            self.places.clear();
            *used = mem::take(&mut self.places);
        }
        give_back(&self.aggregate.live_cells, self.made);
        give_back(&self.aggregate.pending_exposures, self.reserved);
    }
}

impl CellDelta {
    fn place(&self) -> (&str, u16, u16, i32, u8) {
        let (variant, metric) = (self.variant, self.metric);
        (&self.experiment_id, variant, metric, self.day, self.level)
    }

    /// Returns whether it is of everyone, or of everyone of a period.
    pub fn is_whole(&self) -> bool {
        is_whole(self.level)
    }

    /// Returns which cell it is.
    pub fn address(&self) -> Address {
        Address {
            experiment_id: Arc::clone(&self.experiment_id),
            variant: self.variant,
            metric: self.metric,
            day: self.day,
            level: self.level,
        }
    }
}

impl Effect {
    /// Does it to a cell.
    pub fn apply(self, cell: &mut Cell) {
        match self {
            Self::Add { slot, accepted } => {
                cell.add(
                    slot,
                    accepted.value,
                    accepted.denominator,
                    accepted.covariate,
                );
                cell.clamped += u64::from(accepted.clamped);
            }
            Self::Refused => cell.refused += 1,
            Self::Late => cell.late += 1,
        }
    }
}

fn is_whole(level: u8) -> bool {
    level == EVERYONE || level > PERIODS
}

/// Adds `more` to a count that may reach `limit` but not pass it.
fn reserve(count: &AtomicUsize, more: usize, name: &str, limit: usize) -> Result<()> {
    if more == 0 {
        return Ok(());
    }
    let add = |held: usize| held.checked_add(more).filter(|sum| *sum <= limit);
    match count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
        Ok(_) => Ok(()),
        Err(held) => Err(Error::ResourceExhausted(format!(
            "{name}: {held} wait for the database and the limit is {limit}; try again after the next flush"
        ))),
    }
}

/// Takes `less` off a count. As a rule it is nothing, and then threads need not wait for each other to write that down.
fn give_back(count: &AtomicUsize, less: usize) {
    if less > 0 {
        count.fetch_sub(less, Ordering::Relaxed);
    }
}
