//! The native lane: the services Assignment and Recording over gRPC, straight from the core.
//!
//! One thread with its own event loop answers all calls; it never touches Python, so no lock of the interpreter is on the way. It stands
//! on hyper's HTTP/2, and writes gRPC's frames and statuses itself: they have to be, byte for byte, those of the server in Python.

mod frames;
mod lane;
mod methods;
mod recorder;
mod service;
mod shared;
mod status;
mod stream;
mod tls;
mod tokens;

pub use lane::{Bounds, Lane, Place};
pub use shared::Shared;
pub use tls::Certificates;
pub use tokens::{Denial, Guard, Token};
