//! Requests read where they stand: nothing of them is copied.
//!
//! Only what clients send as a rule is read here. Everything else, and everything that is damaged, is `None`, and left to the generated types,
//! which know all of it: so there is one place that says what a message means, and this is only a faster way to the same.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::assign::Target;
use crate::wire::v1::observation::Value;
use crate::wire::v1::{self, assign_request};

/// Observations of an outcome that are read once. Further ones are read again when they are looked at.
const FIRST: usize = 4;

static NO_DIMENSIONS: BTreeMap<String, String> = BTreeMap::new();

/// What a field holds.
enum Held<'a> {
    Number(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers, in order; none in place of one that is not read here, and of what is no field.
#[derive(Clone, Copy, Debug)]
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Held<'a>)>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn field(&mut self) -> Option<(u64, Held<'a>)> {
        let key = self.varint()?;
        let held = match key & 7 {
            0 => Held::Number(self.varint()?),
            1 => {
                let (bytes, rest) = self.0.split_first_chunk()?;
                self.0 = rest;
                Held::Double(f64::from_le_bytes(*bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Held::Bytes(bytes)
            }
            _ => return None,
        };
        Some((key >> 3, held))
    }

    #[inline(always)]
    fn varint(&mut self) -> Option<u64> {
        // Nearly all of them are: numbers of fields, and lengths of names.
        if let Some((byte, rest)) = self.0.split_first()
            && *byte < 0x80
        {
            self.0 = rest;
            return Some((*byte).into());
        }
        self.long_varint()
    }

    #[cold]
    fn long_varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            if index == 9 && *byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Some(number);
            }
        }
        None
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads a text that is `known` as a rule: then it need not be looked at whether it is one.
#[inline]
fn text_like<'a>(bytes: &'a [u8], known: &'a str) -> Option<&'a str> {
    if bytes == known.as_bytes() {
        return Some(known);
    }
    text(bytes)
}

fn flag(number: u64) -> Option<bool> {
    (number <= 1).then_some(number == 1)
}

/// An `AssignRequest`.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub target: Option<Target<'a>>,
    pub unit: &'a str,
    pub organization: &'a str,
    pub expose: bool,
    known: Known<'a>,
    /// How many hashes of configurations the caller named.
    pub known_count: usize,
}

#[derive(Clone, Copy, Debug)]
enum Known<'a> {
    In(Fields<'a>),
    List(&'a [Bytes]),
}

impl<'a> Asked<'a> {
    /// Reads one.
    pub fn read(message: &'a [u8]) -> Option<Self> {
        Self::read_like(message, "")
    }

    /// Reads one about the experiment called `known`, as a rule.
    #[inline]
    fn read_like(message: &'a [u8], known: &'a str) -> Option<Self> {
        let mut asked = Self {
            target: None,
            unit: "",
            organization: "",
            expose: true,
            known: Known::In(Fields(message)),
            known_count: 0,
        };
        for field in Fields(message) {
            match field? {
                // Two that are messages would have to be merged.
                (1, Held::Bytes(bytes)) if asked.target.is_none() => {
                    asked.target = Some(Target::Experiment(text_like(bytes, known)?));
                }
                (2, Held::Bytes(bytes)) if asked.target.is_none() => {
                    let (mut kind, mut id) = ("", "");
                    for field in Fields(bytes) {
                        match field? {
                            (1, Held::Bytes(bytes)) => kind = text(bytes)?,
                            (2, Held::Bytes(bytes)) => id = text(bytes)?,
                            _ => return None,
                        }
                    }
                    asked.target = Some(Target::Subject { kind, id });
                }
                (4, Held::Bytes(bytes)) => asked.unit = text(bytes)?,
                (5, Held::Bytes(bytes)) => asked.organization = text(bytes)?,
                (6, Held::Number(number)) => asked.expose = flag(number)?,
                (7, Held::Bytes(_)) => asked.known_count += 1,
                _ => return None,
            }
        }
        Some(asked)
    }

    /// Reads an `AssignBatchRequest` of at most `limit` questions, hands `each` of them on, and returns how many there are. Where it ends
    /// with nothing, some of them were handed on all the same.
    pub fn read_all(
        message: &'a [u8],
        limit: usize,
        mut each: impl FnMut(usize, &Self),
    ) -> Option<usize> {
        let (mut count, mut known) = (0, "");
        for field in Fields(message) {
            match field? {
                (1, Held::Bytes(bytes)) if count < limit => {
                    let asked = Self::read_like(bytes, known)?;
                    if let Some(Target::Experiment(key)) = asked.target {
                        known = key;
                    }
                    each(count, &asked);
                    count += 1;
                }
                _ => return None,
            }
        }
        Some(count)
    }

    /// Returns whether the caller named this hash of a configuration.
    pub fn knows(&self, hash: &[u8]) -> bool {
        match self.known {
            _ if self.known_count == 0 => false,
            Known::List(list) => list.iter().any(|known| **known == *hash),
            Known::In(mut fields) => {
                fields.any(|field| matches!(field, Some((7, Held::Bytes(known))) if known == hash))
            }
        }
    }
}

impl<'a> From<&'a v1::AssignRequest> for Asked<'a> {
    fn from(request: &'a v1::AssignRequest) -> Self {
        let target = request.target.as_ref().map(|target| match target {
            assign_request::Target::Experiment(key) => Target::Experiment(key),
            assign_request::Target::Subject(subject) => Target::Subject {
                kind: &subject.kind,
                id: &subject.id,
            },
            assign_request::Target::AnyOf(list) => Target::AnyOf(&list.subjects),
        });
        Self {
            target,
            unit: &request.unit,
            organization: &request.organization,
            expose: request.expose.unwrap_or(true),
            known: Known::List(&request.known_config_hashes),
            known_count: request.known_config_hashes.len(),
        }
    }
}

