//! A stream of messages, kept full, and its answers.

use std::rc::Rc;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use h2::{RecvStream, SendStream};

use crate::load::Load;

/// Messages that are sent at once.
const TOGETHER: usize = 100;
/// Groups of them that are under way: one is answered while the next one travels.
const UNDER_WAY: usize = 2;
/// Bytes before a message.
const PREFIX: usize = 5;

/// Takes answers apart as their bytes come, and counts them.
#[derive(Default)]
struct Answers {
    held: BytesMut,
}

impl Answers {
    /// Adds bytes; returns how many answers are whole now.
    fn push(&mut self, bytes: &Bytes) -> usize {
        self.held.extend_from_slice(bytes);
        let mut whole = 0;
        while let Some(&[_, a, b, c, d]) = self.held.first_chunk::<PREFIX>() {
            let length = PREFIX + u32::from_be_bytes([a, b, c, d]) as usize;
            if self.held.len() < length {
                break;
            }
            self.held.advance(length);
            whole += 1;
        }
        whole
    }
}

/// Sends groups of messages over one stream until the time is over, each as soon as an earlier one was answered. A message that is
/// answered counts as a call, and takes as long as its group.
pub async fn send_stream(load: Rc<Load>, index: usize) {
    if send(&load, index).await.is_err() {
        load.seen.errors.set(load.seen.errors.get() + 1);
    }
}

async fn send(load: &Load, index: usize) -> Result<(), h2::Error> {
    let connection = &load.connections[index % load.connections.len()];
    let (mut out, answer) = connection.stream(&load.method).await?;
    let groups: Vec<(Bytes, usize)> = load.messages.chunks(TOGETHER).map(joined).collect();
    let mut next = groups.iter().cycle();
    let mut under_way = std::collections::VecDeque::with_capacity(UNDER_WAY);
    for (group, count) in next.by_ref().take(UNDER_WAY) {
        out.send_data(group.clone(), false)?;
        under_way.push_back((Instant::now(), *count));
    }
    let mut incoming: RecvStream = answer.await?.into_body();
    let (mut answers, mut ready) = (Answers::default(), 0);
    while let Some(bytes) = incoming.data().await {
        let bytes = bytes?;
        incoming.flow_control().release_capacity(bytes.len())?;
        ready += answers.push(&bytes);
        while let Some((begin, count)) = under_way.front().copied().filter(|(_, c)| ready >= *c) {
            ready -= count;
            under_way.pop_front();
            let now = Instant::now();
            load.note(begin, now, count);
            if now >= load.end {
                return end(out);
            }
            if let Some((group, count)) = next.next() {
                out.send_data(group.clone(), false)?;
                under_way.push_back((now, *count));
            }
        }
    }
    // Ended by the server, before the time was over.
    Err(h2::Reason::INTERNAL_ERROR.into())
}

fn end(mut out: SendStream<Bytes>) -> Result<(), h2::Error> {
    out.send_data(Bytes::new(), true)
}

fn joined(messages: &[Bytes]) -> (Bytes, usize) {
    (messages.concat().into(), messages.len())
}
