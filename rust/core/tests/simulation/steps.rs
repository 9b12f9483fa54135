//! What happens next.

use prost::Message;
use sortition_core::dedup::KEY_TTL_MS;
use sortition_core::error::Error;
use sortition_core::log::Ack;
use sortition_core::wire::v1::{AssignResponse, RecordBatchRequest, RecordRequest, RecordResponse};

use crate::clients::{Fate, Way};
use crate::common;
use crate::database::Applied;
use crate::disk::Crash;
use crate::world::{Seen, Verdict, World};

const DAY_MS: i64 = 86_400_000;
/// What a step of the clock may count for at most.
const STEP_MS: i64 = 60_000;
const CRASHES: [Crash; 2] = [Crash::Process, Crash::Power];
/// Units that are assigned.
const UNITS: usize = 16;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Call,
    Retry,
    Stray,
    Assign,
    Tend,
    Flush,
    KillProcess,
    LosePower,
    CrashSoon,
    PassTime,
    SetClock,
    DatabaseAway,
    LoseReply,
    BackUp,
    Restore,
    FillDisk,
    FailSoon,
    StopCleanly,
}

/// Each with its weight, and whether a run may be without it.
pub const STEPS: [(Step, usize, bool); 18] = [
    (Step::Call, 40, false),
    (Step::Retry, 16, false),
    (Step::Stray, 8, true),
    (Step::Assign, 8, true),
    (Step::Tend, 10, false),
    (Step::Flush, 14, false),
    (Step::KillProcess, 3, true),
    (Step::LosePower, 3, true),
    (Step::CrashSoon, 6, true),
    (Step::PassTime, 4, false),
    (Step::SetClock, 3, true),
    (Step::DatabaseAway, 4, true),
    (Step::LoseReply, 3, true),
    (Step::BackUp, 3, true),
    (Step::Restore, 2, true),
    (Step::FillDisk, 3, true),
    (Step::FailSoon, 4, true),
    (Step::StopCleanly, 1, true),
];

impl World {
    /// Does one step.
    pub fn step(&mut self, step: Step) -> Verdict {
        // Who watches over a sidecar restarts one that ended itself.
        if self.has_stopped() && self.chance.percent(20) {
            self.crash(Crash::Process);
        }
        self.start()?;
        let ms = self.chance.between(0, 40);
        self.pass_time(ms);
        match step {
            Step::Call => {
                if let Some(call) = self.clients.make(&mut self.chance) {
                    // Some never arrive, the first time.
                    if !self.chance.percent(5) {
                        self.send(call, false)?;
                    }
                }
            }
            Step::Retry => {
                let pending = self.pending();
                if !pending.is_empty() {
                    let call = *self.chance.pick(&pending);
                    self.send(call, false)?;
                }
            }
            Step::Stray => self.stray()?,
            Step::Assign => self.assign()?,
            Step::Tend => self.tend()?,
            Step::Flush => self.flush()?,
            Step::KillProcess => self.crash(Crash::Process),
            Step::LosePower => self.crash(Crash::Power),
            Step::CrashSoon => {
                let plan = (self.chance.below(12), *self.chance.pick(&CRASHES));
                self.disk.plan(|faults| faults.crash_in = Some(plan));
                // Most operations are done where batches and segments change.
                match self.chance.below(4) {
                    0 => self.tend()?,
                    1 => self.flush()?,
                    _ => {}
                }
            }
            Step::PassTime => {
                let ms = self.chance.between(1, 5 * 60 * 1000);
                self.pass_time(ms);
            }
            Step::SetClock => {
                let hours = *self.chance.pick(&[-25, -1, 1, 25]);
                self.now_ms += hours * 3_600_000;
                // A sidecar cannot tell a step forward from a pause of its own, and takes it for a short one.
                self.steady_ms += if hours > 0 { STEP_MS } else { 0 };
                self.note(|| format!("the clock steps by {hours} h"));
            }
            Step::DatabaseAway => self.database.away = !self.database.away,
            Step::LoseReply => self.database.lose_reply = true,
            Step::BackUp => self.database.back_up(),
            Step::Restore => self.restore(),
            Step::FillDisk => self.fill_disk(),
            Step::FailSoon => self.fail_soon(),
            Step::StopCleanly => {
                self.drain()?;
                self.crash(Crash::Process);
            }
        }
        if self.disk.crashed().is_some() {
            self.crash(Crash::Process);
        }
        self.check_bounds()
    }

