//! The methods of the two services that are served here.

use sortition_core::engine::Engine;
use sortition_core::error::Result;

/// One method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A unit's variant.
    Assign,
    /// Many of them.
    AssignBatch,
    /// One after the other.
    AssignStream,
    /// Marks a unit as exposed.
    Expose,
    /// One outcome.
    Record,
    /// Many of them.
    RecordBatch,
    /// One after the other.
    RecordStream,
}

/// How the messages of a method come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One about one unit.
    Single,
    /// One about many units.
    Batch,
    /// Any number, each about one unit.
    Stream,
}

impl Method {
    /// Finds the method with a path.
    pub fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/sortition.rpc.v1.Assignment/Assign" => Self::Assign,
            "/sortition.rpc.v1.Recording/Record" => Self::Record,
            "/sortition.rpc.v1.Assignment/AssignBatch" => Self::AssignBatch,
            "/sortition.rpc.v1.Assignment/AssignStream" => Self::AssignStream,
            "/sortition.rpc.v1.Assignment/Expose" => Self::Expose,
            "/sortition.rpc.v1.Recording/RecordBatch" => Self::RecordBatch,
            "/sortition.rpc.v1.Recording/RecordStream" => Self::RecordStream,
            _ => return None,
        })
    }

    /// Returns how its messages come.
    pub fn shape(self) -> Shape {
        match self {
            Self::Assign | Self::Expose | Self::Record => Shape::Single,
            Self::AssignBatch | Self::RecordBatch => Shape::Batch,
            Self::AssignStream | Self::RecordStream => Shape::Stream,
        }
    }

    /// Answers one message.
    ///
    /// # Errors
    /// What the call ends with.
    pub fn answer(self, engine: &Engine, request: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        match self {
            Self::Assign => engine.assign_message(request, now_ms),
            Self::AssignBatch => engine.assign_batch_message(request, now_ms),
            Self::AssignStream => Ok(engine.assign_stream_message(request, now_ms)),
            Self::Expose => engine.expose_message(request, now_ms),
            Self::Record => engine.record_message(request, now_ms),
            Self::RecordBatch => engine.record_batch_message(request, now_ms),
            Self::RecordStream => Ok(engine.record_stream_message(request, now_ms)),
        }
    }
}
