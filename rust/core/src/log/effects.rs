//! What records say.
//!
//! A body is a kind and its fields. The effects of a call are a sequence of small operations: which experiment, which cell of it, what
//! to add there; so a call about many units names each only once.

use std::sync::Arc;

use crate::aggregate::{Address, Effect, Step};
use crate::cell::Cell;
use crate::dedup::{ClientWindow, Delivery, Id, KnownKey, WORDS};
use crate::exposure::Exposure;
use crate::hash::Slot;
use crate::level::{EVERYONE, Levels};
use crate::log::bytes::{Cursor, Put};
use crate::observe::Accepted;

const BEGIN: u8 = 1;
const EFFECTS: u8 = 2;
const ANCHOR: u8 = 3;
const COMMIT: u8 = 4;
const MARK: u8 = 5;
const CLIENTS: u8 = 6;
const KEYS: u8 = 7;
const CELLS: u8 = 8;
const EXPOSURES: u8 = 9;
const CHECKPOINT: u8 = 10;
const LEVEL_CELLS: u8 = 11;

const ANONYMOUS: u8 = 0;
const NUMBERED: u8 = 1;
const KEYED: u8 = 2;

const OF_EXPERIMENT: u8 = 1;
const AT_CELL: u8 = 2;
const ADD: u8 = 3;
const REFUSED: u8 = 4;
const LATE: u8 = 5;
const EXPOSE: u8 = 6;
const AT_LEVELS: u8 = 7;

const QUANTILES: u8 = 1;
const COVARIATE: u8 = 2;

/// Above the sub-sketch, which has four bits.
const HAS_DENOMINATOR: u8 = 1 << 4;
const HAS_COVARIATE: u8 = 1 << 5;
const WAS_CLAMPED: u8 = 1 << 6;

/// What one record says, its parts not read yet.
#[derive(Clone, Debug)]
pub enum Record<'a> {
    /// The first of a segment.
    Begin(Begin),
    /// A call that was applied.
    Effects {
        /// Which call it was, and when.
        claim: (Delivery, i64),
        /// What it did.
        effects: Effects<'a>,
    },
    /// How far the database's numbers of batches are ahead of the log's.
    Anchor(u64),
    /// The database has all batches up to this one.
    Commit(u64),
    /// Everything before it is synced.
    Mark,
    /// Windows of clients, as they were.
    Clients(Vec<ClientWindow>),
    /// Keys, as they were.
    Keys(Vec<KnownKey>),
    /// Cells of the open batch, as they were when this segment began.
    Cells(Vec<(Address, Cell)>),
    /// Exposures of the open batch, as they were when this segment began.
    Exposures(Vec<Exposure>),
    /// All parts of a checkpoint were written: the windows, and with `full` cells and exposures as well.
    Checkpoint {
        /// Whether segments of the same batch before this one are not needed any more.
        full: bool,
    },
}

/// What the first record of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// The batch, by the log's own count, that what follows belongs to.
    pub batch: u64,
    /// The number of the record that the batch began with: this one, or one in an earlier segment.
    pub batch_from: u64,
    /// Whether records before it were lost and given up, so that batches may be missing.
    pub salvaged: bool,
    /// The last batch that the database was known to have.
    pub committed: u64,
    /// See [`Record::Anchor`]; none before the database was seen.
    pub shift: Option<u64>,
}

/// The operations of a call.
#[derive(Clone, Debug)]
pub struct Effects<'a>(Cursor<'a>, i32);

/// One operation on the open batch.
#[derive(Clone, Debug)]
pub enum Operation<'a> {
    /// What follows is about this experiment.
    Experiment(&'a str),
    /// What follows is about these levels as well.
    Levels(Levels),
    /// What follows is about this cell of it, and about those of the levels.
    Cell {
        /// The variant's index.
        variant: u16,
        /// The metric's index.
        metric: u16,
        /// The UTC day.
        day: i32,
        /// Whether it keeps a sketch.
        quantiles: bool,
        /// Whether it keeps a covariate.
        covariate: bool,
    },
    /// Something happens to the cell.
    Effect(Effect),
    /// A unit of the experiment was exposed.
    Expose(Exposed),
}

/// An [`Exposure`] without its experiment, which stands before it.
#[derive(Clone, Debug)]
pub struct Exposed {
    fingerprint: u64,
    unit_hash: i64,
    variant: u16,
    bucket: u16,
    generation: u32,
    day: i32,
}

