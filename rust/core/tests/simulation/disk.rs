//! A disk that loses what was not synced, as a file system may.
//!
//! What a process appended is seen by the next one whatever happens to the process. A loss of power keeps what was synced; of what was
//! not, it keeps, loses, tears or zeroes every sector by itself, and every name that was made or removed.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use sortition_core::log::{File, Fs};

use crate::chance::Chance;

const SECTOR: usize = 512;

/// How a machine or a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed.
    Process,
    /// The machine loses power.
    Power,
}

/// Something that was done to a file and is not synced yet.
#[derive(Clone, Debug)]
enum Change {
    Append(Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What survives a loss of power.
    synced: Vec<u8>,
    /// What was done since; it is seen by everybody.
    pending: Vec<Change>,
    /// Whether a sync failed: the system then takes for written what was not.
    forgotten: bool,
}

impl Inode {
    fn seen(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.pending {
            match change {
                Change::Append(more) => bytes.extend_from_slice(more),
                Change::Truncate(len) => bytes.truncate(*len),
            }
        }
        bytes
    }

    fn len(&self) -> usize {
        self.pending
            .iter()
            .fold(self.synced.len(), |len, change| match change {
                Change::Append(more) => len + more.len(),
                Change::Truncate(to) => len.min(*to),
            })
    }

    /// Decides what a loss of power left.
    fn lose_power(&mut self, chance: &mut Chance) {
        let pending = std::mem::take(&mut self.pending);
        self.forgotten = false;
        if pending.is_empty() {
            return;
        }
        // How many of the changes reached the disk whole, in order: none, all, or some.
        let whole = match chance.below(4) {
            0 => 0,
            1 => pending.len(),
            _ => chance.below(pending.len() + 1),
        };
        let mut rest = pending.into_iter();
        for change in rest.by_ref().take(whole) {
            match change {
                Change::Append(more) => self.synced.extend_from_slice(&more),
                Change::Truncate(len) => self.synced.truncate(len),
            }
        }
        // Behind them appends may have reached it in any order. A file's size never grows over a change of its size before.
        let behind: Vec<u8> = rest
            .map_while(|change| match change {
                Change::Append(more) => Some(more),
                Change::Truncate(_) => None,
            })
            .flatten()
            .collect();
        self.tear(&behind, chance);
    }

    /// Keeps some sectors of what was behind the end, and a size of some of it.
    fn tear(&mut self, behind: &[u8], chance: &mut Chance) {
        if behind.is_empty() || chance.percent(25) {
            return;
        }
        let kept = 1 + chance.below(behind.len());
        let from = self.synced.len();
        self.synced.extend_from_slice(&behind[..kept]);
        let holes = *chance.pick(&[0, 0, 20, 50, 90]);
        let mut at = from;
        while at < self.synced.len() {
            let end = ((at / SECTOR + 1) * SECTOR).min(self.synced.len());
            if chance.percent(holes) {
                // What a sector held before it was given to this file: mostly zeros, and sometimes anything. Of a sector that was
                // synced in part the rest is zeros.
                let rubbish = at.is_multiple_of(SECTOR) && chance.percent(20);
                for byte in &mut self.synced[at..end] {
                    *byte = if rubbish { chance.next() as u8 } else { 0 };
                }
            }
            at = end;
        }
    }
}

/// One name, now and after a loss of power.
#[derive(Clone, Debug, Default)]
struct Entry {
    now: Option<usize>,
    /// What it stood for since the directory was synced, oldest first.
    before: Vec<Option<usize>>,
}

/// Faults that are to come.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The operation, counted from now, in which everything ends.
    pub crash_in: Option<(usize, Crash)>,
    /// Which of the next operations fail: appends, syncs, all others.
    pub fail_append: Option<usize>,
    pub fail_sync: Option<usize>,
    pub fail_other: Option<usize>,
    /// The size at which the disk is full.
    pub capacity: Option<usize>,
    /// Of a hundred appends, how many stop before their end.
    pub short_appends: usize,
}

#[derive(Debug)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, Entry>,
    chance: Chance,
    faults: Faults,
    /// Whose operations count; those of processes before fail.
    process: u64,
    crashed: Option<Crash>,
    injected: u64,
    operations: u64,
    /// What was done, for people who follow a run.
    diary: Option<Vec<String>>,
}

/// A process's view of the disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    process: u64,
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
}

#[derive(Debug)]
enum Kind {
    Append,
    Sync,
    Other,
}

fn failure(what: &str) -> io::Error {
    io::Error::other(format!("{what} (injected)"))
}

impl State {
    fn full(&mut self) -> io::Error {
        self.injected += 1;
        io::Error::new(
            io::ErrorKind::StorageFull,
            "no space left on device (injected)",
        )
    }

