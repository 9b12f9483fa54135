//! The handlers of the hot path: serialized messages in, serialized messages out.

use bytes::BufMut;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::assign::{At, Decision, Question, Target};
use crate::borrowed::{self, Asked, Told};
use crate::engine::{Appended, Engine};
use crate::error::{Error, Result};
use crate::problems::Problems;
use crate::snapshot::{Answer, Compiled};
use crate::wire::v1::{
    AssignBatchRequest, AssignRequest, ExposeRequest, ExposeResponse, Failure, FieldViolation,
    RecordBatchRequest, RecordRequest, RecordResponse, RecordStreamResponse,
    record_stream_response,
};

/// The number of `config` in `AssignResponse`.
const CONFIG: u32 = 3;
/// The number of `responses` in `AssignBatchResponse` and of `assignment` in `AssignStreamResponse`.
const NESTED: u32 = 1;
/// The number of `failure` in `AssignStreamResponse`.
const FAILURE: u32 = 2;
/// The largest answer to a batch, in bytes: 10,000 requests could ask for the same large configuration.
const ANSWER_BYTES: usize = 64 << 20;

impl Engine {
    /// `AssignRequest` to `AssignResponse`.
    ///
    /// # Errors
    /// What a unary call ends with.
    pub fn assign_message(&self, request: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.assign_message_to(request, now_ms, &mut out)?;
        Ok(out)
    }

    /// As [`Engine::assign_message`], behind what is in `out`; for callers who use the room again.
    ///
    /// # Errors
    /// What a unary call ends with; then nothing is added.
    pub fn assign_message_to(&self, request: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Result<()> {
        self.assign_into(request, now_ms, |reply| {
            out.reserve_exact(reply.len());
            reply.encode(out);
        })
    }

    /// `AssignRequest` to `AssignStreamResponse`; what a unary call would end with is in the answer.
    pub fn assign_stream_message(&self, request: &[u8], now_ms: i64) -> Vec<u8> {
        let mut out = Vec::new();
        self.assign_stream_message_to(request, now_ms, &mut out);
        out
    }

    /// As [`Engine::assign_stream_message`], behind what is in `out`.
    pub fn assign_stream_message_to(&self, request: &[u8], now_ms: i64, out: &mut Vec<u8>) {
        if let Err(error) = self.assign_into(request, now_ms, |reply| reply.encode_nested(out)) {
            prost::encoding::message::encode(FAILURE, &failure(&error), out);
        }
    }

    fn assign_into(&self, request: &[u8], now_ms: i64, write: impl FnOnce(Reply)) -> Result<()> {
        let loaded = self.loaded();
        let snapshot = loaded.get()?;
        let decoded: AssignRequest;
        let asked = if let Some(asked) = Asked::read(request) {
            asked
        } else {
            decoded = decode(request, "an AssignRequest")?;
            (&decoded).into()
        };
        let mut problems = Problems::default();
        let decision = self.decide(snapshot, &asked, At::Alone, &mut problems);
        let decision = problems.resolve(decision)?;
        let exposed = self.exposed(snapshot, &asked, &decision, now_ms);
        let exposed = self.kept(exposed).is_some();
        write(Reply::new(snapshot, &asked, &decision, exposed));
        Ok(())
    }

    /// `AssignBatchRequest` to `AssignBatchResponse`.
    ///
    /// # Errors
    /// What a unary call ends with; one bad request refuses the batch.
    pub fn assign_batch_message(&self, request: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        let loaded = self.loaded();
        let snapshot = loaded.get()?;
        let decoded: AssignBatchRequest;
        let requests = if let Some(requests) = Asked::read_all(request) {
            requests
        } else {
            decoded = decode(request, "an AssignBatchRequest")?;
            decoded.requests.iter().map(Asked::from).collect()
        };
        self.check_count("requests", requests.len())?;
        let mut problems = Problems::default();
        // In two steps, so that no problem hides the ones behind it.
        let decisions: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(index, request)| {
                self.decide(snapshot, request, At::Request(index), &mut problems)
            })
            .collect();
        let decisions: Vec<Decision> = problems.resolve(decisions.into_iter().collect())?;
        // Before anything is counted: a refused call changes nothing.
        let size = requests
            .iter()
            .zip(&decisions)
            .map(|(request, decision)| Reply::new(snapshot, request, decision, true).nested_len());
        let size: usize = size.sum();
        if size > ANSWER_BYTES {
            return Err(Error::ResourceExhausted(format!(
                "requests: the answer would have {size} bytes and the limit is {ANSWER_BYTES}; name the configurations \
                 you hold in known_config_hashes, or send fewer requests at once"
            )));
        }
        let exposed: Vec<_> = requests
            .iter()
            .zip(&decisions)
            .map(|(request, decision)| self.exposed(snapshot, request, decision, now_ms))
            .collect();
        // Behind all of them, so that they wait for the disk together.
        let exposed = exposed
            .into_iter()
            .rev()
            .map(|exposed| self.kept(exposed).is_some());
        let exposed: Vec<bool> = exposed.collect();
        let mut out = Vec::with_capacity(size);
        for ((request, decision), exposed) in requests
            .iter()
            .zip(&decisions)
            .zip(exposed.into_iter().rev())
        {
            Reply::new(snapshot, request, decision, exposed).encode_nested(&mut out);
        }
        Ok(out)
    }

