//! A connection to a server, over TCP or a unix socket, and one unary call on it.
//!
//! It stands on HTTP/2 itself: a client of a whole framework costs more than the servers that are measured.

use std::error::Error;

use bytes::{BufMut, Bytes, BytesMut};
use h2::SendStream;
use h2::client::{self, ResponseFuture, SendRequest};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use http::{Method, Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// What a peer may send before it is told that more has been read.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// How many streams are remembered after they were reset; none ever is.
const RESET_STREAMS: usize = 16;

/// What came of one call.
pub enum Answer {
    /// It was answered.
    Fine,
    /// It was refused for a bound; says whether it was told when to try again.
    Refused { told: bool },
    /// It failed otherwise.
    Failed,
}

/// A connection that many calls share.
#[derive(Clone)]
pub struct Connection {
    sender: SendRequest<Bytes>,
}

impl Connection {
    /// Connects to `http://host:port` or `unix:/path`.
    pub async fn open(address: &str) -> Result<Self, Box<dyn Error>> {
        if let Some(path) = address.strip_prefix("unix:") {
            return Self::over(UnixStream::connect(path).await?).await;
        }
        let stream = TcpStream::connect(address.trim_start_matches("http://")).await?;
        stream.set_nodelay(true)?;
        Self::over(stream).await
    }

    async fn over<T: AsyncRead + AsyncWrite + Unpin + 'static>(
        stream: T,
    ) -> Result<Self, Box<dyn Error>> {
        let (sender, connection) = client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_reset_streams(RESET_STREAMS)
            .enable_push(false)
            .handshake(stream)
            .await?;
        tokio::task::spawn_local(connection);
        Ok(Self { sender })
    }

    /// Opens a stream; returns where messages go and where the answers come from.
    pub async fn stream(
        &self,
        method: &Uri,
    ) -> Result<(SendStream<Bytes>, ResponseFuture), h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, body) = sender.send_request(request(method), false)?;
        Ok((body, response))
    }

    /// Sends one framed message and reads the whole answer.
    pub async fn call(&self, method: &Uri, message: Bytes) -> Answer {
        self.try_call(method, message)
            .await
            .unwrap_or(Answer::Failed)
    }

    async fn try_call(&self, method: &Uri, message: Bytes) -> Result<Answer, h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut body) = sender.send_request(request(method), false)?;
        body.send_data(message, true)?;
        let (head, mut answer) = response.await?.into_parts();
        while let Some(bytes) = answer.data().await {
            let length = bytes?.len();
            answer.flow_control().release_capacity(length)?;
        }
        let trailers = answer.trailers().await?;
        // A refusal may come without a message, its status in the head.
        Ok(judge(trailers.as_ref().unwrap_or(&head.headers)))
    }
}

/// What names a RetryInfo among the details of a status, in base64: "google.rpc.RetryInfo" at each of the three places
/// that it can have among the bytes, without the digits that depend on what is beside it.
const RETRY_INFO: [&str; 3] = [
    "Z29vZ2xlLnJwYy5SZXRyeUluZm",
    "nb29nbGUucnBjLlJldHJ5SW5mb",
    "dvb2dsZS5ycGMuUmV0cnlJbmZv",
];

fn judge(headers: &HeaderMap) -> Answer {
    match headers
        .get("grpc-status")
        .map_or(&b""[..], HeaderValue::as_bytes)
    {
        b"0" => Answer::Fine,
        b"8" => {
            let details = headers.get("grpc-status-details-bin");
            let details = details
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            Answer::Refused {
                told: RETRY_INFO.iter().any(|name| details.contains(name)),
            }
        }
        _ => Answer::Failed,
    }
}

fn request(method: &Uri) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = method.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// Puts the five bytes before a message that gRPC wants there.
pub fn framed(message: &[u8]) -> Result<Bytes, Box<dyn Error>> {
    let mut out = BytesMut::with_capacity(5 + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len())?);
    out.put_slice(message);
    Ok(out.freeze())
}
