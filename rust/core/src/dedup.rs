//! Which calls were applied before, so that a retry is never counted twice.
//!
//! Two ways to tell: clients that number their calls have a window each; others send a key that is remembered for a while.

mod group;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use parking_lot::{Mutex, MutexGuard};

use crate::error::{Error, Result};
use crate::limits::Limits;

/// How far a number may be above the lowest one that its client may still send.
pub const WINDOW: u64 = 256;
/// How long a key is remembered at least; longer where there is room.
pub const KEY_TTL_MS: i64 = 10 * 60 * 1000;
/// How long a client may be silent before its window may be given to another.
pub const CLIENT_IDLE_MS: i64 = 24 * 60 * 60 * 1000;
/// The longest id of a client, and the longest idempotency key, in bytes.
pub const ID_BYTES: usize = 16;

/// What one look at the clock adds to the age of everything at most: so a clock that is set ahead makes nothing old at once.
const STEP_MS: i64 = 60 * 1000;
/// How often a full table is searched for silent clients: the search costs far more than a call.
const SWEEP_MS: i64 = 60 * 1000;
const SHARDS: usize = 16;
/// Words of 64 numbers that a window has.
pub const WORDS: usize = (WINDOW as usize).div_ceil(64) + 1;

/// An id of up to [`ID_BYTES`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// Returns the bytes it was made of.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
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
    time: Mutex<Time>,
}

/// Time that only goes on, and in small steps, made of a clock that anyone may set.
#[derive(Debug, Default)]
struct Time {
    steady_ms: i64,
    clock_ms: Option<i64>,
}

