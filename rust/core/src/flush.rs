//! From the open batch to the database: sealing, committing, and finding out what a database has.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::aggregate::{CellDelta, Content};
use crate::engine::{Batch, Engine};
use crate::error::{Error, Result};
use crate::log::{Log, checkpoint, reload};

/// Where flushing stands.
#[derive(Debug, Default)]
pub struct Flush {
    /// The last batch that the database has.
    high_water: u64,
    /// Whether it was said where the database stands.
    resumed: bool,
    /// Whether a batch was sealed by this process.
    begun: bool,
    /// Batches that are closed and not known to be in the database, oldest first; the first is the one in flight.
    sealed: VecDeque<Arc<Batch>>,
    /// What an earlier process had sealed, by the log's own count, until it is known what the database has.
    left: Vec<(u64, Content)>,
    /// The part of the open batch that a checkpoint holds, or an earlier process left.
    base: Content,
    /// The open batch, by the log's own count.
    open: u64,
}

impl Flush {
    /// Goes on where an earlier process ended: what it had sealed, what was in its open batch, and the number of that.
    pub fn after(left: Vec<(u64, Content)>, base: Content, open: u64) -> Self {
        Self {
            left,
            base,
            open,
            ..Self::default()
        }
    }

    /// Returns everything that an earlier process left.
    pub fn inherited(&self) -> impl Iterator<Item = &Content> {
        let left = self.left.iter().map(|(_, content)| content);
        left.chain([&self.base])
    }
}

impl Engine {
    /// Says which batch the database has; the next one is the one behind it. With a log it has to be called before the first seal, and
    /// batches that the log has and the database lacks are handed out again.
    ///
    /// # Errors
    /// `FailedPrecondition` once a batch was sealed, or when the database and the log cannot belong together; `DataLoss` when the
    /// database lacks batches that the log cannot give it.
    pub fn resume(&self, high_water: u64) -> Result<()> {
        let mut flush = self.flush.lock();
        let again = flush.resumed && self.log.is_some();
        if flush.begun || (again && flush.high_water != high_water) {
            let next = flush.high_water.saturating_add(1);
            return Err(Error::FailedPrecondition(format!(
                "batch {next} is sealed or about to be; resume before the first seal"
            )));
        }
        if let Some(log) = self.log.as_ref().filter(|_| !again) {
            self.reconcile(log, &mut flush, high_water)?;
        }
        flush.high_water = high_water;
        flush.resumed = true;
        Ok(())
    }

    /// Finds out which batches of the log the database lacks.
    fn reconcile(&self, log: &Log, flush: &mut Flush, high_water: u64) -> Result<()> {
        let (shift, committed) = log.counts();
        let Some(shift) = shift else {
            // The log is younger than the writer's name; nothing in it can be in the database.
            log.anchor(high_water, committed)?;
            self.hand_on(flush, high_water, Vec::new(), committed);
            return Ok(());
        };
        let last = flush.left.last().map_or(committed, |(batch, _)| *batch);
        match high_water.checked_sub(shift) {
            Some(reached) if (committed..=last).contains(&reached) => {
                log.commit(reached);
                log.tell()?;
                self.hand_on(flush, shift, Vec::new(), reached);
                self.cut(log);
                Ok(())
            }
            Some(reached) if reached > last => {
                let idle =
                    flush.left.is_empty() && flush.base.is_empty() && self.aggregate.is_empty();
                if !idle {
                    return Err(Error::FailedPrecondition(format!(
                        "log: the database has batch {high_water} of this writer, and the log knows of none after {}; another \
                         sidecar writes under this name, or the state directory is an older copy: give each sidecar its own",
                        last + shift
                    )));
                }
                // Nothing waits, so the log has nothing to say about the batches between: they were recorded without it.
                log.anchor(high_water - committed, committed)?;
                self.hand_on(flush, high_water - committed, Vec::new(), committed);
                log.forget_committed()
            }
            older => {
                let missing = older.map_or(0, |reached| reached + 1)..=committed;
                let again = self.reload(log, missing, shift, high_water)?;
                log.commit(older.unwrap_or_default());
                log.tell()?;
                self.hand_on(flush, shift, again, older.unwrap_or_default());
                Ok(())
            }
        }
    }

