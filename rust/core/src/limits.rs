//! The bounds of requests and of what is held in memory.

use crate::error::{Error, Result, Violation};

/// Declares `Limits` with its defaults and its look-ups by name, so that none of the three can miss a bound.
macro_rules! limits {
    ($($(#[$comment:meta])* $name:ident = $default:literal,)*) => {
        /// Bounds; beyond each of them a call is refused with an error that names it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$comment])* pub $name: usize,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            /// Returns every bound with its name, in declared order.
            pub fn entries(&self) -> Vec<(&'static str, usize)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            fn entry_mut(&mut self, name: &str) -> Option<&mut usize> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

limits! {
    /// Bytes of a unit's id.
    unit_bytes = 512,
    /// Bytes of a key or name.
    key_bytes = 128,
    /// Variants of an experiment.
    variants = 64,
    /// Metrics of an experiment.
    metrics = 64,
    /// Bytes of a configuration.
    config_bytes = 262_144,
    /// Requests or outcomes of a batch.
    batch_items = 10_000,
    /// Observations of an outcome.
    observations = 256,
    /// Dimensions that an outcome names.
    dimensions = 16,
    /// Configuration hashes a caller may say it knows.
    known_hashes = 64,
    /// Candidates of an assignment among several subjects.
    subjects = 64,
    /// Clients whose calls are counted.
    dedup_clients = 65_536,
    /// Idempotency keys that are remembered.
    idempotency_keys = 65_536,
    /// Exposures that are not in the database yet.
    pending_exposures = 1_000_000,
    /// Cells that are not in the database yet; a cell counts once for each thread that added to it.
    live_cells = 100_000,
    /// Outcomes and exposed units that an engine in an agent's process keeps for the sidecar.
    outbound_items = 100_000,
    /// Bytes of the same.
    outbound_bytes = 67_108_864,
}

/// The longest kind of a subject, in bytes.
pub const KIND_BYTES: usize = 64;

/// Violations that one error lists; a longer list would be an answer larger than any request deserves.
pub const VIOLATIONS: usize = 100;

impl Limits {
    /// Returns the defaults with `overrides` in their place.
    ///
    /// # Errors
    /// `InvalidArgument` when a name is unknown or a bound is 0.
    pub fn with(overrides: &[(String, usize)]) -> Result<Self> {
        let mut limits = Self::default();
        let mut violations = Vec::new();
        for (name, value) in overrides {
            match limits.entry_mut(name) {
                None => violations.push(Violation::new(format!("limits.{name}"), "no such limit")),
                Some(_) if *value == 0 => {
                    violations.push(Violation::new(
                        format!("limits.{name}"),
                        "is 0; give at least 1",
                    ));
                }
                Some(limit) => *limit = *value,
            }
        }
        if violations.is_empty() {
            Ok(limits)
        } else {
            Err(Error::InvalidArgument { violations })
        }
    }
}