impl Exposed {
    /// Says which experiment it was in.
    pub fn in_experiment(self, experiment_id: Arc<str>) -> Exposure {
        Exposure {
            experiment_id,
            unit_hash: self.unit_hash,
            fingerprint: self.fingerprint,
            variant: self.variant,
            bucket: self.bucket,
            generation: self.generation,
            day: self.day,
        }
    }
}

impl Begin {
    /// Writes it.
    pub fn encode(&self, body: &mut Vec<u8>) {
        body.push(BEGIN);
        body.put_varint(self.batch);
        body.put_varint(self.batch_from);
        body.push(self.salvaged.into());
        body.put_varint(self.committed);
        // Without a shift nothing more follows.
        if let Some(shift) = self.shift {
            body.put_varint(shift);
        }
    }
}

/// Writes the effects of a call.
pub fn encode_effects(
    body: &mut Vec<u8>,
    today: i32,
    claim: (&Delivery, i64),
    steps: &[Step],
    exposures: &[Exposure],
) {
    body.push(EFFECTS);
    body.put_signed(today.into());
    encode_claim(body, claim);
    let since = |day: i32| i64::from(day) - i64::from(today);
    let (mut experiment, mut cell) = (None, None);
    let mut levels = Levels::default();
    for step in steps {
        if experiment != Some(&*step.experiment.id) {
            experiment = Some(&*step.experiment.id);
            (cell, levels) = (None, Levels::default());
            body.push(OF_EXPERIMENT);
            body.put_counted(step.experiment.id.as_bytes());
        }
        if levels != step.levels {
            (cell, levels) = (None, step.levels);
            body.push(AT_LEVELS);
            body.put_counted(levels.numbers());
        }
        let place = (step.variant, step.metric, step.day);
        if cell != Some(place) {
            cell = Some(place);
            let metric = &step.experiment.metrics[usize::from(step.metric)];
            body.push(AT_CELL);
            body.put_varint(step.variant.into());
            body.put_varint(step.metric.into());
            body.put_signed(since(step.day));
            body.push(shape(metric.quantiles, metric.covariate));
        }
        encode_effect(body, &step.effect);
    }
    for exposure in exposures {
        if experiment != Some(&*exposure.experiment_id) {
            experiment = Some(&*exposure.experiment_id);
            body.push(OF_EXPERIMENT);
            body.put_counted(exposure.experiment_id.as_bytes());
        }
        body.push(EXPOSE);
        encode_exposure(body, exposure, today);
    }
}

fn encode_claim(body: &mut Vec<u8>, (delivery, at_ms): (&Delivery, i64)) {
    match delivery {
        Delivery::Anonymous => body.push(ANONYMOUS),
        Delivery::Numbered {
            client,
            seq,
            oldest_pending,
        } => {
            body.push(NUMBERED);
            body.put_signed(at_ms);
            body.put_counted(client.as_bytes());
            body.put_varint(*seq);
            body.put_varint(*oldest_pending);
        }
        Delivery::Keyed { key, payload } => {
            body.push(KEYED);
            body.put_signed(at_ms);
            body.put_counted(key.as_bytes());
            body.put(&payload.to_le_bytes());
        }
    }
}

fn encode_effect(body: &mut Vec<u8>, effect: &Effect) {
    match effect {
        Effect::Add { slot, accepted } => {
            let has = |condition: bool, flag: u8| if condition { flag } else { 0 };
            let flags = has(accepted.denominator != 1.0, HAS_DENOMINATOR)
                | has(accepted.covariate.is_some(), HAS_COVARIATE)
                | has(accepted.clamped, WAS_CLAMPED);
            body.put(&[ADD, slot.bucket() as u8, slot.sub() as u8 | flags]);
            body.put_float(accepted.value);
            if accepted.denominator != 1.0 {
                body.put_float(accepted.denominator);
            }
            if let Some(covariate) = accepted.covariate {
                body.put_float(covariate);
            }
        }
        Effect::Refused => body.push(REFUSED),
        Effect::Late => body.push(LATE),
    }
}

fn encode_exposure(body: &mut Vec<u8>, exposure: &Exposure, today: i32) {
    body.put(&exposure.fingerprint.to_le_bytes());
    body.put(&exposure.unit_hash.to_le_bytes());
    body.put_varint(exposure.variant.into());
    body.put_varint(exposure.bucket.into());
    body.put_varint(exposure.generation.into());
    body.put_signed(i64::from(exposure.day) - i64::from(today));
}

