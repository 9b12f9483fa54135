//! The core of sortition: assignment, aggregation and the bytes → bytes handlers of the hot path.
//!
//! It has no clock (handlers are told the time), no network and no Python; whoever embeds it brings those. Files are touched by the log
//! alone, through a trait of which [`log::Disk`] is the only implementation here.

pub mod aggregate;
pub mod allocation;
pub mod assign;
mod borrowed;
pub mod buckets;
pub mod cell;
mod counters;
pub mod dedup;
pub mod engine;
pub mod error;
pub mod exposure;
mod flush;
pub mod forward;
mod gate;
mod group;
mod handlers;
pub mod hash;
pub mod level;
pub mod limits;
pub mod log;
pub mod many;
pub mod moments;
mod observe;
mod problems;
mod record;
pub mod sketch;
mod slots;
pub mod snapshot;
pub mod wire;
