//! The messages on the wire, generated from `proto/`; their documentation is there.

#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod v1;
