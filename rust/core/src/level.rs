//! The levels of an experiment's dimensions, which outcomes are broken down by.
//!
//! They are numbered on through all dimensions, from 1, each dimension's own "other" behind its levels. Number 0 stands for everyone, so
//! that a cell's place is the same whether or not an experiment has dimensions.

use std::collections::BTreeMap;

/// Dimensions of an experiment.
pub const DIMENSIONS: usize = 3;
/// Levels of one dimension.
pub const LEVELS: usize = 16;
/// Levels of all dimensions of an experiment together: each of them costs a cell for every variant, metric and day.
pub const LEVELS_TOGETHER: usize = 32;
/// What every level counts as that is not declared.
pub const OTHER: &str = "other";

/// What an outcome belongs to beside everyone: a level of each dimension, and a period.
const PLACES: usize = DIMENSIONS + 1;

/// The number that stands for everyone.
pub const EVERYONE: u8 = 0;

/// What is added to the number of an allocation for that of its period; every level of a dimension is below.
pub const PERIODS: u8 = 100;
/// The largest number of an allocation.
pub const GENERATIONS: u32 = 100;

/// A dimension of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// Its name.
    pub name: Box<str>,
    /// Its levels, in declared order.
    pub levels: Box<[Box<str>]>,
    /// The number of the first of them.
    first: u8,
}

impl Dimension {
    /// Returns the number of the level called `level`; that of "other" for every one that is not declared, and where none is given.
    fn number(&self, level: Option<&str>) -> u8 {
        let place = self
            .levels
            .iter()
            .position(|known| Some(&**known) == level)
            .unwrap_or(self.levels.len());
        // At most 16 levels behind at most 32 others, as a snapshot's check has seen to.
        self.first.saturating_add(place as u8)
    }
}

/// Numbers the levels of dimensions, each with its name and levels, in declared order.
pub fn numbered<'a>(
    declared: impl IntoIterator<Item = (&'a str, &'a [String])>,
) -> Box<[Dimension]> {
    let mut next = EVERYONE + 1;
    let dimension = |(name, levels): (&str, &[String])| {
        let first = next;
        next = next.saturating_add(levels.len() as u8 + 1);
        Dimension {
            name: name.into(),
            levels: levels.iter().map(|level| level.as_str().into()).collect(),
            first,
        }
    };
    declared.into_iter().map(dimension).collect()
}

/// The levels of one outcome: one for each dimension of its experiment, and its period where the weights were changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels([u8; PLACES]);

impl Levels {
    /// Returns where an outcome belongs that gives these levels; what names no dimension of the experiment is left out.
    pub fn of(dimensions: &[Dimension], given: &BTreeMap<String, String>) -> Self {
        let mut numbers = [EVERYONE; PLACES];
        for (number, dimension) in numbers.iter_mut().zip(dimensions) {
            *number = dimension.number(given.get(&*dimension.name).map(String::as_str));
        }
        Self(numbers)
    }

    /// Adds the period of the units that were first exposed under an allocation. That of the first one has no number: it is what the
    /// others leave of everyone's.
    pub fn in_period(mut self, generation: u32) -> Self {
        let number = match u8::try_from(generation) {
            Ok(generation @ 2..) if u32::from(generation) <= GENERATIONS => PERIODS + generation,
            _ => return self,
        };
        if let Some(free) = self.0.iter_mut().find(|number| **number == EVERYONE) {
            *free = number;
        }
        self
    }

    /// Returns the levels of these numbers; none when there are too many, or one of them stands for everyone.
    pub fn from_numbers(given: &[u8]) -> Option<Self> {
        let mut numbers = [EVERYONE; PLACES];
        numbers.get_mut(..given.len())?.copy_from_slice(given);
        (!given.contains(&EVERYONE)).then_some(Self(numbers))
    }

    /// Returns their numbers.
    pub fn numbers(&self) -> &[u8] {
        let count = self
            .0
            .iter()
            .position(|number| *number == EVERYONE)
            .unwrap_or(PLACES);
        &self.0[..count]
    }

    /// Returns the numbers of all cells that an effect changes: everyone's, then each level's.
    pub fn with_everyone(self) -> impl Iterator<Item = u8> {
        std::iter::once(EVERYONE).chain(self.0.into_iter().take_while(|number| *number != EVERYONE))
    }

    /// Returns how many cells an effect changes.
    pub fn count(&self) -> usize {
        1 + self.numbers().len()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn device_and_plan() -> Box<[Dimension]> {
        let device = ["mobile", "desktop"].map(str::to_owned);
        let plan = ["free"].map(str::to_owned);
        numbered([("device", &device[..]), ("plan", &plan[..])])
    }

    fn levels(given: &[(&str, &str)]) -> Vec<u8> {
        let owned = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
        let given = given.iter().map(owned).collect();
        Levels::of(&device_and_plan(), &given).numbers().to_vec()
    }

    #[test]
    fn levels_are_numbered_through_all_dimensions() {
        assert_eq!(levels(&[("device", "mobile"), ("plan", "free")]), [1, 4]);
        assert_eq!(levels(&[("device", "desktop"), ("plan", "free")]), [2, 4]);
    }

    #[test]
    fn what_is_not_declared_or_not_given_is_other() {
        assert_eq!(levels(&[("device", "watch"), ("plan", "gold")]), [3, 5]);
        assert_eq!(levels(&[("device", "other"), ("plan", "")]), [3, 5]);
        assert_eq!(levels(&[]), [3, 5]);
    }

    #[test]
    fn what_names_no_dimension_is_left_out() {
        assert_eq!(levels(&[("country", "mobile"), ("plan", "free")]), [3, 4]);
        assert_eq!(
            Levels::of(&[], &BTreeMap::from([("a".into(), "b".into())])),
            Levels::default()
        );
    }

    #[test]
    fn a_period_stands_behind_the_levels() {
        let of = |generation| {
            let levels = Levels::from_numbers(&[3, 4]).unwrap();
            levels.in_period(generation).numbers().to_vec()
        };
        assert_eq!(of(1), [3, 4]);
        assert_eq!(of(2), [3, 4, 102]);
        assert_eq!(of(100), [3, 4, 200]);
        assert_eq!(of(101), [3, 4]);
        assert_eq!(Levels::default().in_period(7).numbers(), [107]);
    }

    #[test]
    fn numbers_are_read_back_only_if_they_can_be_some() {
        let read = |numbers: &[u8]| Levels::from_numbers(numbers);
        let numbers = |levels: Levels| levels.numbers().to_vec();
        assert_eq!(read(&[3, 4]).map(numbers), Some(vec![3, 4]));
        assert_eq!(read(&[]), Some(Levels::default()));
        assert_eq!(read(&[1, 2, 3, 4, 5]), None);
        assert_eq!(read(&[1, 0]), None);
        let all = read(&[3, 4]).map(|levels| levels.with_everyone().collect());
        assert_eq!(all, Some(vec![0, 3, 4]));
    }
}
