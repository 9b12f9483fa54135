//! What a log says was acknowledged and is not in the database yet.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use hashbrown::HashSet;

use super::effects::{Begin, Effects, Operation, Record};
use super::format::{HEADER_BYTES, Reader, Seed, file_name, sequence_of};
use super::scan::{Scanned, cannot, read};
use super::segments::{Closed, Segments};
use super::writer::{Start, failure};
use super::{Fs, Options};
use crate::aggregate::{Address, CellDelta, Content};
use crate::cell::Cell;
use crate::dedup::Dedup;
use crate::error::{Error, Result};
use crate::exposure::Exposure;
use crate::level::Levels;
use crate::limits::Limits;

/// Copies of torn ends that are kept.
const COPIES: usize = 8;
const COPY_PREFIX: &str = "torn-";

/// The end of a log that was cut off, as it had not been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The name of the segment.
    pub segment: String,
    /// Where it was cut.
    pub at: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// The name of the copy of what was cut off.
    pub copy: String,
}

/// What was found in a log when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments that were read.
    pub segments: usize,
    /// Records in them.
    pub records: u64,
    /// Batches that were sealed and are not known to be in the database.
    pub sealed: usize,
    /// Cells that are not known to be in the database.
    pub cells: usize,
    /// Exposures that are not known to be in the database.
    pub exposures: usize,
    /// What was cut off.
    pub torn: Option<Torn>,
}

/// What a log says.
#[derive(Debug)]
pub struct Replayed {
    /// Where it goes on.
    pub start: Start,
    /// Its segments.
    pub segments: Segments,
    /// Which calls were applied.
    pub dedup: Dedup,
    /// The batches that were sealed, oldest first, by the log's own count.
    pub sealed: Vec<(u64, Content)>,
    /// What is in the open batch.
    pub open: Content,
    /// What was found.
    pub recovery: Recovery,
}

/// Reads a log, and cuts off a torn end.
///
/// # Errors
/// `DataLoss` when what was acknowledged is damaged or missing; `FailedPrecondition` when it is of another state directory;
/// `Unavailable` when it cannot be read.
pub fn replay(fs: &dyn Fs, options: &Options, limits: &Limits) -> Result<Replayed> {
    let found = scan_all(fs, options)?;
    if let Some(foreign) = found.iter().find(|scanned| {
        scanned
            .header
            .as_ref()
            .is_ok_and(|header| header.identity != options.identity)
    }) {
        return Err(Error::FailedPrecondition(format!(
            "log: {} belongs to another state directory; each sidecar needs its own, never a copy",
            file_name(foreign.sequence)
        )));
    }
    let next_sequence = found.last().map_or(1, |last| last.sequence + 1);
    let survey = Survey::of(found, options)?;
    let (torn, scanned) = (survey.cut_tail(fs)?, &survey.scanned);
    if let Some(last) = scanned.last() {
        // It may be whole only in the memory of the system, and what follows must not outlive it.
        sync(fs, &file_name(last.sequence))?;
    }
    for empty in &survey.empty {
        // Nothing was acknowledged there.
        let name = file_name(empty.sequence);
        if empty.bytes > HEADER_BYTES as u64 {
            keep_copy(fs, &name, HEADER_BYTES as u64)
                .map_err(|error| cannot("copied", &name, &error))?;
        }
        remove(fs, &name)?;
    }
    let mut segments = Segments::default();
    for one in scanned {
        segments.push(Closed {
            sequence: one.sequence,
            batch: one.batch(),
            batch_from: one.begin.map_or(0, |begin| begin.batch_from),
            bytes: one.valid_bytes,
        });
    }
    let mut state = State::within(limits);
    let mut records = 0;
    for (index, one) in scanned.iter().enumerate() {
        if index < survey.windows_from && one.batch() <= survey.committed {
            continue;
        }
        let content = survey.wants_content(index);
        records += state.take_segment(fs, one, options, content)?;
    }
    let mut contents = state.contents;
    contents.retain(|batch, content| *batch > survey.committed && !content.is_empty());
    // A batch that may have been handed out grows no more, whether or not it was.
    let told = scanned
        .iter()
        .any(|one| one.told && one.batch() == survey.open);
    let open = survey.open + u64::from(told && contents.contains_key(&survey.open));
    if survey.salvaged() {
        // The database counts every batch, so one that is lost is handed on with nothing in it.
        (survey.committed + 1..open).for_each(|lost| {
            contents.entry(lost).or_default();
        });
    }
    let kept = contents.remove(&open).unwrap_or_default().finish();
    let sealed: Vec<(u64, Content)> = contents
        .into_iter()
        .map(|(batch, content)| (batch, content.finish()))
        .collect();
    let count = |each: &dyn Fn(&Content) -> usize| {
        each(&kept)
            + sealed
                .iter()
                .map(|(_, content)| each(content))
                .sum::<usize>()
    };
    let next_lsn = scanned
        .last()
        .and_then(|last| last.lsns)
        .map_or(1, |(_, last)| last + 1);
    let known = scanned.last().and_then(|last| last.begin);
    Ok(Replayed {
        start: Start {
            next_lsn,
            next_sequence,
            begin: Begin {
                batch: open,
                batch_from: known
                    .filter(|begin| begin.batch == open)
                    .map_or(next_lsn, |begin| begin.batch_from),
                salvaged: false,
                committed: survey.committed,
                shift: survey.shift,
            },
        },
        segments,
        dedup: state.dedup,
        recovery: Recovery {
            segments: scanned.len(),
            records,
            sealed: sealed.len(),
            cells: count(&|content| content.cells.len()),
            exposures: count(&|content| content.exposures.len()),
            torn,
        },
        sealed,
        open: kept,
    })
}

