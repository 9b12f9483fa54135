//! Which calls were applied before, so that a retry is never counted twice.
//!
//! Two ways to tell: clients that number their calls have a window each; others send a key that is remembered for a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use parking_lot::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::limits::Limits;

/// How far a number may be above the lowest one that its client may still send.
pub const WINDOW: u64 = 256;
/// How long a key is remembered.
pub const KEY_TTL_MS: i64 = 10 * 60 * 1000;
/// How long a client may be silent before its window may be given to another.
pub const CLIENT_IDLE_MS: i64 = 24 * 60 * 60 * 1000;
/// The longest id of a client, and the longest idempotency key, in bytes.
pub const ID_BYTES: usize = 16;

/// How often a full table is searched for silent clients: the search costs far more than a call.
const SWEEP_MS: i64 = 60 * 1000;
const SHARDS: usize = 16;
const WORDS: usize = (WINDOW as usize).div_ceil(64) + 1;

/// An id of up to [`ID_BYTES`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    bytes: [u8; ID_BYTES],
    len: u8,
}

impl Id {
    /// Makes an id; none when there are no bytes or too many.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let len = u8::try_from(bytes.len()).ok().filter(|len| *len > 0)?;
        let mut padded = [0; ID_BYTES];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: padded, len })
    }

    fn shard(self) -> usize {
        let sum = self
            .bytes
            .iter()
            .fold(0_u8, |sum, byte| sum.rotate_left(3) ^ byte);
        usize::from(sum) % SHARDS
    }
}

/// How a call says which call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It does not: every arrival counts.
    Anonymous,
    /// By the client's own count.
    Numbered {
        /// The client.
        client: Id,
        /// The number of this call, at least 1.
        seq: u64,
        /// The lowest number the client may still send: in `1..=seq`, and at most [`WINDOW`] below `seq`.
        oldest_pending: u64,
    },
    /// By a key.
    Keyed {
        /// The key.
        key: Id,
        /// A hash of what the call carries.
        payload: u128,
    },
}

/// Everything that tells calls apart, sharded by client and by key.
#[derive(Debug)]
pub struct Dedup {
    clients: [Mutex<Clients>; SHARDS],
    keys: [Mutex<Keys>; SHARDS],
    // A bound may be passed by as many as there are shards, when that many threads add to it at the same moment.
    client_count: AtomicUsize,
    key_count: AtomicUsize,
}

impl Default for Dedup {
    fn default() -> Self {
        Self {
            clients: Default::default(),
            keys: Default::default(),
            client_count: AtomicUsize::new(0),
            key_count: AtomicUsize::new(0),
        }
    }
}

#[derive(Debug, Default)]
struct Clients {
    windows: HashMap<Id, Window>,
    swept_ms: Option<i64>,
}

#[derive(Debug, Default)]
struct Keys {
    payloads: HashMap<Id, u128>,
    /// In the order of arrival, so that the first is the first to expire.
    ages: VecDeque<(i64, Id)>,
}

/// The calls of one client that were applied.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// Numbers below are settled.
    base: u64,
    /// Bit `i` is number `base + i`.
    applied: [u64; WORDS],
    used_ms: i64,
}

/// What is known about a call.
#[derive(Debug)]
pub enum Claim<'a> {
    /// It was applied before.
    Duplicate,
    /// It was not; nobody else can claim it while this is held.
    New(Pending<'a>),
}

/// A call that is being applied. Dropped without [`Pending::applied`], it never happened.
#[derive(Debug)]
pub struct Pending<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Anonymous,
    Numbered {
        shard: MutexGuard<'a, Clients>,
        count: &'a AtomicUsize,
        client: Id,
        seq: u64,
        window: Window,
    },
    Keyed {
        shard: MutexGuard<'a, Keys>,
        count: &'a AtomicUsize,
        key: Id,
        payload: u128,
        now_ms: i64,
    },
}