fn shape(quantiles: bool, covariate: bool) -> u8 {
    (if quantiles { QUANTILES } else { 0 }) | (if covariate { COVARIATE } else { 0 })
}

/// Writes [`Record::Anchor`].
pub fn encode_anchor(body: &mut Vec<u8>, shift: u64) {
    body.push(ANCHOR);
    body.put_varint(shift);
}

/// Writes [`Record::Commit`].
pub fn encode_commit(body: &mut Vec<u8>, batch: u64) {
    body.push(COMMIT);
    body.put_varint(batch);
}

/// Writes [`Record::Mark`].
pub fn encode_mark(body: &mut Vec<u8>) {
    body.push(MARK);
}

/// Writes [`Record::Checkpoint`].
pub fn encode_checkpoint(body: &mut Vec<u8>, full: bool) {
    body.put(&[CHECKPOINT, full.into()]);
}

/// Writes [`Record::Clients`].
pub fn encode_clients(body: &mut Vec<u8>, windows: &[ClientWindow]) {
    body.push(CLIENTS);
    for window in windows {
        body.put_counted(window.client.as_bytes());
        body.put_varint(window.base);
        body.put_signed(window.used_ms);
        for word in window.applied {
            body.put_varint(word);
        }
    }
}

/// Writes [`Record::Keys`].
pub fn encode_keys(body: &mut Vec<u8>, keys: &[KnownKey]) {
    body.push(KEYS);
    for known in keys {
        body.put_counted(known.key.as_bytes());
        body.put_signed(known.at_ms);
        body.put(&known.payload.to_le_bytes());
    }
}

/// Writes [`Record::Cells`]: either of everyone, as every version reads them, or of levels.
pub fn encode_cells<'a>(
    body: &mut Vec<u8>,
    levels: bool,
    cells: impl IntoIterator<Item = (&'a Address, &'a Cell)>,
) {
    body.push(if levels { LEVEL_CELLS } else { CELLS });
    for (address, cell) in cells {
        body.put_counted(address.experiment_id.as_bytes());
        body.put_varint(address.variant.into());
        body.put_varint(address.metric.into());
        body.put_signed(address.day.into());
        if levels {
            body.push(address.level);
        }
        body.put_counted(&cell.encode());
    }
}

/// Writes [`Record::Exposures`].
pub fn encode_exposures(body: &mut Vec<u8>, exposures: &[Exposure]) {
    body.push(EXPOSURES);
    for exposure in exposures {
        body.put_counted(exposure.experiment_id.as_bytes());
        encode_exposure(body, exposure, 0);
    }
}

impl<'a> Record<'a> {
    /// Reads a body; none when it is not one.
    pub fn decode(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(body);
        let record = match cursor.byte()? {
            BEGIN => Self::Begin(Begin {
                batch: cursor.varint()?,
                batch_from: cursor.varint()?,
                salvaged: cursor.byte()? == 1,
                committed: cursor.varint()?,
                shift: if cursor.is_empty() {
                    None
                } else {
                    Some(cursor.varint()?)
                },
            }),
            EFFECTS => {
                let today = cursor.day()?;
                let claim = decode_claim(&mut cursor)?;
                return Some(Self::Effects {
                    claim,
                    effects: Effects(cursor, today),
                });
            }
            ANCHOR => Self::Anchor(cursor.varint()?),
            COMMIT => Self::Commit(cursor.varint()?),
            MARK => Self::Mark,
            CLIENTS => Self::Clients(all(&mut cursor, decode_client)?),
            KEYS => Self::Keys(all(&mut cursor, decode_key)?),
            CELLS => Self::Cells(all(&mut cursor, |cursor| decode_cell(cursor, false))?),
            LEVEL_CELLS => Self::Cells(all(&mut cursor, |cursor| decode_cell(cursor, true))?),
            EXPOSURES => Self::Exposures(all(&mut cursor, |cursor| {
                let experiment_id = cursor.text()?.into();
                Some(decode_exposed(cursor, 0)?.in_experiment(experiment_id))
            })?),
            CHECKPOINT => Self::Checkpoint {
                full: cursor.byte()? == 1,
            },
            _ => return None,
        };
        cursor.is_empty().then_some(record)
    }
}

