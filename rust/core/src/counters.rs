//! What an engine counted, on cache lines that threads do not share.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::slots::{SLOTS, own_slot};

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Units that were given an answer.
    Assignments,
    /// Units that were exposed for the first time, as far as this process remembers.
    Exposures,
    /// Answers that did not expose their unit because too many exposures wait for the database.
    ExposuresDropped,
    /// Recording calls that were applied.
    CallsRecorded,
    /// Observations that were counted.
    Observations,
    /// Recording calls that had been applied before.
    Duplicates,
    /// Observations whose value was refused.
    Refused,
    /// Observations that came when their experiment was over.
    Late,
    /// Observations of units that a paused experiment served.
    Ignored,
    /// Observations that were moved to a cap.
    Clamped,
}

impl Counter {
    /// Every counter with its name.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Assignments, "assignments"),
        (Self::Exposures, "exposures"),
        (Self::ExposuresDropped, "exposures_dropped"),
        (Self::CallsRecorded, "calls_recorded"),
        (Self::Observations, "observations"),
        (Self::Duplicates, "duplicates"),
        (Self::Refused, "refused"),
        (Self::Late, "late"),
        (Self::Ignored, "ignored"),
        (Self::Clamped, "clamped"),
    ];
}

/// The counts of one engine.
#[derive(Debug, Default)]
pub struct Counters([Slot; SLOTS]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Slot([AtomicU64; Counter::ALL.len()]);

impl Counters {
    /// Counts `more` of something.
    pub fn add(&self, counter: Counter, more: u64) {
        self.add_all([(counter, more)]);
    }

    /// Counts `more` of each of them.
    pub fn add_all<const N: usize>(&self, counts: [(Counter, u64); N]) {
        let slot = &self.0[own_slot()];
        for (counter, more) in counts {
            if more > 0 {
                slot.0[counter as usize].fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    /// Returns how many of something were counted by all threads.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0
            .iter()
            .map(|slot| slot.0[counter as usize].load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}
