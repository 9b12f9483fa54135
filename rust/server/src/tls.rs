//! TLS 1.2 or later, with certificates that can be replaced while it is spoken.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sortition_core::error::{Error, Result};

/// The certificates of a server, as PEM.
#[derive(Clone)]
pub struct Certificates {
    /// The server's, those that signed it behind it.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
    /// Those that sign certificates of clients, who then have to show one.
    pub client_ca: Option<Vec<u8>>,
}

impl Certificates {
    /// Returns what TLS is spoken with.
    ///
    /// # Errors
    /// `InvalidArgument` when they cannot be used.
    pub fn config(&self) -> Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("tls_certificate", &error))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                for certificate in chain("tls_client_ca", authority)? {
                    roots
                        .add(certificate)
                        .map_err(|error| unusable("tls_client_ca", &error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier
                    .build()
                    .map_err(|error| unusable("tls_client_ca", &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| unusable("tls_key", &error))?;
        let mut config = builder
            .with_single_cert(chain("tls_certificate", &self.certificate)?, key)
            .map_err(|error| unusable("tls_certificate", &error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn chain(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| unusable(name, &error))?;
    if found.is_empty() {
        return Err(Error::invalid(name, "holds no certificate"));
    }
    Ok(found)
}

fn unusable(name: &str, error: &impl std::fmt::Display) -> Error {
    Error::invalid(name, format!("cannot be used ({error})"))
}
