//! Sends the same few messages to one gRPC method, as fast as it is answered, and prints what it saw as JSON.
//!
//! ```text
//! sortition-loadgen ADDRESS METHOD IN_FLIGHT SECONDS MESSAGES [CONNECTIONS [RATE [PAUSE_MS]]]
//! ```
//!
//! With a RATE, so many calls a second are begun whether or not earlier ones were answered; those that find IN_FLIGHT calls under way
//! are not sent, and counted. With a RATE of 0 or none, IN_FLIGHT callers send one call after the other; one that is refused and told
//! when to try again waits for PAUSE_MS before its next. ADDRESS is `http://127.0.0.1:7117` or `unix:/path`, METHOD is
//! `/package.Service/Method`, MESSAGES is a file of serialized messages, each behind its length as four little-endian bytes; they are
//! sent in turn. A method whose name ends with Stream is sent streams, IN_FLIGHT of them, each kept full; then an answer is a call. Runs on one thread, so that it can be pinned to one core.

mod connection;
mod load;
mod stream;

use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http::Uri;
use tokio::task::LocalSet;

use crate::connection::{Connection, framed};
use crate::load::{Load, Seen, send_at_rate, send_in_turn};
use crate::stream::send_stream;

const USAGE: &str = "usage: sortition-loadgen ADDRESS METHOD IN_FLIGHT SECONDS MESSAGES [CONNECTIONS [RATE [PAUSE_MS]]]";

/// Reads messages, each behind its length; returns them as gRPC frames them.
fn read_messages(path: &str) -> Result<Vec<Bytes>, Box<dyn Error>> {
    let mut file = Bytes::from(std::fs::read(path)?);
    let mut messages = Vec::new();
    while file.remaining() >= 4 {
        let length = usize::try_from(file.get_u32_le())?;
        if length > file.remaining() {
            return Err("the file of messages ends inside a message".into());
        }
        messages.push(framed(&file.copy_to_bytes(length))?);
    }
    if messages.is_empty() {
        return Err("the file holds no message".into());
    }
    Ok(messages)
}

/// Returns the value below which the fraction `q` of the sorted `latencies` lies, in microseconds.
fn quantile_us(latencies: &[u32], q: f64) -> f64 {
    if latencies.is_empty() {
        return f64::NAN;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let rank = (q * (latencies.len() - 1) as f64).round() as usize;
    f64::from(latencies[rank]) / 1000.0
}

fn print(seen: &Seen, measured_s: f64) {
    let mut latencies = seen.latencies.take();
    latencies.sort_unstable();
    #[allow(clippy::cast_precision_loss)]
    let rate = latencies.len() as f64 / measured_s;
    println!(
        "{{\"requests_per_s\": {rate:.1}, \"p50_us\": {:.1}, \"p99_us\": {:.1}, \"answers\": {}, \"errors\": {}, \
         \"refused\": {}, \"refused_with_retry\": {}, \"held_back\": {}}}",
        quantile_us(&latencies, 0.5),
        quantile_us(&latencies, 0.99),
        latencies.len(),
        seen.errors.get(),
        seen.refused.get(),
        seen.refused_with_retry.get(),
        seen.held_back.get(),
    );
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (required, optional) = arguments.split_at(arguments.len().min(5));
    let [address, method, in_flight, seconds, messages] = required else {
        return Err(USAGE.into());
    };
    let in_flight: usize = in_flight.parse()?;
    let count: usize = optional.first().map_or(Ok(1), |text| text.parse())?;
    let rate: Option<f64> = optional.get(1).map(|text| text.parse()).transpose()?;
    let pause = optional.get(2).map_or(Ok(0), |text| text.parse())?;
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let mut connections = Vec::new();
    for _ in 0..count.max(1) {
        connections.push(Connection::open(address).await?);
    }
    let begin = Instant::now();
    let load = Rc::new(Load {
        connections,
        method: Uri::try_from(format!("http://localhost{method}"))?,
        messages: read_messages(messages)?,
        pause: Duration::from_millis(pause),
        warm: begin + duration / 5,
        end: begin + duration,
        seen: Seen::default(),
    });
    // Growing while it measures would be seen in what it measures.
    load.seen.latencies.borrow_mut().reserve(1 << 20);
    let senders = LocalSet::new();
    if let Some(rate) = rate.filter(|rate| *rate > 0.0) {
        senders.spawn_local(send_at_rate(Rc::clone(&load), rate, in_flight));
    } else if method.ends_with("Stream") {
        for index in 0..in_flight {
            senders.spawn_local(send_stream(Rc::clone(&load), index));
        }
    } else {
        for _ in 0..in_flight {
            senders.spawn_local(send_in_turn(Rc::clone(&load)));
        }
    }
    senders.await;
    print(&load.seen, load.end.duration_since(load.warm).as_secs_f64());
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    LocalSet::new().run_until(run()).await
}
