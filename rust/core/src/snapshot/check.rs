//! Whether the content of a snapshot agrees with itself.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::{Compiled, Experiment, MetricKind, Status};
use crate::error::Violation;
use crate::level::{DIMENSIONS, LEVELS, LEVELS_TOGETHER, OTHER};
use crate::limits::{KIND_BYTES, Limits};
use crate::moments::MAGNITUDE_LIMIT;
use crate::wire::v1::{
    SnapshotAllocation, SnapshotContent, SnapshotExperiment, SnapshotMetric, SubjectRef,
};

/// The number of assignment buckets.
const BUCKETS: u32 = 10_000;

/// Returns every violation in `content`, seen alone and against the snapshot that is loaded.
pub(super) fn violations(
    content: &SnapshotContent,
    loaded: Option<&Compiled>,
    limits: &Limits,
) -> Vec<Violation> {
    let mut check = Check {
        limits,
        violations: Vec::new(),
    };
    check.content(content);
    if let Some(loaded) = loaded {
        check.unchanged(content, loaded);
    }
    check.violations
}

struct Check<'a> {
    limits: &'a Limits,
    violations: Vec<Violation>,
}

impl Check<'_> {
    fn refuse(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(Violation::new(field, description));
    }

    fn require(
        &mut self,
        fine: bool,
        field: impl FnOnce() -> String,
        description: impl FnOnce() -> String,
    ) {
        if !fine {
            self.refuse(field(), description());
        }
    }

    fn content(&mut self, content: &SnapshotContent) {
        let mut subjects = HashSet::new();
        for (index, subject) in content.subjects.iter().enumerate() {
            let path = format!("subjects[{index}]");
            self.organization(&path, &subject.organization);
            let Some(name) = self.subject_ref(&format!("{path}.ref"), subject.r#ref.as_ref())
            else {
                continue;
            };
            self.config(&path, &subject.config);
            let new = subjects.insert((&*subject.organization, &*name.kind, &*name.id));
            self.require(
                new,
                || path,
                || format!("{}/{} is there twice", name.kind, name.id),
            );
        }
        let mut ids = HashSet::new();
        let mut keys = HashSet::new();
        let mut running = HashSet::new();
        for (index, experiment) in content.experiments.iter().enumerate() {
            let path = format!("experiments[{index}]");
            self.experiment(&path, experiment);
            let new = ids.insert(&*experiment.id);
            self.require(
                new,
                || format!("{path}.id"),
                || format!("{:?} is there twice", experiment.id),
            );
            let new = keys.insert((&*experiment.organization, &*experiment.key));
            self.require(
                new,
                || format!("{path}.key"),
                || format!("{:?} is there twice", experiment.key),
            );
            let Some(name) =
                self.subject_ref(&format!("{path}.subject"), experiment.subject.as_ref())
            else {
                continue;
            };
            let subject = (&*experiment.organization, &*name.kind, &*name.id);
            self.require(
                subjects.contains(&subject),
                || format!("{path}.subject"),
                || format!("{}/{} is not among the subjects", name.kind, name.id),
            );
            if experiment.status() == Status::Running && !experiment.external_assignment {
                self.require(
                    running.insert(subject),
                    || format!("{path}.status"),
                    || format!("a second running experiment on {}/{}", name.kind, name.id),
                );
            }
        }
    }

    fn experiment(&mut self, path: &str, experiment: &SnapshotExperiment) {
        // The colon ends the id in what is hashed; inside it, two experiments could share a unit's hash.
        let id = &experiment.id;
        self.require(
            !id.is_empty() && id.len() <= self.limits.key_bytes && !id.contains(':'),
            || format!("{path}.id"),
            || {
                format!(
                    "must have 1 to {} bytes and no colon",
                    self.limits.key_bytes
                )
            },
        );
        self.organization(path, &experiment.organization);
        self.name(
            &format!("{path}.key"),
            &experiment.key,
            self.limits.key_bytes,
        );
        self.require(
            experiment.status() != Status::Unspecified,
            || format!("{path}.status"),
            || format!("{} is not a status", experiment.status),
        );
        self.variants(path, experiment);
        self.metrics(path, experiment);
        self.dimensions(path, experiment);
        self.allocations(path, experiment);
    }

    fn variants(&mut self, path: &str, experiment: &SnapshotExperiment) {
        let count = experiment.variants.len();
        self.require(
            (1..=self.limits.variants).contains(&count),
            || format!("{path}.variants"),
            || format!("has {count}; the limit is 1 to {}", self.limits.variants),
        );
        let controls = experiment
            .variants
            .iter()
            .filter(|variant| variant.control)
            .count();
        self.require(
            controls == 1,
            || format!("{path}.variants"),
            || format!("has {controls} controls; exactly one is needed"),
        );
        let mut names = HashSet::new();
        for (index, variant) in experiment.variants.iter().enumerate() {
            let path = format!("{path}.variants[{index}]");
            self.name(
                &format!("{path}.name"),
                &variant.name,
                self.limits.key_bytes,
            );
            self.config(&path, &variant.config);
            let new = names.insert(&*variant.name);
            self.require(
                new,
                || format!("{path}.name"),
                || format!("{:?} is there twice", variant.name),
            );
        }
    }

    fn metrics(&mut self, path: &str, experiment: &SnapshotExperiment) {
        let count = experiment.metrics.len();
        self.require(
            count <= self.limits.metrics,
            || format!("{path}.metrics"),
            || format!("has {count}; the limit is {}", self.limits.metrics),
        );
        let mut names = HashSet::new();
        for (index, metric) in experiment.metrics.iter().enumerate() {
            let path = format!("{path}.metrics[{index}]");
            self.name(&format!("{path}.name"), &metric.name, self.limits.key_bytes);
            let new = names.insert(&*metric.name);
            self.require(
                new,
                || format!("{path}.name"),
                || format!("{:?} is there twice", metric.name),
            );
            self.require(
                metric.kind() != MetricKind::Unspecified,
                || format!("{path}.kind"),
                || format!("{} is not a kind", metric.kind),
            );
            self.bounds(&path, metric);
        }
    }

    fn dimensions(&mut self, path: &str, experiment: &SnapshotExperiment) {
        let path = format!("{path}.dimensions");
        let count = experiment.dimensions.len();
        self.require(
            count <= DIMENSIONS,
            || path.clone(),
            || format!("has {count}; the limit is {DIMENSIONS}"),
        );
        let levels = experiment
            .dimensions
            .iter()
            .map(|dimension| dimension.levels.len());
        let together: usize = levels.sum();
        self.require(
            together <= LEVELS_TOGETHER,
            || path.clone(),
            || format!("has {together} levels together; the limit is {LEVELS_TOGETHER}"),
        );
        let mut names = HashSet::new();
        for (index, dimension) in experiment.dimensions.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.name(
                &format!("{path}.name"),
                &dimension.name,
                self.limits.key_bytes,
            );
            let new = names.insert(&*dimension.name);
            self.require(
                new,
                || format!("{path}.name"),
                || format!("{:?} is there twice", dimension.name),
            );
            self.levels(&path, &dimension.levels);
        }
    }

    fn levels(&mut self, path: &str, levels: &[String]) {
        let count = levels.len();
        self.require(
            (1..=LEVELS).contains(&count),
            || format!("{path}.levels"),
            || format!("has {count}; the limit is 1 to {LEVELS}"),
        );
        let mut known = HashSet::from([OTHER]);
        for (index, level) in levels.iter().enumerate() {
            let path = format!("{path}.levels[{index}]");
            self.name(&path, level, self.limits.key_bytes);
            let new = known.insert(level);
            self.require(
                new,
                || path,
                || format!("{level:?} is there twice, or stands for all that are not declared"),
            );
        }
    }

    fn bounds(&mut self, path: &str, metric: &SnapshotMetric) {
        let named = [
            ("min", metric.min),
            ("max", metric.max),
            ("cap_min", metric.cap_min),
            ("cap_max", metric.cap_max),
        ];
        for (name, bound) in named {
            let Some(bound) = bound else { continue };
            self.require(
                bound.abs() <= MAGNITUDE_LIMIT,
                || format!("{path}.{name}"),
                || format!("{bound} is not a number of magnitude up to {MAGNITUDE_LIMIT:e}"),
            );
        }
        for (low, high) in [(named[0], named[1]), (named[2], named[3])] {
            if let (Some(least), Some(most)) = (low.1, high.1) {
                self.require(
                    // Not `<=`: what is no number was refused above.
                    least.partial_cmp(&most) != Some(Ordering::Greater),
                    || format!("{path}.{}", low.0),
                    || format!("{least} is above {} {most}", high.0),
                );
            }
        }
    }

    fn allocations(&mut self, path: &str, experiment: &SnapshotExperiment) {
        let needed = matches!(experiment.status(), Status::Running | Status::Paused)
            && !experiment.external_assignment;
        self.require(
            !needed || !experiment.allocations.is_empty(),
            || format!("{path}.allocations"),
            || "is empty; a started experiment has at least one".to_owned(),
        );
        let mut generation = 0;
        let effective = experiment.allocations.iter().enumerate();
        let effective = effective.map(|(index, one)| (format!("allocations[{index}]"), one));
        let announced = experiment.announced.iter();
        for (name, allocation) in
            effective.chain(announced.map(|one| ("announced".to_owned(), one)))
        {
            let path = format!("{path}.{name}");
            self.require(
                allocation.generation > generation,
                || format!("{path}.generation"),
                || format!("{} is not above {generation}", allocation.generation),
            );
            generation = generation.max(allocation.generation);
            self.ranges(&path, allocation, experiment.variants.len());
        }
    }

    fn ranges(&mut self, path: &str, allocation: &SnapshotAllocation, variants: usize) {
        let mut end = 0;
        for (index, range) in allocation.ranges.iter().enumerate() {
            self.require(
                range.end > end && range.end <= BUCKETS,
                || format!("{path}.ranges[{index}].end"),
                || format!("{} is not in ({end}, {BUCKETS}]", range.end),
            );
            self.require(
                (range.variant as usize) < variants,
                || format!("{path}.ranges[{index}].variant"),
                || {
                    format!(
                        "{} is not the index of a variant; there are {variants}",
                        range.variant
                    )
                },
            );
            end = end.max(range.end);
        }
        self.require(
            end == BUCKETS,
            || format!("{path}.ranges"),
            || format!("end at bucket {end}; they must cover all {BUCKETS}"),
        );
    }

    /// Cells are kept by index, so what an index means may not change once something was recorded under it.
    fn unchanged(&mut self, content: &SnapshotContent, loaded: &Compiled) {
        let started = |experiment: &&Experiment| experiment.status != Status::Draft;
        let before: HashMap<&str, &Experiment> = loaded
            .experiments
            .iter()
            .filter(started)
            .map(|experiment| (&*experiment.id, experiment))
            .collect();
        for (index, experiment) in content.experiments.iter().enumerate() {
            let Some(old) = before.get(&*experiment.id) else {
                continue;
            };
            let same_variants = experiment.variants.iter().map(|variant| &*variant.name);
            self.require(
                same_variants.eq(old.variants.iter().map(|variant| &*variant.name)),
                || format!("experiments[{index}].variants"),
                || {
                    format!(
                        "the variants of {:?} changed after its start",
                        experiment.key
                    )
                },
            );
            let shape = experiment.metrics.iter().map(|metric| {
                (
                    &*metric.name,
                    metric.kind(),
                    metric.quantiles,
                    metric.covariate,
                )
            });
            let old_shape = old.metrics.iter().map(|metric| {
                (
                    &*metric.name,
                    metric.kind,
                    metric.quantiles,
                    metric.covariate,
                )
            });
            self.require(
                shape.eq(old_shape),
                || format!("experiments[{index}].metrics"),
                || {
                    format!(
                        "the metrics of {:?} changed after its start",
                        experiment.key
                    )
                },
            );
            // A snapshot of a version that knew of none says nothing about them, and nothing was recorded under any.
            let dimensions = experiment.dimensions.iter().map(|dimension| {
                (
                    &*dimension.name,
                    dimension.levels.iter().map(|level| &**level),
                )
            });
            let old_dimensions = old.dimensions.iter().map(|dimension| {
                (
                    &*dimension.name,
                    dimension.levels.iter().map(|level| &**level),
                )
            });
            let same = dimensions.len() == old_dimensions.len()
                && dimensions
                    .zip(old_dimensions)
                    .all(|(new, old)| new.0 == old.0 && new.1.eq(old.1));
            self.require(
                old.dimensions.is_empty() || same,
                || format!("experiments[{index}].dimensions"),
                || {
                    format!(
                        "the dimensions of {:?} changed after its start",
                        experiment.key
                    )
                },
            );
        }
    }

    fn organization(&mut self, path: &str, organization: &str) {
        self.require(
            !organization.is_empty() && organization.len() <= self.limits.key_bytes,
            || format!("{path}.organization"),
            || format!("must have 1 to {} bytes", self.limits.key_bytes),
        );
    }

    fn subject_ref<'a>(
        &mut self,
        path: &str,
        subject: Option<&'a SubjectRef>,
    ) -> Option<&'a SubjectRef> {
        self.require(
            subject.is_some(),
            || path.to_owned(),
            || "is required".to_owned(),
        );
        let subject = subject?;
        self.name(&format!("{path}.kind"), &subject.kind, KIND_BYTES);
        self.name(&format!("{path}.id"), &subject.id, self.limits.key_bytes);
        Some(subject)
    }

    fn config(&mut self, path: &str, config: &[u8]) {
        self.require(
            config.len() <= self.limits.config_bytes,
            || format!("{path}.config"),
            || {
                format!(
                    "has {} bytes; the limit is {}",
                    config.len(),
                    self.limits.config_bytes
                )
            },
        );
    }

    fn name(&mut self, path: &str, name: &str, limit: usize) {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        self.require(
            !name.is_empty() && name.len() <= limit && name.bytes().all(fine),
            || path.to_owned(),
            || format!("must have 1 to {limit} bytes of [A-Za-z0-9._-]"),
        );
    }
}