/// Reads the batch that some segments hold, once more; `next` is the number of the record that the batch behind it began with.
///
/// # Errors
/// `DataLoss` when they do not hold it whole.
pub fn reload(fs: &dyn Fs, segments: &[Closed], next: u64, options: &Options) -> Result<Content> {
    let mut scanned = Vec::new();
    for segment in segments {
        let one = Scanned::read(fs, segment.sequence, options)?;
        if let Some(damage) = one.damage(false, 0, options) {
            return Err(damaged(&damage));
        }
        scanned.push(one);
    }
    let from = scanned.iter().rposition(|one| one.full).unwrap_or(0);
    check_numbers(&scanned[from..].iter().collect::<Vec<_>>(), 0, options)?;
    // Nothing about windows is wanted here.
    let mut state = State::within(&Limits::default());
    if scanned
        .last()
        .and_then(|last| last.lsns)
        .is_none_or(|(_, last)| last + 1 != next)
    {
        return Err(damaged(&format!(
            "segments before record {next} are missing"
        )));
    }
    for one in &scanned[from..] {
        state.take_segment(fs, one, options, true)?;
    }
    let batch = segments.first().map_or(0, |segment| segment.batch);
    Ok(state.contents.remove(&batch).unwrap_or_default().finish())
}

/// Reads every segment through, oldest first.
///
/// # Errors
/// `Unavailable` when they cannot be read.
pub fn scan_all(fs: &dyn Fs, options: &Options) -> Result<Vec<Scanned>> {
    let names = fs
        .list()
        .map_err(|error| cannot("listed", "the directory", &error))?;
    let mut sequences: Vec<u64> = names.iter().filter_map(|name| sequence_of(name)).collect();
    sequences.sort_unstable();
    sequences
        .into_iter()
        .map(|sequence| Scanned::read(fs, sequence, options))
        .collect()
}

/// Segments, checked against each other.
#[derive(Debug)]
pub struct Survey {
    /// Those that hold records, oldest first.
    pub scanned: Vec<Scanned>,
    /// Those that hold none and may go.
    pub empty: Vec<Scanned>,
    /// The last batch that the database is known to have.
    pub committed: u64,
    /// How far the database's numbers are ahead.
    pub shift: Option<u64>,
    /// The open batch.
    pub open: u64,
    /// The first segment that is needed for the windows.
    pub windows_from: usize,
}