/// An `Outcome`; one without anything until it is read.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub experiment: &'a str,
    pub unit: &'a str,
    pub variant: &'a str,
    pub organization: &'a str,
    pub occurred_at_ms: i64,
    pub dimensions: &'a BTreeMap<String, String>,
    list: &'a [v1::Observation],
    /// The first observations of those that were read.
    first: [Seen<'a>; FIRST],
    /// What stands behind them.
    rest: Fields<'a>,
    /// How many observations there are.
    pub count: usize,
}

/// An `Observation`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    pub metric: &'a str,
    pub value: Option<Value>,
    pub denominator: Option<f64>,
    pub covariate: Option<f64>,
    pub if_declared: bool,
}

impl Default for Told<'_> {
    fn default() -> Self {
        Self {
            experiment: "",
            unit: "",
            variant: "",
            organization: "",
            occurred_at_ms: 0,
            dimensions: &NO_DIMENSIONS,
            list: &[],
            first: [Seen::default(); FIRST],
            rest: Fields(&[]),
            count: 0,
        }
    }
}

impl<'a> Told<'a> {
    /// Reads one into this one, whose names it has as a rule. Where it ends with nothing, this one is none.
    fn read(&mut self, message: &'a [u8]) -> Option<()> {
        let (experiment, organization) = (self.experiment, self.organization);
        (self.experiment, self.organization) = ("", "");
        (self.unit, self.variant, self.occurred_at_ms) = ("", "", 0);
        (self.rest, self.count) = (Fields(&[]), 0);
        let mut fields = Fields(message);
        while let Some(field) = fields.next() {
            match field? {
                (1, Held::Bytes(bytes)) => self.experiment = text_like(bytes, experiment)?,
                (2, Held::Bytes(bytes)) => self.unit = text(bytes)?,
                (3, Held::Bytes(bytes)) => self.variant = text(bytes)?,
                (4, Held::Bytes(bytes)) => {
                    match self.first.get_mut(self.count) {
                        Some(place) => {
                            place.read(bytes)?;
                            self.rest = fields;
                        }
                        None => Seen::default().read(bytes)?,
                    }
                    self.count += 1;
                }
                (5, Held::Bytes(bytes)) => self.organization = text_like(bytes, organization)?,
                (6, Held::Number(number)) => self.occurred_at_ms = number.cast_signed(),
                _ => return None,
            }
        }
        Some(())
    }

    /// Returns its observations.
    pub fn observations(&self) -> impl Iterator<Item = Seen<'a>> {
        let first = if self.list.is_empty() { self.count } else { 0 };
        let first = self.first.iter().take(first).copied();
        // All of them were read before.
        let read = self.rest.filter_map(|field| match field {
            Some((4, Held::Bytes(bytes))) => {
                let mut seen = Seen::default();
                seen.read(bytes).map(|()| seen)
            }
            _ => None,
        });
        self.list.iter().map(Seen::from).chain(first).chain(read)
    }
}

