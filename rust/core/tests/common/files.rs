//! Files in memory, which can be read and changed by tests and made to fail.

#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses its part"
)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use sortition_core::engine::Engine;
use sortition_core::error::Result;
use sortition_core::limits::Limits;
use sortition_core::log::{File, Fs, Options, Recovery};

use super::{KEY, everything, load};

/// Which calls fail, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Room that is left on the disk.
    pub room: Option<usize>,
    /// Calls that still work, of all that change anything; then each fails with an error of input or output.
    pub calls: Option<usize>,
    /// Whether syncing a file fails.
    pub sync: bool,
    /// Whether truncating fails.
    pub truncate: bool,
}

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, Vec<u8>>,
    faults: Faults,
    changes: usize,
}

/// A directory in memory.
#[derive(Clone, Debug, Default)]
pub struct Files(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Open {
    files: Files,
    name: String,
}

impl Files {
    pub fn get(&self, name: &str) -> Vec<u8> {
        self.0.lock().unwrap().files[name].clone()
    }

    pub fn set(&self, name: &str, bytes: &[u8]) {
        let mut inner = self.0.lock().unwrap();
        inner.files.insert(name.to_owned(), bytes.to_vec());
    }

    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap().files.clone()
    }

    pub fn copy(&self) -> Self {
        let inner = Inner {
            files: self.all(),
            ..Inner::default()
        };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub fn fail(&self, faults: Faults) {
        self.0.lock().unwrap().faults = faults;
    }

    /// How many calls changed something or tried to.
    pub fn changes(&self) -> usize {
        self.0.lock().unwrap().changes
    }

    /// The segments that hold records, oldest first.
    pub fn segments(&self) -> Vec<(String, Vec<u8>)> {
        let segment =
            |(name, bytes): &(String, Vec<u8>)| name.starts_with("segment-") && bytes.len() > 52;
        self.all().into_iter().filter(segment).collect()
    }

    fn change(&self) -> io::Result<std::sync::MutexGuard<'_, Inner>> {
        let mut inner = self.0.lock().unwrap();
        inner.changes += 1;
        match &mut inner.faults.calls {
            Some(0) => Err(io::Error::other("injected")),
            Some(left) => {
                *left -= 1;
                Ok(inner)
            }
            None => Ok(inner),
        }
    }
}

impl Fs for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.all().into_keys().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let inner = self.0.lock().unwrap();
        inner
            .files
            .get(name)
            .cloned()
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut inner = self.change()?;
        if inner.files.insert(name.to_owned(), Vec::new()).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        drop(inner);
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let name = name.to_owned();
        let files = self.clone();
        Ok(Arc::new(Open { files, name }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.change()?.files.remove(name);
        removed
            .map(|_| ())
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.change().map(|_| ())
    }
}

impl File for Open {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.files.change()?;
        let count = bytes.len().min(inner.faults.room.unwrap_or(usize::MAX));
        if count == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        if let Some(room) = &mut inner.faults.room {
            *room -= count;
        }
        let file = inner.files.get_mut(&self.name).unwrap();
        file.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        let inner = self.files.change()?;
        if inner.faults.sync {
            return Err(io::Error::other("injected"));
        }
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut inner = self.files.change()?;
        if inner.faults.truncate {
            return Err(io::Error::other("injected"));
        }
        let file = inner.files.get_mut(&self.name).unwrap();
        let cut = file.len() - usize::try_from(len).unwrap();
        file.truncate(usize::try_from(len).unwrap());
        if let Some(room) = &mut inner.faults.room {
            *room += cut;
        }
        Ok(())
    }
}

/// A boot that is known.
pub const BOOT: [u8; 16] = [7; 16];

pub fn options() -> Options {
    Options {
        boot: BOOT,
        ..Options::default()
    }
}

pub fn try_open(files: &Files, options: Options) -> Result<(Engine, Recovery)> {
    let opened = Engine::open(KEY, Limits::default(), Arc::new(files.clone()), options)?;
    load(&opened.0, 1, everything());
    Ok(opened)
}

pub fn open(files: &Files) -> Engine {
    try_open(files, options()).unwrap().0
}
