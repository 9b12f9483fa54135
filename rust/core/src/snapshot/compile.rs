//! From the bytes of a snapshot to the value that answers.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};
use prost::Message;
use sha2::{Digest, Sha256};

use super::check::violations;
use super::{
    Allocation, Allocations, Answer, Attached, Compiled, Experiment, Kept, Metric, Status, Subject,
    Variant,
};
use crate::error::{Error, Result};
use crate::hash::{Prefix, unit_seed};
use crate::level::numbered;
use crate::limits::{Limits, VIOLATIONS};
use crate::wire::v1::{
    AssignResponse, MetricKind, Snapshot, SnapshotAllocation, SnapshotContent, SnapshotExperiment,
    SnapshotMetric, SubjectRef,
};

/// A snapshot whose bytes are undamaged, before anyone looked inside.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its version.
    pub version: u64,
    hash: [u8; 32],
    message: Bytes,
    content: Bytes,
}

impl Sealed {
    /// Opens the bytes of a `Snapshot`.
    ///
    /// # Errors
    /// `DataLoss` when they are damaged, or not those that were hashed.
    pub fn open(bytes: &[u8]) -> Result<Self> {
        let message = Bytes::copy_from_slice(bytes);
        let snapshot = Snapshot::decode(message.clone())
            .map_err(|error| Error::DataLoss(format!("not a snapshot: {error}")))?;
        let hash: [u8; 32] = Sha256::digest(&snapshot.content).into();
        if snapshot.content_hash != hash.as_slice() {
            return Err(Error::DataLoss(format!(
                "the content of snapshot {} does not have the hash that it came with",
                snapshot.version
            )));
        }
        Ok(Self {
            version: snapshot.version,
            hash,
            message,
            content: snapshot.content,
        })
    }

    /// Compiles the content, which must agree with itself and with the snapshot that is `loaded`.
    ///
    /// # Errors
    /// `DataLoss` when the content is not one; `InvalidArgument` with every violation.
    pub fn compile(
        self,
        loaded: Option<&Compiled>,
        registry: &mut Registry,
        context: Context,
        limits: &Limits,
    ) -> Result<Compiled> {
        if self.version == 0 {
            return Err(Error::invalid("version", "is 0; versions count from 1"));
        }
        let mut content = SnapshotContent::decode(self.content.clone()).map_err(|error| {
            Error::DataLoss(format!(
                "snapshot {} has no valid content: {error}",
                self.version
            ))
        })?;
        let mut violations = violations(&content, loaded, limits);
        if !violations.is_empty() {
            violations.truncate(VIOLATIONS);
            return Err(Error::InvalidArgument { violations });
        }
        for experiment in &mut content.experiments {
            if experiment.status() == Status::Running && context.held.contains(&*experiment.id) {
                experiment.set_status(Status::Paused);
            }
        }
        Ok(Compiler::new(&self, registry, context).run(&content))
    }
}

/// What this process knows beside the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Ids of experiments that are compiled as paused ones where they run.
    pub held: &'a HashSet<Box<str>>,
    /// Who was exposed before the weights of an experiment changed, by its id.
    pub kept: &'a HashMap<Box<str>, Arc<Kept>>,
    /// Whether it assigns for a sidecar, which alone knows that.
    pub forwarding: bool,
}

/// The experiments that any snapshot of this process held, numbered.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    handles: HashMap<Arc<str>, u32>,
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    id: Arc<str>,
    was_paused: bool,
}

impl Registry {
    fn register(&mut self, id: &str, paused: bool) -> (u32, &Known) {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let handle = if let Some(handle) = self.handles.get(id) {
            *handle
        } else {
            let id: Arc<str> = id.into();
            self.handles.insert(Arc::clone(&id), next);
            self.known.push(Known {
                id,
                was_paused: false,
            });
            next
        };
        let known = &mut self.known[handle as usize];
        known.was_paused |= paused;
        (handle, known)
    }
}

struct Compiler<'a> {
    version: u64,
    hash: [u8; 16],
    message: Bytes,
    registry: &'a mut Registry,
    context: Context<'a>,
    hasher: DefaultHashBuilder,
    by_key: HashTable<u32>,
    by_subject: HashTable<u32>,
}

impl<'a> Compiler<'a> {
    fn new(sealed: &Sealed, registry: &'a mut Registry, context: Context<'a>) -> Self {
        Self {
            version: sealed.version,
            hash: first_half(sealed.hash),
            message: sealed.message.clone(),
            registry,
            context,
            hasher: DefaultHashBuilder::default(),
            by_key: HashTable::new(),
            by_subject: HashTable::new(),
        }
    }

    /// Compiles content without violations.
    fn run(mut self, content: &SnapshotContent) -> Compiled {
        let mut subjects = self.subjects(content);
        let experiments = self.experiments(content, &mut subjects);
        Compiled {
            version: self.version,
            hash: self.hash,
            message: self.message,
            subjects: subjects.into(),
            experiments: experiments.into(),
            hasher: self.hasher,
            by_key: self.by_key,
            by_subject: self.by_subject,
        }
    }

