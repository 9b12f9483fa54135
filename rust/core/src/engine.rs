//! The hot path's state: a snapshot, the open and the sealed batch, the windows against duplicates.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use parking_lot::Mutex;

use crate::aggregate::{Aggregate, CellDelta};
use crate::assign::{At, Decision, Question};
use crate::counters::{Counter, Counters};
use crate::dedup::{Claim, Dedup, Delivery};
use crate::error::{Error, Result};
use crate::exposure::Exposure;
use crate::hash::ExposureKey;
use crate::limits::Limits;
use crate::problems::Problems;
use crate::record::{Context, Plan, utc_day};
use crate::snapshot::{Compiled, Registry, Sealed};
use crate::wire::v1::RecordResponse;

/// The shortest key for hashing units, in bytes.
pub const KEY_BYTES: usize = 16;

/// An immutable, numbered part of what was recorded.
#[derive(Debug)]
pub struct Batch {
    /// Its number, counted from 1 over the life of the writer.
    pub number: u64,
    /// What was added to each cell, ordered by experiment, variant, metric and day.
    pub cells: Vec<CellDelta>,
    /// Who was exposed.
    pub exposures: Vec<Exposure>,
}

/// Where flushing stands.
#[derive(Debug, Default)]
struct Flush {
    high_water: u64,
    begun: bool,
    sealed: Option<Arc<Batch>>,
}

/// Assigns, records and hands on; shared between threads.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    key: ExposureKey,
    current: ArcSwapOption<Compiled>,
    registry: Mutex<Registry>,
    aggregate: Aggregate,
    dedup: Dedup,
    flush: Mutex<Flush>,
    counters: Counters,
}

/// The loaded snapshot, held for the length of a call.
pub(crate) struct Loaded(Guard<Option<Arc<Compiled>>>);

impl Loaded {
    pub(crate) fn get(&self) -> Result<&Arc<Compiled>> {
        self.0.as_ref().ok_or_else(|| {
            Error::NotReady(
                "no snapshot is loaded yet; try again when the service is ready".to_owned(),
            )
        })
    }
}

impl Engine {
    /// Makes an engine without a snapshot, which hashes units with `unit_key`.
    ///
    /// # Errors
    /// `InvalidArgument` when the key is shorter than [`KEY_BYTES`].
    pub fn new(unit_key: &[u8], limits: Limits) -> Result<Self> {
        if unit_key.len() < KEY_BYTES {
            let why = format!(
                "has {} bytes; at least {KEY_BYTES} are needed",
                unit_key.len()
            );
            return Err(Error::invalid("unit_key", why));
        }
        Ok(Self {
            limits,
            key: ExposureKey::new(unit_key),
            current: ArcSwapOption::empty(),
            registry: Mutex::default(),
            aggregate: Aggregate::default(),
            dedup: Dedup::default(),
            flush: Mutex::default(),
            counters: Counters::default(),
        })
    }

    /// Returns the bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the loaded snapshot, if there is one.
    pub fn snapshot(&self) -> Option<Arc<Compiled>> {
        self.current.load_full()
    }

    pub(crate) fn loaded(&self) -> Loaded {
        Loaded(self.current.load())
    }

    /// Compiles a serialized `Snapshot` and swaps it in; returns false when the loaded one is the same or newer.
    ///
    /// # Errors
    /// `DataLoss` when the bytes are damaged, `InvalidArgument` with every contradiction; the loaded one then stays.
    pub fn load_snapshot(&self, bytes: &[u8]) -> Result<bool> {
        let sealed = Sealed::open(bytes)?;
        let mut registry = self.registry.lock();
        let loaded = self.current.load();
        if loaded
            .as_ref()
            .is_some_and(|loaded| sealed.version <= loaded.version)
        {
            return Ok(false);
        }
        let compiled = sealed.compile(loaded.as_deref(), &mut registry, &self.limits)?;
        self.current.store(Some(Arc::new(compiled)));
        Ok(true)
    }

    /// Assigns one unit, and exposes it if asked to and possible; returns the decision, the snapshot that it is of, and whether it
    /// counts as an exposure. The time is asked for only if it is needed.
    ///
    /// # Errors
    /// `NotReady`; `InvalidArgument`, `NotFound` or `FailedPrecondition` with every violation.
    pub fn assign(
        &self,
        question: &Question,
        expose: bool,
        now_ms: impl FnOnce() -> i64,
    ) -> Result<(Arc<Compiled>, Decision, bool)> {
        let snapshot = Arc::clone(self.loaded().get()?);
        let mut problems = Problems::default();
        let decision = snapshot.decide(question, At::Alone, &self.limits, &mut problems);
        let decision = problems.resolve(decision)?;
        let exposed = self.answered(&snapshot, &decision, question.unit, expose, now_ms);
        Ok((snapshot, decision, exposed))
    }

    /// Counts an answer and exposes its unit if asked to; returns whether it counts as an exposure.
    ///
    /// When too many exposures wait for the database, assigning goes on: the answer says that it does not count, and so does a
    /// counter. An agent without an answer would be worse than an experiment with fewer units, and as the bound does not look at
    /// variants, their shares stay as they are.
    pub(crate) fn answered(
        &self,
        snapshot: &Compiled,
        decision: &Decision,
        unit: &str,
        expose: bool,
        now_ms: impl FnOnce() -> i64,
    ) -> bool {
        self.counters.add(Counter::Assignments, 1);
        if !expose || !decision.exposes() {
            return false;
        }
        let exposed = self.expose(snapshot, decision, unit, now_ms).is_ok();
        self.counters
            .add(Counter::ExposuresDropped, u64::from(!exposed));
        exposed
    }

