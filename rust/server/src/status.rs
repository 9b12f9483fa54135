//! Errors as rich statuses (`google.rpc.Status`), byte for byte those of `sortition.api.errors`.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderValue};
use prost::Message;
use sortition_core::error::{Error, Violation};

/// What a message may take in an answer; why these numbers, `sortition.api.errors` says.
const MESSAGE_BYTES: usize = 768;
const DETAILS_BYTES: usize = 4000;
const DESCRIPTION_BYTES: usize = 512;
const FIELD_BYTES: usize = 256;
/// Room for the line that says how many were left out.
const REMAINDER_BYTES: usize = 96;
const DOMAIN: &str = "sortition";
const TYPES: &str = "type.googleapis.com/google.rpc.";

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The number of the gRPC status.
    pub code: i32,
    /// The class of `sortition.errors`; empty for a status that has none, as those of gRPC itself.
    pub class: &'static str,
    /// In words.
    pub message: String,
    /// The refused fields.
    pub violations: Vec<Violation>,
}

impl Refusal {
    /// Makes one that names no field.
    pub fn new(code: i32, class: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            class,
            message: message.into(),
            violations: Vec::new(),
        }
    }

    /// A shortage that passes.
    pub fn exhausted(message: impl Into<String>) -> Self {
        Self::new(8, "ResourceExhausted", message)
    }

    /// A request that has too many bytes.
    pub fn too_large(size: usize, limit: usize) -> Self {
        let text = format!(
            "has {} bytes; the limit is {}",
            grouped(size),
            grouped(limit)
        );
        Self {
            violations: vec![Violation::new(
                "request",
                format!("{text}; send less in one message"),
            )],
            ..Self::exhausted(format!("request: {text}"))
        }
    }

    /// An answer that no client would take.
    pub fn answer_too_large(size: usize, limit: usize) -> Self {
        let text = format!(
            "the answer has {} bytes; the limit is {}; ask for fewer units, or name the configurations that are known",
            grouped(size),
            grouped(limit)
        );
        Self {
            violations: vec![Violation::new("", text.clone())],
            ..Self::exhausted(text)
        }
    }

    /// A defect, about which nobody is told more.
    pub fn defect() -> Self {
        Self::new(
            13,
            "InternalError",
            "internal error; the log of the sidecar says more",
        )
    }

    /// Whether the same call may succeed later.
    fn passes(&self) -> bool {
        self.code == 14 || (self.code == 8 && self.violations.is_empty())
    }

    /// Adds the status to the headers or trailers of an answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        let message = cut(&self.message, MESSAGE_BYTES);
        headers.insert("grpc-status", HeaderValue::from(self.code));
        if let Ok(value) = HeaderValue::from_str(&escaped(&message)) {
            headers.insert("grpc-message", value);
        }
        if self.class.is_empty() {
            return;
        }
        let encoded = STANDARD_NO_PAD.encode(self.status(message).encode_to_vec());
        if let Ok(value) = HeaderValue::from_str(&encoded) {
            headers.insert("grpc-status-details-bin", value);
        }
    }

    fn status(&self, message: String) -> Status {
        let mut status = Status {
            code: self.code,
            message,
            details: Vec::new(),
        };
        status.details.push(packed(
            "ErrorInfo",
            &ErrorInfo {
                reason: self.class.to_owned(),
                domain: DOMAIN.to_owned(),
            },
        ));
        if self.passes() {
            let retry_delay = Some(Duration { seconds: 1 });
            status
                .details
                .push(packed("RetryInfo", &RetryInfo { retry_delay }));
        }
        if !self.violations.is_empty() {
            // 128 bytes for the name of the type and the framing.
            let room = DETAILS_BYTES.saturating_sub(status.encoded_len() + 128);
            status
                .details
                .push(packed("BadRequest", &bad_request(&self.violations, room)));
        }
        status
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        let class = match error {
            Error::InvalidArgument { .. } => "InvalidArgument",
            Error::NotFound { .. } => "NotFound",
            Error::AlreadyExists(_) => "AlreadyExists",
            Error::FailedPrecondition(_) => "FailedPrecondition",
            Error::ResourceExhausted(_) => "ResourceExhausted",
            Error::NotReady(_) => "NotReady",
            Error::Unavailable(_) => "Unavailable",
            Error::DataLoss(_) => "DataLoss",
            _ => return Self::defect(),
        };
        Self {
            code: error.code(),
            class,
            message: error.to_string(),
            violations: error.violations().to_vec(),
        }
    }
}

/// Returns as many violations as fit into `room` bytes; when some do not, the last one says how many.
fn bad_request(violations: &[Violation], room: usize) -> BadRequest {
    let mut bad = BadRequest::default();
    for (index, violation) in violations.iter().enumerate() {
        bad.field_violations.push(FieldViolation {
            field: cut(&violation.field, FIELD_BYTES),
            description: cut(&violation.description, DESCRIPTION_BYTES),
        });
        let left = violations.len() - index - 1;
        let reserved = if left > 0 { REMAINDER_BYTES } else { 0 };
        if bad.encoded_len() + reserved > room {
            bad.field_violations.pop();
            bad.field_violations.push(FieldViolation {
                field: String::new(),
                description: format!(
                    "and {} more violations that do not fit into this answer",
                    left + 1
                ),
            });
            break;
        }
    }
    bad
}

/// Returns a text with at most `limit` bytes, ending in an ellipsis if some are missing.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Writes a number with commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns a message as the header `grpc-message` carries it: percent-encoded but for printable ASCII.
fn escaped(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn packed(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("{TYPES}{name}"),
        value: message.encode_to_vec(),
    }
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldViolation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}
