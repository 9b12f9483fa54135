//! The hot path's state: a snapshot, the open and the sealed batch, the windows against duplicates.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use parking_lot::{Condvar, Mutex};

use crate::aggregate::{Aggregate, CellDelta, Step};
use crate::assign::{At, Decision, Question};
use crate::counters::{Counter, Counters};
use crate::dedup::{Claim, Dedup, Delivery};
use crate::error::{Error, Result};
use crate::exposure::Exposure;
use crate::flush::Flush;
use crate::forward::Outbound;
use crate::gate::Gate;
use crate::hash::ExposureKey;
use crate::limits::Limits;
use crate::log::{self, Fs, Log, Recovery};
use crate::problems::Problems;
use crate::record::{Context, Plan, utc_day};
use crate::snapshot::{self, Compiled, Kept, Registry, Sealed};
use crate::wire::v1::{ExposedUnit, Outcome, RecordResponse};

/// The shortest key for hashing units, in bytes.
pub const KEY_BYTES: usize = 16;

/// An immutable, numbered part of what was recorded.
#[derive(Debug)]
pub struct Batch {
    /// Its number, counted from 1 over the life of the writer.
    pub number: u64,
    /// What was added to each cell, ordered by experiment, variant, metric, day and level.
    pub cells: Vec<CellDelta>,
    /// Who was exposed.
    pub exposures: Vec<Exposure>,
}

/// Assigns, records and hands on; shared between threads.
#[derive(Debug)]
pub struct Engine {
    limits: Limits,
    key: ExposureKey,
    current: ArcSwapOption<Compiled>,
    loading: Mutex<Loading>,
    /// Told of every snapshot that was swapped in; see [`Engine::wait_for_snapshot`].
    swapped: (Mutex<()>, Condvar),
    pub(crate) aggregate: Aggregate,
    pub(crate) dedup: Dedup,
    pub(crate) flush: Mutex<Flush>,
    counters: Counters,
    pub(crate) log: Option<Log>,
    /// Held by each call while it is appended and applied, and by nobody while a batch is closed: so a batch is a range of records.
    pub(crate) gate: Gate,
    /// Whether segments are to be removed that could not be.
    pub(crate) uncut: AtomicBool,
    /// Where what was exposed and recorded goes instead of into cells: see [`Engine::forwarding`].
    pub(crate) outbound: Option<Outbound>,
}

/// What a snapshot is compiled with.
#[derive(Clone, Debug, Default)]
struct Loading {
    registry: Registry,
    /// Ids of experiments that this process answers as if they were paused.
    held: HashSet<Box<str>>,
    /// Who was exposed before the weights of an experiment changed, by its id.
    kept: HashMap<Box<str>, Arc<Kept>>,
    /// The loaded snapshot, to compile it again.
    last: Option<Sealed>,
}