impl Default for Dedup {
    fn default() -> Self {
        Self {
            clients: Default::default(),
            keys: Default::default(),
            client_count: AtomicUsize::new(0),
            key_count: AtomicUsize::new(0),
            time: Mutex::default(),
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

/// The window of one client, to be kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientWindow {
    /// The client.
    pub client: Id,
    /// Numbers below are settled.
    pub base: u64,
    /// Bit `i` is number `base + i`.
    pub applied: [u64; WORDS],
    /// When it was last used.
    pub used_ms: i64,
}

/// A key that is remembered, to be kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The key.
    pub key: Id,
    /// The hash of what its call carried.
    pub payload: u128,
    /// When it came.
    pub at_ms: i64,
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
    /// Looks at the clock; returns the time by which everything here ages. It has nothing to do with any calendar.
    pub fn age(&self, now_ms: i64) -> i64 {
        let mut time = self.time.lock();
        let since = time
            .clock_ms
            .map_or(0, |before| now_ms.saturating_sub(before));
        time.clock_ms = Some(now_ms);
        time.steady_ms += since.clamp(0, STEP_MS);
        time.steady_ms
    }

    /// Goes on from a time that an earlier process reached.
    fn age_to(&self, at_ms: i64) {
        let mut time = self.time.lock();
        time.steady_ms = time.steady_ms.max(at_ms);
    }

    /// Asks whether a call may be applied; `at_ms` is what [`Dedup::age`] said.
    ///
    /// # Errors
    /// `AlreadyExists` when its key came with another payload; `ResourceExhausted` when a table is full.
    pub fn claim(&self, delivery: Delivery, at_ms: i64, limits: &Limits) -> Result<Claim<'_>> {
        match delivery {
            Delivery::Anonymous => Ok(Claim::New(Pending(Kind::Anonymous))),
            Delivery::Numbered {
                client,
                seq,
                oldest_pending,
            } => self.claim_number(client, seq, oldest_pending, at_ms, limits.dedup_clients),
            Delivery::Keyed { key, payload } => {
                self.claim_key(key, payload, at_ms, limits.idempotency_keys)
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
        self.sweep_if_full(now_ms, limit);
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
        self.expire_if_full(now_ms, limit);
        let shard = self.keys[key.shard()].lock();
        match shard.payloads.get(&key) {
            Some(known) if *known == payload => return Ok(Claim::Duplicate),
            Some(_) => {
                return Err(Error::AlreadyExists(
                    "delivery.idempotency_key: came with another payload; use a new key for each call".to_owned(),
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

    /// Forgets expired keys where there is no room for more. Where there is, nothing is gained by forgetting.
    fn expire_if_full(&self, now_ms: i64, limit: usize) {
        if self.keys() < limit {
            return;
        }
        for shard in &self.keys {
            let expired = shard.lock().expire(now_ms);
            self.key_count.fetch_sub(expired, Ordering::Relaxed);
        }
    }

    /// Forgets silent clients where there is no room for more.
    fn sweep_if_full(&self, now_ms: i64, limit: usize) {
        if self.clients() < limit {
            return;
        }
        for shard in &self.clients {
            let swept = shard.lock().sweep(now_ms);
            self.client_count.fetch_sub(swept, Ordering::Relaxed);
        }
    }

    /// Returns the windows of all clients, a part at a time: each part is as it was at one moment.
    pub fn windows(&self) -> impl Iterator<Item = Vec<ClientWindow>> {
        self.clients.iter().map(|shard| {
            let shard = shard.lock();
            let windows = shard.windows.iter().map(|(client, window)| ClientWindow {
                client: *client,
                base: window.base,
                applied: window.applied,
                used_ms: window.used_ms,
            });
            windows.collect()
        })
    }

    /// Returns all keys, a part at a time: each part is as it was at one moment.
    pub fn known_keys(&self) -> impl Iterator<Item = Vec<KnownKey>> {
        self.keys.iter().map(|shard| {
            let shard = shard.lock();
            let keys = shard.ages.iter().filter_map(|(at_ms, key)| {
                Some(KnownKey {
                    key: *key,
                    payload: *shard.payloads.get(key)?,
                    at_ms: *at_ms,
                })
            });
            keys.collect()
        })
    }

    /// Remembers a call that was applied before this process began. Doing so twice, or out of order, changes nothing.
    pub fn restore_call(&self, delivery: &Delivery, at_ms: i64, limits: &Limits) {
        match *delivery {
            Delivery::Anonymous => {}
            Delivery::Numbered {
                client,
                seq,
                oldest_pending,
            } => self.restore_window(client, at_ms, limits, |window| {
                window.advance(oldest_pending);
                if seq >= window.base {
                    window.add(seq);
                }
            }),
            Delivery::Keyed { key, payload } => {
                let kept = KnownKey {
                    key,
                    payload,
                    at_ms,
                };
                self.restore_key(kept, limits);
            }
        }
    }

    /// Remembers the window of a client: whatever this or a call since says was applied, was.
    pub fn restore_client(&self, kept: &ClientWindow, limits: &Limits) {
        self.restore_window(kept.client, kept.used_ms, limits, |window| {
            let mut kept = Window {
                base: kept.base,
                applied: kept.applied,
                used_ms: kept.used_ms,
            };
            let base = window.base.max(kept.base);
            window.advance(base);
            kept.advance(base);
            for (word, more) in window.applied.iter_mut().zip(kept.applied) {
                *word |= more;
            }
        });
    }

    fn restore_window(
        &self,
        client: Id,
        at_ms: i64,
        limits: &Limits,
        change: impl FnOnce(&mut Window),
    ) {
        // As it was done when the call came.
        self.age_to(at_ms);
        self.sweep_if_full(at_ms, limits.dedup_clients);
        let mut shard = self.clients[client.shard()].lock();
        let window = shard.windows.entry(client).or_insert_with(|| {
            self.client_count.fetch_add(1, Ordering::Relaxed);
            Window {
                used_ms: at_ms,
                ..Window::default()
            }
        });
        change(window);
        window.used_ms = window.used_ms.max(at_ms);
    }

    /// Remembers a key with the payload that it came with last: an earlier one had expired by then.
    pub fn restore_key(&self, kept: KnownKey, limits: &Limits) {
        // As it was done when the call came.
        self.age_to(kept.at_ms);
        self.expire_if_full(kept.at_ms, limits.idempotency_keys);
        let mut shard = self.keys[kept.key.shard()].lock();
        if let Some(known) = shard.payloads.insert(kept.key, kept.payload) {
            if known != kept.payload {
                shard.restamp(kept.key, kept.at_ms);
            }
            return;
        }
        shard.ages.push_back((kept.at_ms, kept.key));
        self.key_count.fetch_add(1, Ordering::Relaxed);
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

    /// Moves a key behind all others.
    fn restamp(&mut self, key: Id, at_ms: i64) {
        self.ages.retain(|(_, known)| *known != key);
        self.ages.push_back((at_ms, key));
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
