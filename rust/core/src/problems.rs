//! Everything that is wrong with a call, collected before it is refused.

use std::collections::BTreeMap;

use crate::assign::At;
use crate::error::{Error, Result, Violation};
use crate::limits::{Limits, VIOLATIONS};

/// What was found so far. As a rule it is nothing, and takes next to no room.
#[derive(Debug, Default)]
pub struct Problems(Option<Box<Found>>);

#[derive(Debug, Default)]
struct Found {
    invalid: Vec<Violation>,
    missing: Vec<Violation>,
    state: Vec<Violation>,
}

impl Problems {
    /// Adds a value that can never be accepted.
    pub fn invalid(&mut self, field: impl Into<String>, description: impl Into<String>) {
        add(&mut self.found().invalid, field, description);
    }

    /// Adds a name that names nothing.
    pub fn missing(&mut self, field: impl Into<String>, description: impl Into<String>) {
        add(&mut self.found().missing, field, description);
    }

    /// Adds something that is not in the state for this call.
    pub fn state(&mut self, field: impl Into<String>, description: impl Into<String>) {
        add(&mut self.found().state, field, description);
    }

    /// Returns whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn found(&mut self) -> &mut Found {
        self.0.get_or_insert_default()
    }

    /// Adds what is wrong with the id of a unit.
    pub fn check_unit(&mut self, field: impl FnOnce() -> String, unit: &str, limits: &Limits) {
        if unit.is_empty() {
            self.invalid(field(), "is required: the id of what is randomized");
        } else if unit.len() > limits.unit_bytes {
            self.invalid(
                field(),
                format!(
                    "has {} bytes; the limit is {}",
                    unit.len(),
                    limits.unit_bytes
                ),
            );
        }
    }

    /// Adds what is wrong with the levels that an outcome gives.
    pub fn check_dimensions(&mut self, at: At, given: &BTreeMap<String, String>, limits: &Limits) {
        if given.len() > limits.dimensions {
            let (count, limit) = (given.len(), limits.dimensions);
            self.invalid(
                format!("{at}dimensions"),
                format!("has {count}; the limit is {limit}"),
            );
            return;
        }
        for (name, level) in given {
            let longest = name.len().max(level.len());
            if longest > limits.key_bytes {
                let shown: String = name.chars().take(limits.key_bytes).collect();
                self.invalid(
                    format!("{at}dimensions"),
                    format!(
                        "{shown:?} has a name or level of {longest} bytes; the limit is {}",
                        limits.key_bytes
                    ),
                );
            }
        }
    }

    /// Adds what is wrong with a key of an experiment, or that it names none; call it when it was not found.
    pub fn unknown_experiment(
        &mut self,
        field: String,
        key: &str,
        organization: &str,
        limits: &Limits,
    ) {
        let fine = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        if key.is_empty() {
            self.invalid(field, "is required: the key of an experiment");
        } else if key.len() > limits.key_bytes {
            self.invalid(
                field,
                format!("has {} bytes; the limit is {}", key.len(), limits.key_bytes),
            );
        } else if !key.bytes().all(fine) {
            self.invalid(
                field,
                format!("{key:?} holds other characters than [a-z0-9._-]"),
            );
        } else {
            let organization: String = organization.chars().take(limits.key_bytes).collect();
            self.missing(
                field,
                format!("no experiment {key:?} in organization {organization:?}"),
            );
        }
    }

    /// Returns what was worked out, if nothing was found.
    ///
    /// # Errors
    /// See [`Problems::into_result`]; without a value there is always a problem.
    pub fn resolve<T>(self, value: Option<T>) -> Result<T> {
        self.into_result()?;
        value.ok_or_else(|| Error::Internal("there is neither an answer nor a problem".to_owned()))
    }

    /// Returns the error that stands for everything found; nothing where there is none.
    ///
    /// # Errors
    /// `InvalidArgument`, else `NotFound`, else `FailedPrecondition`: what waiting cannot mend comes first.
    pub fn into_result(self) -> Result<()> {
        let Some(found) = self.0 else {
            return Ok(());
        };
        let Found {
            invalid,
            missing,
            state,
        } = *found;
        if !invalid.is_empty() {
            let violations = bounded([invalid, missing, state].into_iter().flatten());
            Err(Error::InvalidArgument { violations })
        } else if !missing.is_empty() {
            let violations = bounded(missing.into_iter().chain(state));
            Err(Error::NotFound { violations })
        } else if !state.is_empty() {
            let texts: Vec<String> = state.iter().map(ToString::to_string).collect();
            Err(Error::FailedPrecondition(texts.join("; ")))
        } else {
            Ok(())
        }
    }
}

fn add(to: &mut Vec<Violation>, field: impl Into<String>, description: impl Into<String>) {
    if to.len() < VIOLATIONS {
        to.push(Violation::new(field, description));
    }
}

fn bounded(violations: impl Iterator<Item = Violation>) -> Vec<Violation> {
    violations.take(VIOLATIONS).collect()
}
