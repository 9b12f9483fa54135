//! Sends the same few messages to one unary gRPC method, as fast as it is answered, and prints what it saw as JSON.
//!
//! ```text
//! sortition-loadgen ADDRESS METHOD IN_FLIGHT SECONDS MESSAGES
//! ```
//!
//! ADDRESS is `http://127.0.0.1:7117`, METHOD is `/package.Service/Method`, MESSAGES is a file of serialized messages, each behind its
//! length as four little-endian bytes; they are sent in turn. Runs on one thread, so that it can be pinned to one core.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

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
    messages: Vec<Bytes>,
    next: Cell<usize>,
    latencies: RefCell<Vec<u32>>,
    errors: Cell<u64>,
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

/// Sends one message after the other until the time is over.
async fn send(channel: Channel, method: PathAndQuery, load: Rc<Load>) {
    let mut client = tonic::client::Grpc::new(channel);
    loop {
        let begin = Instant::now();
        if begin >= load.end {
            return;
        }
        let index = load.next.get();
        load.next.set((index + 1) % load.messages.len());
        let message = load.messages[index].clone();
        let answered = match client.ready().await {
            Ok(()) => client
                .unary(Request::new(message), method.clone(), Raw)
                .await
                .is_ok(),
            Err(_) => false,
        };
        let finish = Instant::now();
        // The first part only warms connections and caches.
        if begin < load.warm || finish > load.end {
            continue;
        }
        if answered {
            let nanos = u32::try_from(finish.duration_since(begin).as_nanos()).unwrap_or(u32::MAX);
            load.latencies.borrow_mut().push(nanos);
        } else {
            load.errors.set(load.errors.get() + 1);
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
    let [address, method, in_flight, seconds, messages] = arguments.as_slice() else {
        return Err("usage: sortition-loadgen ADDRESS METHOD IN_FLIGHT SECONDS MESSAGES".into());
    };
    let method = PathAndQuery::try_from(method.as_str())?;
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let channel = Endpoint::from_shared(address.clone())?
        .tcp_nodelay(true)
        .connect()
        .await?;
    let begin = Instant::now();
    let load = Rc::new(Load {
        messages: read_messages(messages)?,
        next: Cell::new(0),
        latencies: RefCell::new(Vec::with_capacity(1 << 20)),
        errors: Cell::new(0),
        warm: begin + duration / 5,
        end: begin + duration,
    });
    let senders = tokio::task::LocalSet::new();
    for _ in 0..in_flight.parse::<usize>()? {
        senders.spawn_local(send(channel.clone(), method.clone(), Rc::clone(&load)));
    }
    senders.await;
    let mut latencies = load.latencies.take();
    latencies.sort_unstable();
    let measured = load.end.duration_since(load.warm).as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let rate = latencies.len() as f64 / measured;
    println!(
        "{{\"requests_per_s\": {rate:.1}, \"p50_us\": {:.1}, \"p99_us\": {:.1}, \"answers\": {}, \"errors\": {}}}",
        quantile_us(&latencies, 0.5),
        quantile_us(&latencies, 0.99),
        latencies.len(),
        load.errors.get(),
    );
    Ok(())
}
