//! A lane: its thread, its listener, its connections.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use sortition_core::engine::Engine;
use sortition_core::error::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

use crate::recorder::Recorder;
use crate::service::{Context, Service};
use crate::shared::{Shared, Slot};
use crate::tls::Certificates;
use crate::tokens::{Guard, Token};

/// How long a caller may take to agree on TLS.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A peer that vanished without a word gives its streams back within a minute and a half.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));
/// Threads for large batches, and for what waits for a disk.
const BLOCKING_THREADS: usize = 16;
/// How long the loop rests when there are no more file descriptors.
const REST: Duration = Duration::from_millis(50);
/// How long what is on other threads is waited for at the end.
const LAST: Duration = Duration::from_secs(5);
/// How often it is looked whether all connections are gone.
const TICK: Duration = Duration::from_millis(5);

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A socket in a directory that belongs to its user alone.
    Socket(PathBuf),
    /// An address of this machine, with port 0 for any free one.
    Tcp(SocketAddr),
}

/// How many there may be at the same time; what comes beyond is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections.
    pub connections: usize,
    /// Calls and streams of one connection; further ones wait in the client.
    pub calls_per_connection: u32,
    /// Calls under way, streams not among them.
    pub calls: usize,
    /// Streams.
    pub streams: usize,
    /// Bytes of metadata that a call brings.
    pub metadata_bytes: usize,
}