    fn decide(
        &self,
        snapshot: &Compiled,
        asked: &Asked,
        at: At,
        problems: &mut Problems,
    ) -> Option<Decision> {
        let (count, limit) = (asked.known_count, self.limits().known_hashes);
        if count > limit {
            problems.invalid(
                format!("{at}known_config_hashes"),
                format!("has {count}; the limit is {limit}"),
            );
        }
        let question = Question {
            target: asked.target,
            unit: asked.unit,
            organization: asked.organization,
        };
        snapshot.decide(&question, at, self.limits(), problems)
    }

    /// Exposes the unit of a request if that is asked for; what comes back has to be waited for.
    fn exposed(
        &self,
        snapshot: &Compiled,
        asked: &Asked,
        decision: &Decision,
        now_ms: i64,
    ) -> Option<Appended> {
        self.answered(snapshot, decision, asked.unit, asked.expose, || now_ms)
    }

    /// `ExposeRequest` to `ExposeResponse`.
    ///
    /// # Errors
    /// What a unary call ends with.
    pub fn expose_message(&self, request: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        let loaded = self.loaded();
        let snapshot = loaded.get()?;
        let request: ExposeRequest = decode(request, "an ExposeRequest")?;
        let mut problems = Problems::default();
        let question = Question {
            target: Some(Target::Experiment(&request.experiment)),
            unit: &request.unit,
            organization: &request.organization,
        };
        let decision = snapshot.decide(&question, At::Alone, self.limits(), &mut problems);
        let decision = problems.resolve(decision)?;
        let mut response = ExposeResponse {
            snapshot_version: snapshot.version,
            ..ExposeResponse::default()
        };
        if let Some(arm) = decision.arm.filter(|_| decision.exposes()) {
            // Unlike an assignment, this call asks for nothing else: its caller had better send it again.
            let exposed = self.expose(snapshot, &decision, &request.unit, || now_ms)?;
            self.wait(exposed)?;
            response.exposed = true;
            response.variant = snapshot.variant_name(arm).to_owned();
        }
        Ok(response.encode_to_vec())
    }

    /// `RecordRequest` to `RecordResponse`.
    ///
    /// # Errors
    /// What a unary call ends with.
    pub fn record_message(&self, request: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        self.record_one(request, now_ms)
            .map(|response| response.encode_to_vec())
    }

    /// `RecordRequest` to `RecordStreamResponse`; what a unary call would end with is in the answer.
    pub fn record_stream_message(&self, request: &[u8], now_ms: i64) -> Vec<u8> {
        streamed(self.record_one(request, now_ms))
    }

    pub(crate) fn record_one(&self, request: &[u8], now_ms: i64) -> Result<RecordResponse> {
        let loaded = self.loaded();
        let snapshot = loaded.get()?;
        if let Some((plan, delivery)) = self.planned_in_place(snapshot, request, now_ms) {
            return self.carry_out(plan, (&[], &[]), delivery, now_ms);
        }
        let request: RecordRequest = decode(request, "a RecordRequest")?;
        let (plan, delivery) = self.planned(snapshot, &request, now_ms);
        self.carry_out(plan, (request.outcome.as_slice(), &[]), delivery, now_ms)
    }

