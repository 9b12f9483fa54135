//! Everything that can go wrong, as one type.

use std::fmt;

/// The result of anything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// One refused field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field, such as `outcomes[3].unit`; empty when the whole message is meant.
    pub field: String,
    /// What is wrong with it: the value, the limit, and what to do.
    pub description: String,
}

impl Violation {
    /// Makes a violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            formatter.write_str(&self.description)
        } else {
            write!(formatter, "{}: {}", self.field, self.description)
        }
    }
}

/// Why a call was refused. Whatever the reason, the call changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Values that can never be accepted; every one of them is listed.
    #[error("{}", Joined(.violations))]
    InvalidArgument {
        /// The refused fields, at least one.
        violations: Vec<Violation>,
    },
    /// No such experiment or subject.
    #[error("{}", Joined(.violations))]
    NotFound {
        /// The fields that name nothing, at least one.
        violations: Vec<Violation>,
    },
    /// An idempotency key came back with another payload.
    #[error("{0}")]
    AlreadyExists(String),
    /// Not in this state.
    #[error("{0}")]
    FailedPrecondition(String),
    /// A bound was reached.
    #[error("{0}")]
    ResourceExhausted(String),
    /// No snapshot is loaded yet.
    #[error("{0}")]
    NotReady(String),
    /// Not now, or not until a restart; the message says which.
    #[error("{0}")]
    Unavailable(String),
    /// Stored bytes are damaged.
    #[error("{0}")]
    DataLoss(String),
    /// A defect in this crate.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Makes the error of one refused field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::InvalidArgument {
            violations: vec![Violation::new(field, description)],
        }
    }

    /// Makes the error of one field that names nothing.
    pub fn not_found(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::NotFound {
            violations: vec![Violation::new(field, description)],
        }
    }

    /// Returns the number of the gRPC status that stands for this error.
    pub fn code(&self) -> i32 {
        match self {
            Self::InvalidArgument { .. } => 3,
            Self::NotFound { .. } => 5,
            Self::AlreadyExists(_) => 6,
            Self::ResourceExhausted(_) => 8,
            Self::FailedPrecondition(_) => 9,
            Self::Internal(_) => 13,
            Self::NotReady(_) => 14,
            Self::Unavailable(_) => 14,
            Self::DataLoss(_) => 15,
        }
    }

    /// Returns the refused fields; none where the error is not about a field.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::InvalidArgument { violations } | Self::NotFound { violations } => violations,
            _ => &[],
        }
    }
}

/// Writes violations behind each other, for a message of one line.
struct Joined<'a>(&'a [Violation]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "{violation}")?;
        }
        Ok(())
    }
}