    fn pending(&self) -> Vec<usize> {
        let calls = self.clients.calls.iter().enumerate();
        calls
            .filter(|(_, call)| call.pending)
            .map(|(index, _)| index)
            .collect()
    }

    /// Delivers once more a copy of a call that was under way for long.
    fn stray(&mut self) -> Verdict {
        let sent = self.clients.calls.iter().enumerate().filter(|(_, call)| {
            call.arrived.is_some()
                && call.way != Way::Anonymous
                && self.within_ttl(call.arrived, &call.way)
        });
        let sent: Vec<usize> = sent.map(|(index, _)| index).collect();
        if sent.is_empty() {
            return Ok(());
        }
        let call = *self.chance.pick(&sent);
        self.send(call, true)
    }

    /// Whether a key that came first at some time is still remembered, whatever the clock did since.
    fn within_ttl(&self, arrived: Option<i64>, way: &Way) -> bool {
        match (arrived, way) {
            (Some(first), Way::Keyed(_)) => self.steady_ms - first <= KEY_TTL_MS,
            _ => true,
        }
    }

    /// Sends a call, and notes what its client then knows.
    pub fn send(&mut self, index: usize, stray: bool) -> Verdict {
        self.start()?;
        let call = &self.clients.calls[index];
        if !self.within_ttl(call.arrived, &call.way) {
            // Its client gives up: the key may be forgotten.
            self.clients.calls[index].pending = false;
            return Ok(());
        }
        let delivery = Some(self.clients.delivery(index, stray));
        let outcomes = self.clients.calls[index].outcomes.clone();
        let call = &mut self.clients.calls[index];
        call.days.insert(self.now_ms.div_euclid(DAY_MS) as i32);
        call.arrived.get_or_insert(self.steady_ms);
        let count = outcomes.len();
        let Some(process) = &self.process else {
            return Ok(());
        };
        let engine = &process.engine;
        let answer = if let [outcome] = &outcomes[..] {
            let outcome = Some(outcome.clone());
            engine.record_message(
                &RecordRequest { outcome, delivery }.encode_to_vec(),
                self.now_ms,
            )
        } else {
            engine.record_batch_message(
                &RecordBatchRequest {
                    outcomes,
                    delivery,
                    ..RecordBatchRequest::default()
                }
                .encode_to_vec(),
                self.now_ms,
            )
        };
        let answer = answer.and_then(|bytes| {
            RecordResponse::decode(bytes.as_slice())
                .map_err(|error| Error::Internal(error.to_string()))
        });
        self.tally.calls += 1;
        let way = self.clients.calls[index].way.clone();
        self.note(|| format!("call {index} {way:?} stray {stray}: {answer:?}"));

        if self.disk.crashed().is_some() {
            self.leave_in_doubt(index);
            self.crash(Crash::Process);
            return Ok(());
        }
        self.take_answer(index, answer, count, stray)
    }

    fn leave_in_doubt(&mut self, index: usize) {
        let call = &mut self.clients.calls[index];
        if call.fate == Fate::Unsent {
            call.fate = Fate::InDoubt;
        }
        // Nobody could tell its retry from another call.
        call.pending &= call.way != Way::Anonymous;
    }

