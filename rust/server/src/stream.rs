//! A stream of calls about one unit each; a bad one is answered with a failure, and the stream goes on.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use hyper::body::Incoming;
use prost::Message;
use sortition_core::engine::Engine;
use sortition_core::wire::v1::{
    AssignStreamResponse, Failure, FieldViolation, RecordStreamResponse, assign_stream_response,
    record_stream_response,
};
use tokio::task::JoinHandle;

use crate::frames::{Frames, MAX_SINGLE, write};
use crate::methods::Method;
use crate::service::Context;
use crate::shared::{Shared, Slot, now_ms};
use crate::status::Refusal;
use crate::tokens::Token;

/// Messages that are answered at once.
const GROUP: usize = 256;
/// Answers that are sent at once, in bytes.
const CHUNK: usize = 64 << 10;

type Answers = Result<Vec<Vec<u8>>, Refusal>;

/// The answers to a stream.
pub struct Stream {
    context: Rc<Context>,
    method: Method,
    token: Option<Arc<Token>>,
    incoming: Incoming,
    frames: Frames,
    out: BytesMut,
    /// Answers that wait for a disk.
    busy: Option<JoinHandle<Answers>>,
    woken: Pin<Box<dyn Future<Output = ()>>>,
    /// How it ends, once it does.
    end: Option<Result<(), Refusal>>,
    _slot: Slot,
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Stream")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// What comes next of a stream.
#[derive(Debug)]
pub enum Next {
    /// Answers.
    Data(Bytes),
    /// Its end.
    End(Result<(), Refusal>),
}

impl Stream {
    /// Makes the answers to what comes in.
    pub fn new(
        context: &Rc<Context>,
        method: Method,
        token: Option<Arc<Token>>,
        incoming: Incoming,
        slot: Slot,
    ) -> Self {
        Self {
            woken: changed(&context.shared),
            context: Rc::clone(context),
            method,
            token,
            incoming,
            frames: Frames::default(),
            out: BytesMut::new(),
            busy: None,
            end: None,
            _slot: slot,
        }
    }

    /// Answers what is there, and waits for more.
    pub fn poll_next(&mut self, poller: &mut Poller<'_>) -> Poll<Next> {
        loop {
            if let Some(busy) = &mut self.busy {
                let done = ready!(Pin::new(busy).poll(poller));
                self.busy = None;
                self.take(done.unwrap_or_else(|_| Err(Refusal::defect())));
            }
            if self.out.len() >= CHUNK || (self.end.is_some() && !self.out.is_empty()) {
                return Poll::Ready(Next::Data(self.out.split().freeze()));
            }
            if let Some(end) = self.end.take() {
                return Poll::Ready(Next::End(end));
            }
            let messages = self.messages();
            if !messages.is_empty() {
                self.answer(messages);
                continue;
            }
            if self.end.is_some() {
                continue;
            }
            match Pin::new(&mut self.incoming).poll_frame(poller) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.frames.push(data);
                    }
                    continue;
                }
                Poll::Ready(None) if self.frames.is_empty() => {
                    self.end = Some(Ok(()));
                    continue;
                }
                Poll::Ready(_) => {
                    self.end = Some(Err(Refusal::new(
                        1,
                        "",
                        "the stream ended in the middle of a message",
                    )));
                    continue;
                }
                Poll::Pending => {}
            }
            if !self.out.is_empty() {
                return Poll::Ready(Next::Data(self.out.split().freeze()));
            }
            ready!(self.woken.as_mut().poll(poller));
            self.woken = changed(&self.context.shared);
            self.look();
        }
    }

    /// Ends the stream if it may not stay; nobody is at work on a message.
    fn look(&mut self) {
        let shared = &self.context.shared;
        if shared.state.borrow().draining.is_some() {
            let text = "the sidecar is stopping; open the stream again in a moment";
            self.end = Some(Err(Refusal::new(14, "Unavailable", text)));
        } else if let (Some(guard), Some(token)) = (&shared.guard, &self.token)
            && !guard.holds(token, now_ms())
        {
            let text = "the token of the stream is not valid any more";
            self.end = Some(Err(Refusal::new(1, "", text)));
        }
    }

    fn messages(&mut self) -> Vec<Bytes> {
        let mut messages = Vec::new();
        while messages.len() < GROUP {
            match self.frames.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(refusal) => {
                    self.end = Some(Err(refusal));
                    break;
                }
            }
        }
        messages
    }

    fn answer(&mut self, messages: Vec<Bytes>) {
        let (engine, shared) = (
            Arc::clone(&self.context.engine),
            Arc::clone(&self.context.shared),
        );
        let method = self.method;
        let work = move || answers(&engine, &shared, method, &messages);
        if self.context.waits {
            self.busy = Some(tokio::task::spawn_blocking(work));
        } else {
            self.take(work());
        }
    }

    fn take(&mut self, answers: Answers) {
        match answers {
            Ok(answers) => answers
                .iter()
                .for_each(|answer| write(&mut self.out, answer)),
            Err(refusal) => self.end = Some(Err(refusal)),
        }
    }
}

fn answers(engine: &Engine, shared: &Shared, method: Method, messages: &[Bytes]) -> Answers {
    shared.guarded(|| {
        let small: Vec<&Bytes> = messages
            .iter()
            .filter(|message| message.len() <= MAX_SINGLE)
            .collect();
        let mut answered = if method == Method::RecordStream {
            engine.record_stream_group(&small, now_ms())
        } else {
            let one = |message: &&Bytes| engine.assign_stream_message(message, now_ms());
            small.iter().map(one).collect()
        }
        .into_iter();
        let answer = |message: &Bytes| {
            if message.len() > MAX_SINGLE {
                too_large(method, message.len())
            } else {
                answered.next().unwrap_or_default()
            }
        };
        messages.iter().map(answer).collect()
    })
}

fn too_large(method: Method, size: usize) -> Vec<u8> {
    let refusal = Refusal::too_large(size, MAX_SINGLE);
    let violations = refusal
        .violations
        .into_iter()
        .map(|violation| FieldViolation {
            field: violation.field,
            description: violation.description,
        });
    let failure = Failure {
        code: refusal.code,
        message: refusal.message,
        violations: violations.collect(),
    };
    if method == Method::RecordStream {
        let result = Some(record_stream_response::Result::Failure(failure));
        RecordStreamResponse { result }.encode_to_vec()
    } else {
        let result = Some(assign_stream_response::Result::Failure(failure));
        AssignStreamResponse { result }.encode_to_vec()
    }
}

/// Resolves when the state of the lane changes.
fn changed(shared: &Shared) -> Pin<Box<dyn Future<Output = ()>>> {
    let mut state = shared.state.subscribe();
    // One that was opened while it drained is told at once.
    if state.borrow().draining.is_some() {
        state.mark_changed();
    }
    Box::pin(async move {
        let _ = state.changed().await;
    })
}
