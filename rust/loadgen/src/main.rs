//! Sends the same few messages to one unary gRPC method, as fast as it is answered, and prints what it saw as JSON.
//!
//! ```text
//! sortition-loadgen ADDRESS METHOD IN_FLIGHT SECONDS MESSAGES [CONNECTIONS [RATE [PAUSE_MS]]]
//! ```
//!
//! With a RATE, so many calls a second are begun whether or not earlier ones were answered; those that find IN_FLIGHT calls under way
//! are not sent, and counted. With a RATE of 0 or none, IN_FLIGHT callers send one call after the other; one that is refused and told when
//! to try again waits for PAUSE_MS before its next. ADDRESS is `http://127.0.0.1:7117`, METHOD is `/package.Service/Method`, MESSAGES is a file of serialized messages, each behind its
//! length as four little-endian bytes; they are sent in turn. Runs on one thread, so that it can be pinned to one core.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// Passes bytes through: what is measured is the server, not a message library.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}

/// What all senders share.
struct Load {
    channels: Vec<Channel>,
    method: PathAndQuery,
    messages: Vec<Bytes>,
    next: Cell<usize>,
    latencies: RefCell<Vec<u32>>,
    errors: Cell<u64>,
    /// Answers that said RESOURCE_EXHAUSTED, and those among them that said when to try again.
    refused: Cell<u64>,
    refused_with_retry: Cell<u64>,
    pause: Duration,
    under_way: Cell<usize>,
    held_back: Cell<u64>,
    warm: Instant,
    end: Instant,
}

/// Reads messages, each behind its length.
fn read_messages(path: &str) -> Result<Vec<Bytes>, Box<dyn Error>> {
    let mut file = Bytes::from(std::fs::read(path)?);
    let mut messages = Vec::new();
    while file.remaining() >= 4 {
        let length = usize::try_from(file.get_u32_le())?;
        if length > file.remaining() {
            return Err("the file of messages ends inside a message".into());
        }
        messages.push(file.copy_to_bytes(length));
    }
    if messages.is_empty() {
        return Err("the file holds no message".into());
    }
    Ok(messages)
}

/// How often a rate is caught up with.
const TICK: Duration = Duration::from_millis(1);
/// What names a RetryInfo among the details of a status.
const RETRY_INFO: &[u8] = b"google.rpc.RetryInfo";

fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// Sends the next message over the next connection, and notes what came of it; returns whether to try again later.
async fn send_one(load: &Load) -> bool {
    let index = load.next.get();
    load.next.set(index.wrapping_add(1));
    let message = load.messages[index % load.messages.len()].clone();
    let mut client = tonic::client::Grpc::new(load.channels[index % load.channels.len()].clone());
    let begin = Instant::now();
    let answer = match client.ready().await {
        Ok(()) => {
            let call = client.unary(Request::new(message), load.method.clone(), Raw);
            call.await.map(drop)
        }
        Err(error) => Err(Status::from_error(Box::new(error))),
    };
    let finish = Instant::now();
    // The first part only warms connections and caches.
    let counts = begin >= load.warm && finish <= load.end;
    match answer {
        Ok(()) if counts => {
            let nanos = u32::try_from(finish.duration_since(begin).as_nanos()).unwrap_or(u32::MAX);
            load.latencies.borrow_mut().push(nanos);
        }
        Err(status) if status.code() == Code::ResourceExhausted => {
            let details = status.details();
            let told = details
                .windows(RETRY_INFO.len())
                .any(|part| part == RETRY_INFO);
            if counts {
                count(&load.refused);
                load.refused_with_retry
                    .set(load.refused_with_retry.get() + u64::from(told));
            }
            return told;
        }
        Err(_) if counts => count(&load.errors),
        _ => {}
    }
    false
}

/// Sends one message after the other until the time is over.
async fn send_in_turn(load: Rc<Load>) {
    while Instant::now() < load.end {
        if send_one(&load).await {
            // Not all at once.
            let spread = u8::try_from(load.next.get() % 16).unwrap_or_default();
            tokio::time::sleep(load.pause.mul_f64(0.5 + f64::from(spread) / 16.0)).await;
        }
    }
}

/// Begins `rate` calls a second until the time is over.
async fn send_at_rate(load: Rc<Load>, rate: f64, in_flight: usize) {
    let begin = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    let mut begun = 0_u64;
    while Instant::now() < load.end {
        ticks.tick().await;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let due = (begin.elapsed().as_secs_f64() * rate) as u64;
        while begun < due {
            begun += 1;
            if load.under_way.get() >= in_flight {
                if Instant::now() > load.warm {
                    count(&load.held_back);
                }
                continue;
            }
            load.under_way.set(load.under_way.get() + 1);
            let load = Rc::clone(&load);
            tokio::task::spawn_local(async move {
                send_one(&load).await;
                load.under_way.set(load.under_way.get() - 1);
            });
        }
    }
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (required, optional) = arguments.split_at(arguments.len().min(5));
    let [address, method, in_flight, seconds, messages] = required else {
        return Err("usage: sortition-loadgen ADDRESS METHOD IN_FLIGHT SECONDS MESSAGES [CONNECTIONS [RATE [PAUSE_MS]]]".into());
    };
    let in_flight: usize = in_flight.parse()?;
    let connections: usize = optional.first().map_or(Ok(1), |text| text.parse())?;
    let rate: Option<f64> = optional.get(1).map(|text| text.parse()).transpose()?;
    let pause = optional.get(2).map_or(Ok(0), |text| text.parse())?;
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let mut channels = Vec::new();
    for _ in 0..connections.max(1) {
        let endpoint = Endpoint::from_shared(address.clone())?.tcp_nodelay(true);
        channels.push(endpoint.connect().await?);
    }
    let begin = Instant::now();
    let load = Rc::new(Load {
        channels,
        method: PathAndQuery::try_from(method.as_str())?,
        messages: read_messages(messages)?,
        next: Cell::new(0),
        latencies: RefCell::new(Vec::with_capacity(1 << 20)),
        errors: Cell::new(0),
        refused: Cell::new(0),
        refused_with_retry: Cell::new(0),
        pause: Duration::from_millis(pause),
        under_way: Cell::new(0),
        held_back: Cell::new(0),
        warm: begin + duration / 5,
        end: begin + duration,
    });
    let senders = tokio::task::LocalSet::new();
    if let Some(rate) = rate.filter(|rate| *rate > 0.0) {
        senders.spawn_local(send_at_rate(Rc::clone(&load), rate, in_flight));
    } else {
        for _ in 0..in_flight {
            senders.spawn_local(send_in_turn(Rc::clone(&load)));
        }
    }
    senders.await;
    let mut latencies = load.latencies.take();
    latencies.sort_unstable();
    let measured = load.end.duration_since(load.warm).as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let rate = latencies.len() as f64 / measured;
    println!(
        "{{\"requests_per_s\": {rate:.1}, \"p50_us\": {:.1}, \"p99_us\": {:.1}, \"answers\": {}, \"errors\": {}, \
         \"refused\": {}, \"refused_with_retry\": {}, \"held_back\": {}}}",
        quantile_us(&latencies, 0.5),
        quantile_us(&latencies, 0.99),
        latencies.len(),
        load.errors.get(),
        load.refused.get(),
        load.refused_with_retry.get(),
        load.held_back.get(),
    );
    Ok(())
}