impl Dedup {
    /// Asks whether a call may be applied.
    ///
    /// # Errors
    /// `AlreadyExists` when its key came with another payload; `ResourceExhausted` when a table is full.
    pub fn claim(&self, delivery: Delivery, now_ms: i64, limits: &Limits) -> Result<Claim<'_>> {
        match delivery {
            Delivery::Anonymous => Ok(Claim::New(Pending(Kind::Anonymous))),
            Delivery::Numbered {
                client,
                seq,
                oldest_pending,
            } => self.claim_number(client, seq, oldest_pending, now_ms, limits.dedup_clients),
            Delivery::Keyed { key, payload } => {
                self.claim_key(key, payload, now_ms, limits.idempotency_keys)
            }
        }
    }

    fn claim_number(
        &self,
        client: Id,
        seq: u64,
        oldest: u64,
        now_ms: i64,
        limit: usize,
    ) -> Result<Claim<'_>> {
        if self.clients() >= limit {
            for shard in &self.clients {
                let swept = shard.lock().sweep(now_ms);
                self.client_count.fetch_sub(swept, Ordering::Relaxed);
            }
        }
        let mut shard = self.clients[client.shard()].lock();
        let mut window = match shard.windows.get_mut(&client) {
            Some(window) => {
                window.used_ms = now_ms;
                if window.has(seq) {
                    return Ok(Claim::Duplicate);
                }
                *window
            }
            None if self.clients() >= limit => {
                return Err(Error::ResourceExhausted(format!(
                    "dedup_clients: {limit} clients are being counted and that is the limit; use fewer, longer-lived \
                     clients, or idempotency keys"
                )));
            }
            None => Window {
                used_ms: now_ms,
                ..Window::default()
            },
        };
        window.advance(oldest);
        let count = &self.client_count;
        Ok(Claim::New(Pending(Kind::Numbered {
            shard,
            count,
            client,
            seq,
            window,
        })))
    }

    fn claim_key(&self, key: Id, payload: u128, now_ms: i64, limit: usize) -> Result<Claim<'_>> {
        if self.keys() >= limit {
            for shard in &self.keys {
                let expired = shard.lock().expire(now_ms);
                self.key_count.fetch_sub(expired, Ordering::Relaxed);
            }
        }
        let mut shard = self.keys[key.shard()].lock();
        self.key_count
            .fetch_sub(shard.expire(now_ms), Ordering::Relaxed);
        match shard.payloads.get(&key) {
            Some(known) if *known == payload => return Ok(Claim::Duplicate),
            Some(_) => {
                return Err(Error::AlreadyExists(
                    "delivery.idempotency_key: came with another payload in the last 10 minutes; use a new key for each call"
                        .to_owned(),
                ));
            }
            None => {}
        }
        if self.keys() >= limit {
            return Err(Error::ResourceExhausted(format!(
                "idempotency_keys: {limit} keys are being remembered and that is the limit; number the calls of each \
                 client instead (delivery.client and delivery.seq)"
            )));
        }
        let count = &self.key_count;
        Ok(Claim::New(Pending(Kind::Keyed {
            shard,
            count,
            key,
            payload,
            now_ms,
        })))
    }

    /// Returns how many clients are being counted.
    pub fn clients(&self) -> usize {
        self.client_count.load(Ordering::Relaxed)
    }

    /// Returns how many keys are being remembered.
    pub fn keys(&self) -> usize {
        self.key_count.load(Ordering::Relaxed)
    }
}

impl Pending<'_> {
    /// Remembers that the call was applied.
    pub fn applied(self) {
        match self.0 {
            Kind::Anonymous => {}
            Kind::Numbered {
                mut shard,
                count,
                client,
                seq,
                mut window,
            } => {
                window.add(seq);
                if shard.windows.insert(client, window).is_none() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            Kind::Keyed {
                mut shard,
                count,
                key,
                payload,
                now_ms,
            } => {
                shard.payloads.insert(key, payload);
                shard.ages.push_back((now_ms, key));
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Clients {
    /// Forgets silent clients and returns how many there were.
    fn sweep(&mut self, now_ms: i64) -> usize {
        if self
            .swept_ms
            .is_some_and(|swept| now_ms.abs_diff(swept) < SWEEP_MS.unsigned_abs())
        {
            return 0;
        }
        self.swept_ms = Some(now_ms);
        let before = self.windows.len();
        self.windows
            .retain(|_, window| now_ms.saturating_sub(window.used_ms) <= CLIENT_IDLE_MS);
        before - self.windows.len()
    }
}

impl Keys {
    /// Forgets expired keys and returns how many there were.
    fn expire(&mut self, now_ms: i64) -> usize {
        let before = self.ages.len();
        while let Some((at_ms, key)) = self.ages.front() {
            if now_ms.saturating_sub(*at_ms) <= KEY_TTL_MS {
                break;
            }
            self.payloads.remove(key);
            self.ages.pop_front();
        }
        before - self.ages.len()
    }
}

impl Window {
    fn has(&self, seq: u64) -> bool {
        match seq.checked_sub(self.base) {
            None => true,
            Some(offset) => {
                let (word, bit) = (offset / 64, offset % 64);
                self.applied
                    .get(word as usize)
                    .is_some_and(|bits| bits >> bit & 1 == 1)
            }
        }
    }

    /// Adds a number that is at most [`WINDOW`] above the base.
    fn add(&mut self, seq: u64) {
        let offset = seq.saturating_sub(self.base);
        if let Some(bits) = self.applied.get_mut((offset / 64) as usize) {
            *bits |= 1 << (offset % 64);
        }
    }

    /// Moves the base up to `oldest`.
    fn advance(&mut self, oldest: u64) {
        let Some(by) = oldest.checked_sub(self.base).filter(|by| *by > 0) else {
            return;
        };
        self.base = oldest;
        let (words, bits) = (usize::try_from(by / 64).unwrap_or(usize::MAX), by % 64);
        let word = |index: usize| {
            words
                .checked_add(index)
                .and_then(|from| self.applied.get(from))
                .copied()
                .unwrap_or_default()
        };
        self.applied = std::array::from_fn(|index| {
            let low = word(index) >> bits;
            if bits == 0 {
                low
            } else {
                low | word(index.saturating_add(1)) << (64 - bits)
            }
        });
    }
}
