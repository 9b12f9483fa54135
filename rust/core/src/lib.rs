//! The core of sortition: assignment, aggregation and the bytes → bytes handlers of the hot path.
//!
//! It is pure: no clock (handlers are told the time), no network, no files, no Python. Whoever embeds it brings those.

pub mod aggregate;
pub mod allocation;
pub mod assign;
pub mod buckets;
pub mod cell;
mod counters;
pub mod dedup;
pub mod engine;
pub mod error;
pub mod exposure;
mod handlers;
pub mod hash;
pub mod limits;
pub mod moments;
mod observe;
mod problems;
mod record;
pub mod sketch;
mod slots;
pub mod snapshot;
pub mod wire;
