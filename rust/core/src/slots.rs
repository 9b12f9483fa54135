//! Spreads threads over a fixed number of places, so that they seldom meet.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Places; more than threads that serve on any machine this is meant for costs memory, fewer costs waiting.
pub const SLOTS: usize = 8;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS;
}

/// Returns the place of the calling thread, below [`SLOTS`]; always the same one.
pub fn own_slot() -> usize {
    OWN.with(|slot| *slot)
}