impl<'a> From<&'a v1::Outcome> for Told<'a> {
    fn from(outcome: &'a v1::Outcome) -> Self {
        Self {
            experiment: &outcome.experiment,
            unit: &outcome.unit,
            variant: &outcome.variant,
            organization: &outcome.organization,
            occurred_at_ms: outcome.occurred_at_ms,
            dimensions: &outcome.dimensions,
            list: &outcome.observations,
            first: [Seen::default(); FIRST],
            rest: Fields(&[]),
            count: outcome.observations.len(),
        }
    }
}

impl<'a> Seen<'a> {
    /// Reads one into this one, whose metric it has as a rule.
    #[inline]
    fn read(&mut self, message: &'a [u8]) -> Option<()> {
        let metric = self.metric;
        *self = Self::default();
        for field in Fields(message) {
            match field? {
                (1, Held::Bytes(bytes)) => self.metric = text_like(bytes, metric)?,
                (2, Held::Double(number)) => self.value = Some(Value::Number(number)),
                (3, Held::Number(number)) => self.value = Some(Value::Flag(flag(number)?)),
                (4, Held::Double(number)) => self.denominator = Some(number),
                (5, Held::Double(number)) => self.covariate = Some(number),
                (6, Held::Number(number)) => self.if_declared = flag(number)?,
                _ => return None,
            }
        }
        Some(())
    }
}

impl<'a> From<&'a v1::Observation> for Seen<'a> {
    fn from(observation: &'a v1::Observation) -> Self {
        Self {
            metric: &observation.metric,
            value: observation.value,
            denominator: observation.denominator,
            covariate: observation.covariate,
            if_declared: observation.if_declared,
        }
    }
}

/// A `Delivery` without a key: what it hashes is not read here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbered<'a> {
    pub client: &'a [u8],
    pub seq: u64,
    pub oldest_pending: u64,
}

impl<'a> Numbered<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut numbered = Self::default();
        for field in Fields(message) {
            match field? {
                (1, Held::Bytes(bytes)) => numbered.client = bytes,
                (2, Held::Number(number)) => numbered.seq = number,
                (3, Held::Number(number)) => numbered.oldest_pending = number,
                _ => return None,
            }
        }
        Some(numbered)
    }
}

/// What a `RecordRequest` or a `RecordBatchRequest` of outcomes alone says beside them.
#[derive(Debug, Default)]
pub struct Recorded<'a> {
    /// How many outcomes there are.
    pub outcomes: usize,
    pub delivery: Option<Numbered<'a>>,
}

/// Reads a `RecordRequest` with an outcome.
pub fn record<'a>(message: &'a [u8], outcome: &mut Told<'a>) -> Option<Recorded<'a>> {
    let (mut outcomes, mut delivery) = (0, None);
    for field in Fields(message) {
        match field? {
            // Two would have to be merged.
            (1, Held::Bytes(bytes)) if outcomes == 0 => {
                outcome.read(bytes)?;
                outcomes = 1;
            }
            (2, Held::Bytes(bytes)) if delivery.is_none() => {
                delivery = Some(Numbered::read(bytes)?);
            }
            _ => return None,
        }
    }
    (outcomes == 1).then_some(Recorded { outcomes, delivery })
}