    /// `RecordBatchRequest` to `RecordResponse`.
    ///
    /// # Errors
    /// What a unary call ends with; one bad observation refuses the batch.
    pub fn record_batch_message(&self, request: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        let loaded = self.loaded();
        let snapshot = loaded.get()?;
        let mut plan = self.plan(snapshot, now_ms);
        if self.outbound.is_none()
            && let Some(read) = borrowed::record_batch(request)
        {
            self.check_count("outcomes", read.outcomes.len())?;
            for (index, outcome) in read.outcomes.iter().enumerate() {
                plan.outcome(At::OutcomeOf(index), outcome);
            }
            let delivery = plan.unkeyed(read.delivery);
            let response = self.carry_out(plan, (&[], &[]), delivery, now_ms)?;
            return Ok(response.encode_to_vec());
        }
        let request: RecordBatchRequest = decode(request, "a RecordBatchRequest")?;
        let (outcomes, exposed) = (&*request.outcomes, &*request.exposed);
        self.check_count("outcomes", outcomes.len() + exposed.len())?;
        for (index, outcome) in outcomes.iter().enumerate() {
            plan.outcome(At::OutcomeOf(index), &Told::from(outcome));
        }
        for (index, unit) in exposed.iter().enumerate() {
            plan.exposed(At::ExposedOf(index), unit);
        }
        let delivery = plan.delivery(request.delivery.as_ref(), outcomes, exposed);
        let response = self.carry_out(plan, (outcomes, exposed), delivery, now_ms)?;
        Ok(response.encode_to_vec())
    }

    fn check_count(&self, field: &str, count: usize) -> Result<()> {
        let limit = self.limits().batch_items;
        if (1..=limit).contains(&count) {
            return Ok(());
        }
        Err(Error::invalid(
            field,
            format!("has {count}; the limit is 1 to {limit}"),
        ))
    }
}

/// An `AssignResponse` that borrows what the snapshot holds.
struct Reply<'a> {
    answer: &'a Answer,
    omitted: bool,
    reason: i32,
    bucket: u32,
    generation: u32,
    exposed: bool,
}

impl<'a> Reply<'a> {
    fn new(snapshot: &'a Compiled, asked: &Asked, decision: &Decision, exposed: bool) -> Self {
        let answer = snapshot.answer(decision);
        Self {
            answer,
            omitted: asked.knows(&answer.config_hash),
            reason: decision.reason.into(),
            bucket: decision.bucket.into(),
            generation: decision.generation,
            exposed,
        }
    }

    fn config(&self) -> &[u8] {
        if self.omitted {
            &[]
        } else {
            &self.answer.config
        }
    }

    /// What depends on the unit: numbers of their fields, and what is in them where it is not 0.
    fn fields(&self) -> [(u32, u64); 5] {
        [
            (5, self.omitted.into()),
            // None of the reasons is negative.
            (6, u64::from(self.reason.unsigned_abs())),
            (7, self.bucket.into()),
            (8, self.generation.into()),
            (13, self.exposed.into()),
        ]
    }

    fn len(&self) -> usize {
        let config = match self.config().len() {
            0 => 0,
            len => 1 + encoded_len_varint(len as u64) + len,
        };
        let said = self.fields().into_iter().filter(|(_, value)| *value != 0);
        let said: usize = said.map(|(_, value)| 1 + encoded_len_varint(value)).sum();
        self.answer.head.len() + config + said
    }

    fn nested_len(&self) -> usize {
        let len = self.len();
        1 + encoded_len_varint(len as u64) + len
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_slice(&self.answer.head);
        let config = self.config();
        if !config.is_empty() {
            encode_key(CONFIG, WireType::LengthDelimited, out);
            encode_varint(config.len() as u64, out);
            out.put_slice(config);
        }
        for (field, value) in self.fields() {
            if value != 0 {
                encode_key(field, WireType::Varint, out);
                encode_varint(value, out);
            }
        }
    }

    fn encode_nested(&self, out: &mut Vec<u8>) {
        out.reserve(self.nested_len());
        encode_key(NESTED, WireType::LengthDelimited, out);
        encode_varint(self.len() as u64, out);
        self.encode(out);
    }
}

pub(crate) fn decode<M: Message + Default>(bytes: &[u8], what: &str) -> Result<M> {
    M::decode(bytes).map_err(|error| Error::invalid("request", format!("is not {what}: {error}")))
}

/// Returns what became of a call as a message of a stream.
pub(crate) fn streamed(result: Result<RecordResponse>) -> Vec<u8> {
    let result = match result {
        Ok(response) => record_stream_response::Result::Recorded(response),
        Err(error) => record_stream_response::Result::Failure(failure(&error)),
    };
    RecordStreamResponse {
        result: Some(result),
    }
    .encode_to_vec()
}

/// Returns an error as a message of a stream.
fn failure(error: &Error) -> Failure {
    Failure {
        code: error.code(),
        message: error.to_string(),
        violations: error
            .violations()
            .iter()
            .map(|violation| FieldViolation {
                field: violation.field.clone(),
                description: violation.description.clone(),
            })
            .collect(),
    }
}
