//! Callers, and what they see.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Uri;

use crate::connection::{Answer, Connection};

/// How often a rate is caught up with.
const TICK: Duration = Duration::from_millis(1);

/// What all senders share.
pub struct Load {
    /// Used in turn.
    pub connections: Vec<Connection>,
    /// What is called.
    pub method: Uri,
    /// Framed, sent in turn.
    pub messages: Vec<Bytes>,
    /// How long one that is refused waits.
    pub pause: Duration,
    /// What comes before only warms connections and caches.
    pub warm: Instant,
    /// When it is over.
    pub end: Instant,
    /// What was seen.
    pub seen: Seen,
}

/// What was seen.
#[derive(Default)]
pub struct Seen {
    /// Of each answer, in nanoseconds.
    pub latencies: RefCell<Vec<u32>>,
    /// Calls that failed.
    pub errors: Cell<u64>,
    /// Answers that said RESOURCE_EXHAUSTED.
    pub refused: Cell<u64>,
    /// Those among them that said when to try again.
    pub refused_with_retry: Cell<u64>,
    /// Calls that a rate asked for and that were not begun.
    pub held_back: Cell<u64>,
    next: Cell<usize>,
    under_way: Cell<usize>,
}

fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

impl Load {
    /// Notes that so many messages were answered, between two moments.
    pub fn note(&self, begin: Instant, finish: Instant, count: usize) {
        if begin >= self.warm && finish <= self.end {
            let nanos = u32::try_from(finish.duration_since(begin).as_nanos()).unwrap_or(u32::MAX);
            let mut latencies = self.seen.latencies.borrow_mut();
            latencies.extend(std::iter::repeat_n(nanos, count));
        }
    }

    /// Sends the next message over the next connection, and notes what came of it; returns whether to try again later.
    async fn send_one(&self) -> bool {
        let index = self.seen.next.get();
        self.seen.next.set(index.wrapping_add(1));
        let message = self.messages[index % self.messages.len()].clone();
        let connection = &self.connections[index % self.connections.len()];
        let begin = Instant::now();
        let answer = connection.call(&self.method, message).await;
        let finish = Instant::now();
        let counts = begin >= self.warm && finish <= self.end;
        match answer {
            Answer::Fine => self.note(begin, finish, 1),
            Answer::Refused { told } => {
                if counts {
                    count(&self.seen.refused);
                    if told {
                        count(&self.seen.refused_with_retry);
                    }
                }
                return told;
            }
            Answer::Failed if counts => count(&self.seen.errors),
            _ => {}
        }
        false
    }
}

/// Sends one message after the other until the time is over.
pub async fn send_in_turn(load: Rc<Load>) {
    while Instant::now() < load.end {
        if load.send_one().await {
            // Not all at once.
            let spread = u8::try_from(load.seen.next.get() % 16).unwrap_or_default();
            tokio::time::sleep(load.pause.mul_f64(0.5 + f64::from(spread) / 16.0)).await;
        }
    }
}

/// Begins `rate` calls a second until the time is over.
pub async fn send_at_rate(load: Rc<Load>, rate: f64, in_flight: usize) {
    let begin = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    let mut begun = 0_u64;
    while Instant::now() < load.end {
        ticks.tick().await;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let due = (begin.elapsed().as_secs_f64() * rate) as u64;
        while begun < due {
            begun += 1;
            let under_way = &load.seen.under_way;
            if under_way.get() >= in_flight {
                if Instant::now() > load.warm {
                    count(&load.seen.held_back);
                }
                continue;
            }
            under_way.set(under_way.get() + 1);
            let load = Rc::clone(&load);
            tokio::task::spawn_local(async move {
                load.send_one().await;
                let under_way = &load.seen.under_way;
                under_way.set(under_way.get() - 1);
            });
        }
    }
}
