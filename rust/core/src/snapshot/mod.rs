//! The running experiments, compiled into one immutable value that the hot path reads.

mod allocations;
mod attached;
mod check;
mod compile;
mod kept;

use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::hash::Prefix;
use crate::level::Dimension;

pub use crate::wire::v1::{ExperimentStatus as Status, MetricKind};
pub use allocations::{Allocation, Allocations, Share};
pub use attached::Attached;
pub use compile::{Context, Registry, Sealed};
pub use kept::{Exposed, Kept};

/// A configuration and everything else of an answer that does not depend on the unit.
#[derive(Debug)]
pub struct Answer {
    /// The configuration, a JSON object in UTF-8.
    pub config: Bytes,
    /// The first 16 bytes of its SHA-256.
    pub config_hash: [u8; 16],
    /// An encoded `AssignResponse` that lacks the configuration and what depends on the unit; messages concatenate.
    pub head: Box<[u8]>,
    /// The same for whoever embeds the core, in a form of its own.
    pub attached: Attached,
}

/// A subject with its current configuration.
#[derive(Debug)]
pub struct Subject {
    organization: Box<str>,
    kind: Box<str>,
    id: Box<str>,
    /// What it answers when no experiment of it does.
    pub answer: Answer,
    /// Its running experiment, as an index.
    pub running: Option<u32>,
    /// Its first paused experiment, as an index.
    pub paused: Option<u32>,
}

/// An arm of an experiment.
#[derive(Debug)]
pub struct Variant {
    /// Its name.
    pub name: Box<str>,
    /// What its units are answered.
    pub answer: Answer,
}

/// A metric and what it accepts.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: Box<str>,
    /// Its kind.
    pub kind: MetricKind,
    /// The lowest value that is accepted.
    pub min: f64,
    /// The highest value that is accepted.
    pub max: f64,
    /// Values below are counted as this one.
    pub cap_min: f64,
    /// Values above are counted as this one.
    pub cap_max: f64,
    /// Whether a sketch is kept.
    pub quantiles: bool,
    /// Whether observations carry a covariate.
    pub covariate: bool,
}

/// An experiment, ready to assign and to record.
#[derive(Debug)]
pub struct Experiment {
    /// The immutable id that is hashed.
    pub id: Arc<str>,
    /// Its number in this process, the same in every snapshot.
    pub handle: u32,
    organization: Box<str>,
    /// Its key.
    pub key: Box<str>,
    /// The subject it is about, as an index.
    pub subject: u32,
    /// Where it stands.
    pub status: Status,
    /// Whether an earlier snapshot of this process had it paused, so that units may have been served the control by that.
    pub was_paused: bool,
    /// Whether variants are chosen elsewhere.
    pub external: bool,
    /// Its variants in declared order, at least one.
    pub variants: Box<[Variant]>,
    /// The index of the control.
    pub control: u16,
    /// Its metrics in declared order.
    pub metrics: Box<[Metric]>,
    /// What its outcomes are broken down by, in declared order.
    pub dimensions: Box<[Dimension]>,
    /// Which variant a unit gets. Empty before the start and where assignment is external.
    pub allocations: Allocations,
    /// The state of hashing units for assignment.
    pub prefix: Prefix,
    /// The seed of hashing units into the buckets of cells.
    pub seed: u64,
}

impl Experiment {
    /// Returns who owns it.
    pub fn organization(&self) -> &str {
        &self.organization
    }

    /// Returns the index of the variant called `name`.
    pub fn variant(&self, name: &str) -> Option<u16> {
        position(self.variants.iter().map(|variant| &*variant.name), name)
    }

    /// Returns the index of the metric called `name`.
    pub fn metric(&self, name: &str) -> Option<u16> {
        position(self.metrics.iter().map(|metric| &*metric.name), name)
    }
}

fn position<'a>(mut names: impl Iterator<Item = &'a str>, name: &str) -> Option<u16> {
    names
        .position(|known| known == name)
        .and_then(|index| u16::try_from(index).ok())
}

/// One immutable state of everything the hot path needs.
#[derive(Debug)]
pub struct Compiled {
    /// Its version, at least 1.
    pub version: u64,
    /// The first 16 bytes of the SHA-256 of its content.
    pub hash: [u8; 16],
    /// The serialized `Snapshot` that it was compiled from; configurations are parts of it, so it costs nothing to keep.
    pub message: Bytes,
    /// Every subject.
    pub subjects: Box<[Subject]>,
    /// Every experiment.
    pub experiments: Box<[Experiment]>,
    hasher: DefaultHashBuilder,
    // Indices only: the names are in the tables above, once.
    by_key: HashTable<u32>,
    by_subject: HashTable<u32>,
}

impl Compiled {
    /// Returns the index of the experiment called `key`.
    pub fn find_experiment(&self, organization: &str, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((organization, key));
        let found = self.by_key.find(hash, |index| {
            let experiment = self.experiment(*index);
            &*experiment.key == key && &*experiment.organization == organization
        });
        found.copied()
    }

    /// Returns the index of a subject.
    pub fn find_subject(&self, organization: &str, kind: &str, id: &str) -> Option<u32> {
        let hash = self.hasher.hash_one((organization, kind, id));
        let found = self.by_subject.find(hash, |index| {
            let subject = self.subject(*index);
            &*subject.id == id && &*subject.kind == kind && &*subject.organization == organization
        });
        found.copied()
    }

    /// Returns the experiment of an index that this snapshot gave.
    pub fn experiment(&self, index: u32) -> &Experiment {
        &self.experiments[index as usize]
    }

    /// Returns the subject of an index that this snapshot gave.
    pub fn subject(&self, index: u32) -> &Subject {
        &self.subjects[index as usize]
    }
}
