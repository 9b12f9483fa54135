//! One call: found, asked for its token, read, answered.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use sortition_core::engine::Engine;

use crate::frames::{Frames, MAX_MESSAGE, MAX_SINGLE, PREFIX, write};
use crate::lane::Bounds;
use crate::methods::{Method, Shape};
use crate::recorder::{Recorder, refusal};
use crate::shared::{Shared, now_ms};
use crate::status::Refusal;
use crate::stream::{Next, Stream};
use crate::tokens::Token;

/// How long a caller may take to send what it asks.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Requests beyond are answered on another thread: who asks for one unit should not wait behind a large batch.
const LARGE: usize = 32 << 10;

/// What every call on the thread of the lane needs.
#[derive(Debug)]
pub struct Context {
    /// What answers.
    pub engine: Arc<Engine>,
    /// What others know of.
    pub shared: Arc<Shared>,
    /// Where recordings meet.
    pub recorder: Rc<Recorder>,
    /// Whether an answer may have to wait for a disk.
    pub waits: bool,
    /// How many there may be.
    pub bounds: Bounds,
}

/// The service of one connection.
#[derive(Clone, Debug)]
pub struct Service {
    context: Rc<Context>,
    peer: Rc<str>,
}

impl Service {
    /// Makes the service of a connection from `peer`.
    pub fn new(context: &Rc<Context>, peer: &str) -> Self {
        Self {
            context: Rc::clone(context),
            peer: peer.into(),
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (context, peer) = (Rc::clone(&self.context), Rc::clone(&self.peer));
        Box::pin(async move {
            let answer = serve(&context, &peer, request).await;
            Ok(answer.unwrap_or_else(|refusal| refused(&refusal)))
        })
    }
}

async fn serve(
    context: &Rc<Context>,
    peer: &str,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Refusal> {
    let shared = &context.shared;
    let path = request.uri().path();
    let Some(method) = Method::at(path) else {
        return Err(Refusal::new(12, "", "Method not found!"));
    };
    check_metadata(request.headers(), context.bounds.metadata_bytes)?;
    let token = admit(shared, request.headers(), path, peer)?;
    if method.shape() == Shape::Stream {
        let limit = context.bounds.streams;
        let Some(slot) = shared.open(|shared| &shared.streams, limit) else {
            return Err(Refusal::exhausted(format!(
                "streams: {limit} are open, which is the limit; close one or use unary calls"
            )));
        };
        let stream = Stream::new(context, method, token, request.into_body(), slot);
        return Ok(response(Answer::Stream(Box::new(stream))));
    }
    let limit = context.bounds.calls;
    let Some(_slot) = shared.open(|shared| &shared.calls, limit) else {
        return Err(Refusal::exhausted(format!(
            "calls: {limit} are waiting, which is the limit; try again in a moment, or send several in one batch"
        )));
    };
    let reading = read(request.into_body());
    let late = |_| Refusal::new(4, "", "the request did not come in time");
    let message = tokio::time::timeout(REQUEST_TIME, reading)
        .await
        .map_err(late)??;
    if method.shape() == Shape::Single && message.len() > MAX_SINGLE {
        return Err(Refusal::too_large(message.len(), MAX_SINGLE));
    }
    let answer = act(context, method, message).await?;
    if answer.len() > MAX_MESSAGE {
        return Err(Refusal::answer_too_large(answer.len(), MAX_MESSAGE));
    }
    let mut data = BytesMut::with_capacity(PREFIX + answer.len());
    write(&mut data, &answer);
    Ok(response(Answer::One(Some(data.freeze()))))
}

async fn act(context: &Rc<Context>, method: Method, message: Bytes) -> Result<Vec<u8>, Refusal> {
    if method == Method::Record {
        return context.recorder.record(message).await;
    }
    let (engine, shared) = (Arc::clone(&context.engine), Arc::clone(&context.shared));
    let large = message.len() > LARGE;
    let work = move || {
        let done = shared.guarded(|| method.answer(&engine, &message, now_ms()))?;
        done.map_err(|error| refusal(&shared, &error))
    };
    if context.waits || large {
        let done = tokio::task::spawn_blocking(work).await;
        return done.unwrap_or_else(|_| Err(Refusal::defect()));
    }
    work()
}

fn check_metadata(headers: &HeaderMap, limit: usize) -> Result<(), Refusal> {
    // As HTTP/2 counts it.
    let size =
        |(name, value): (&header::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 32;
    let size: usize = headers.iter().map(size).sum();
    if size <= limit {
        return Ok(());
    }
    let text = format!("metadata: has {size} bytes; the limit is {limit}");
    Err(Refusal::new(8, "", text))
}

fn admit(
    shared: &Shared,
    headers: &HeaderMap,
    path: &str,
    peer: &str,
) -> Result<Option<Arc<Token>>, Refusal> {
    let Some(guard) = &shared.guard else {
        return Ok(None);
    };
    let header = headers.get_all(header::AUTHORIZATION).iter().next_back();
    guard
        .admit(header.map(HeaderValue::as_bytes), path, peer, now_ms())
        .map(Some)
}

/// Reads the one message of a call.
async fn read(mut body: Incoming) -> Result<Bytes, Refusal> {
    let mut frames = Frames::default();
    let mut message = None;
    loop {
        if message.is_none() {
            message = frames.next()?;
        }
        if message.is_some() && !frames.is_empty() {
            return Err(Refusal::new(12, "", "the call has more than one message"));
        }
        if body.is_end_stream() && message.is_some() {
            break;
        }
        match poll_fn(|poller| Pin::new(&mut body).poll_frame(poller)).await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    frames.push(data);
                }
            }
            Some(Err(_)) => return Err(Refusal::new(1, "", "the call was cancelled")),
            None => break,
        }
    }
    message.ok_or_else(|| Refusal::new(13, "", "the call ended in the middle of its message"))
}

/// What is sent.
#[derive(Debug)]
pub enum Answer {
    /// Nothing: the headers say it all.
    Refused,
    /// One message, and then that all is well.
    One(Option<Bytes>),
    /// As many as come in.
    Stream(Box<Stream>),
    /// Nothing any more.
    Over,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        poller: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = match &mut *self {
            Self::Refused | Self::Over => return Poll::Ready(None),
            Self::One(data) => match data.take() {
                Some(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                None => Frame::trailers(trailers(&Ok(()))),
            },
            Self::Stream(stream) => match std::task::ready!(stream.poll_next(poller)) {
                Next::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Next::End(end) => Frame::trailers(trailers(&end)),
            },
        };
        *self = Self::Over;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Refused | Self::Over)
    }
}

fn trailers(end: &Result<(), Refusal>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    match end {
        Ok(()) => {
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        Err(refusal) => refusal.write(&mut trailers),
    }
    trailers
}

fn response(answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
    response
}

fn refused(refusal: &Refusal) -> Response<Answer> {
    let mut response = response(Answer::Refused);
    refusal.write(response.headers_mut());
    response
}