    /// Reads batches that the database had and lost once more.
    fn reload(
        &self,
        log: &Log,
        missing: std::ops::RangeInclusive<u64>,
        shift: u64,
        high_water: u64,
    ) -> Result<Vec<(u64, Content)>> {
        let (first, last) = (*missing.start(), *missing.end());
        let read = |batch: u64| {
            let segments = log.segments_of(batch);
            if segments.is_empty() {
                return None;
            }
            let next = log.batch_from(batch + 1);
            let content = reload(&**log.fs(), &segments, next, log.options()).ok()?;
            Some((batch, content))
        };
        // Batch 0 is none: where the database stands before the log began, nothing can help.
        let found: Option<Vec<_>> = missing.map(|batch| read(batch.max(1))).collect();
        let found = found.filter(|_| first > 0 && high_water >= shift).ok_or_else(|| {
            Error::DataLoss(format!(
                "log: the database has batch {high_water} of this writer and had batch {}, so it was restored from an older copy; the \
                 log does not hold what is missing any more: restore a newer copy, or move the directory of the log away to go on \
                 without",
                last + shift
            ))
        })?;
        for (_, content) in &found {
            self.aggregate.restore(content);
        }
        Ok(found)
    }

    /// Queues what an earlier process left, without the batches up to `reached`, which the database has.
    fn hand_on(&self, flush: &mut Flush, shift: u64, again: Vec<(u64, Content)>, reached: u64) {
        for (batch, content) in again.into_iter().chain(mem::take(&mut flush.left)) {
            if batch <= reached {
                self.aggregate
                    .settle(content.cells.len(), content.exposures.len());
            } else {
                flush.sealed.push_back(Arc::new(Batch {
                    number: batch + shift,
                    cells: content.cells,
                    exposures: content.exposures,
                }));
            }
        }
    }

    /// Closes the open batch and returns it; the same one again until it is committed; none when there is nothing in it.
    ///
    /// # Errors
    /// With a log: `FailedPrecondition` before [`Engine::resume`]; `Unavailable` once syncing has failed: what was recorded is in the log,
    /// as far as the disk kept it, and the next process reads it; `ResourceExhausted` in the rare case that the disk is full before the
    /// log could say what the database has. The batch then stays open.
    pub fn seal(&self) -> Result<Option<Arc<Batch>>> {
        let mut flush = self.flush.lock();
        if let Some(batch) = flush.sealed.front() {
            return Ok(Some(Arc::clone(batch)));
        }
        if self.log.is_some() && !flush.resumed {
            return Err(Error::FailedPrecondition(
                "where the database stands is not known; resume before the first seal".to_owned(),
            ));
        }
        if flush.base.is_empty() && self.aggregate.is_empty() {
            return Ok(None);
        }
        let next = flush.open + 1;
        let content = self.turn(&mut flush, next, true)?;
        flush.open = next;
        if let Some(log) = &self.log
            && let Err(error) = self.note_windows(log)
        {
            // Whether the next process takes it for sealed is not known, so it must not get into the database now.
            flush.base = content;
            return Err(error);
        }
        if content.is_empty() {
            return Ok(None);
        }
        flush.begun = true;
        let batch = Arc::new(Batch {
            number: flush.high_water.saturating_add(1),
            cells: content.cells,
            exposures: content.exposures,
        });
        flush.sealed.push_back(Arc::clone(&batch));
        Ok(Some(batch))
    }

    /// Goes over to a segment of batch `batch`; returns what was in the open batch. Where there is no room for a segment, and with `close`,
    /// the batch is closed instead: that the disk is full is no reason to keep from the database what is safe.
    fn turn(&self, flush: &mut Flush, batch: u64, close: bool) -> Result<Content> {
        let mut ready = Ok(());
        if let Some(log) = &self.log {
            ready = log.prepare();
            // Most of the waiting for the disk is done before anyone has to wait for this.
            log.sync()?;
        }
        let _gate = self.gate.close();
        if let Some(log) = &self.log {
            // What is not synced must not get into the database: it could be there and yet be sent again, and nobody would know.
            log.sync()?;
            let turned = ready.and_then(|()| log.turn(batch));
            if turned.is_err() && !(close && log.close()) {
                turned?;
            }
        }
        let base = mem::take(&mut flush.base);
        Ok(self.aggregate.drain(base))
    }

    /// Writes the windows into the current segment, so that those before it are not needed for them; and syncs it in any case, so that it
    /// is known after a loss of power that the batch before is sealed.
    fn note_windows(&self, log: &Log) -> Result<()> {
        if checkpoint(log, &self.dedup, None).is_err() {
            self.uncut.store(true, Ordering::Relaxed);
            log.sync()?;
        }
        // Where there is no room for it now, there may be when it is needed.
        let _ = log.prepare();
        Ok(())
    }

    /// Returns how many batches are sealed and not known to be in the database; those that an earlier process left are among them.
    pub fn waiting(&self) -> usize {
        self.flush.lock().sealed.len()
    }