impl Survey {
    /// Checks segments against each other.
    ///
    /// # Errors
    /// `DataLoss` when what was acknowledged is damaged or missing.
    pub fn of(found: Vec<Scanned>, options: &Options) -> Result<Self> {
        let last_with_records = found.iter().rposition(|one| one.lsns.is_some());
        let mut empty = Vec::new();
        let mut scanned = Vec::new();
        for (index, one) in found.into_iter().enumerate() {
            if one.lsns.is_some() {
                scanned.push(one);
                continue;
            }
            // Without a record it was made ahead, or the first write to it failed or was lost. Only behind all others can more have been
            // there: elsewhere, the numbers in the next one tell.
            let behind = last_with_records.is_none_or(|last| index > last);
            let begun = one.header.is_ok() || one.beyond.is_some();
            let before = scanned
                .last()
                .and_then(|before: &Scanned| before.lsns)
                .map_or(0, |(_, last)| last);
            if let Some(damage) = one
                .damage(true, before, options)
                .filter(|_| behind && begun)
            {
                return Err(damaged(&damage));
            }
            if behind || one.bytes <= HEADER_BYTES as u64 {
                empty.push(one);
            }
        }
        // The last word counts, which may be less than an earlier one: then an older copy of the database was restored.
        let committed = scanned.last().map_or(0, |last| last.committed);
        let shift = scanned.iter().rev().find_map(|one| one.shift);
        let windows_from = scanned.iter().rposition(|one| one.windows).unwrap_or(0);
        let open = scanned
            .last()
            .map_or(committed + 1, |last| last.batch().max(committed + 1));
        let survey = Self {
            scanned,
            empty,
            committed,
            shift,
            open,
            windows_from,
        };
        survey.check(options)?;
        Ok(survey)
    }

    fn check(&self, options: &Options) -> Result<()> {
        let needed: Vec<&Scanned> = (0..self.scanned.len())
            .filter(|index| *index >= self.windows_from || self.wants_content(*index))
            .map(|index| &self.scanned[index])
            .collect();
        for (index, one) in needed.iter().enumerate() {
            let last = index + 1 == needed.len();
            if let Some(damage) = one.damage(last, 0, options) {
                return Err(damaged(&damage));
            }
        }
        check_numbers(&needed, self.committed, options)?;
        // What comes first has to hold all windows, or be the first there ever was.
        let windows = self.scanned.get(self.windows_from);
        let whole =
            windows.is_none_or(|one| one.windows || one.lsns.is_some_and(|(lsn, _)| lsn == 1));
        let uncommitted = needed.iter().find(|one| one.batch() > self.committed);
        let follows = uncommitted.is_none_or(|one| one.batch() == self.committed + 1);
        match (needed.first(), self.salvaged() || (whole && follows)) {
            (Some(first), false) => Err(damaged(&format!(
                "segments before {} are missing",
                file_name(first.sequence)
            ))),
            _ => Ok(()),
        }
    }

    /// Returns whether what is missing was given up.
    fn salvaged(&self) -> bool {
        let given_up = |one: &Scanned| one.begin.is_some_and(|begin| begin.salvaged);
        self.scanned.iter().any(given_up)
    }

    /// Returns whether what a segment says about its batch is wanted: it is not in the database, and no later checkpoint holds it.
    pub fn wants_content(&self, index: usize) -> bool {
        let one = &self.scanned[index];
        one.batch() > self.committed
            && !self.scanned[index + 1..]
                .iter()
                .any(|later| later.full && later.batch() == one.batch())
    }

    /// Cuts off what follows the last whole record, and keeps a copy of it.
    fn cut_tail(&self, fs: &dyn Fs) -> Result<Option<Torn>> {
        let Some(last) = self
            .scanned
            .last()
            .filter(|last| last.valid_bytes < last.bytes)
        else {
            return Ok(None);
        };
        let segment = file_name(last.sequence);
        let torn = Torn {
            at: last.valid_bytes,
            bytes: last.bytes - last.valid_bytes,
            copy: copy_name(&segment, last.valid_bytes),
            segment,
        };
        let cut = || {
            keep_copy(fs, &torn.segment, torn.at)?;
            let file = fs.open(&torn.segment)?;
            file.truncate(torn.at)?;
            file.sync()
        };
        // Where it stays, it does no harm: the numbers in the next segment say that nothing was lost with it.
        if let Err(error) = cut()
            && !matches!(failure(&error), Error::ResourceExhausted(_))
        {
            return Err(cannot("cut", &torn.segment, &error));
        }
        forget_copies(fs)?;
        Ok(Some(torn))
    }
}

