//! What an engine in an agent's process hands on to the sidecar, instead of counting it itself.
//!
//! Each thread writes into its own shard, in the form in which it is sent: fields of a `RecordBatchRequest`, which concatenate. Whoever sends
//! takes whole chunks, so that nothing is encoded or copied one by one, and what one thread did stays in order.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use prost::Message;

use crate::assign::Decision;
use crate::counters::Counter;
use crate::dedup::{Claim, Delivery};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::record::Plan;
use crate::slots::{SLOTS, own_slot};
use crate::snapshot::Compiled;
use crate::wire::v1::{ExposedUnit, Outcome, RecordBatchRequest, RecordResponse};

/// A chunk is closed at whichever comes first.
const CHUNK_ITEMS: usize = 1_000;
const CHUNK_BYTES: usize = 128 << 10;

/// What is sent in one call, without its `Delivery`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Consignment {
    /// A serialized `RecordBatchRequest`.
    pub content: Vec<u8>,
    /// Outcomes and exposed units in it.
    pub items: usize,
}

/// What waits to be sent.
#[derive(Debug)]
pub(crate) struct Outbound {
    shards: [Shard; SLOTS],
    /// Items and bytes that were handed in and are not settled, those under way included.
    items: AtomicUsize,
    bytes: AtomicUsize,
    /// Where the next one who takes begins, so that no shard waits behind a busier one.
    next: AtomicUsize,
}

/// One thread's part, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Chunks>);

#[derive(Debug, Default)]
struct Chunks {
    closed: VecDeque<Consignment>,
    open: Consignment,
}

impl Outbound {
    pub(crate) fn new() -> Self {
        Self {
            shards: Default::default(),
            items: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        }
    }

    /// Returns how many items are not settled.
    pub(crate) fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    fn reserve(&self, engine: &Engine, items: usize, bytes: usize) -> Result<()> {
        let limits = engine.limits();
        grow(
            &self.items,
            items,
            "outbound_items",
            limits.outbound_items,
            "",
        )?;
        let fits = grow(
            &self.bytes,
            bytes,
            "outbound_bytes",
            limits.outbound_bytes,
            " bytes",
        );
        if fits.is_err() {
            self.items.fetch_sub(items, Ordering::Relaxed);
        }
        fits
    }