    /// Hands on the exposure of a unit, once.
    ///
    /// # Errors
    /// `ResourceExhausted` when too many wait for the database.
    pub(crate) fn expose(
        &self,
        snapshot: &Compiled,
        decision: &Decision,
        unit: &str,
        now_ms: impl FnOnce() -> i64,
    ) -> Result<()> {
        let Some(arm) = decision.arm else {
            return Ok(());
        };
        if self.aggregate.is_exposed(decision.fingerprint) {
            return Ok(());
        }
        let experiment = snapshot.experiment(arm.experiment);
        let exposure = Exposure {
            experiment_id: Arc::clone(&experiment.id),
            unit_hash: self.key.experiment(&experiment.id).hash(unit),
            variant: arm.variant,
            bucket: decision.bucket,
            generation: decision.generation,
            day: utc_day(now_ms()),
        };
        let new =
            self.aggregate
                .apply(&[], vec![(decision.fingerprint, exposure)], &self.limits)?;
        self.counters.add(Counter::Exposures, new as u64);
        Ok(())
    }

    /// Starts the plan of a recording call.
    pub(crate) fn plan<'a>(&'a self, snapshot: &'a Compiled, now_ms: i64) -> Plan<'a> {
        Plan::new(Context {
            snapshot,
            limits: &self.limits,
            key: &self.key,
            aggregate: &self.aggregate,
            now_ms,
        })
    }

    /// Carries out a plan, unless it was carried out before.
    ///
    /// # Errors
    /// What is wrong with the call; then nothing changed but the counts of refused values.
    pub(crate) fn carry_out(
        &self,
        plan: Plan,
        delivery: Delivery,
        now_ms: i64,
    ) -> Result<RecordResponse> {
        let claim = self.dedup.claim(delivery, now_ms, &self.limits);
        // Before the problems: a call that was applied stays applied, even if it would be refused by now, its experiment gone.
        if let Ok(Claim::Duplicate) = claim {
            self.counters.add(Counter::Duplicates, 1);
            let snapshot_version = plan.response.snapshot_version;
            return Ok(RecordResponse {
                duplicate: true,
                snapshot_version,
                ..RecordResponse::default()
            });
        }
        if !plan.problems.is_empty() {
            self.counters
                .add(Counter::Refused, plan.refused.len() as u64);
            // Where there is no room for another cell, the counter has to do.
            let _ = self
                .aggregate
                .apply(&plan.refused, Vec::new(), &self.limits);
        }
        plan.problems.into_result()?;
        let pending = claim?;
        let new = self
            .aggregate
            .apply(&plan.steps, plan.exposures, &self.limits)?;
        if let Claim::New(pending) = pending {
            pending.applied();
        }
        let counts = [
            (Counter::CallsRecorded, 1),
            (Counter::Exposures, new as u64),
            (Counter::Observations, plan.response.accepted.into()),
            (Counter::Late, plan.response.late.into()),
            (Counter::Ignored, plan.response.ignored.into()),
            (Counter::Clamped, plan.response.clamped.into()),
        ];
        for (counter, more) in counts {
            self.counters.add(counter, more);
        }
        Ok(plan.response)
    }

    /// Says which batch the database has; the next one is the one behind it.
    ///
    /// # Errors
    /// `FailedPrecondition` once a batch was sealed.
    pub fn resume(&self, high_water: u64) -> Result<()> {
        let mut flush = self.flush.lock();
        if flush.begun {
            let next = flush.high_water.saturating_add(1);
            return Err(Error::FailedPrecondition(format!(
                "batch {next} is sealed or about to be; resume before the first seal"
            )));
        }
        flush.high_water = high_water;
        Ok(())
    }

    /// Closes the open batch and returns it; the same one again until it is committed; none when there is nothing in it.
    pub fn seal(&self) -> Option<Arc<Batch>> {
        let mut flush = self.flush.lock();
        if flush.sealed.is_none() {
            let (cells, exposures) = self.aggregate.drain();
            if cells.is_empty() && exposures.is_empty() {
                return None;
            }
            flush.begun = true;
            let number = flush.high_water.saturating_add(1);
            flush.sealed = Some(Arc::new(Batch {
                number,
                cells,
                exposures,
            }));
        }
        flush.sealed.clone()
    }

    /// Says that the sealed batch is in the database, so that it can be forgotten.
    ///
    /// # Errors
    /// `FailedPrecondition` when no batch of that number is sealed.
    pub fn commit(&self, number: u64) -> Result<()> {
        let mut flush = self.flush.lock();
        match flush.sealed.take_if(|batch| batch.number == number) {
            Some(batch) => {
                flush.high_water = number;
                self.aggregate
                    .settle(batch.cells.len(), batch.exposures.len());
                Ok(())
            }
            None => {
                let sealed = flush
                    .sealed
                    .as_ref()
                    .map_or("none".to_owned(), |batch| format!("batch {}", batch.number));
                Err(Error::FailedPrecondition(format!(
                    "batch {number} is not sealed; {sealed} is"
                )))
            }
        }
    }

    /// Returns what was counted since the engine was made, and what it holds, by name.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let experiments = self
            .current
            .load()
            .as_ref()
            .map_or(0, |snapshot| snapshot.experiments.len());
        let held = [
            ("experiments", experiments),
            ("live_cells", self.aggregate.live_cells()),
            ("pending_exposures", self.aggregate.pending_exposures()),
            ("dedup_clients", self.dedup.clients()),
            ("idempotency_keys", self.dedup.keys()),
        ];
        let counted = Counter::ALL
            .into_iter()
            .map(|(counter, name)| (name, self.counters.get(counter)));
        counted
            .chain(held.map(|(name, count)| (name, count as u64)))
            .collect()
    }
}
