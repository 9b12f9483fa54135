//! The cheapest server there is for the load generator: HTTP/2 and nothing above it. It reads a call and sends the same answer
//! each time; what the generator reaches against it is about all it can do.
//!
//! ```text
//! sink        prints the address it listens on, and serves until its input is closed
//! ```

use std::error::Error;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{RecvStream, SendStream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request, Response};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// A message of 64 bytes, framed: shorter than any answer that is measured.
static ANSWER: [u8; 69] = {
    let mut bytes = [7; 69];
    let mut index = 0;
    while index < 4 {
        bytes[index] = 0;
        index += 1;
    }
    bytes[4] = 64;
    bytes
};

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    while let Some(bytes) = body.data().await {
        let length = bytes?.len();
        body.flow_control().release_capacity(length)?;
    }
    let mut head = Response::new(());
    head.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut out: SendStream<Bytes> = respond.send_response(head, false)?;
    out.send_data(Bytes::from_static(&ANSWER), false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    out.send_trailers(trailers)
}

async fn serve(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let mut connection = server::Builder::new()
        .initial_connection_window_size(8 << 20)
        .handshake(stream)
        .await?;
    while let Some(call) = connection.accept().await {
        let (request, respond) = call?;
        tokio::task::spawn_local(async move {
            // Whoever hung up needs no answer.
            let _ = answer(request, respond).await;
        });
    }
    Ok(())
}

async fn listen() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let mut closed = Vec::new();
    let mut input = tokio::io::stdin();
    let end = input.read_to_end(&mut closed);
    tokio::pin!(end);
    loop {
        tokio::select! {
            _ = &mut end => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::task::spawn_local(async move {
                    let _ = serve(stream).await;
                });
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    LocalSet::new().run_until(listen()).await
}