fn copy_name(segment: &str, at: u64) -> String {
    format!("{COPY_PREFIX}{segment}-{at:x}")
}

/// Keeps a copy of what is in a segment from some byte on.
fn keep_copy(fs: &dyn Fs, segment: &str, at: u64) -> io::Result<()> {
    let copy = copy_name(segment, at);
    let bytes = fs.read(segment)?;
    if fs.list()?.contains(&copy) {
        fs.remove(&copy)?;
    }
    let file = fs.create(&copy)?;
    let mut rest = bytes.get(at as usize..).unwrap_or_default();
    while !rest.is_empty() {
        match file.append(rest)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => rest = rest.get(count..).unwrap_or_default(),
        }
    }
    file.sync()?;
    fs.sync_dir()
}

/// Removes all copies of torn ends but the newest ones.
fn forget_copies(fs: &dyn Fs) -> Result<()> {
    let names = fs
        .list()
        .map_err(|error| cannot("listed", "the directory", &error))?;
    let mut copies: Vec<&String> = names
        .iter()
        .filter(|name| name.starts_with(COPY_PREFIX))
        .collect();
    copies.sort_unstable();
    let excess = copies.len().saturating_sub(COPIES);
    copies
        .iter()
        .take(excess)
        .try_for_each(|name| remove(fs, name))
}

fn sync(fs: &dyn Fs, name: &str) -> Result<()> {
    let synced = || {
        fs.open(name)?.sync()?;
        fs.sync_dir()
    };
    synced().map_err(|error| cannot("synced", name, &error))
}

fn remove(fs: &dyn Fs, name: &str) -> Result<()> {
    fs.remove(name)
        .map_err(|error| cannot("removed", name, &error))
}

/// Checks that the segments of each batch are all there, and that no record between them is missing.
fn check_numbers(scanned: &[&Scanned], committed: u64, options: &Options) -> Result<()> {
    let mut before: Option<&Scanned> = None;
    for one in scanned {
        let (Some(begin), Some((first, _))) = (one.begin, one.lsns) else {
            continue;
        };
        let same = before.is_some_and(|before| before.batch() == begin.batch);
        // Where it holds all of its batch, segments between may be gone.
        let from = if same { first } else { begin.batch_from };
        if begin.salvaged {
            before = Some(one);
            continue;
        }
        let expected = before
            .and_then(|before| before.lsns)
            .map_or(from, |(_, last)| last + 1);
        let wanted = begin.batch > committed;
        let complete = !wanted || same || one.full || begin.batch_from == first;
        if from != expected || !complete {
            let missing = match before {
                Some(before) if from != expected => {
                    before.damage(true, 0, options).unwrap_or_else(|| {
                        format!(
                            "{}, byte {}: {}, and what follows in {} is later",
                            file_name(before.sequence),
                            before.valid_bytes,
                            before.end,
                            file_name(one.sequence)
                        )
                    })
                }
                _ => format!("segments before {} are missing", file_name(one.sequence)),
            };
            return Err(damaged(&missing));
        }
        before = Some(one);
    }
    Ok(())
}

fn damaged(what: &str) -> Error {
    Error::DataLoss(format!(
        "log: {what}; outcomes that were acknowledged cannot be read: restore the file, or see `sortition log inspect` and `sortition log salvage`"
    ))
}

/// What replaying gathers.
#[derive(Debug)]
struct State {
    limits: Limits,
    dedup: Dedup,
    contents: BTreeMap<u64, Gathered>,
}

