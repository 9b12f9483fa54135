//! One sidecar with its disk, its clients and its database, and everything that can happen to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sortition_core::engine::{Batch, Engine};
use sortition_core::error::Error;
use sortition_core::limits::Limits;
use sortition_core::log::{Ack, Options};
use sortition_core::wire::v1::{MetricKind, SnapshotExperiment};

use crate::chance::Chance;
use crate::clients::{Clients, Fate, PAIRS};
use crate::common::{self, KEY, NOW};
use crate::database::{Database, content};
use crate::disk::{Crash, SimDisk};

/// Attempts to start, after which something is wrong that does not pass.
const STARTS: usize = 40;
/// How long a sidecar does not look at its clock, at most.
const LOOK_MS: i64 = 20_000;
/// Cells that may wait for the database, where that is bounded tightly.
const FEW_CELLS: usize = 48;

/// What went wrong: the run ends with it.
pub type Verdict<T = ()> = Result<T, String>;

/// What happened in a run, to see that the faults were there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub calls: u64,
    pub outcomes: u64,
    pub process_crashes: u64,
    pub power_losses: u64,
    pub failed_operations: u64,
    pub batches: u64,
    pub duplicates: u64,
    pub flips: u64,
    pub flips_detected: u64,
    pub restores: u64,
    pub restores_refused: u64,
    pub refused_calls: u64,
    pub operations: u64,
}

/// A unit that was assigned, and what its exposure may have come to.
#[derive(Clone, Debug)]
pub struct Seen {
    pub unit: String,
    pub fate: Fate,
    pub days: BTreeSet<i32>,
}

/// A running process.
pub struct Process {
    pub engine: Engine,
    /// Whether the engine knows what the database has.
    pub resumed: bool,
    /// Whether it said that it records nothing any more.
    pub stopped: bool,
    /// How many operations had failed by faults when it started.
    pub injected_before: u64,
}

pub struct World {
    pub chance: Chance,
    pub disk: SimDisk,
    pub options: Options,
    pub limits: Limits,
    pub process: Option<Process>,
    pub clients: Clients,
    pub seen: Vec<Seen>,
    pub database: Database,
    /// Every batch that was handed out, by its number.
    pub sealed: BTreeMap<u64, Vec<String>>,
    pub now_ms: i64,
    /// The time that passed, whatever the clock was set to meanwhile.
    pub steady_ms: i64,
    pub tally: Tally,
    /// Whether nothing goes wrong any more.
    pub calm: bool,
    boots: u8,
    /// Whether the machine lost power and no process has started since: the end of the log may be missing.
    lost_power: bool,
    trace: Option<Vec<String>>,
}

impl World {
    pub fn new(seed: u64, traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let disk = SimDisk::new(Chance::new(seed ^ 0xd15c), traced);
        let options = Options {
            ack: *chance.pick(&[Ack::Written, Ack::Fsynced]),
            identity: [7; 16],
            boot: [1; 16],
            segment_bytes: *chance.pick(&[1 << 11, 1 << 13, 1 << 15, 1 << 20]),
            max_bytes: *chance.pick(&[1 << 19, 1 << 22]),
            retain_bytes: *chance.pick(&[0, 1 << 14, 1 << 20]),
        };
        let mut limits = Limits::default();
        if chance.percent(20) {
            limits.live_cells = FEW_CELLS;
        }
        if chance.percent(20) {
            limits.idempotency_keys = 4;
        }
        let clients = Clients::new(1 + chance.below(3));
        Self {
            chance,
            disk,
            options,
            limits,
            process: None,
            clients,
            seen: Vec::new(),
            database: Database::default(),
            sealed: BTreeMap::new(),
            now_ms: NOW,
            steady_ms: 0,
            tally: Tally::default(),
            calm: false,
            boots: 1,
            lost_power: false,
            trace: traced.then(Vec::new),
        }
    }