    /// Asks whether an operation may be done; with `Some(true)` it is done and everything ends, with `Some(false)` it is not and ends.
    fn admit(&mut self, process: u64, kind: &Kind) -> io::Result<Option<bool>> {
        if process != self.process || self.crashed.is_some() {
            return Err(failure("the process is dead"));
        }
        self.operations += 1;
        if let Some((left, crash)) = &mut self.faults.crash_in {
            if *left == 0 {
                self.crashed = Some(*crash);
                self.faults.crash_in = None;
                return Ok(Some(self.chance.percent(50)));
            }
            *left -= 1;
        }
        let plan = match kind {
            Kind::Append => &mut self.faults.fail_append,
            Kind::Sync => &mut self.faults.fail_sync,
            Kind::Other => &mut self.faults.fail_other,
        };
        match plan {
            Some(0) => {
                *plan = None;
                self.injected += 1;
                self.note(|| format!("{kind:?} fails"));
                Err(failure("input/output error"))
            }
            Some(left) => {
                *left -= 1;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(diary) = &mut self.diary {
            diary.push(what());
        }
    }

    fn used(&self) -> usize {
        self.names
            .values()
            .filter_map(|entry| entry.now)
            .map(|inode| self.inodes[inode].len())
            .sum()
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        let found = self.names.get(name).and_then(|entry| entry.now);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no file {name}")))
    }

    fn point(&mut self, name: &str, to: Option<usize>) {
        let entry = self.names.entry(name.to_owned()).or_default();
        let was = std::mem::replace(&mut entry.now, to);
        entry.before.push(was);
    }
}

impl SimDisk {
    pub fn new(chance: Chance, traced: bool) -> Self {
        let state = State {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            chance,
            faults: Faults::default(),
            process: 0,
            crashed: None,
            injected: 0,
            operations: 0,
            diary: traced.then(Vec::new),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            process: 0,
        }
    }

    /// Ends the process that used it, and returns the view of the next one.
    pub fn restart(&self, crash: Crash) -> Self {
        let mut state = self.state.lock();
        let crash = match state.crashed.take() {
            Some(Crash::Power) => Crash::Power,
            _ => crash,
        };
        state.faults.crash_in = None;
        if crash == Crash::Power {
            state.lose_power();
        } else {
            state.replace_disk();
        }
        state.process += 1;
        Self {
            state: Arc::clone(&self.state),
            process: state.process,
        }
    }

    /// Returns what was done since it was asked last.
    pub fn diary(&self) -> Vec<String> {
        let mut state = self.state.lock();
        state.diary.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How everything ended, if it did.
    pub fn crashed(&self) -> Option<Crash> {
        self.state.lock().crashed
    }

    /// How often a fault made an operation fail, and how many operations there were.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.injected, state.operations)
    }

    pub fn plan(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state.lock().faults);
    }

    /// The bytes of all files whose names end so.
    pub fn used(&self, suffix: &str) -> usize {
        let state = self.state.lock();
        let named = state
            .names
            .iter()
            .filter(|(name, _)| name.ends_with(suffix));
        named
            .filter_map(|(_, entry)| entry.now)
            .map(|inode| state.inodes[inode].len())
            .sum()
    }

    pub fn is_full(&self) -> bool {
        let state = self.state.lock();
        state
            .faults
            .capacity
            .is_some_and(|most| state.used() >= most)
    }

    /// Changes one bit of what is synced of one file; returns where.
    pub fn flip(&self, chance: &mut Chance) -> Option<(String, usize, u8)> {
        let mut state = self.state.lock();
        let files: Vec<(String, usize)> = state
            .names
            .iter()
            .filter_map(|(name, entry)| Some((name.clone(), entry.now?)))
            .filter(|(name, inode)| {
                name.ends_with(".log") && !state.inodes[*inode].synced.is_empty()
            })
            .collect();
        if files.is_empty() {
            return None;
        }
        let (name, inode) = chance.pick(&files).clone();
        let bytes = &mut state.inodes[inode].synced;
        let (at, bit) = (chance.below(bytes.len()), 1 << chance.below(8));
        bytes[at] ^= bit;
        Some((name, at, bit))
    }

    /// Takes a change of a bit back.
    pub fn unflip(&self, (name, at, bit): &(String, usize, u8)) {
        let mut state = self.state.lock();
        if let Ok(inode) = state.inode(name)
            && let Some(byte) = state.inodes[inode].synced.get_mut(*at)
        {
            *byte ^= bit;
        }
    }

    /// The files, with their sizes, for people.
    pub fn listing(&self) -> String {
        let state = self.state.lock();
        let files = state.names.iter().filter_map(|(name, entry)| {
            let inode = &state.inodes[entry.now?];
            Some(format!(
                "{name} {} ({} synced)",
                inode.len(),
                inode.synced.len()
            ))
        });
        files.collect::<Vec<_>>().join(", ")
    }

    fn with<T>(
        &self,
        kind: &Kind,
        done: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.lock();
        match state.admit(self.process, kind)? {
            None => done(&mut state),
            Some(happens) => {
                if happens {
                    let _ = done(&mut state);
                }
                Err(failure("the process died"))
            }
        }
    }
}

impl State {
    /// Whoever restarts a sidecar after a failed sync sees to it that the disk holds what the system shows.
    fn replace_disk(&mut self) {
        for inode in self.inodes.iter_mut().filter(|inode| inode.forgotten) {
            inode.synced = inode.seen();
            inode.pending.clear();
            inode.forgotten = false;
        }
    }

