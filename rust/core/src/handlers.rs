//! The handlers of the hot path: serialized messages in, serialized messages out.

use bytes::BufMut;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::assign::{At, Decision, Place, Question, Target, organization};
use crate::borrowed::{self, Asked, Told};
use crate::counters::Counter;
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
        let decision = self.decide(snapshot, &asked, At::Alone, &mut None, &mut problems);
        let decision = problems.resolve(decision)?;
        let (unit, expose) = (asked.unit, asked.expose);
        let exposed = self.answered(snapshot, &decision, unit, expose, || now_ms);
        let exposed = self.kept(exposed).is_some();
        let answer = snapshot.answer(&decision);
        let omitted = asked.knows(&answer.config_hash);
        write(Reply::new(answer, omitted, &decision, exposed));
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
        let mut questions = Questions::new(self, snapshot);
        let limit = self.limits().batch_items;
        let read = Asked::read_all(request, limit, |index, asked| questions.add(index, asked));
        let count = if let Some(count) = read {
            self.check_count("requests", count)?;
            count
        } else {
            decoded = decode(request, "an AssignBatchRequest")?;
            self.check_count("requests", decoded.requests.len())?;
            // What was decided of a part is not used.
            questions = Questions::new(self, snapshot);
            for (index, request) in decoded.requests.iter().enumerate() {
                questions.add(index, &request.into());
            }
            decoded.requests.len()
        };
        // In steps, so that no problem hides the ones behind it, and before anything is counted: a refused call changes nothing.
        let Questions {
            decided,
            size,
            problems,
            ..
        } = questions;
        let whole = (decided.len() == count).then_some(decided);
        let mut decided: Vec<Decided> = problems.resolve(whole)?;
        if size > ANSWER_BYTES {
            return Err(Error::ResourceExhausted(format!(
                "requests: the answer would have {size} bytes and the limit is {ANSWER_BYTES}; name the configurations \
                 you hold in known_config_hashes, or send fewer requests at once"
            )));
        }
        self.count(Counter::Assignments, decided.len() as u64);
        for one in &mut decided {
            let exposes = one.expose && one.decision.exposes();
            one.exposed = exposes
                .then(|| self.tell(snapshot, &one.decision, one.unit, || now_ms))
                .flatten();
        }
        // Behind all of them, so that they wait for the disk together.
        for one in decided.iter_mut().rev() {
            one.exposed = self.kept(one.exposed);
        }
        let mut out = Vec::with_capacity(size);
        for one in &decided {
            one.reply(one.exposed.is_some()).encode_nested(&mut out);
        }
        Ok(out)
    }

    /// Decides. The `last` one is who decided the question before, if there was one, and from now on this one.
    fn decide<'a>(
        &self,
        snapshot: &Compiled,
        asked: &Asked<'a>,
        at: At,
        last: &mut Option<Found<'a>>,
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
        problems.check_unit(|| format!("{at}unit"), asked.unit, self.limits());
        let organization = organization(asked.organization);
        let place = match last {
            Some(last)
                if asked.target == Some(last.target) && organization == last.organization =>
            {
                last.place
            }
            _ => {
                let place = snapshot.find(&question, at, self.limits(), problems)?;
                *last = asked.target.map(|target| Found {
                    target,
                    organization,
                    place,
                });
                place
            }
        };
        let decision = snapshot.decide_at(place, asked.unit);
        snapshot.told(&decision, at, problems).then_some(decision)
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
        let mut plan = self.plan(snapshot, now_ms);
        if let Some(delivery) = self.planned_in_place(&mut plan, request) {
            return self.carry_out(plan, (&[], &[]), delivery, now_ms);
        }
        let request: RecordRequest = decode(request, "a RecordRequest")?;
        let delivery = plan.request(&request);
        self.carry_out(plan, (request.outcome.as_slice(), &[]), delivery, now_ms)
    }

    /// `RecordBatchRequest` to `RecordResponse`.
    ///
    /// # Errors
    /// What a unary call ends with; one bad observation refuses the batch.
    pub fn record_batch_message(&self, request: &[u8], now_ms: i64) -> Result<Vec<u8>> {
        let loaded = self.loaded();
        let snapshot = loaded.get()?;
        if self.outbound.is_none() {
            let mut plan = self.plan(snapshot, now_ms);
            let limit = self.limits().batch_items;
            let each = |index, outcome: &Told| plan.outcome(At::OutcomeOf(index), outcome);
            if let Some(read) = borrowed::record_batch(request, limit, each) {
                self.check_count("outcomes", read.outcomes)?;
                let delivery = plan.unkeyed(read.delivery);
                let response = self.carry_out(plan, (&[], &[]), delivery, now_ms)?;
                return Ok(response.encode_to_vec());
            }
        }
        // What was worked out of a part is not used.
        let mut plan = self.plan(snapshot, now_ms);
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

/// Who decides what was asked of an organization.
struct Found<'a> {
    target: Target<'a>,
    organization: &'a str,
    place: Place,
}