/// A lane that serves until it is stopped or dropped. Nothing of it ever touches Python.
#[derive(Debug)]
pub struct Lane {
    shared: Arc<Shared>,
    place: Place,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Listener {
    Socket(UnixListener),
    Tcp(TcpListener),
}

impl Lane {
    /// Listens, and serves on a thread of its own.
    ///
    /// # Errors
    /// `Unavailable` when the place is taken or cannot be used; `InvalidArgument` when the certificates cannot be used.
    pub fn start(
        engine: Arc<Engine>,
        place: &Place,
        bounds: Bounds,
        tokens: Option<Vec<Token>>,
        certificates: Option<&Certificates>,
    ) -> Result<Self> {
        let tls = certificates.map(Certificates::config).transpose()?;
        let shared = Arc::new(Shared::new(tokens.map(Guard::new), tls));
        let unusable = |error: io::Error| {
            Error::Unavailable(format!(
                "lane: cannot listen on {place} ({error}); choose another place"
            ))
        };
        let (bound, place) = bind(place).map_err(unusable)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("sortition-lane-disk")
            .build()
            .map_err(unusable)?;
        let run = {
            let shared = Arc::clone(&shared);
            move || {
                let local = LocalSet::new();
                local.block_on(&runtime, serve(engine, bound, &shared, bounds));
                drop(local);
                runtime.shutdown_timeout(LAST);
            }
        };
        let named = thread::Builder::new().name("sortition-lane".to_owned());
        let thread = named.spawn(run).map_err(unusable)?;
        Ok(Self {
            shared,
            place,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Returns where it listens, with the port that was chosen.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns what is known of it, and can be changed.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Replaces the tokens, where tokens are in use, and ends the streams of those that went.
    pub fn replace_tokens(&self, tokens: Vec<Token>) {
        if let Some(guard) = &self.shared.guard {
            guard.replace(tokens);
        }
        self.sweep();
    }

    /// Ends the streams whose token has expired.
    pub fn sweep(&self) {
        self.shared.state.send_modify(|state| state.sweeps += 1);
    }

    /// Replaces the certificates for new connections, where TLS is spoken.
    ///
    /// # Errors
    /// `InvalidArgument` when they cannot be used; the former ones stay.
    pub fn replace_certificates(&self, certificates: &Certificates) -> Result<()> {
        let config = certificates.config()?;
        let mut held = self.shared.tls.write();
        if held.is_some() {
            *held = Some(config);
        }
        Ok(())
    }

    /// Accepts nothing more, gives what is under way `grace` to end, and then ends it; returns once it is over.
    pub fn stop(&self, grace: Duration) {
        self.shared
            .state
            .send_modify(|state| state.draining = Some(grace));
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
        if let Place::Socket(path) = &self.place {
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.thread.lock().is_some() {
            self.stop(Duration::ZERO);
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp(address) => write!(formatter, "{address}"),
        }
    }
}

enum Bound {
    Socket(StdUnixListener),
    Tcp(StdTcpListener),
}

fn bind(place: &Place) -> io::Result<(Bound, Place)> {
    Ok(match place {
        Place::Socket(path) => {
            // One that a process left behind; that nobody serves it has been made sure of.
            remove_socket(path)?;
            let listener = StdUnixListener::bind(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            (Bound::Socket(listener), place.clone())
        }
        Place::Tcp(address) => {
            let listener = StdTcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let place = Place::Tcp(listener.local_addr()?);
            (Bound::Tcp(listener), place)
        }
    })
}

fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs what belongs to one connection on its thread.
#[derive(Clone, Copy, Debug)]
struct Here;

impl<F: Future + 'static> Executor<F> for Here {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

async fn serve(engine: Arc<Engine>, bound: Bound, shared: &Arc<Shared>, bounds: Bounds) {
    let listener = match bound {
        Bound::Socket(listener) => UnixListener::from_std(listener).map(Listener::Socket),
        Bound::Tcp(listener) => TcpListener::from_std(listener).map(Listener::Tcp),
    };
    let listener = match listener {
        Ok(listener) => listener,
        Err(error) => return shared.note_defect(&format!("the lane does not listen: {error}")),
    };
    let recorder = Rc::new(Recorder::default());
    tokio::task::spawn_local(Rc::clone(&recorder).run(Arc::clone(&engine), Arc::clone(shared)));
    let waits = engine.waits();
    let context = Rc::new(Context {
        engine,
        shared: Arc::clone(shared),
        recorder,
        waits,
        bounds,
    });
    let mut state = shared.state.subscribe();
    let draining = tokio::select! {
        () = accept(&listener, &context) => None,
        state = state.wait_for(|state| state.draining.is_some()) => {
            state.ok().and_then(|state| state.draining)
        }
    };
    drop(listener);
    let over = async {
        while shared.connections.now() > 0 {
            tokio::time::sleep(TICK).await;
        }
    };
    let _ = tokio::time::timeout(draining.unwrap_or_default(), over).await;
}

async fn accept(listener: &Listener, context: &Rc<Context>) {
    loop {
        let shared = &context.shared;
        let slot = || shared.open(|shared| &shared.connections, context.bounds.connections);
        // One too many is closed at once.
        match listener {
            Listener::Socket(listener) => match listener.accept().await {
                Ok((io, _)) => {
                    if let Some(slot) = slot() {
                        tokio::task::spawn_local(begin(
                            io,
                            "unix".to_owned(),
                            Rc::clone(context),
                            slot,
                        ));
                    }
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
            Listener::Tcp(listener) => match listener.accept().await {
                Ok((io, peer)) => {
                    let _ = io.set_nodelay(true);
                    let peer = match peer {
                        SocketAddr::V4(peer) => format!("ipv4:{}", peer.ip()),
                        SocketAddr::V6(peer) => format!("ipv6:[{}]", peer.ip()),
                    };
                    if let Some(slot) = slot() {
                        tokio::task::spawn_local(begin(io, peer, Rc::clone(context), slot));
                    }
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
        }
    }
}

/// Agrees on TLS where it is spoken, and serves a connection to its end.
async fn begin<I>(io: I, peer: String, context: Rc<Context>, slot: Slot)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let tls = context.shared.tls.read().clone();
    let Some(config) = tls else {
        return connection(io, &peer, &context, slot).await;
    };
    let agreed = TlsAcceptor::from(config).accept(io);
    // Who cannot agree is gone without a word, as with any server.
    if let Ok(Ok(io)) = tokio::time::timeout(HANDSHAKE_TIME, agreed).await {
        connection(io, &peer, &context, slot).await;
    }
}

async fn connection<I>(io: I, peer: &str, context: &Rc<Context>, _slot: Slot)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut builder = http2::Builder::new(Here);
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(context.bounds.calls_per_connection)
        // Beyond the bound on metadata, which is answered in words; this one ends the call without.
        .max_header_list_size(
            8 * u32::try_from(context.bounds.metadata_bytes).unwrap_or(u32::MAX / 8),
        )
        .keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1);
    let mut state = context.shared.state.subscribe();
    let serving = builder.serve_connection(TokioIo::new(io), Service::new(context, peer));
    tokio::pin!(serving);
    let over = tokio::select! {
        _ = serving.as_mut() => true,
        _ = state.wait_for(|state| state.draining.is_some()) => false,
    };
    if !over {
        serving.as_mut().graceful_shutdown();
        let _ = serving.await;
    }
}