    pub fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.extend(
                self.disk
                    .diary()
                    .iter()
                    .map(|done| format!("        {done}")),
            );
            trace.push(what());
        }
    }

    pub fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Lets time pass, in which the sidecar looks at its clock now and then.
    pub fn pass_time(&mut self, ms: i64) {
        let mut left = ms;
        while left > 0 {
            let some = left.min(LOOK_MS);
            left -= some;
            self.now_ms += some;
            self.steady_ms += some;
            if let Some(process) = &self.process {
                process.engine.age(self.now_ms);
            }
        }
    }

    /// Whether the process said that it records nothing any more.
    pub fn has_stopped(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.stopped)
    }

    /// Everything that was acknowledged before survives a loss of power from now on.
    pub fn all_durable(&mut self) {
        for fate in self.fates() {
            if *fate == Fate::Written {
                *fate = Fate::Durable;
            }
        }
    }

    fn fates(&mut self) -> impl Iterator<Item = &mut Fate> {
        let calls = self.clients.calls.iter_mut().map(|call| &mut call.fate);
        calls.chain(self.seen.iter_mut().map(|seen| &mut seen.fate))
    }

    /// Whether an operation of this process failed by a fault, so that it may say that it cannot go on.
    pub fn excused(&self) -> bool {
        let (injected, _) = self.disk.counts();
        let failed = self
            .process
            .as_ref()
            .is_none_or(|process| injected > process.injected_before);
        failed || self.disk.is_full()
    }

    /// Ends the process, if it did not end by itself.
    pub fn crash(&mut self, crash: Crash) {
        let crash = match self.disk.crashed() {
            Some(Crash::Power) => Crash::Power,
            _ => crash,
        };
        self.process = None;
        self.lost_power |= crash == Crash::Power;
        if crash == Crash::Power {
            self.tally.power_losses += 1;
            self.boots += 1;
            self.options.boot = [self.boots; 16];
            for fate in self.fates() {
                if *fate == Fate::Written {
                    *fate = Fate::InDoubt;
                }
            }
        } else {
            self.tally.process_crashes += 1;
        }
        self.disk = self.disk.restart(crash);
        self.note(|| format!("{crash:?} crash"));
        let files = self.trace.is_some().then(|| self.disk.listing());
        if let Some(files) = files {
            self.note(|| files);
        }
    }

    /// Starts a process, however often it takes.
    pub fn start(&mut self) -> Verdict {
        for _ in 0..STARTS {
            if self.process.is_some() {
                return Ok(());
            }
            self.try_start()?;
        }
        Err("it does not start".to_owned())
    }

    fn try_start(&mut self) -> Verdict {
        // Behind a loss of power the end of the log may be missing, so that not all damage to it can be told from that.
        let flipped = if !self.calm && self.chance.percent(3) && !self.lost_power {
            self.disk.flip(&mut self.chance)
        } else {
            None
        };
        if let Some(place) = &flipped {
            self.tally.flips += 1;
            self.note(|| format!("a bit of {place:?} flips"));
        }
        let injected_before = self.disk.counts().0;
        let disk = Arc::new(self.disk.clone());
        let opened = Engine::open(KEY, self.limits.clone(), disk, self.options.clone());
        if let Some(place) = &flipped {
            self.disk.unflip(place);
        }
        match opened {
            Ok((engine, recovery)) => {
                self.lost_power = false;
                self.note(|| format!("started: {recovery:?}"));
                if self.disk.crashed().is_some() {
                    self.crash(Crash::Process);
                    return Ok(());
                }
                let loaded = engine.load_snapshot(&snapshot());
                if loaded != Ok(true) {
                    return Err(format!("the snapshot was not loaded: {loaded:?}"));
                }
                self.process = Some(Process {
                    engine,
                    resumed: false,
                    stopped: false,
                    injected_before,
                });
                self.resume()
            }
            Err(error) => {
                self.note(|| format!("did not start: {error}"));
                let damaged = matches!(error, Error::DataLoss(_));
                if self.disk.crashed().is_some() {
                    self.crash(Crash::Process);
                    Ok(())
                } else if flipped.is_some() {
                    self.tally.flips_detected += u64::from(damaged);
                    self.crash(Crash::Process);
                    Ok(())
                } else if !damaged
                    && (self.disk.counts().0 > injected_before || self.disk.is_full())
                {
                    self.disk.plan(|faults| faults.capacity = None);
                    self.crash(Crash::Process);
                    Ok(())
                } else {
                    Err(format!("it refuses to start without a reason: {error}"))
                }
            }
        }
    }

    /// Tells the engine what the database has, where the database can be reached.
    pub fn resume(&mut self) -> Verdict {
        let Some(high_water) = self.database.high_water() else {
            return Ok(());
        };
        let Some(process) = self.process.as_mut().filter(|process| !process.resumed) else {
            return Ok(());
        };
        let done = process.engine.resume(high_water);
        process.resumed = done.is_ok();
        self.note(|| format!("resume after batch {high_water}: {done:?}"));
        match done {
            Ok(()) if self.disk.crashed().is_some() => self.crash(Crash::Process),
            Ok(()) => {}
            Err(_) if self.disk.crashed().is_some() => self.crash(Crash::Process),
            Err(Error::FailedPrecondition(_) | Error::DataLoss(_))
                if self.database.undo_restore() =>
            {
                self.tally.restores_refused += 1;
                self.note(|| "an operator brings back the newest database".to_owned());
                self.crash(Crash::Process);
            }
            Err(_) if self.excused() => self.crash(Crash::Process),
            Err(error) => {
                return Err(format!(
                    "it does not go on after batch {high_water}: {error}"
                ));
            }
        }
        Ok(())
    }

    /// Checks a batch that was handed out against what was handed out under its number before.
    pub fn check_batch(&mut self, batch: &Batch) -> Verdict {
        let says = content(batch);
        match self.sealed.get(&batch.number) {
            Some(before) if *before != says => Err(format!(
                "batch {} changed after it was handed out:\n{before:?}\n{says:?}",
                batch.number
            )),
            Some(_) => Ok(()),
            None => {
                self.sealed.insert(batch.number, says);
                self.tally.batches += 1;
                self.hand_out(batch)
            }
        }
    }

    /// Checks that neither the disk nor the memory is used beyond its bounds.
    pub fn check_bounds(&self) -> Verdict {
        let used = self.disk.used(".log") as u64;
        // A segment that is being replaced is there twice, and the next one is made ahead.
        let most = self.options.max_bytes + self.options.segment_bytes + (1 << 18);
        if used > most {
            return Err(format!(
                "the log uses {used} bytes of at most {most}: {}",
                self.disk.listing()
            ));
        }
        let Some(process) = &self.process else {
            return Ok(());
        };
        // A batch that was committed just before a crash comes back beside the open one until it is known that the database has it; and
        // where an older copy of the database was restored, so do all that it lacks.
        let again = 2 + 10 * self.tally.restores as usize;
        for (name, limit) in [
            ("live_cells", again * self.limits.live_cells),
            // What is forgotten to make room is not in the log, so that replaying may bring one of the forgotten back.
            ("idempotency_keys", self.limits.idempotency_keys + 1),
            ("dedup_clients", self.limits.dedup_clients),
            ("pending_exposures", self.limits.pending_exposures),
        ] {
            let held = common::counter(&process.engine, name);
            if held > limit as u64 {
                return Err(format!("{name} is {held}, beyond {limit}"));
            }
        }
        Ok(())
    }
}

/// The experiments: one that assigns, and one whose variants are named by the caller.
fn snapshot() -> Vec<u8> {
    let experiment = |key: &str, external: bool| {
        let metric =
            |side: &str, pair| common::metric(&format!("{side}-{pair}"), MetricKind::Continuous);
        let pairs = (0..PAIRS).flat_map(|pair| [metric("left", pair), metric("right", pair)]);
        let made = common::segmented(key);
        SnapshotExperiment {
            external_assignment: external,
            allocations: if external {
                Vec::new()
            } else {
                made.allocations.clone()
            },
            metrics: pairs.collect(),
            ..made
        }
    };
    let experiments = vec![experiment("running", false), experiment("external", true)];
    common::snapshot(1, &common::content(experiments))
}
