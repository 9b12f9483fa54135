//! The mergeable statistics of one metric of one variant on one day.

use crate::buckets::Buckets;
use crate::error::{Error, Result, Violation};
use crate::hash::Slot;
use crate::moments::{MAGNITUDE_LIMIT, Moments};
use crate::sketch::Sketch;

/// Moments of the observations, sums by bucket of units, a sketch where quantiles are wanted, and counts of what was not taken as it came.
///
/// For a ratio metric the observations are the numerators; their denominators are in the buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    moments: Moments,
    buckets: Buckets,
    sketch: Option<Sketch>,
    /// Values that were refused.
    pub refused: u64,
    /// Values that were moved to a cap.
    pub clamped: u64,
    /// Values that came when the experiment was over.
    pub late: u64,
}

impl Cell {
    /// Makes an empty cell, with a sketch and a covariate's sums as asked.
    pub fn new(quantiles: bool, covariate: bool) -> Self {
        Self {
            moments: Moments::default(),
            buckets: Buckets::new(covariate),
            sketch: quantiles.then(Sketch::default),
            refused: 0,
            clamped: 0,
            late: 0,
        }
    }

    /// Rebuilds a cell from its parts; its counts of refused, clamped and late values are 0.
    ///
    /// # Errors
    /// `DataLoss` when the parts are not of the same observations.
    pub fn from_parts(moments: Moments, buckets: Buckets, sketch: Option<Sketch>) -> Result<Self> {
        let damaged = |what: String| {
            Err(Error::DataLoss(format!(
                "these are no parts of one cell: {what}"
            )))
        };
        let n = moments.n();
        if let Some(counted) = sketch
            .as_ref()
            .map(Sketch::n)
            .filter(|counted| *counted != n)
        {
            return damaged(format!("n is {n}, and the sketch counts {counted}"));
        }
        // Every observation has a denominator above 0, so one side is empty exactly when the other is.
        let bucketed = buckets.rows().any(|row| row[0] > 0.0);
        let stray = buckets
            .rows()
            .any(|row| row[0] == 0.0 && row.iter().any(|sum| *sum != 0.0));
        if bucketed != (n > 0) || stray {
            return damaged(format!(
                "n is {n}, and the buckets hold sums without a denominator, or none at all"
            ));
        }
        Ok(Self {
            moments,
            buckets,
            sketch,
            refused: 0,
            clamped: 0,
            late: 0,
        })
    }