    fn lose_power(&mut self) {
        let Self {
            inodes,
            names,
            chance,
            ..
        } = self;
        for inode in inodes.iter_mut() {
            inode.lose_power(chance);
        }
        for entry in names.values_mut() {
            // Any of the states since the directory was synced.
            let states = std::mem::take(&mut entry.before);
            if let Some(kept) = states.get(chance.below(states.len() + 1)) {
                entry.now = *kept;
            }
        }
        names.retain(|_, entry| entry.now.is_some());
    }
}

impl Fs for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.with(&Kind::Other, |state| {
            let named = state.names.iter().filter(|(_, entry)| entry.now.is_some());
            Ok(named.map(|(name, _)| name.clone()).collect())
        })
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.with(&Kind::Other, |state| {
            let inode = state.inode(name)?;
            Ok(state.inodes[inode].seen())
        })
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inode = self.with(&Kind::Other, |state| {
            if state.inode(name).is_ok() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!("{name} exists"),
                ));
            }
            if state
                .faults
                .capacity
                .is_some_and(|most| state.used() >= most)
                && state.chance.percent(50)
            {
                return Err(state.full());
            }
            state.inodes.push(Inode::default());
            let inode = state.inodes.len() - 1;
            state.point(name, Some(inode));
            state.note(|| format!("create {name} as {inode}"));
            Ok(inode)
        })?;
        let disk = self.clone();
        Ok(Arc::new(SimFile { disk, inode }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inode = self.with(&Kind::Other, |state| state.inode(name))?;
        let disk = self.clone();
        Ok(Arc::new(SimFile { disk, inode }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.with(&Kind::Other, |state| {
            state.inode(name)?;
            state.point(name, None);
            state.note(|| format!("remove {name}"));
            Ok(())
        })
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.with(&Kind::Other, |state| {
            state.note(|| "sync the directory".to_owned());
            for entry in state.names.values_mut() {
                entry.before.clear();
            }
            state.names.retain(|_, entry| entry.now.is_some());
            Ok(())
        })
    }
}

impl File for SimFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let inode = self.inode;
        let mut state = self.disk.state.lock();
        match state.admit(self.disk.process, &Kind::Append)? {
            None => {}
            Some(happens) => {
                // The kernel may have taken any part of it when the process died.
                if happens && !bytes.is_empty() {
                    let part = 1 + state.chance.below(bytes.len());
                    state.inodes[inode]
                        .pending
                        .push(Change::Append(bytes[..part].to_vec()));
                }
                return Err(failure("the process died"));
            }
        }
        let mut room = bytes.len();
        if let Some(most) = state.faults.capacity {
            room = room.min(most.saturating_sub(state.used()));
            if room == 0 && !bytes.is_empty() {
                return Err(state.full());
            }
        }
        let short = state.faults.short_appends;
        if room > 1 && state.chance.percent(short) {
            room = 1 + state.chance.below(room - 1);
        }
        state.inodes[inode]
            .pending
            .push(Change::Append(bytes[..room].to_vec()));
        state.note(|| format!("append {room} of {} bytes to {inode}", bytes.len()));
        Ok(room)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let failed = match state.admit(self.disk.process, &Kind::Sync) {
            Ok(None) => Ok(()),
            Ok(Some(true)) => Err(failure("the process died")),
            Ok(Some(false)) => return Err(failure("the process died")),
            Err(error) => {
                if state.crashed.is_none() && self.disk.process == state.process {
                    state.inodes[self.inode].forgotten = true;
                }
                return Err(error);
            }
        };
        state.note(|| format!("sync {}", self.inode));
        let inode = &mut state.inodes[self.inode];
        // After a failure the system has nothing left to write, and says that it went well.
        if !inode.forgotten {
            inode.synced = inode.seen();
            inode.pending.clear();
        }
        failed
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let inode = self.inode;
        self.disk.with(&Kind::Other, |state| {
            state.inodes[inode]
                .pending
                .push(Change::Truncate(len as usize));
            Ok(())
        })
    }
}