/// The questions of a batch, and what was decided.
struct Questions<'a> {
    engine: &'a Engine,
    snapshot: &'a Compiled,
    /// Who decided the one before, which is who decides the next one as a rule.
    last: Option<Found<'a>>,
    decided: Vec<Decided<'a>>,
    /// What the answer to all of them takes at most, in bytes.
    size: usize,
    problems: Problems,
}

/// A question of a batch that was decided.
struct Decided<'a> {
    unit: &'a str,
    expose: bool,
    decision: Decision,
    answer: &'a Answer,
    /// Whether its configuration is left out.
    omitted: bool,
    exposed: Option<Appended>,
}

impl<'a> Questions<'a> {
    fn new(engine: &'a Engine, snapshot: &'a Compiled) -> Self {
        Self {
            engine,
            snapshot,
            last: None,
            decided: Vec::new(),
            size: 0,
            problems: Problems::default(),
        }
    }

    /// Decides one more; its problems are added to those of the others.
    fn add(&mut self, index: usize, asked: &Asked<'a>) {
        let (engine, snapshot) = (self.engine, self.snapshot);
        let (at, last, problems) = (At::Request(index), &mut self.last, &mut self.problems);
        let Some(decision) = engine.decide(snapshot, asked, at, last, problems) else {
            return;
        };
        let answer = snapshot.answer(&decision);
        let decided = Decided {
            unit: asked.unit,
            expose: asked.expose,
            decision,
            answer,
            omitted: asked.knows(&answer.config_hash),
            exposed: None,
        };
        self.size += decided.reply(true).nested_len();
        self.decided.push(decided);
    }
}

impl Decided<'_> {
    fn reply(&self, exposed: bool) -> Reply<'_> {
        Reply::new(self.answer, self.omitted, &self.decision, exposed)
    }
}

/// An `AssignResponse` that borrows what the snapshot holds.
struct Reply<'a> {
    head: &'a [u8],
    config: &'a [u8],
    /// What depends on the unit.
    tail: [Eight; 2],
    len: usize,
}

impl<'a> Reply<'a> {
    fn new(answer: &'a Answer, omitted: bool, decision: &Decision, exposed: bool) -> Self {
        let config: &[u8] = if omitted { &[] } else { &answer.config };
        let config_len = match config.len() {
            0 => 0,
            len => 1 + encoded_len_varint(len as u64) + len,
        };
        // Eight bytes at most: a flag and a reason take one beside their key, a bucket three.
        let mut first = Eight::default();
        first.field(5, omitted.into());
        // None of the reasons is negative.
        first.field(6, i32::from(decision.reason).unsigned_abs());
        first.field(7, decision.bucket.into());
        // And these: a generation takes five.
        let mut last = Eight::default();
        last.field(8, decision.generation);
        last.field(13, exposed.into());
        Self {
            head: &answer.head,
            config,
            len: answer.head.len() + config_len + first.len() + last.len(),
            tail: [first, last],
        }
    }

    fn len(&self) -> usize {
        self.len
    }

    fn nested_len(&self) -> usize {
        1 + encoded_len_varint(self.len as u64) + self.len
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_slice(self.head);
        if !self.config.is_empty() {
            encode_key(CONFIG, WireType::LengthDelimited, out);
            encode_varint(self.config.len() as u64, out);
            out.put_slice(self.config);
        }
        for part in &self.tail {
            out.put_slice(&part.bytes.to_le_bytes()[..part.len()]);
        }
    }

    fn encode_nested(&self, out: &mut Vec<u8>) {
        out.reserve(self.nested_len());
        encode_key(NESTED, WireType::LengthDelimited, out);
        encode_varint(self.len as u64, out);
        self.encode(out);
    }
}

/// Up to eight bytes, the first one lowest: they are written at once.
#[derive(Default)]
struct Eight {
    bytes: u64,
    len: u32,
}

impl Eight {
    fn len(&self) -> usize {
        self.len as usize
    }

    /// Adds a field, whose number is below 16; one that is 0 is not written.
    #[inline(always)]
    fn field(&mut self, number: u8, mut value: u32) {
        if value == 0 {
            return;
        }
        self.put(u32::from(number) << 3);
        while value >= 0x80 {
            self.put(value & 0x7f | 0x80);
            value >>= 7;
        }
        self.put(value);
    }

    #[inline(always)]
    fn put(&mut self, byte: u32) {
        self.bytes |= u64::from(byte).wrapping_shl(8 * self.len);
        self.len += 1;
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
