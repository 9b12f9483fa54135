//! What the thread of the lane shares with those that start, watch and stop it.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use tokio::sync::watch;

use crate::status::Refusal;
use crate::tokens::Guard;

/// Defects that wait to be written down; what comes beyond is one too many to read anyway.
const DEFECTS: usize = 16;

/// What everything that is open has to look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// How long calls under way are given, once no more are accepted.
    pub draining: Option<Duration>,
    /// Changes when tokens may have been revoked or have expired.
    pub sweeps: u64,
}

/// Things that are open.
#[derive(Debug, Default)]
pub struct Open {
    now: AtomicUsize,
    ever: AtomicU64,
    refused: AtomicU64,
}

/// One thing that is open, until dropped.
#[derive(Debug)]
pub struct Slot(Arc<Shared>, fn(&Shared) -> &Open);

/// See the module.
#[derive(Debug)]
pub struct Shared {
    /// Asks calls for tokens; none where they are not in use.
    pub guard: Option<Guard>,
    /// What TLS is spoken with; none for none.
    pub tls: RwLock<Option<Arc<ServerConfig>>>,
    /// Whether it is over, and who may stay.
    pub state: watch::Sender<State>,
    /// Connections.
    pub connections: Open,
    /// Calls under way, streams not among them.
    pub calls: Open,
    /// Streams.
    pub streams: Open,
    defects: Mutex<VecDeque<String>>,
}

impl Shared {
    /// Makes the state of a lane that begins.
    pub fn new(guard: Option<Guard>, tls: Option<Arc<ServerConfig>>) -> Self {
        Self {
            guard,
            tls: RwLock::new(tls),
            state: watch::Sender::default(),
            connections: Open::default(),
            calls: Open::default(),
            streams: Open::default(),
            defects: Mutex::default(),
        }
    }

    /// Takes a place among those that are open; none when there are `limit`.
    pub fn open(self: &Arc<Self>, which: fn(&Self) -> &Open, limit: usize) -> Option<Slot> {
        let open = which(self);
        if open.now.fetch_add(1, Ordering::Relaxed) >= limit {
            open.now.fetch_sub(1, Ordering::Relaxed);
            open.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        open.ever.fetch_add(1, Ordering::Relaxed);
        Some(Slot(Arc::clone(self), which))
    }

    /// Does some work of the core; a panic is noted, and is a refusal like any other.
    ///
    /// # Errors
    /// The work panicked.
    pub fn guarded<T>(&self, work: impl FnOnce() -> T) -> Result<T, Refusal> {
        // What a panic leaves behind is either dropped or behind a lock of the core's that knows no poison.
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
            self.note_defect(&describe(panic.as_ref()));
            Refusal::defect()
        })
    }

    /// Notes a defect, for [`Shared::take_defects`].
    pub fn note_defect(&self, text: &str) {
        let mut defects = self.defects.lock();
        if defects.len() < DEFECTS {
            defects.push_back(text.to_owned());
        }
    }

    /// Returns the defects since the last time.
    pub fn take_defects(&self) -> Vec<String> {
        self.defects.lock().drain(..).collect()
    }

    /// Returns what was counted, by name.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let ever = |open: &Open| open.ever.load(Ordering::Relaxed);
        let refused = |open: &Open| open.refused.load(Ordering::Relaxed);
        vec![
            ("lane_calls", ever(&self.calls)),
            ("lane_calls_refused", refused(&self.calls)),
            ("lane_connections", ever(&self.connections)),
            ("lane_connections_open", self.connections.now() as u64),
            ("lane_connections_refused", refused(&self.connections)),
            ("lane_streams", ever(&self.streams)),
            ("lane_streams_open", self.streams.now() as u64),
            ("lane_streams_refused", refused(&self.streams)),
        ]
    }
}

impl Open {
    /// Returns how many are open.
    pub fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        (self.1)(&self.0).now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the time of the system's clock, in milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> i64 {
    // A clock before 1970 is as good as none: everything is then counted on the first day.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref().map(String::as_str));
    format!(
        "a defect in the native core: {}",
        text.unwrap_or("a panic without a message")
    )
}
