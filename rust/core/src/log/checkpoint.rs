//! What makes earlier segments unneeded, written in parts between the records of calls.
//!
//! The windows are read part by part while calls go on. That is enough: a part never knows of a call whose record is not in the log
//! before it, and remembering a call twice changes nothing.

use super::effects::{encode_cells, encode_clients, encode_exposures, encode_keys};
use super::writer::Log;
use crate::aggregate::{Address, CellDelta, Content};
use crate::cell::Cell;
use crate::dedup::Dedup;
use crate::error::Result;
use crate::level::EVERYONE;

/// Entries of one record; more would keep calls waiting behind it.
const ENTRIES: usize = 1024;
/// Cells of one record, each of some KiB.
const CELLS: usize = 64;

/// Writes the windows, and with `base` what the open batch was when the current segment began.
///
/// # Errors
/// What appending and syncing end with; segments before are then still needed.
pub fn checkpoint(log: &Log, dedup: &Dedup, base: Option<&Content>) -> Result<()> {
    // In an order of their own, so that the same calls always make the same log.
    for mut windows in dedup.windows() {
        windows.sort_unstable_by_key(|window| window.client);
        for part in windows.chunks(ENTRIES) {
            log.note_part(|body| encode_clients(body, part))?;
        }
    }
    for keys in dedup.known_keys() {
        for part in keys.chunks(ENTRIES) {
            log.note_part(|body| encode_keys(body, part))?;
        }
    }
    if let Some(base) = base {
        let (whole, levels): (Vec<&CellDelta>, Vec<&CellDelta>) =
            base.cells.iter().partition(|delta| delta.level == EVERYONE);
        for (of_levels, cells) in [(false, whole), (true, levels)] {
            for part in cells.chunks(CELLS) {
                let part: Vec<(Address, &Cell)> = part
                    .iter()
                    .map(|delta| (delta.address(), &delta.cell))
                    .collect();
                let part = part.iter().map(|(address, cell)| (address, *cell));
                log.note_part(|body| encode_cells(body, of_levels, part))?;
            }
        }
        for part in base.exposures.chunks(ENTRIES) {
            log.note_part(|body| encode_exposures(body, part))?;
        }
    }
    log.end_checkpoint(base.is_some())
}