    fn release(&self, items: usize, bytes: usize) {
        self.items.fetch_sub(items, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Chunks {
    fn add(&mut self, message: &RecordBatchRequest, bytes: usize, items: usize) {
        self.open.content.reserve(bytes);
        message.encode_raw(&mut self.open.content);
        self.open.items += items;
        if self.open.items >= CHUNK_ITEMS || self.open.content.len() >= CHUNK_BYTES {
            self.closed.push_back(mem::take(&mut self.open));
        }
    }

    /// Takes the oldest chunk if it has at most `bytes` and `items`.
    fn take(&mut self, bytes: usize, items: usize) -> Option<Consignment> {
        let fits = |chunk: &Consignment| chunk.content.len() <= bytes && chunk.items <= items;
        if let Some(oldest) = self.closed.front() {
            return fits(oldest).then(|| self.closed.pop_front()).flatten();
        }
        (self.open.items > 0 && fits(&self.open)).then(|| mem::take(&mut self.open))
    }
}

impl Engine {
    /// Makes an engine for an agent's process: it assigns, and keeps what was exposed and recorded to be handed on, see [`Engine::hand_out`].
    ///
    /// # Errors
    /// None now; as [`Engine::new`].
    pub fn forwarding(limits: crate::limits::Limits) -> Result<Self> {
        // What it would hash with this key is never stored.
        let mut engine = Self::new(&[0; crate::engine::KEY_BYTES], limits)?;
        engine.outbound = Some(Outbound::new());
        Ok(engine)
    }

    /// Returns an engine for a forked process: it answers from the same snapshot, and what waits here is not its to send.
    ///
    /// Takes no lock, as a thread that is not in the new process may have held it.
    ///
    /// # Errors
    /// As [`Engine::forwarding`].
    pub fn forked(&self) -> Result<Self> {
        let engine = Self::forwarding(self.limits().clone())?;
        engine.inherit(self);
        Ok(engine)
    }

    /// Takes what waits, at most `bytes` of it, to be sent in one call; none when nothing waits. It counts against the bounds until it is
    /// settled, as nobody knows yet whether it arrives.
    pub fn hand_out(&self, bytes: usize) -> Option<Consignment> {
        let outbound = self.outbound.as_ref()?;
        let mut taken = Consignment::default();
        let first = outbound.next.fetch_add(1, Ordering::Relaxed) % SLOTS;
        for index in 0..SLOTS {
            let mut chunks = outbound.shards[(first + index) % SLOTS].0.lock();
            let items = self.limits().batch_items;
            while let Some(chunk) = chunks.take(
                bytes.saturating_sub(taken.content.len()),
                items.saturating_sub(taken.items),
            ) {
                taken.items += chunk.items;
                if taken.content.is_empty() {
                    taken.content = chunk.content;
                } else {
                    taken.content.extend_from_slice(&chunk.content);
                }
            }
        }
        (taken.items > 0).then_some(taken)
    }

    /// Says that so many items and bytes will not be sent again.
    pub fn settle(&self, items: usize, bytes: usize) {
        if let Some(outbound) = &self.outbound {
            outbound.release(items, bytes);
        }
    }

    /// Keeps a unit's first exposure to be handed on.
    pub(crate) fn forward_exposure(
        &self,
        outbound: &Outbound,
        snapshot: &Compiled,
        decision: &Decision,
        unit: &str,
        now_ms: i64,
    ) -> Result<()> {
        let Some(arm) = decision.arm else {
            return Ok(());
        };
        let experiment = snapshot.experiment(arm.experiment);
        let message = RecordBatchRequest {
            exposed: vec![ExposedUnit {
                experiment: experiment.key.to_string(),
                unit: unit.to_owned(),
                organization: experiment.organization().to_owned(),
                variant: snapshot.variant_name(arm).to_owned(),
                allocation_generation: decision.generation,
                occurred_at_ms: now_ms,
            }],
            ..RecordBatchRequest::default()
        };
        let bytes = message.encoded_len();
        // Before it is remembered as exposed: one that finds no room is exposed by a later answer.
        outbound.reserve(self, 1, bytes)?;
        if self.aggregate.expose(decision.fingerprint) {
            outbound.shards[own_slot()].0.lock().add(&message, bytes, 1);
            self.count(Counter::Exposures, 1);
        } else {
            outbound.release(1, bytes);
        }
        Ok(())
    }

    /// Carries out a plan by keeping what it was made of to be handed on, unless that was done before.
    ///
    /// # Errors
    /// What is wrong with the call, or that there is no room; then nothing changed.
    pub(crate) fn forward(
        &self,
        outbound: &Outbound,
        plan: Plan,
        (outcomes, exposed): (&[Outcome], &[ExposedUnit]),
        delivery: Delivery,
        now_ms: i64,
    ) -> Result<RecordResponse> {
        let at_ms = match delivery {
            Delivery::Anonymous => 0,
            _ => self.dedup.age(now_ms),
        };
        let claim = self.dedup.claim(delivery, at_ms, self.limits());
        if let Ok(Claim::Duplicate) = claim {
            self.count(Counter::Duplicates, 1);
            return Ok(RecordResponse {
                duplicate: true,
                snapshot_version: plan.response.snapshot_version,
                ..RecordResponse::default()
            });
        }
        self.count(Counter::Refused, plan.refused.len() as u64);
        plan.problems.into_result()?;
        let claim = claim?;
        self.forward_all(outbound, outcomes, exposed, now_ms)?;
        if let Claim::New(pending) = claim {
            pending.applied();
        }
        self.count(Counter::CallsRecorded, 1);
        self.count(Counter::Observations, plan.response.accepted.into());
        Ok(plan.response)
    }

    /// Keeps all of it or nothing. What does not say when it happened happened now.
    fn forward_all(
        &self,
        outbound: &Outbound,
        outcomes: &[Outcome],
        exposed: &[ExposedUnit],
        now_ms: i64,
    ) -> Result<()> {
        let told = |at_ms: i64| if at_ms == 0 { now_ms } else { at_ms };
        let outcomes = outcomes.iter().map(|outcome| RecordBatchRequest {
            outcomes: vec![Outcome {
                occurred_at_ms: told(outcome.occurred_at_ms),
                ..outcome.clone()
            }],
            ..RecordBatchRequest::default()
        });
        let exposed = exposed.iter().map(|unit| RecordBatchRequest {
            exposed: vec![ExposedUnit {
                occurred_at_ms: told(unit.occurred_at_ms),
                ..unit.clone()
            }],
            ..RecordBatchRequest::default()
        });
        let messages: Vec<_> = outcomes
            .chain(exposed)
            .map(|message| (message.encoded_len(), message))
            .collect();
        let bytes = messages.iter().map(|(bytes, _)| bytes).sum();
        outbound.reserve(self, messages.len(), bytes)?;
        let mut chunks = outbound.shards[own_slot()].0.lock();
        for (bytes, message) in messages {
            chunks.add(&message, bytes, 1);
        }
        Ok(())
    }
}

/// Adds `more` to a count that may reach `limit` but not pass it.
fn grow(count: &AtomicUsize, more: usize, name: &str, limit: usize, what: &str) -> Result<()> {
    let add = |held: usize| held.checked_add(more).filter(|sum| *sum <= limit);
    match count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
        Ok(_) => Ok(()),
        Err(held) => Err(Error::ResourceExhausted(format!(
            "{name}: {held}{what} wait for the sidecar and the limit is {limit}; try again when it has taken them"
        ))),
    }
}
