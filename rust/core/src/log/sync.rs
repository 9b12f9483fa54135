//! Waiting until what was appended is synced; whoever waits first syncs for all.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

/// How far a log is synced, and whether syncing ever failed.
#[derive(Debug, Default)]
pub struct Syncing {
    synced: AtomicU64,
    running: Mutex<bool>,
    ended: Condvar,
    failed: OnceLock<String>,
}

impl Syncing {
    /// Makes the state of a log of which everything up to `lsn` is synced.
    pub fn from(lsn: u64) -> Self {
        Self {
            synced: AtomicU64::new(lsn),
            ..Self::default()
        }
    }

    /// Returns the last record that is synced.
    pub fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// Says that everything up to a record is synced.
    pub fn reached(&self, lsn: u64) {
        self.synced.fetch_max(lsn, Ordering::AcqRel);
    }

    /// Remembers that syncing failed. Nothing makes it good again: the system may have forgotten what it could not write.
    pub fn fail(&self, error: &io::Error) -> Error {
        let _ = self.failed.set(format!(
            "log: syncing it failed ({error}); nothing is recorded any more, check the disk and restart the sidecar"
        ));
        self.ended.notify_all();
        self.check()
            .err()
            .unwrap_or_else(|| Error::Internal("a failure was not kept".to_owned()))
    }

    /// Says that nothing will be appended any more.
    pub fn close(&self) {
        let _ = self
            .failed
            .set("log: it is closed; the sidecar is stopping".to_owned());
        self.ended.notify_all();
    }

    /// Returns whether syncing never failed.
    pub fn sound(&self) -> bool {
        self.failed.get().is_none()
    }

    /// Asks whether syncing never failed.
    ///
    /// # Errors
    /// `Unavailable` when it did.
    pub fn check(&self) -> Result<()> {
        self.failed
            .get()
            .map_or(Ok(()), |why| Err(Error::Unavailable(why.clone())))
    }

    /// Returns once everything up to a record is synced. `sync` syncs whatever was appended by then and returns its last record; one
    /// thread at a time is in it.
    ///
    /// # Errors
    /// `Unavailable` when syncing failed, now or ever.
    pub fn wait(&self, lsn: u64, sync: impl Fn() -> io::Result<u64>) -> Result<()> {
        loop {
            if self.synced() >= lsn {
                return Ok(());
            }
            let mut running = self.running.lock();
            if self.synced() >= lsn {
                return Ok(());
            }
            self.check()?;
            if *running {
                self.ended.wait(&mut running);
                continue;
            }
            *running = true;
            drop(running);
            let done = sync();
            // Before anyone else may sync: after a failure, a success says nothing.
            let mut running = self.running.lock();
            let done = match done {
                Ok(reached) => {
                    self.reached(reached);
                    Ok(())
                }
                Err(error) => Err(self.fail(&error)),
            };
            *running = false;
            self.ended.notify_all();
            done?;
        }
    }
}
