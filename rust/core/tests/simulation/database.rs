//! A database that takes batches as the real ones do: each once, in order, in one transaction with the number of the last one.

use std::collections::BTreeMap;

use sortition_core::engine::Batch;

/// A cell's address: experiment, variant, metric, day, level.
pub type Address = (String, u16, u16, i32, u8);

/// What is stored of a cell. The sum is exact: values are whole and small enough.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stored {
    pub n: u64,
    pub sum: u64,
    pub late: u64,
    pub refused: u64,
}

/// One state of the database.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub high_water: u64,
    pub cells: BTreeMap<Address, Stored>,
    /// By experiment and hash of the unit: the variant and the day.
    pub exposures: BTreeMap<(String, i64), (u16, i32)>,
}

/// How an attempt to apply a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is in, now or since before.
    Yes,
    /// Nothing is known.
    Unavailable,
    /// Batches before it are missing: an older copy was restored.
    Gap,
}

#[derive(Debug, Default)]
pub struct Database {
    pub rows: Rows,
    backup: Option<Rows>,
    /// The newest state there was before an older one was restored.
    newest: Option<Rows>,
    /// Whether it cannot be reached.
    pub away: bool,
    /// Whether the reply to the next commit gets lost.
    pub lose_reply: bool,
}

impl Database {
    /// Applies a batch unless that was done.
    pub fn apply(&mut self, batch: &Batch) -> Applied {
        if self.away {
            return Applied::Unavailable;
        }
        if batch.number > self.rows.high_water + 1 {
            return Applied::Gap;
        }
        if batch.number == self.rows.high_water + 1 {
            self.rows.high_water = batch.number;
            self.rows.merge(batch);
        }
        if std::mem::take(&mut self.lose_reply) {
            return Applied::Unavailable;
        }
        Applied::Yes
    }

    /// The number of the last batch, as a sidecar asks for it when it starts.
    pub fn high_water(&self) -> Option<u64> {
        (!self.away).then_some(self.rows.high_water)
    }

    pub fn back_up(&mut self) {
        self.backup = Some(self.rows.clone());
    }

    /// Restores the last backup; returns whether that lost anything.
    pub fn restore(&mut self) -> bool {
        let Some(backup) = self.backup.clone() else {
            return false;
        };
        if backup.high_water == self.rows.high_water {
            return false;
        }
        let lost = std::mem::replace(&mut self.rows, backup);
        self.newest.get_or_insert(lost);
        true
    }

    /// Brings back what was there before an older copy was restored, as an operator does who is told that it is too old.
    pub fn undo_restore(&mut self) -> bool {
        match self.newest.take() {
            Some(newest) => {
                self.rows = newest;
                true
            }
            None => false,
        }
    }

    /// Whether an older copy was restored, and nothing was added to it yet.
    pub fn is_restored(&self) -> bool {
        self.newest.is_some()
    }

    /// Says that what was restored is what counts from now on: batches were added to it.
    pub fn accept_restore(&mut self) {
        self.newest = None;
    }
}

impl Rows {
    pub fn merge(&mut self, batch: &Batch) {
        for delta in &batch.cells {
            let address = (
                delta.experiment_id.to_string(),
                delta.variant,
                delta.metric,
                delta.day,
                delta.level,
            );
            let moments = delta.cell.moments();
            let sum: f64 = delta.cell.buckets().rows().map(|row| row[1]).sum();
            let stored = self.cells.entry(address).or_default();
            stored.n += moments.n();
            stored.sum += sum as u64;
            stored.late += delta.cell.late;
            stored.refused += delta.cell.refused;
        }
        for exposure in &batch.exposures {
            self.exposures
                .entry((exposure.experiment_id.to_string(), exposure.unit_hash))
                .or_insert((exposure.variant, exposure.day));
        }
    }
}

/// Everything a batch says, as one value to compare.
pub fn content(batch: &Batch) -> Vec<String> {
    let cells = batch.cells.iter().map(|delta| {
        let (id, cell) = (&delta.experiment_id, &delta.cell);
        // The bucket of each unit and what is in it, of those that hold anything.
        let sums: Vec<(usize, &[f64])> = cell
            .buckets()
            .rows()
            .enumerate()
            .filter(|(_, row)| row.iter().any(|sum| *sum != 0.0))
            .collect();
        let moments = cell.moments();
        let counts = (moments.n(), cell.late, cell.refused, cell.clamped);
        format!(
            "{id} {} {} {} {} {counts:?} {sums:?}",
            delta.variant, delta.metric, delta.day, delta.level
        )
    });
    let exposures = batch
        .exposures
        .iter()
        .map(|exposure| format!("{exposure:?}"));
    let mut found: Vec<String> = cells.chain(exposures).collect();
    found.sort();
    found
}