/// Reads a `RecordBatchRequest` of at most `limit` outcomes and without exposed units, hands `each` outcome on, and returns how many there
/// are. Where it ends with nothing, some of them were handed on all the same.
pub fn record_batch<'a>(
    message: &'a [u8],
    limit: usize,
    mut each: impl FnMut(usize, &Told<'a>),
) -> Option<Recorded<'a>> {
    let mut read = Recorded::default();
    let mut outcome = Told::default();
    for field in Fields(message) {
        match field? {
            (1, Held::Bytes(bytes)) if read.outcomes < limit => {
                outcome.read(bytes)?;
                each(read.outcomes, &outcome);
                read.outcomes += 1;
            }
            (2, Held::Bytes(bytes)) if read.delivery.is_none() => {
                read.delivery = Some(Numbered::read(bytes)?);
            }
            _ => return None,
        }
    }
    Some(read)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::wire::v1::{
        AssignBatchRequest, AssignRequest, Delivery, Observation, Outcome, RecordBatchRequest,
        RecordRequest, SubjectList, SubjectRef,
    };

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "[a-zä]{1,6}"]
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        vec(any::<u8>(), 0..4).prop_map(Bytes::from)
    }

    fn target() -> impl Strategy<Value = assign_request::Target> {
        let subject = || (word(), word()).prop_map(|(kind, id)| SubjectRef { kind, id });
        prop_oneof![
            word().prop_map(assign_request::Target::Experiment),
            subject().prop_map(assign_request::Target::Subject),
            vec(subject(), 0..2)
                .prop_map(|subjects| { assign_request::Target::AnyOf(SubjectList { subjects }) }),
        ]
    }

    prop_compose! {
        fn asked()(
            target in option::of(target()), unit in word(), organization in word(),
            expose in option::of(any::<bool>()), known_config_hashes in vec(bytes(), 0..3),
        ) -> AssignRequest {
            AssignRequest { unit, organization, expose, known_config_hashes, target }
        }
    }

    prop_compose! {
        fn observation()(
            metric in word(), number in option::of(any::<f64>()), flag in option::of(any::<bool>()),
            denominator in option::of(any::<f64>()), covariate in option::of(any::<f64>()), if_declared in any::<bool>(),
        ) -> Observation {
            let value = number.map(Value::Number).or(flag.map(Value::Flag));
            Observation { metric, denominator, covariate, if_declared, value }
        }
    }

    prop_compose! {
        fn outcome()(
            experiment in word(), unit in word(), variant in word(), organization in word(),
            occurred_at_ms in any::<i64>(), observations in vec(observation(), 0..FIRST + 3),
            dimensions in prop_oneof![3 => Just(BTreeMap::new()), 1 => btree_map(word(), word(), 0..2)],
        ) -> Outcome {
            Outcome { experiment, unit, variant, observations, organization, occurred_at_ms, dimensions }
        }
    }

    prop_compose! {
        fn delivery()(
            client in bytes(), seq in any::<u64>(), oldest_pending in 0..3_u64,
            idempotency_key in prop_oneof![3 => Just(Bytes::new()), 1 => bytes()],
        ) -> Delivery {
            Delivery { client, seq, oldest_pending, idempotency_key }
        }
    }

    prop_compose! {
        fn recorded()(outcome in option::of(outcome()), delivery in option::of(delivery())) -> RecordRequest {
            RecordRequest { outcome, delivery }
        }
    }

    prop_compose! {
        fn recorded_together()(
            outcomes in vec(outcome(), 0..3), delivery in option::of(delivery()),
        ) -> RecordBatchRequest {
            RecordBatchRequest { outcomes, delivery, exposed: Vec::new() }
        }
    }

    /// A message, perhaps with another behind it, which merges, and perhaps with a byte that is not its own or without its end.
    fn damaged<M: Message + 'static>(
        message: M,
        more: Option<M>,
    ) -> impl Strategy<Value = Vec<u8>> {
        let mut whole = message.encode_to_vec();
        whole.extend(more.into_iter().flat_map(|more| more.encode_to_vec()));
        let length = whole.len();
        (option::of((0..=length, any::<u8>())), 0..=length).prop_map(move |(change, cut)| {
            let mut sent = whole.clone();
            if let Some((at, byte)) = change {
                match sent.get_mut(at) {
                    Some(place) => *place = byte,
                    None => sent.truncate(cut),
                }
            }
            sent
        })
    }

    /// See [`damaged`].
    fn sent<M: Message + Clone + std::fmt::Debug + 'static>(
        message: impl Strategy<Value = M> + 'static,
    ) -> impl Strategy<Value = Vec<u8>> {
        let message = message.boxed();
        (message.clone(), option::of(message))
            .prop_flat_map(|(message, more)| damaged(message, more))
    }

    fn same_asked(read: &Asked, decoded: &AssignRequest) {
        let meant = Asked::from(decoded);
        let parts = |asked: &Asked| {
            let Asked {
                target,
                unit,
                organization,
                expose,
                known_count,
                ..
            } = asked;
            format!("{:?}", (target, unit, organization, expose, known_count))
        };
        assert_eq!(parts(read), parts(&meant));
        for hash in &decoded.known_config_hashes {
            assert!(read.knows(hash) && meant.knows(hash));
        }
        assert!(!read.knows(b"another") && !meant.knows(b"another"));
    }

    fn same_told(read: &Told, decoded: &Outcome) {
        let parts = |told: &Told| {
            let Told {
                experiment,
                unit,
                variant,
                organization,
                occurred_at_ms,
                dimensions,
                count,
                ..
            } = *told;
            let observations: Vec<_> = told.observations().collect();
            let names = (experiment, unit, variant, organization);
            format!(
                "{:?}",
                (names, occurred_at_ms, dimensions, count, observations)
            )
        };
        assert_eq!(parts(read), parts(&Told::from(decoded)));
        assert_eq!(read.observations().count(), read.count);
    }

    fn same_delivery(read: Option<Numbered>, decoded: Option<Delivery>) {
        let read = read.map(|read| (read.client.to_vec(), read.seq, read.oldest_pending));
        let decoded = decoded.map(|decoded| {
            assert!(decoded.idempotency_key.is_empty());
            (decoded.client.to_vec(), decoded.seq, decoded.oldest_pending)
        });
        assert_eq!(read, decoded);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// What is read here is read as the generated types do, and what they refuse is not.
        #[test]
        fn a_question_means_the_same(message in sent(asked())) {
            if let Some(read) = Asked::read(&message) {
                same_asked(&read, &AssignRequest::decode(&*message).unwrap());
            }
        }

        #[test]
        fn questions_mean_the_same(
            message in sent(vec(asked(), 0..3).prop_map(|requests| AssignBatchRequest { requests })),
        ) {
            let mut read = Vec::new();
            let count = Asked::read_all(&message, usize::MAX, |index, asked| {
                assert_eq!(index, read.len());
                read.push(*asked);
            });
            if let Some(count) = count {
                let decoded = AssignBatchRequest::decode(&*message).unwrap().requests;
                assert_eq!((count, read.len()), (decoded.len(), decoded.len()));
                read.iter().zip(&decoded).for_each(|(read, decoded)| same_asked(read, decoded));
            }
        }

        #[test]
        fn an_outcome_means_the_same(
            message in sent(recorded()),
        ) {
            let mut outcome = Told::default();
            if let Some(read) = record(&message, &mut outcome) {
                let decoded = RecordRequest::decode(&*message).unwrap();
                same_told(&outcome, &decoded.outcome.unwrap());
                same_delivery(read.delivery, decoded.delivery);
            }
        }

        #[test]
        fn outcomes_mean_the_same(
            message in sent(recorded_together()),
        ) {
            let mut outcomes = Vec::new();
            let read = record_batch(&message, usize::MAX, |index, outcome| {
                assert_eq!(index, outcomes.len());
                outcomes.push(*outcome);
            });
            if let Some(read) = read {
                let decoded = RecordBatchRequest::decode(&*message).unwrap();
                assert!(decoded.exposed.is_empty());
                assert_eq!(read.outcomes, decoded.outcomes.len());
                assert_eq!(outcomes.len(), decoded.outcomes.len());
                outcomes.iter().zip(&decoded.outcomes).for_each(|(read, decoded)| same_told(read, decoded));
                same_delivery(read.delivery, decoded.delivery);
            }
        }
    }

    /// Without it, nothing above would be worth much: what clients send as a rule is read.
    #[test]
    fn what_clients_send_is_read() {
        let asked = AssignRequest {
            target: Some(assign_request::Target::Subject(SubjectRef {
                kind: "agent".into(),
                id: "a".into(),
            })),
            unit: "u".into(),
            expose: Some(false),
            known_config_hashes: vec![Bytes::from_static(b"hash")],
            ..AssignRequest::default()
        };
        same_asked(&Asked::read(&asked.encode_to_vec()).unwrap(), &asked);
        let told = Outcome {
            experiment: "e".into(),
            unit: "u".into(),
            variant: "v".into(),
            occurred_at_ms: -5,
            observations: vec![Observation {
                metric: "m".into(),
                value: Some(Value::Flag(true)),
                ..Observation::default()
            }],
            ..Outcome::default()
        };
        let delivery = Some(Delivery {
            client: Bytes::from_static(b"me"),
            seq: 300,
            oldest_pending: 299,
            ..Delivery::default()
        });
        let one = RecordRequest {
            outcome: Some(told.clone()),
            delivery: delivery.clone(),
        };
        let message = one.encode_to_vec();
        let mut outcome = Told::default();
        let read = record(&message, &mut outcome).unwrap();
        same_told(&outcome, &told);
        same_delivery(read.delivery, delivery);
    }
}
