//! Whether everything that was promised came true.

use std::collections::BTreeMap;

use sortition_core::engine::Batch;
use sortition_core::hash::exposure_hash;
use sortition_core::level::EVERYONE;

use crate::clients::{DIGITS, Fate, PAIRS, levels, unit, weight};
use crate::common::KEY;
use crate::database::Rows;
use crate::disk::{Crash, Faults};
use crate::world::{Verdict, World};

/// Rounds after which what is still not settled never will be.
const ROUNDS: usize = 60;
/// The id of the experiment that assigns.
const RUNNING: &str = "id-of-running";
/// The levels of both dimensions, "other" included.
const LEVELS: u8 = 5;
/// Longer than a key is remembered.
const LATER_MS: i64 = 11 * 60 * 1000;

impl World {
    /// Ends every fault, sends again whatever got no answer, flushes, and compares.
    pub fn settle(&mut self) -> Verdict {
        self.disk.plan(|faults| *faults = Faults::default());
        self.calm = true;
        self.database.away = false;
        self.database.lose_reply = false;
        let mut exposed = None;
        for round in 0.. {
            if round == ROUNDS {
                return Err(format!("it does not come to rest: {}", self.disk.listing()));
            }
            if self.has_stopped() {
                self.crash(Crash::Process);
            }
            self.start()?;
            self.resume()?;
            // Something is always new, so that a database restored from an older copy is noticed.
            if exposed != Some(true) {
                exposed = self.assign_unit("the last one")?;
            }
            let pending: Vec<usize> = (0..self.clients.calls.len())
                .filter(|index| self.clients.calls[*index].pending)
                .collect();
            for call in &pending {
                self.send(*call, false)?;
            }
            self.tend()?;
            self.flush()?;
            self.check_bounds()?;
            // Keys that are remembered make room for others.
            if round > ROUNDS / 2 {
                self.pass_time(LATER_MS);
            }
            let idle = self.process.as_ref().is_some_and(|process| {
                process.resumed && !process.stopped && matches!(process.engine.seal(), Ok(None))
            });
            if idle && pending.is_empty() && exposed == Some(true) {
                break;
            }
        }
        self.compare()?;
        // What is in the database does not come back with another start.
        self.crash(Crash::Process);
        self.start()?;
        self.flush()?;
        self.flush()?;
        self.compare()
    }

    /// Notes that what is in a batch survives a loss of power, for whoever has the batch may have stored it.
    pub fn hand_out(&mut self, batch: &Batch) -> Verdict {
        let mut rows = Rows::default();
        rows.merge(batch);
        let counted = counted(&rows)?;
        for call in &mut self.clients.calls {
            if call.fate == Fate::Written
                && call
                    .digits
                    .clone()
                    .all(|digit| counted.contains_key(&digit))
            {
                call.fate = Fate::Durable;
            }
        }
        for seen in &mut self.seen {
            let hash = exposure_hash(KEY, RUNNING, &seen.unit);
            if seen.fate == Fate::Written
                && rows.exposures.contains_key(&(RUNNING.to_owned(), hash))
            {
                seen.fate = Fate::Durable;
            }
        }
        Ok(())
    }

    fn compare(&self) -> Verdict {
        let counted = counted(&self.database.rows)?;
        for (index, call) in self.clients.calls.iter().enumerate() {
            let mut found = call
                .digits
                .clone()
                .map(|digit| counted.get(&digit).cloned().unwrap_or_default());
            let first = found.next().unwrap_or_default();
            if found.any(|other| other != first) {
                return Err(format!("call {index} was applied in part: {call:?}"));
            }
            let times: u64 = first.values().sum();
            let fits = match call.fate {
                Fate::Unsent => times == 0,
                Fate::InDoubt => times <= 1,
                Fate::Written | Fate::Durable => times == 1,
            };
            if !fits {
                return Err(format!("call {index} is counted {times} times: {call:?}"));
            }
            if let Some(day) = first.keys().find(|day| !call.days.contains(day)) {
                return Err(format!("call {index} is counted on day {day}: {call:?}"));
            }
        }
        self.compare_exposures()
    }

    fn compare_exposures(&self) -> Verdict {
        let mut left = self.database.rows.exposures.clone();
        for seen in &self.seen {
            let hash = exposure_hash(KEY, RUNNING, &seen.unit);
            let found = left.remove(&(RUNNING.to_owned(), hash));
            let owed = matches!(seen.fate, Fate::Written | Fate::Durable);
            if found.is_none() && owed {
                return Err(format!("the exposure of {seen:?} is lost"));
            }
            if found.is_some_and(|(_, day)| !seen.days.contains(&day)) {
                return Err(format!("{seen:?} was exposed on another day: {found:?}"));
            }
        }
        for call in self.clients.calls.iter().filter(|call| call.external) {
            for digit in call.digits.clone() {
                let hash = exposure_hash(KEY, "id-of-external", &unit(digit));
                let found = left.remove(&("id-of-external".to_owned(), hash));
                if found.is_none() && matches!(call.fate, Fate::Written | Fate::Durable) {
                    return Err(format!("the exposure of {} is lost", unit(digit)));
                }
            }
        }
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("units are exposed that nobody assigned: {left:?}"))
        }
    }
}

/// How often each outcome is counted, by day.
type Counted = BTreeMap<usize, BTreeMap<i32, u64>>;

/// Returns how often each outcome is counted, for everyone and just so at its levels.
fn counted(rows: &Rows) -> Verdict<Counted> {
    let everyone = counted_at(rows, EVERYONE)?;
    for level in 1..=LEVELS {
        let mut expected = everyone.clone();
        expected.retain(|digit, _| levels(*digit).contains(&level));
        let found = counted_at(rows, level)?;
        if found != expected {
            return Err(format!(
                "level {level} counts {found:?} and has to count {expected:?}"
            ));
        }
    }
    match rows.cells.keys().find(|address| address.4 > LEVELS) {
        Some(address) => Err(format!("{address:?} is at no level")),
        None => Ok(everyone),
    }
}

fn counted_at(rows: &Rows, level: u8) -> Verdict<Counted> {
    let mut sums: BTreeMap<(u16, i32), (u64, u64)> = BTreeMap::new();
    for ((_, _, metric, day, at), stored) in &rows.cells {
        if *at != level {
            continue;
        }
        if (stored.late, stored.refused) != (0, 0) {
            return Err(format!(
                "nothing was late or refused, but {stored:?} is stored"
            ));
        }
        let (n, sum) = sums.entry((*metric, *day)).or_default();
        *n += stored.n;
        *sum += stored.sum;
    }
    let mut counted = Counted::new();
    for pair in 0..PAIRS {
        let side = |metric: usize| {
            sums.iter()
                .filter(move |((of, _), _)| usize::from(*of) == metric)
        };
        let (left, right) = (side(2 * pair), side(2 * pair + 1));
        if !left
            .map(|((_, day), sum)| (day, sum))
            .eq(right.map(|((_, day), sum)| (day, sum)))
        {
            return Err(format!("the two metrics of pair {pair} differ: {sums:?}"));
        }
        for ((_, day), (n, sum)) in side(2 * pair) {
            let mut times = 0;
            for digit in pair * DIGITS..(pair + 1) * DIGITS {
                let found = sum / weight(digit) % 4;
                times += found;
                if found > 0 {
                    counted.entry(digit).or_default().insert(*day, found);
                }
            }
            if times != *n {
                return Err(format!(
                    "{n} outcomes add up to {sum:x} in pair {pair}: some were counted four times"
                ));
            }
        }
    }
    Ok(counted)
}