    fn subjects(&mut self, content: &SnapshotContent) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = Vec::with_capacity(content.subjects.len());
        for (index, subject) in (0_u32..).zip(&content.subjects) {
            let name = subject.r#ref.clone().unwrap_or_default();
            let answer = self.answer(
                &subject.config,
                AssignResponse::default(),
                &name,
                subject.version,
            );
            subjects.push(Subject {
                organization: subject.organization.as_str().into(),
                kind: name.kind.into(),
                id: name.id.into(),
                answer,
                running: None,
                paused: None,
            });
            let hash = |index: &u32| {
                let subject = &subjects[*index as usize];
                self.hasher
                    .hash_one((&*subject.organization, &*subject.kind, &*subject.id))
            };
            self.by_subject.insert_unique(hash(&index), index, hash);
        }
        subjects
    }

    fn experiments(
        &mut self,
        content: &SnapshotContent,
        subjects: &mut [Subject],
    ) -> Vec<Experiment> {
        let names: HashMap<_, _> = (0_u32..)
            .zip(&content.subjects)
            .filter_map(|(index, subject)| {
                Some(((&*subject.organization, subject.r#ref.as_ref()?), index))
            })
            .collect();
        let mut experiments: Vec<Experiment> = Vec::with_capacity(content.experiments.len());
        for (index, source) in (0_u32..).zip(&content.experiments) {
            let name = source.subject.clone().unwrap_or_default();
            let subject = names
                .get(&(&*source.organization, &name))
                .copied()
                .unwrap_or_default();
            let version = content.subjects[subject as usize].version;
            let experiment = self.experiment(source, subject, &name, version);
            // Where assignment is external, the subject is served as if nothing ran.
            if !experiment.external {
                let about = &mut subjects[subject as usize];
                match experiment.status {
                    Status::Running => about.running = Some(index),
                    Status::Paused => about.paused = about.paused.or(Some(index)),
                    _ => {}
                }
            }
            experiments.push(experiment);
            let hash = |index: &u32| {
                let experiment = &experiments[*index as usize];
                self.hasher
                    .hash_one((&*experiment.organization, &*experiment.key))
            };
            self.by_key.insert_unique(hash(&index), index, hash);
        }
        experiments
    }

    fn experiment(
        &mut self,
        source: &SnapshotExperiment,
        subject: u32,
        name: &SubjectRef,
        version: u64,
    ) -> Experiment {
        let (handle, known) = self
            .registry
            .register(&source.id, source.status() == Status::Paused);
        let (id, was_paused) = (Arc::clone(&known.id), known.was_paused);
        let variants = source.variants.iter().map(|variant| Variant {
            name: variant.name.as_str().into(),
            answer: self.answer(
                &variant.config,
                AssignResponse {
                    experiment: source.key.clone(),
                    variant: variant.name.clone(),
                    ..AssignResponse::default()
                },
                name,
                version,
            ),
        });
        let control = source.variants.iter().position(|variant| variant.control);
        Experiment {
            prefix: Prefix::new(&source.id),
            seed: unit_seed(&source.id),
            id,
            handle,
            organization: source.organization.as_str().into(),
            key: source.key.as_str().into(),
            subject,
            status: source.status(),
            was_paused,
            external: source.external_assignment,
            variants: variants.collect(),
            control: control
                .and_then(|index| u16::try_from(index).ok())
                .unwrap_or_default(),
            metrics: source.metrics.iter().map(metric).collect(),
            dimensions: numbered(
                source
                    .dimensions
                    .iter()
                    .map(|dimension| (&*dimension.name, &*dimension.levels)),
            ),
            allocations: Allocations::new(
                source.allocations.iter().map(allocation).collect(),
                source.announced.as_ref().map(allocation),
                self.context
                    .kept
                    .get(&*source.id)
                    .filter(|kept| kept.fits(source.variants.len()))
                    .map(Arc::clone),
                self.context.forwarding,
            ),
        }
    }

    fn answer(
        &self,
        config: &Bytes,
        base: AssignResponse,
        subject: &SubjectRef,
        subject_version: u64,
    ) -> Answer {
        let config_hash = first_half(Sha256::digest(config).into());
        let head = AssignResponse {
            config_hash: Bytes::copy_from_slice(&config_hash),
            snapshot_version: self.version,
            snapshot_hash: Bytes::copy_from_slice(&self.hash),
            subject: Some(subject.clone()),
            subject_version,
            ..base
        };
        Answer {
            config: config.clone(),
            config_hash,
            head: head.encode_to_vec().into(),
            attached: Attached::default(),
        }
    }
}

fn metric(source: &SnapshotMetric) -> Metric {
    let least = match source.kind() {
        MetricKind::Duration | MetricKind::Count => 0.0,
        _ => f64::NEG_INFINITY,
    };
    Metric {
        name: source.name.as_str().into(),
        kind: source.kind(),
        min: source.min.unwrap_or(f64::NEG_INFINITY).max(least),
        max: source.max.unwrap_or(f64::INFINITY),
        cap_min: source.cap_min.unwrap_or(f64::NEG_INFINITY),
        cap_max: source.cap_max.unwrap_or(f64::INFINITY),
        quantiles: source.quantiles,
        covariate: source.covariate,
    }
}

fn allocation(source: &SnapshotAllocation) -> Allocation {
    // The check before has bounded both by 10,000 and by the number of variants.
    let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Allocation {
        generation: source.generation,
        ends: source
            .ranges
            .iter()
            .map(|range| narrow(range.end))
            .collect(),
        variants: source
            .ranges
            .iter()
            .map(|range| narrow(range.variant))
            .collect(),
    }
}

fn first_half(hash: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}
