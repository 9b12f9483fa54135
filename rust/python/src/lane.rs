//! `Lane`, for Python: started and stopped from there, and never calling back.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use sortition_core::error::{Error, Result};
use sortition_server as server;
use sortition_server::{Bounds, Certificates, Place};

use crate::engine::Engine;
use crate::error::guard;

/// A token as Python keeps it: its id, its name, its digest, and when it expires, in milliseconds since 1970.
type Token = (String, String, Vec<u8>, Option<i64>);
/// Certificate, key, and what signs certificates of clients, as PEM.
type Pem = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);
/// A kind of denied call and how many there were.
type Denied = (String, String, &'static str, &'static str, String, u64);

/// Serves Assignment and Recording from an engine, on a thread that never waits for the interpreter.
#[pyclass(frozen, module = "sortition.core")]
pub struct Lane(server::Lane);

#[pymethods]
impl Lane {
    /// Listens on a socket or on an address of this machine, and serves until it is stopped.
    #[new]
    #[pyo3(
        signature = (engine, listen, *, connections, calls_per_connection, calls, streams, metadata_bytes, tokens = None, tls = None),
    )]
    #[allow(clippy::too_many_arguments, reason = "they are Python's")]
    fn new(
        py: Python<'_>,
        engine: &Engine,
        listen: &str,
        connections: usize,
        calls_per_connection: u32,
        calls: usize,
        streams: usize,
        metadata_bytes: usize,
        tokens: Option<Vec<Token>>,
        tls: Option<Pem>,
    ) -> PyResult<Self> {
        let engine = engine.shared();
        let bounds = Bounds {
            connections,
            calls_per_connection,
            calls,
            streams,
            metadata_bytes,
        };
        py.detach(|| {
            guard(|| {
                let tokens = tokens.map(kept).transpose()?;
                let certificates = tls.map(certificates);
                let place = place(listen)?;
                server::Lane::start(engine, &place, bounds, tokens, certificates.as_ref()).map(Self)
            })
        })
    }

    /// Where it listens: ``unix:/path``, or ``host:port`` with the port that was chosen.
    #[getter]
    fn address(&self) -> String {
        self.0.place().to_string()
    }

    /// Replaces the tokens, and ends the streams of those that went.
    fn replace_tokens(&self, py: Python<'_>, tokens: Vec<Token>) -> PyResult<()> {
        py.detach(|| {
            guard(|| {
                self.0.replace_tokens(kept(tokens)?);
                Ok(())
            })
        })
    }

    /// Ends the streams whose token has expired.
    fn sweep(&self) {
        self.0.sweep();
    }

    /// Replaces the certificates for new connections.
    fn replace_certificates(
        &self,
        py: Python<'_>,
        certificate: Vec<u8>,
        key: Vec<u8>,
        client_ca: Option<Vec<u8>>,
    ) -> PyResult<()> {
        let certificates = certificates((certificate, key, client_ca));
        py.detach(|| guard(|| self.0.replace_certificates(&certificates)))
    }

    /// The denied calls since the last time: caller, method, status, reason, address, count.
    fn take_denials(&self) -> Vec<Denied> {
        let denials = self.0.shared().guard.as_ref();
        denials
            .map_or_else(Vec::new, server::Guard::take_denials)
            .into_iter()
            .map(|((caller, method, code, why, peer), count)| {
                (caller, method, code, why, peer, count)
            })
            .collect()
    }

    /// The defects since the last time, in words.
    fn take_defects(&self) -> Vec<String> {
        self.0.shared().take_defects()
    }

    /// What it counted since it began, by name.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, count) in self.0.shared().counters() {
            counters.set_item(name, count)?;
        }
        Ok(counters)
    }

    /// Accepts nothing more, gives what is under way some seconds to end, and then ends it.
    fn stop(&self, py: Python<'_>, grace_s: f64) {
        let grace = Duration::try_from_secs_f64(grace_s).unwrap_or_default();
        py.detach(|| self.0.stop(grace));
    }
}

fn kept(tokens: Vec<Token>) -> Result<Vec<server::Token>> {
    let token = |(id, name, digest, expires_ms): Token| {
        let digest = digest
            .try_into()
            .map_err(|_| Error::invalid("tokens.digest", "must have 32 bytes"))?;
        Ok(server::Token {
            id,
            name,
            digest,
            expires_ms,
        })
    };
    tokens.into_iter().map(token).collect()
}

fn certificates((certificate, key, client_ca): Pem) -> Certificates {
    Certificates {
        certificate,
        key,
        client_ca,
    }
}

fn place(listen: &str) -> Result<Place> {
    if let Some(path) = listen.strip_prefix("unix:") {
        return Ok(Place::Socket(PathBuf::from(path)));
    }
    let numeric = listen.replacen("localhost:", "127.0.0.1:", 1);
    numeric.parse().map(Place::Tcp).map_err(|_| {
        Error::invalid(
            "listen",
            format!("{listen:?} is neither unix:/path nor an address and a port"),
        )
    })
}
