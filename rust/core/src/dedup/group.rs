//! Claims of several calls at once, for calls that become one write.

use std::sync::atomic::Ordering;

use hashbrown::HashMap;
use parking_lot::MutexGuard;

use super::{Clients, Dedup, Delivery, Id, Keys, SHARDS, Window};
use crate::limits::Limits;

/// Calls that are being applied together. Dropped without [`Group::applied`], none of them ever happened.
#[derive(Debug)]
pub struct Group<'a> {
    dedup: &'a Dedup,
    clients: [Option<MutexGuard<'a, Clients>>; SHARDS],
    keys: [Option<MutexGuard<'a, Keys>>; SHARDS],
    /// The windows as they are once all calls are applied.
    windows: HashMap<Id, Window>,
    new_clients: usize,
    new_keys: Vec<(Id, u128, i64)>,
}

impl Dedup {
    /// Starts a group without calls.
    pub fn group(&self) -> Group<'_> {
        Group {
            dedup: self,
            clients: Default::default(),
            keys: Default::default(),
            windows: HashMap::new(),
            new_clients: 0,
            new_keys: Vec::new(),
        }
    }
}

impl Group<'_> {
    /// Takes a call into the group; false where the group has to be applied first and the call asked about alone: it was applied before, or is in
    /// the group already, or a table is nearly full, or another thread is at work on its part of it.
    ///
    /// A group never waits for a lock: it holds several, and somebody who holds another may be waiting for one of them.
    pub fn claim(&mut self, delivery: &Delivery, at_ms: i64, limits: &Limits) -> bool {
        match *delivery {
            Delivery::Anonymous => true,
            Delivery::Numbered {
                client,
                seq,
                oldest_pending,
            } => self
                .claim_number(client, seq, oldest_pending, at_ms, limits)
                .is_some(),
            Delivery::Keyed { key, payload } => {
                self.claim_key(key, payload, at_ms, limits).is_some()
            }
        }
    }

    fn claim_number(
        &mut self,
        client: Id,
        seq: u64,
        oldest: u64,
        at_ms: i64,
        limits: &Limits,
    ) -> Option<()> {
        if self.dedup.clients() + self.new_clients >= limits.dedup_clients {
            return None;
        }
        let shard = client.shard();
        if self.clients[shard].is_none() {
            self.clients[shard] = Some(self.dedup.clients[shard].try_lock()?);
        }
        let known = self.clients[shard].as_ref()?.windows.get(&client);
        let held = self.windows.get(&client).or(known);
        let is_new = held.is_none();
        let mut window = held.copied().unwrap_or_default();
        if window.has(seq) && !is_new {
            return None;
        }
        window.used_ms = at_ms;
        window.advance(oldest);
        window.add(seq);
        self.windows.insert(client, window);
        self.new_clients += usize::from(is_new);
        Some(())
    }

    fn claim_key(&mut self, key: Id, payload: u128, at_ms: i64, limits: &Limits) -> Option<()> {
        if self.dedup.keys() + self.new_keys.len() >= limits.idempotency_keys {
            return None;
        }
        let shard = key.shard();
        if self.keys[shard].is_none() {
            self.keys[shard] = Some(self.dedup.keys[shard].try_lock()?);
        }
        let known = self.keys[shard].as_ref()?.payloads.contains_key(&key);
        if known || self.new_keys.iter().any(|(other, ..)| *other == key) {
            return None;
        }
        self.new_keys.push((key, payload, at_ms));
        Some(())
    }

    /// Remembers that all calls were applied.
    pub fn applied(mut self) {
        for (client, window) in self.windows.drain() {
            if let Some(shard) = &mut self.clients[client.shard()]
                && shard.windows.insert(client, window).is_none()
            {
                self.dedup.client_count.fetch_add(1, Ordering::Relaxed);
            }
        }
        for (key, payload, at_ms) in self.new_keys.drain(..) {
            if let Some(shard) = &mut self.keys[key.shard()] {
                shard.payloads.insert(key, payload);
                shard.ages.push_back((at_ms, key));
                self.dedup.key_count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