    /// Returns copies of what the database is not known to have of some experiments, batch by batch, the open one last: the cells of
    /// everyone and of periods alone, and no exposures. Nothing is sealed by it. Before [`Engine::resume`] batches have the numbers of the log.
    pub fn pending(&self, wanted: impl Fn(&str) -> bool) -> Vec<Batch> {
        let flush = self.flush.lock();
        let some = |cells: &[CellDelta]| -> Vec<CellDelta> {
            let own = |delta: &&CellDelta| delta.is_whole() && wanted(&delta.experiment_id);
            cells.iter().filter(own).cloned().collect()
        };
        let left = flush
            .left
            .iter()
            .map(|(number, content)| (*number, &content.cells));
        let sealed = flush
            .sealed
            .iter()
            .map(|batch| (batch.number, &batch.cells));
        let mut found: Vec<Batch> = left
            .chain(sealed)
            .map(|(number, cells)| Batch {
                number,
                cells: some(cells),
                exposures: Vec::new(),
            })
            .collect();
        let mut open = some(&flush.base.cells);
        open.extend(self.aggregate.copy(&wanted));
        let last = found.last().map_or(flush.high_water, |batch| batch.number);
        found.push(Batch {
            number: last.saturating_add(1),
            cells: open,
            exposures: Vec::new(),
        });
        found
    }

    /// Says that the sealed batch is in the database, so that it can be forgotten.
    ///
    /// # Errors
    /// `FailedPrecondition` when no batch of that number is sealed.
    pub fn commit(&self, number: u64) -> Result<()> {
        let mut flush = self.flush.lock();
        let batch = match flush.sealed.front() {
            Some(batch) if batch.number == number => Arc::clone(batch),
            other => {
                let sealed =
                    other.map_or("none".to_owned(), |batch| format!("batch {}", batch.number));
                return Err(Error::FailedPrecondition(format!(
                    "batch {number} is not sealed; {sealed} is"
                )));
            }
        };
        flush.sealed.pop_front();
        flush.high_water = number;
        self.aggregate
            .settle(batch.cells.len(), batch.exposures.len());
        if let Some(log) = &self.log {
            let (shift, _) = log.counts();
            log.commit(number - shift.unwrap_or_default());
            self.cut(log);
        }
        Ok(())
    }

    /// Syncs the log and closes it: nothing can be recorded any more. What is not in the database is there for the next process.
    ///
    /// # Errors
    /// `Unavailable` when the log could not be synced.
    pub fn close(&self) -> Result<()> {
        // Whoever seals is done first.
        let _flush = self.flush.lock();
        let _gate = self.gate.close();
        self.log.as_ref().map_or(Ok(()), Log::end)
    }

    /// Returns whether the log can be written; it can not any more once syncing it failed, or after [`Engine::close`].
    pub fn sound(&self) -> bool {
        self.log.as_ref().is_none_or(Log::sound)
    }

    /// Counts time, by which keys and clients are forgotten that nobody uses any more; to be called now and then where few calls come.
    pub fn age(&self, now_ms: i64) {
        self.dedup.age(now_ms);
    }

    /// Removes the segments that nobody needs; what cannot be removed now is the next time.
    fn cut(&self, log: &Log) {
        let cut = || {
            // A removal may survive a loss of power that a record which allows it does not.
            log.tell()?;
            if !log.checkpointed() {
                checkpoint(log, &self.dedup, None)?;
            }
            log.cut()
        };
        self.uncut.store(cut().is_err(), Ordering::Relaxed);
    }

    /// Does what a log needs now and then: syncs it, replaces what grew too large by a checkpoint, removes what nobody needs. To be called
    /// every few hundred milliseconds, by one thread; without a log it does nothing.
    ///
    /// # Errors
    /// `Unavailable` when the log could not be synced: nothing is recorded any more. `ResourceExhausted` when there was no room for
    /// a checkpoint; the next call tries again.
    pub fn tend(&self) -> Result<()> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        // Whoever seals does all of this itself.
        let Some(mut flush) = self.flush.try_lock() else {
            return log.sync();
        };
        let marked = log.mark();
        if !log.sound() {
            return marked;
        }
        let open = flush.open;
        if log.closed() {
            flush.base = self.turn(&mut flush, open, false)?;
        }
        if log.wants_checkpoint() {
            flush.base = self.turn(&mut flush, open, false)?;
            checkpoint(log, &self.dedup, Some(&flush.base))?;
        }
        if self.uncut.load(Ordering::Relaxed) {
            self.cut(log);
        }
        marked.and_then(|()| log.prepare())
    }
}