    /// Checks an observation before [`Cell::add`].
    ///
    /// # Errors
    /// `InvalidArgument` when a number is not finite or beyond [`MAGNITUDE_LIMIT`], the denominator is not above 0, or a covariate is given
    /// and not kept (or the reverse); lists every violation.
    pub fn check(&self, value: f64, denominator: f64, covariate: Option<f64>) -> Result<()> {
        let mut violations = Vec::new();
        let numbers = [
            ("value", Some(value)),
            ("denominator", Some(denominator)),
            ("covariate", covariate),
        ];
        for (field, number) in numbers
            .into_iter()
            .filter_map(|(field, number)| Some((field, number?)))
        {
            if !number.is_finite() {
                violations.push(Violation::new(
                    field,
                    format!("is {number}, must be finite"),
                ));
            } else if number.abs() > MAGNITUDE_LIMIT {
                let limits =
                    format!("must be between -{MAGNITUDE_LIMIT:e} and {MAGNITUDE_LIMIT:e}");
                violations.push(Violation::new(field, format!("is {number:e}, {limits}")));
            }
        }
        if denominator.is_finite() && denominator <= 0.0 {
            violations.push(Violation::new(
                "denominator",
                format!("is {denominator}, must be above 0"),
            ));
        }
        match (self.buckets.covariate(), covariate) {
            (true, None) => violations.push(Violation::new(
                "covariate",
                "is missing; this cell keeps one: give it",
            )),
            (false, Some(_)) => violations.push(Violation::new(
                "covariate",
                "is given; this cell keeps none: leave it out",
            )),
            _ => {}
        }
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Error::InvalidArgument { violations })
        }
    }

    /// Adds one observation that [`Cell::check`] accepts.
    pub fn add(&mut self, slot: Slot, value: f64, denominator: f64, covariate: Option<f64>) {
        self.moments.add(value);
        self.buckets.add(
            slot.bucket(),
            denominator,
            value,
            covariate.unwrap_or_default(),
        );
        if let Some(sketch) = &mut self.sketch {
            sketch.add(slot.sub(), value);
        }
    }

    /// Adds the observations and the counts of another.
    ///
    /// # Errors
    /// `InvalidArgument` when both hold observations and only one of them keeps a sketch, or a covariate; then nothing changes.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.shape() != other.shape() {
            match (self.moments.n(), other.moments.n()) {
                (0, 0) => self.reshape(
                    self.sketch.is_some() || other.sketch.is_some(),
                    self.buckets.covariate() || other.buckets.covariate(),
                ),
                (0, _) => self.reshape(other.sketch.is_some(), other.buckets.covariate()),
                (_, 0) => {}
                _ => return Err(self.differs(other)),
            }
        }
        self.refused += other.refused;
        self.clamped += other.clamped;
        self.late += other.late;
        if other.moments.n() > 0 {
            self.moments.merge(&other.moments);
            self.buckets.merge(&other.buckets);
            if let (Some(sketch), Some(added)) = (&mut self.sketch, &other.sketch) {
                sketch.merge(added);
            }
        }
        Ok(())
    }

    /// Returns this cell without the observations of another that are among its own. The extremes stay those of all of them, and of the
    /// counts only that of clamped values changes.
    ///
    /// # Errors
    /// `DataLoss` when they are not.
    pub fn without(&self, part: &Self) -> Result<Self> {
        let mut rest = self.clone();
        rest.clamped = self.clamped.saturating_sub(part.clamped);
        if part.moments.n() == 0 {
            return Ok(rest);
        }
        let stray = || Error::DataLoss("a part of a cell holds what the whole does not".to_owned());
        if part.shape() != self.shape() {
            return Err(stray());
        }
        rest.moments = self.moments.without(&part.moments).ok_or_else(stray)?;
        if rest.moments.n() == 0 {
            rest.buckets = Buckets::new(self.buckets.covariate());
            rest.sketch = self.sketch.is_some().then(Sketch::default);
            return Ok(rest);
        }
        rest.buckets.remove(&part.buckets);
        if let (Some(sketch), Some(taken)) = (&mut rest.sketch, &part.sketch)
            && !sketch.remove(taken)
        {
            return Err(stray());
        }
        Ok(rest)
    }

    /// Returns whether nothing was added or counted.
    pub fn is_empty(&self) -> bool {
        self.moments.n() == 0 && self.refused == 0 && self.clamped == 0 && self.late == 0
    }

    /// Count, mean, spread and extremes of the observations.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Sums by bucket of units.
    pub fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// The sketch, where quantiles are wanted.
    pub fn sketch(&self) -> Option<&Sketch> {
        self.sketch.as_ref()
    }

    /// Returns the cell as bytes that [`Cell::decode`] makes the same cell of, to the bit.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in self.moments.to_bits() {
            bytes.extend(part.to_le_bytes());
        }
        for count in [self.refused, self.clamped, self.late] {
            bytes.extend(count.to_le_bytes());
        }
        bytes.push(u8::from(self.buckets.covariate()) << 1 | u8::from(self.sketch.is_some()));
        bytes.extend(self.buckets.encode());
        if let Some(sketch) = &self.sketch {
            bytes.extend(sketch.encode());
        }
        bytes
    }

    /// Reads what [`Cell::encode`] wrote; none when the bytes are no cell.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<72>()?;
        let (numbers, _) = fixed.as_chunks::<8>();
        let number = |index: usize| u64::from_le_bytes(numbers[index]);
        let (&shape, rest) = rest.split_first()?;
        let covariate = shape & 2 != 0;
        let (buckets, rest) = rest.split_at_checked(Buckets::encoded_len(covariate))?;
        let sketch = match shape & 1 {
            0 if rest.is_empty() => None,
            1 => Some(Sketch::decode(rest).ok()?),
            _ => return None,
        };
        Some(Self {
            moments: Moments::from_bits(std::array::from_fn(number)),
            buckets: Buckets::decode(buckets).ok()?,
            sketch,
            refused: number(6),
            clamped: number(7),
            late: number(8),
        })
    }

    fn shape(&self) -> (bool, bool) {
        (self.sketch.is_some(), self.buckets.covariate())
    }

    /// Gives a cell without observations another shape.
    fn reshape(&mut self, quantiles: bool, covariate: bool) {
        self.sketch = quantiles.then(Sketch::default);
        self.buckets = Buckets::new(covariate);
    }

    fn differs(&self, other: &Self) -> Error {
        let describe = |cell: &Self| {
            let part = |kept, name| format!("{} {name}", if kept { "a" } else { "no" });
            format!(
                "{} and {}",
                part(cell.sketch.is_some(), "sketch"),
                part(cell.buckets.covariate(), "covariate")
            )
        };
        let (kept, given) = (describe(self), describe(other));
        Error::invalid(
            "other",
            format!("keeps {given}, and this cell {kept}: merge cells of one metric only"),
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hash::{unit_seed, unit_slot};

    fn cell(values: impl Iterator<Item = f64>) -> Cell {
        let mut cell = Cell::new(true, false);
        for (number, value) in values.enumerate() {
            let slot = unit_slot(unit_seed("e"), &format!("u{number}"));
            cell.add(slot, value, 1.0, None);
        }
        cell
    }

    #[test]
    fn what_is_taken_away_leaves_what_was_there_before() {
        let first = cell((0..1_000).map(|number| f64::from(number % 17) + 1e6));
        let second = cell((0..300).map(|number| f64::from(number % 5) + 1e6 - 3.0));
        let mut whole = first.clone();
        whole.merge(&second).unwrap();
        let rest = whole.without(&second).unwrap();
        assert_eq!(rest.moments().n(), 1_000);
        assert!((rest.moments().mean() - first.moments().mean()).abs() < 1e-6);
        assert!((rest.moments().m2() / first.moments().m2() - 1.0).abs() < 1e-9);
        for (row, expected) in rest.buckets().rows().zip(first.buckets().rows()) {
            assert!(
                row.iter()
                    .zip(expected)
                    .all(|(one, other)| (one - other).abs() < 1e-6)
            );
        }
        assert_eq!(rest.sketch(), first.sketch());
        let nothing = whole.without(&whole).unwrap();
        assert_eq!(nothing.moments().n(), 0);
        assert!(
            nothing
                .buckets()
                .rows()
                .all(|row| row.iter().all(|sum| *sum == 0.0))
        );
    }

    #[test]
    fn what_was_never_there_cannot_be_taken_away() {
        let (few, many) = (cell([1.0].into_iter()), cell([1.0, 2.0].into_iter()));
        assert!(few.without(&many).is_err());
        assert!(
            cell([1.0, 1.0].into_iter())
                .without(&cell([2.0].into_iter()))
                .is_err()
        );
    }
}
