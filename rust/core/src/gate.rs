//! A gate that calls pass together, each at its thread's own place, and that is closed at all of them.

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::slots::{SLOTS, own_slot};

/// One lock for all threads would be one that each call of each thread writes to.
#[derive(Debug, Default)]
pub struct Gate([Place; SLOTS]);

/// One thread's place, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place(RwLock<()>);

impl Gate {
    /// Waits while it is closed; nobody closes it while the answer is held.
    pub fn pass(&self) -> RwLockReadGuard<'_, ()> {
        self.0[own_slot()].0.read()
    }

    /// Waits until everyone is through; nobody passes while the answer is held.
    pub fn close(&self) -> [RwLockWriteGuard<'_, ()>; SLOTS] {
        // Always in this order, so that two who close it cannot wait for each other.
        self.0.each_ref().map(|place| place.0.write())
    }
}