impl State {
    fn within(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            dedup: Dedup::default(),
            contents: BTreeMap::new(),
        }
    }

    /// Does what the records of a segment say; returns how many there are.
    fn take_segment(
        &mut self,
        fs: &dyn Fs,
        scanned: &Scanned,
        options: &Options,
        wanted: bool,
    ) -> Result<u64> {
        let bytes = read(fs, scanned.sequence)?;
        let seed = Seed::new(&options.identity, scanned.sequence);
        let mut reader = Reader::new(&bytes, seed);
        if scanned.windows {
            self.dedup = Dedup::default();
        }
        if wanted && scanned.full {
            self.contents.remove(&scanned.batch());
        }
        let mut records = 0;
        while let Ok(framed) = reader.read() {
            records += 1;
            let done =
                Record::decode(framed.body).and_then(|record| self.take(record, scanned, wanted));
            if done.is_none() {
                return Err(damaged(&format!(
                    "{}, byte {}: a record that this version does not know",
                    file_name(scanned.sequence),
                    framed.at
                )));
            }
        }
        Ok(records)
    }

    fn take(&mut self, record: Record, scanned: &Scanned, wanted: bool) -> Option<()> {
        let (batch, full) = (scanned.batch(), scanned.full);
        match record {
            Record::Effects { claim, effects } => {
                let (delivery, at_ms) = claim;
                self.dedup.restore_call(&delivery, at_ms, &self.limits);
                if wanted {
                    self.contents.entry(batch).or_default().effects(effects)?;
                }
            }
            Record::Clients(windows) => windows
                .iter()
                .for_each(|window| self.dedup.restore_client(window, &self.limits)),
            Record::Keys(keys) => keys
                .into_iter()
                .for_each(|known| self.dedup.restore_key(known, &self.limits)),
            // Parts of a checkpoint that was not ended stand for what earlier segments say as well.
            Record::Cells(cells) if wanted && full => {
                let content = self.contents.entry(batch).or_default();
                for (address, cell) in cells {
                    content.merge(address, cell)?;
                }
            }
            Record::Exposures(exposures) if wanted && full => {
                let content = self.contents.entry(batch).or_default();
                exposures
                    .into_iter()
                    .for_each(|exposure| content.expose(exposure));
            }
            _ => {}
        }
        Some(())
    }
}

/// The content of one batch while it is gathered.
#[derive(Debug, Default)]
struct Gathered {
    cells: BTreeMap<Address, Cell>,
    exposures: Vec<Exposure>,
    exposed: HashSet<u64>,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.exposures.is_empty()
    }

    fn effects(&mut self, mut effects: Effects) -> Option<()> {
        let mut experiment: Arc<str> = "".into();
        let mut levels = Levels::default();
        let mut cells: Vec<Address> = Vec::new();
        let mut empty = (false, false);
        while let Some(operation) = effects.next() {
            match operation? {
                Operation::Experiment(id) => {
                    experiment = id.into();
                    levels = Levels::default();
                    cells.clear();
                }
                Operation::Levels(given) => {
                    levels = given;
                    cells.clear();
                }
                Operation::Cell {
                    variant,
                    metric,
                    day,
                    quantiles,
                    covariate,
                } => {
                    let address = |level| Address {
                        experiment_id: Arc::clone(&experiment),
                        variant,
                        metric,
                        day,
                        level,
                    };
                    cells.clear();
                    cells.extend(levels.with_everyone().map(address));
                    empty = (quantiles, covariate);
                }
                Operation::Effect(_) if cells.is_empty() => return None,
                Operation::Effect(effect) => {
                    for address in &cells {
                        let new = || Cell::new(empty.0, empty.1);
                        effect.apply(self.cells.entry(address.clone()).or_insert_with(new));
                    }
                }
                Operation::Expose(exposed) => {
                    self.expose(exposed.in_experiment(Arc::clone(&experiment)));
                }
            }
        }
        Some(())
    }

    fn merge(&mut self, address: Address, cell: Cell) -> Option<()> {
        match self.cells.get_mut(&address) {
            Some(known) => known.merge(&cell).ok(),
            None => self.cells.insert(address, cell).map_or(Some(()), |_| None),
        }
    }

    fn expose(&mut self, exposure: Exposure) {
        if self.exposed.insert(exposure.fingerprint) {
            self.exposures.push(exposure);
        }
    }

    fn finish(self) -> Content {
        let delta = |(address, cell): (Address, Cell)| CellDelta {
            experiment_id: address.experiment_id,
            variant: address.variant,
            metric: address.metric,
            day: address.day,
            level: address.level,
            cell,
        };
        Content {
            cells: self.cells.into_iter().map(delta).collect(),
            exposures: self.exposures,
        }
    }
}