    fn take_answer(
        &mut self,
        index: usize,
        answer: Result<RecordResponse, Error>,
        count: usize,
        stray: bool,
    ) -> Verdict {
        let excused = self.excused();
        let fate = self.clients.calls[index].fate;
        match answer {
            Ok(answer) => {
                let known = matches!(fate, Fate::Written | Fate::Durable);
                if known && !answer.duplicate {
                    return Err(format!(
                        "call {index} was counted again after it was acknowledged"
                    ));
                }
                if fate == Fate::Unsent && answer.duplicate {
                    return Err(format!(
                        "call {index} is new, but was taken for a duplicate"
                    ));
                }
                if self.has_stopped() && !answer.duplicate {
                    return Err(format!(
                        "call {index} was acknowledged after recording had stopped"
                    ));
                }
                if !answer.duplicate && answer.accepted as usize != 2 * count {
                    return Err(format!(
                        "call {index} of {count} outcomes was answered with {answer:?}"
                    ));
                }
                self.tally.duplicates += u64::from(answer.duplicate);
                // The answer may get lost on its way.
                if stray || (!self.calm && self.chance.percent(12)) {
                    self.leave_in_doubt(index);
                    return Ok(());
                }
                let promised = self.promised();
                let call = &mut self.clients.calls[index];
                call.pending = false;
                if call.fate != Fate::Durable {
                    call.fate = promised;
                }
                self.tally.outcomes += count as u64;
            }
            // Nothing changed, and the same call may come again.
            Err(Error::ResourceExhausted(_)) => self.tally.refused_calls += 1,
            Err(Error::Unavailable(why)) if excused => {
                self.tally.refused_calls += 1;
                self.heed(&why);
                self.leave_in_doubt(index);
            }
            Err(error) => {
                return Err(format!(
                    "call {index} was refused without a reason: {error}"
                ));
            }
        }
        Ok(())
    }

    /// Notes when the sidecar says that it has to be restarted.
    fn heed(&mut self, why: &str) {
        if let Some(process) = &mut self.process {
            process.stopped |= why.contains("nothing is recorded any more");
        }
    }

    /// What an acknowledgement promises.
    fn promised(&self) -> Fate {
        match self.options.ack {
            Ack::Written => Fate::Written,
            Ack::Fsynced => Fate::Durable,
        }
    }

    fn assign(&mut self) -> Verdict {
        let unit = format!("seen-{}", self.chance.below(UNITS));
        self.assign_unit(&unit).map(|_| ())
    }

    /// Assigns a unit; returns whether it counts as exposed, if there was an answer.
    pub fn assign_unit(&mut self, unit: &str) -> Verdict<Option<bool>> {
        let day = self.now_ms.div_euclid(DAY_MS) as i32;
        let Some(process) = &self.process else {
            return Ok(None);
        };
        let request = common::by_key("running", unit).encode_to_vec();
        let answer = process.engine.assign_message(&request, self.now_ms);
        self.note(|| format!("assign {unit}: {}", answer.is_ok()));
        let crashed = self.disk.crashed().is_some();
        let exposed = match answer {
            Ok(bytes) => {
                AssignResponse::decode(bytes.as_slice()).is_ok_and(|answer| answer.exposed)
            }
            Err(_) if crashed => false,
            Err(error) => return Err(format!("assigning failed: {error}")),
        };
        let fate = match (crashed, exposed) {
            (false, true) => self.promised(),
            _ => Fate::InDoubt,
        };
        let place = match self.seen.iter().position(|seen| seen.unit == unit) {
            Some(place) => place,
            None => {
                let (unit, fate, days) = (unit.to_owned(), Fate::Unsent, [day].into());
                self.seen.push(Seen { unit, fate, days });
                self.seen.len() - 1
            }
        };
        let seen = &mut self.seen[place];
        seen.days.insert(day);
        if matches!(seen.fate, Fate::Unsent | Fate::InDoubt) {
            seen.fate = fate;
        }
        if crashed {
            self.crash(Crash::Process);
            return Ok(None);
        }
        Ok(Some(exposed))
    }