impl<'a> Effects<'a> {
    /// Returns the next operation: none behind the last one, an inner none where the bytes are no operation.
    #[allow(
        clippy::option_option,
        reason = "the outer one ends, the inner one fails"
    )]
    pub fn next(&mut self) -> Option<Option<Operation<'a>>> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.operation())
    }

    fn operation(&mut self) -> Option<Operation<'a>> {
        let Self(cursor, today) = self;
        Some(match cursor.byte()? {
            OF_EXPERIMENT => Operation::Experiment(cursor.text()?),
            AT_LEVELS => Operation::Levels(Levels::from_numbers(cursor.counted()?)?),
            AT_CELL => {
                let (variant, metric) = (cursor.narrow()?, cursor.narrow()?);
                let day = i64::from(*today).checked_add(cursor.signed()?)?;
                let shape = cursor.byte()?;
                Operation::Cell {
                    variant,
                    metric,
                    day: i32::try_from(day).ok()?,
                    quantiles: shape & QUANTILES != 0,
                    covariate: shape & COVARIATE != 0,
                }
            }
            ADD => {
                let [bucket, sub] = cursor.array()?;
                let slot = Slot::from_parts(bucket, sub & 0xf)?;
                let value = cursor.float()?;
                let has = |flag: u8| sub & flag != 0;
                Operation::Effect(Effect::Add {
                    slot,
                    accepted: Accepted {
                        value,
                        denominator: if has(HAS_DENOMINATOR) {
                            cursor.float()?
                        } else {
                            1.0
                        },
                        covariate: if has(HAS_COVARIATE) {
                            Some(cursor.float()?)
                        } else {
                            None
                        },
                        clamped: has(WAS_CLAMPED),
                    },
                })
            }
            REFUSED => Operation::Effect(Effect::Refused),
            LATE => Operation::Effect(Effect::Late),
            EXPOSE => Operation::Expose(decode_exposed(cursor, *today)?),
            _ => return None,
        })
    }
}

/// Reads until nothing is left.
fn all<'a, T>(
    cursor: &mut Cursor<'a>,
    mut read: impl FnMut(&mut Cursor<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut found = Vec::new();
    while !cursor.is_empty() {
        found.push(read(cursor)?);
    }
    Some(found)
}

fn decode_claim(cursor: &mut Cursor) -> Option<(Delivery, i64)> {
    let kind = cursor.byte()?;
    if kind == ANONYMOUS {
        return Some((Delivery::Anonymous, 0));
    }
    let at_ms = cursor.signed()?;
    let id = Id::new(cursor.counted()?)?;
    let delivery = match kind {
        NUMBERED => Delivery::Numbered {
            client: id,
            seq: cursor.varint()?,
            oldest_pending: cursor.varint()?,
        },
        KEYED => Delivery::Keyed {
            key: id,
            payload: u128::from_le_bytes(cursor.array()?),
        },
        _ => return None,
    };
    Some((delivery, at_ms))
}

fn decode_client(cursor: &mut Cursor) -> Option<ClientWindow> {
    let mut window = ClientWindow {
        client: Id::new(cursor.counted()?)?,
        base: cursor.varint()?,
        used_ms: cursor.signed()?,
        applied: [0; WORDS],
    };
    for word in &mut window.applied {
        *word = cursor.varint()?;
    }
    Some(window)
}

fn decode_key(cursor: &mut Cursor) -> Option<KnownKey> {
    Some(KnownKey {
        key: Id::new(cursor.counted()?)?,
        at_ms: cursor.signed()?,
        payload: u128::from_le_bytes(cursor.array()?),
    })
}

fn decode_cell(cursor: &mut Cursor, levels: bool) -> Option<(Address, Cell)> {
    let address = Address {
        experiment_id: cursor.text()?.into(),
        variant: cursor.narrow()?,
        metric: cursor.narrow()?,
        day: cursor.day()?,
        level: if levels { cursor.byte()? } else { EVERYONE },
    };
    Some((address, Cell::decode(cursor.counted()?)?))
}

fn decode_exposed(cursor: &mut Cursor, today: i32) -> Option<Exposed> {
    Some(Exposed {
        fingerprint: u64::from_le_bytes(cursor.array()?),
        unit_hash: i64::from_le_bytes(cursor.array()?),
        variant: cursor.narrow()?,
        bucket: cursor.narrow()?,
        generation: cursor.narrow()?,
        day: i32::try_from(i64::from(today).checked_add(cursor.signed()?)?).ok()?,
    })
}