/// What an acknowledgement has to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// Nothing.
    Nothing,
    /// This record.
    Record(u64),
    /// An exposure that another call told of.
    Exposures,
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
    /// Makes an engine without a snapshot, which hashes units with `unit_key` and keeps what is recorded in memory only.
    ///
    /// # Errors
    /// `InvalidArgument` when the key is shorter than [`KEY_BYTES`].
    pub fn new(unit_key: &[u8], limits: Limits) -> Result<Self> {
        Self::make(unit_key, limits, Dedup::default(), Flush::default(), None)
    }

    /// Makes an engine without a snapshot, which acknowledges a call only once it is in the log in `fs`, and which goes on where the
    /// process before it ended.
    ///
    /// # Errors
    /// `InvalidArgument` when the key is too short; `DataLoss` when the log is damaged where it was acknowledged; `FailedPrecondition` when
    /// it belongs to another state directory; `ResourceExhausted` when the disk is full; `Unavailable` when it fails.
    pub fn open(
        unit_key: &[u8],
        limits: Limits,
        fs: Arc<dyn Fs>,
        options: log::Options,
    ) -> Result<(Self, Recovery)> {
        let replayed = log::replay(&*fs, &options, &limits)?;
        let open = replayed.start.begin.batch;
        let flush = Flush::after(replayed.sealed, replayed.open, open);
        let log = Log::start(fs, options, replayed.segments, replayed.start)?;
        let engine = Self::make(unit_key, limits, replayed.dedup, flush, Some(log))?;
        for content in engine.flush.lock().inherited() {
            engine.aggregate.restore(content);
        }
        Ok((engine, replayed.recovery))
    }

    fn make(
        unit_key: &[u8],
        limits: Limits,
        dedup: Dedup,
        flush: Flush,
        log: Option<Log>,
    ) -> Result<Self> {
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
            loading: Mutex::default(),
            swapped: Default::default(),
            aggregate: Aggregate::default(),
            dedup,
            flush: Mutex::new(flush),
            counters: Counters::default(),
            log,
            gate: Gate::default(),
            uncut: AtomicBool::new(false),
            outbound: None,
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
        let mut loading = self.loading.lock();
        let loaded = self.current.load();
        if loaded
            .as_ref()
            .is_some_and(|loaded| sealed.version <= loaded.version)
        {
            return Ok(false);
        }
        self.swap_in(&mut loading, sealed)?;
        Ok(true)
    }

    /// Answers running experiments with these ids as if they were paused, and no others, whatever snapshots say from now on: every unit
    /// gets the control, and none is exposed.
    ///
    /// # Errors
    /// None but those of a defect: what is loaded was compiled before.
    pub fn hold(&self, ids: impl IntoIterator<Item = Box<str>>) -> Result<()> {
        let mut loading = self.loading.lock();
        loading.held = ids.into_iter().collect();
        match loading.last.clone() {
            Some(last) => self.swap_in(&mut loading, last),
            None => Ok(()),
        }
    }

    /// Takes the units of an experiment that were exposed under allocations before number `through`, each as its keyed hash, the index of
    /// its variant and the number of the allocation; from now on that allocation decides here. What was known of the experiment before is
    /// forgotten.
    ///
    /// # Errors
    /// `InvalidArgument` when a unit's generation is above 255.
    pub fn keep_units(
        &self,
        experiment_id: &str,
        through: u32,
        units: impl ExactSizeIterator<Item = (i64, u16, u32)>,
    ) -> Result<()> {
        let kept = Kept::new(&self.key, experiment_id, through, units)?;
        let mut loading = self.loading.lock();
        loading.kept.insert(experiment_id.into(), Arc::new(kept));
        match loading.last.clone() {
            Some(last) => self.swap_in(&mut loading, last),
            None => Ok(()),
        }
    }

    /// Returns the number of the allocation up to which the units of an experiment are known; 0 where none are.
    pub fn kept_through(&self, experiment_id: &str) -> u32 {
        let loading = self.loading.lock();
        loading
            .kept
            .get(experiment_id)
            .map_or(0, |kept| kept.through)
    }

    fn swap_in(&self, loading: &mut Loading, sealed: Sealed) -> Result<()> {
        let loaded = self.current.load();
        let (registry, context) = (
            &mut loading.registry,
            snapshot::Context {
                held: &loading.held,
                kept: &loading.kept,
                forwarding: self.outbound.is_some(),
            },
        );
        let compiled =
            sealed
                .clone()
                .compile(loaded.as_deref(), registry, context, &self.limits)?;
        self.current.store(Some(Arc::new(compiled)));
        loading.last = Some(sealed);
        // Whoever waits looks at the snapshot with this lock held, so none can miss it.
        drop(self.swapped.0.lock());
        self.swapped.1.notify_all();
        Ok(())
    }

    /// Waits for a snapshot newer than version `than`, for at most `timeout`; returns it, or none.
    pub fn wait_for_snapshot(&self, than: u64, timeout: Duration) -> Option<Arc<Compiled>> {
        let newer = || self.snapshot().filter(|snapshot| snapshot.version > than);
        let mut waiting = self.swapped.0.lock();
        let found = newer();
        if found.is_some() {
            return found;
        }
        // One wait is enough: whoever wakes it without need is asked again by the caller.
        let _ = self.swapped.1.wait_for(&mut waiting, timeout);
        newer()
    }

    /// Takes over the snapshot of another engine, and what it knows of earlier ones.
    pub(crate) fn inherit(&self, other: &Self) {
        if let Some(known) = other.loading.try_lock() {
            self.loading.lock().clone_from(&known);
        }
        self.current.store(other.snapshot());
    }

    pub(crate) fn count(&self, counter: Counter, more: u64) {
        self.counters.add(counter, more);
    }

    /// Assigns one unit, and exposes it if asked to and possible; returns what `read` makes of the snapshot, its decision, and whether
    /// that counts as an exposure. The time is asked for only if it is needed.
    ///
    /// The snapshot is lent and not counted: all threads would write to the one count.
    ///
    /// # Errors
    /// `NotReady`; `InvalidArgument`, `NotFound` or `FailedPrecondition` with every violation.
    pub fn assign<T>(
        &self,
        question: &Question,
        expose: bool,
        now_ms: impl FnOnce() -> i64,
        read: impl FnOnce(&Arc<Compiled>, Decision, bool) -> T,
    ) -> Result<T> {
        let loaded = self.loaded();
        let snapshot = loaded.get()?;
        let mut problems = Problems::default();
        let decision = snapshot.decide(question, At::Alone, &self.limits, &mut problems);
        let decision = problems.resolve(decision)?;
        let exposed = self.answered(snapshot, &decision, question.unit, expose, now_ms);
        let exposed = self.kept(exposed).is_some();
        Ok(read(snapshot, decision, exposed))
    }

    /// Counts an answer and exposes its unit if asked to; returns whether it counts as an exposure, once [`Engine::kept`] agrees.
    ///
    /// When too many exposures wait for the database, or the log takes no more, assigning goes on: the answer says that it does not
    /// count, and so does a counter. An agent without an answer would be worse than an experiment with fewer units, and as neither looks at
    /// variants, their shares stay as they are.
    pub(crate) fn answered(
        &self,
        snapshot: &Compiled,
        decision: &Decision,
        unit: &str,
        expose: bool,
        now_ms: impl FnOnce() -> i64,
    ) -> Option<Appended> {
        self.counters.add(Counter::Assignments, 1);
        if !expose || !decision.exposes() {
            return None;
        }
        self.tell(snapshot, decision, unit, now_ms)
    }

    /// Exposes a unit; none, and counted, where that is not possible.
    pub(crate) fn tell(
        &self,
        snapshot: &Compiled,
        decision: &Decision,
        unit: &str,
        now_ms: impl FnOnce() -> i64,
    ) -> Option<Appended> {
        let exposed = self.expose(snapshot, decision, unit, now_ms).ok();
        self.counters
            .add(Counter::ExposuresDropped, u64::from(exposed.is_none()));
        exposed
    }

    /// Waits until an exposure may be acknowledged; none when it may not.
    pub(crate) fn kept(&self, exposed: Option<Appended>) -> Option<Appended> {
        exposed.filter(|appended| self.wait(*appended).is_ok())
    }

    /// Hands on the exposure of a unit, once.
    ///
    /// # Errors
    /// `ResourceExhausted` when too many wait for the database or the log is full; `Unavailable` when the log fails.
    pub(crate) fn expose(
        &self,
        snapshot: &Compiled,
        decision: &Decision,
        unit: &str,
        now_ms: impl FnOnce() -> i64,
    ) -> Result<Appended> {
        let Some(arm) = decision.arm else {
            return Ok(Appended::Nothing);
        };
        if self.aggregate.is_exposed(decision.fingerprint) {
            return Ok(Appended::Exposures);
        }
        if let Some(outbound) = &self.outbound {
            self.forward_exposure(outbound, snapshot, decision, unit, now_ms())?;
            return Ok(Appended::Nothing);
        }
        let experiment = snapshot.experiment(arm.experiment);
        let day = utc_day(now_ms());
        let exposure = Exposure {
            experiment_id: Arc::clone(&experiment.id),
            unit_hash: self.key.experiment(&experiment.id).hash(unit),
            fingerprint: decision.fingerprint,
            variant: arm.variant,
            bucket: decision.bucket,
            generation: decision.generation,
            day,
        };
        let _gate = self.gate.pass();
        let (appended, new) = self.take(&[], vec![exposure], (&Delivery::Anonymous, 0), day)?;
        self.counters.add(Counter::Exposures, new as u64);
        Ok(appended)
    }

    /// Appends effects and then applies them; the gate is held. Returns what to wait for, and how many exposures were new.
    fn take(
        &self,
        steps: &[Step],
        exposures: Vec<Exposure>,
        claim: (&Delivery, i64),
        day: i32,
    ) -> Result<(Appended, usize)> {
        if steps.is_empty() && exposures.is_empty() && *claim.0 == Delivery::Anonymous {
            return Ok((Appended::Nothing, 0));
        }
        let room = self.aggregate.reserve(steps, exposures, &self.limits)?;
        let mut appended = Appended::Nothing;
        if let Some(log) = &self.log {
            let lsn = log.append(|body| {
                log::encode_effects(body, day, claim, steps, room.exposures());
            })?;
            if !room.exposures().is_empty() {
                log.told_exposure(lsn);
            }
            appended = Appended::Record(lsn);
        }
        Ok((appended, room.apply()))
    }

    /// Returns once what was appended may be acknowledged.
    ///
    /// # Errors
    /// `Unavailable` when the log could not be synced; what was appended then counts or not, and the same call may be sent again.
    pub(crate) fn wait(&self, appended: Appended) -> Result<()> {
        match (&self.log, appended) {
            (None, _) | (_, Appended::Nothing) => Ok(()),
            (Some(log), Appended::Record(lsn)) => log.wait(lsn),
            (Some(log), Appended::Exposures) => log.wait_for_exposures(),
        }
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
        (outcomes, exposed): (&[Outcome], &[ExposedUnit]),
        delivery: Delivery,
        now_ms: i64,
    ) -> Result<RecordResponse> {
        if let Some(outbound) = &self.outbound {
            return self.forward(outbound, plan, (outcomes, exposed), delivery, now_ms);
        }
        let day = utc_day(now_ms);
        let gate = self.gate.pass();
        let at_ms = match delivery {
            Delivery::Anonymous => 0,
            _ => self.dedup.age(now_ms),
        };
        let claim = self.dedup.claim(delivery, at_ms, &self.limits);
        // Before the problems: a call that was applied stays applied, even if it would be refused by now, its experiment gone.
        if let Ok(Claim::Duplicate) = claim {
            drop(gate);
            // The first arrival may still be waiting; this one must not be acknowledged before it.
            self.log.as_ref().map_or(Ok(()), Log::wait_for_all)?;
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
            if !plan.refused.is_empty() {
                // Where there is no room for another cell, the counter has to do.
                let _ = self.take(&plan.refused, Vec::new(), (&Delivery::Anonymous, 0), day);
            }
        }
        plan.problems.into_result()?;
        let pending = claim?;
        let claim = (&delivery, at_ms);
        let (appended, new) = self.take(&plan.steps, plan.exposures, claim, day)?;
        if let Claim::New(pending) = pending {
            pending.applied();
        }
        drop(gate);
        self.wait(appended)?;
        self.count_recorded(&plan.response, new);
        Ok(plan.response)
    }

    /// Counts a call that was applied, and the units that it exposed.
    pub(crate) fn count_recorded(&self, response: &RecordResponse, exposed: usize) {
        self.counters.add_all([
            (Counter::CallsRecorded, 1),
            (Counter::Exposures, exposed as u64),
            (Counter::Observations, response.accepted.into()),
            (Counter::Late, response.late.into()),
            (Counter::Ignored, response.ignored.into()),
            (Counter::Clamped, response.clamped.into()),
        ]);
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
            (
                "log_bytes",
                self.log.as_ref().map_or(0, |log| log.bytes() as usize),
            ),
            (
                "outbound_items",
                self.outbound.as_ref().map_or(0, Outbound::items),
            ),
        ];
        let counted = Counter::ALL
            .into_iter()
            .map(|(counter, name)| (name, self.counters.get(counter)));
        counted
            .chain(held.map(|(name, count)| (name, count as u64)))
            .collect()
    }
}