    /// Does what is done every fifth of a second.
    pub fn tend(&mut self) -> Verdict {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let done = process.engine.tend();
        self.note(|| format!("tend: {done:?}"));
        if self.disk.crashed().is_some() {
            self.crash(Crash::Process);
            return Ok(());
        }
        match done {
            Ok(()) => self.all_durable(),
            Err(Error::Unavailable(why)) if self.excused() => self.heed(&why),
            Err(Error::ResourceExhausted(_)) => {}
            Err(error) => return Err(format!("tending failed without a reason: {error}")),
        }
        Ok(())
    }

    /// Seals a batch, brings it into the database, and lets go of it.
    pub fn flush(&mut self) -> Verdict {
        self.resume()?;
        let Some(process) = self.process.as_ref().filter(|process| process.resumed) else {
            return Ok(());
        };
        let sealed = process.engine.seal();
        self.note(|| {
            format!(
                "seal: {:?}",
                sealed
                    .as_ref()
                    .map(|batch| batch.as_ref().map(|batch| batch.number))
            )
        });
        if self.disk.crashed().is_some() {
            // It may be known to the log, but nobody has it.
            self.crash(Crash::Process);
            return Ok(());
        }
        let batch = match sealed {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(()),
            Err(Error::ResourceExhausted(_)) => return Ok(()),
            Err(Error::Unavailable(why)) if self.excused() => {
                self.heed(&why);
                return Ok(());
            }
            Err(error) => return Err(format!("sealing failed without a reason: {error}")),
        };
        self.check_batch(&batch)?;
        if !self.calm && self.chance.percent(4) {
            let crash = *self.chance.pick(&CRASHES);
            self.crash(crash);
            return Ok(());
        }
        let applied = self.database.apply(&batch);
        self.note(|| format!("apply batch {}: {applied:?}", batch.number));
        match applied {
            Applied::Unavailable => return Ok(()),
            Applied::Gap if self.database.is_restored() => {
                // The flusher says so, and whoever runs the sidecar restarts it.
                self.crash(Crash::Process);
                return Ok(());
            }
            Applied::Gap => return Err(format!("batch {} skips others", batch.number)),
            Applied::Yes => self.database.accept_restore(),
        }
        if !self.calm && self.chance.percent(4) {
            let crash = *self.chance.pick(&CRASHES);
            self.crash(crash);
            return Ok(());
        }
        let Some(process) = &self.process else {
            return Ok(());
        };
        let done = process.engine.commit(batch.number);
        self.note(|| format!("commit batch {}: {done:?}", batch.number));
        match done {
            _ if self.disk.crashed().is_some() => self.crash(Crash::Process),
            Err(error) if !self.excused() => return Err(format!("committing failed: {error}")),
            _ => {}
        }
        Ok(())
    }

    fn restore(&mut self) {
        if self.database.restore() {
            self.tally.restores += 1;
            let high_water = self.database.rows.high_water;
            self.note(|| format!("the database is restored as it was at batch {high_water}"));
            // What comes behind may be cut into batches anew.
            self.sealed.split_off(&(high_water + 1));
        }
    }

    fn fill_disk(&mut self) {
        let (room, is_full) = (self.chance.below(3_000), self.disk.is_full());
        let used = self.disk.used("");
        self.disk.plan(|faults| {
            faults.capacity = if is_full || faults.capacity.is_some() {
                None
            } else {
                Some(used + room)
            };
        });
        self.note(|| format!("the disk is full: {}", !is_full));
    }

    fn fail_soon(&mut self) {
        let (kind, at) = (self.chance.below(4), self.chance.below(6));
        self.note(|| format!("failure {kind} in {at}"));
        let short = 10 + self.chance.below(60);
        self.disk.plan(|faults| match kind {
            0 => faults.fail_append = Some(at),
            1 => faults.fail_sync = Some(at),
            2 => faults.fail_other = Some(at),
            _ => faults.short_appends = short,
        });
    }

    /// Flushes until nothing is left, unless the database is away.
    fn drain(&mut self) -> Verdict {
        for _ in 0..4 {
            if self.process.is_some() && !self.database.away {
                self.flush()?;
            }
        }
        Ok(())
    }
}
