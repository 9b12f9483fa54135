//! Clients that send calls, hear of some of them, and send the others again; and what each call may have come to.
//!
//! Every outcome has a digit of its own in the sums of two metrics, so that the database shows of each outcome how often it was counted,
//! on which day, and whether its call was applied whole.

use std::collections::BTreeSet;

use bytes::Bytes;
use sortition_core::wire::v1::{Delivery, Observation, Outcome, observation};

use crate::chance::Chance;
use crate::common;

/// Outcomes in one pair of metrics: a digit of base 4 each, which a float64 holds exactly.
pub const DIGITS: usize = 24;
/// Pairs of metrics.
pub const PAIRS: usize = 4;
/// Outcomes of a run, at most.
pub const OUTCOMES: usize = DIGITS * PAIRS;
/// How far a client goes beyond its oldest call that is not settled.
const AHEAD: u64 = 12;

/// How often an outcome may have been counted, as far as its client can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not at all: no call about it was ever applied.
    Unsent,
    /// At most once: some call got no answer.
    InDoubt,
    /// Once, as long as only processes die.
    Written,
    /// Once, whatever happens.
    Durable,
}

/// How a call says which call it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Anonymous,
    Numbered { client: usize, seq: u64 },
    Keyed(u64),
}

/// One call and its outcomes.
#[derive(Clone, Debug)]
pub struct Call {
    pub way: Way,
    /// The digits of its outcomes.
    pub digits: std::ops::Range<usize>,
    pub fate: Fate,
    /// Whether its client sends it again until it hears of it.
    pub pending: bool,
    /// The days at which it arrived.
    pub days: BTreeSet<i32>,
    /// When it arrived first, in time that no clock changes.
    pub arrived: Option<i64>,
    /// Whether its variant is named by the caller.
    pub external: bool,
    /// What was sent, as it is sent again.
    pub outcomes: Vec<Outcome>,
    /// The lowest number its client might still have sent when this was sent first.
    pub oldest: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Clients {
    pub calls: Vec<Call>,
    /// Of each client: the number of its next call.
    next: Vec<u64>,
    /// Digits that were given out.
    pub used: usize,
}

impl Clients {
    pub fn new(count: usize) -> Self {
        Self {
            next: vec![1; count],
            ..Self::default()
        }
    }

    /// Makes a call of one outcome or several; none when a client waits for older calls, or all digits are used.
    pub fn make(&mut self, chance: &mut Chance) -> Option<usize> {
        let size = if chance.percent(20) {
            1 + chance.below(4)
        } else {
            1
        };
        if self.used + size > OUTCOMES {
            return None;
        }
        let way = match chance.below(10) {
            0 => Way::Anonymous,
            1..=3 => Way::Keyed(self.calls.len() as u64),
            _ => {
                let client = chance.below(self.next.len());
                let seq = self.next[client];
                if seq > self.oldest_pending(client) + AHEAD {
                    return None;
                }
                self.next[client] += 1;
                Way::Numbered { client, seq }
            }
        };
        let digits = self.used..self.used + size;
        self.used += size;
        let external = chance.percent(20);
        let outcomes = digits
            .clone()
            .map(|digit| outcome(digit, external))
            .collect();
        let oldest = match way {
            Way::Numbered { client, seq } => self.oldest_pending(client).min(seq),
            _ => 0,
        };
        self.calls.push(Call {
            way,
            digits,
            fate: Fate::Unsent,
            pending: true,
            days: BTreeSet::new(),
            arrived: None,
            external,
            outcomes,
            oldest,
        });
        Some(self.calls.len() - 1)
    }

    /// The lowest number that a client may still send.
    fn oldest_pending(&self, client: usize) -> u64 {
        let mine = self.calls.iter().filter_map(|call| match call.way {
            Way::Numbered { client: of, seq } if of == client && call.pending => Some(seq),
            _ => None,
        });
        mine.min().unwrap_or(self.next[client])
    }

    /// How a call is delivered now; a copy of it that was under way for long still says what it said then.
    pub fn delivery(&self, call: usize, stale: bool) -> Delivery {
        let call = &self.calls[call];
        match call.way {
            Way::Anonymous => Delivery::default(),
            Way::Numbered { client, seq } => Delivery {
                client: Bytes::from(format!("client-{client}")),
                seq,
                oldest_pending: if stale {
                    call.oldest
                } else {
                    self.oldest_pending(client).min(seq)
                },
                ..Delivery::default()
            },
            Way::Keyed(key) => Delivery {
                idempotency_key: Bytes::from(format!("key-{key}")),
                ..Delivery::default()
            },
        }
    }
}

/// The unit of an outcome.
pub fn unit(digit: usize) -> String {
    format!("unit-{digit}")
}

/// The levels that an outcome gives: in turn each that is declared, one that is not, and none.
fn given(digit: usize) -> Vec<(&'static str, &'static str)> {
    let device = [Some("mobile"), Some("desktop"), Some("watch"), None][digit % 4];
    let plan = ["free", "gold"][digit / 4 % 2];
    let device = device.map(|level| ("device", level));
    device.into_iter().chain([("plan", plan)]).collect()
}

/// The numbers of the levels that an outcome has to be counted at.
pub fn levels(digit: usize) -> [u8; 2] {
    [[1, 2, 3, 3][digit % 4], [4, 5][digit / 4 % 2]]
}

/// What an outcome adds to the sums of its metrics.
pub fn weight(digit: usize) -> u64 {
    1 << (2 * (digit % DIGITS))
}

fn outcome(digit: usize, external: bool) -> Outcome {
    let pair = digit / DIGITS;
    let observe = |metric: String| Observation {
        metric,
        value: Some(observation::Value::Number(weight(digit) as f64)),
        ..Observation::default()
    };
    Outcome {
        experiment: if external { "external" } else { "running" }.into(),
        unit: unit(digit),
        variant: if external {
            "fancy".into()
        } else {
            String::new()
        },
        observations: vec![
            observe(format!("left-{pair}")),
            observe(format!("right-{pair}")),
        ],
        dimensions: common::levels(&given(digit)),
        ..Outcome::default()
    }
}
