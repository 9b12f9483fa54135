//! The ids of many units, as Python holds them: copied or shared once, and then read without the GIL.

use std::fmt::Write;
use std::ops::Range;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple};
use sortition_core::error::Error;
use sortition_core::many;

use crate::arguments::Text;
use crate::error::raised;

/// How ids of a fixed width are written.
#[derive(Clone, Copy)]
enum Fixed {
    /// UTF-8, padded with zeros.
    Bytes(usize),
    /// UTF-32 in native order, padded with zeros.
    Wide(usize),
    /// A signed number of eight bytes in native order, meant in decimal.
    Signed,
    /// An unsigned one.
    Unsigned,
}

enum Held {
    Texts(Texts),
    Fixed(Fixed, PyBackedBytes),
    /// Where each id ends, and their bytes behind each other.
    Utf8(Vec<usize>, PyBackedBytes),
}

/// Texts behind each other. Copied: that costs no more than to count a reference to each of them, and nothing when they go.
struct Texts {
    /// Where each ends.
    ends: Vec<usize>,
    all: String,
}

impl Texts {
    /// Copies the texts of a sequence from `begin` on and before `end`, as far as there are any.
    fn copied(texts: &Bound<'_, PyAny>, begin: usize, end: usize) -> PyResult<Self> {
        if let Ok(list) = texts.cast::<PyList>() {
            return Self::of(begin..end.min(list.len()), |index| list.get_item(index));
        }
        if let Ok(tuple) = texts.cast::<PyTuple>() {
            return Self::of(begin..end.min(tuple.len()), |index| tuple.get_item(index));
        }
        let items: Vec<Bound<PyAny>> = texts.extract()?;
        Self::of(
            begin..end.min(items.len()),
            |index| Ok(items[index].clone()),
        )
    }

    fn of<'py>(
        range: Range<usize>,
        item: impl Fn(usize) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let mut made = Self {
            ends: Vec::with_capacity(range.len()),
            all: String::new(),
        };
        for index in range {
            made.all.push_str(item(index)?.extract::<Text<&str>>()?.0);
            made.ends.push(made.all.len());
        }
        Ok(made)
    }

    fn get(&self, index: usize) -> &str {
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.all[begin..self.ends[index]]
    }
}

/// The ids of many units.
#[pyclass(frozen, module = "sortition.core")]
pub struct Units(Held);

#[pymethods]
impl Units {
    /// Of texts: those from `begin` on and before `end`, as far as there are any.
    #[staticmethod]
    #[pyo3(signature = (texts, begin = 0, end = None))]
    fn texts(texts: &Bound<'_, PyAny>, begin: usize, end: Option<usize>) -> PyResult<Self> {
        Texts::copied(texts, begin, end.unwrap_or(usize::MAX)).map(|texts| Self(Held::Texts(texts)))
    }

    /// Of items of one width: kind "S" (UTF-8) and "U" (UTF-32), both padded with zeros, "i" and "u" (numbers of 8 bytes).
    #[staticmethod]
    fn fixed(kind: &str, width: usize, data: PyBackedBytes) -> PyResult<Self> {
        let (fixed, unit) = match (kind, width) {
            ("S", 1..) => (Fixed::Bytes(width), width),
            ("U", 4..) if width.is_multiple_of(4) => (Fixed::Wide(width), width),
            ("i", 8) => (Fixed::Signed, 8),
            ("u", 8) => (Fixed::Unsigned, 8),
            _ => {
                let why =
                    format!("of kind {kind:?} and {width} bytes cannot be read; convert them");
                return Err(raised(&Error::invalid("units", why)));
            }
        };
        if !data.len().is_multiple_of(unit) {
            let why = format!("{} bytes are not whole items of {unit}", data.len());
            return Err(raised(&Error::invalid("units", why)));
        }
        Ok(Self(Held::Fixed(fixed, data)))
    }

    /// Of UTF-8 texts behind each other: `offsets` holds one native number of `width` bytes more than there are texts.
    #[staticmethod]
    fn utf8(offsets: &[u8], width: usize, data: PyBackedBytes) -> PyResult<Self> {
        let refuse = |why: &str| Err(raised(&Error::invalid("units", why)));
        let read: Vec<Option<usize>> = match width {
            4 => offsets
                .as_chunks()
                .0
                .iter()
                .map(|bytes| usize::try_from(i32::from_ne_bytes(*bytes)).ok())
                .collect(),
            8 => offsets
                .as_chunks()
                .0
                .iter()
                .map(|bytes| usize::try_from(i64::from_ne_bytes(*bytes)).ok())
                .collect(),
            _ => return refuse("offsets have 4 or 8 bytes"),
        };
        let Some(ends) = read.into_iter().collect::<Option<Vec<usize>>>() else {
            return refuse("an offset is negative");
        };
        let ordered = ends.is_sorted() && ends.last().is_some_and(|last| *last <= data.len());
        if !ordered || !offsets.len().is_multiple_of(width) {
            return refuse("offsets are not ascending, or beyond the data");
        }
        Ok(Self(Held::Utf8(ends, data)))
    }

    fn __len__(&self) -> usize {
        many::Units::len(self)
    }
}

impl many::Units for Units {
    fn len(&self) -> usize {
        match &self.0 {
            Held::Texts(texts) => texts.ends.len(),
            Held::Fixed(Fixed::Bytes(width) | Fixed::Wide(width), data) => data.len() / width,
            Held::Fixed(Fixed::Signed | Fixed::Unsigned, data) => data.len() / 8,
            Held::Utf8(ends, _) => ends.len() - 1,
        }
    }

    fn get<'a>(&'a self, index: usize, scratch: &'a mut String) -> Option<&'a str> {
        match &self.0 {
            Held::Texts(texts) => Some(texts.get(index)),
            Held::Utf8(ends, data) => std::str::from_utf8(&data[ends[index]..ends[index + 1]]).ok(),
            Held::Fixed(Fixed::Bytes(width), data) => {
                let item = &data[index * width..][..*width];
                let end = item.iter().rposition(|byte| *byte != 0);
                std::str::from_utf8(&item[..end.map_or(0, |last| last + 1)]).ok()
            }
            Held::Fixed(Fixed::Wide(width), data) => {
                let (points, _) = data[index * width..][..*width].as_chunks::<4>();
                let end = points.iter().rposition(|point| *point != [0; 4]);
                scratch.clear();
                for point in &points[..end.map_or(0, |last| last + 1)] {
                    scratch.push(char::from_u32(u32::from_ne_bytes(*point))?);
                }
                Some(scratch)
            }
            Held::Fixed(Fixed::Signed | Fixed::Unsigned, data) => {
                let bytes = *data[index * 8..].first_chunk()?;
                scratch.clear();
                let written = if matches!(self.0, Held::Fixed(Fixed::Signed, _)) {
                    write!(scratch, "{}", i64::from_ne_bytes(bytes))
                } else {
                    write!(scratch, "{}", u64::from_ne_bytes(bytes))
                };
                written.ok().map(|()| scratch.as_str())
            }
        }
    }
}

/// The variants of many units, in their order.
#[pyclass(frozen, module = "sortition.core")]
pub struct Variants(pub many::Many);

#[pymethods]
impl Variants {
    /// The key of the experiment; None where no experiment decided.
    #[getter]
    fn experiment(&self) -> Option<&str> {
        let index = self.0.experiment?;
        Some(&self.0.snapshot.experiment(index).key)
    }

    /// The names of the experiment's variants; empty where no experiment decided.
    #[getter]
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let experiment = self
            .0
            .experiment
            .map(|index| self.0.snapshot.experiment(index));
        let variants = experiment.map_or(&[][..], |experiment| &experiment.variants);
        PyTuple::new(py, variants.iter().map(|variant| &*variant.name))
    }

    /// Their configurations, each a JSON object in UTF-8.
    #[getter]
    fn configs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let experiment = self
            .0
            .experiment
            .map(|index| self.0.snapshot.experiment(index));
        let variants = experiment.map_or(&[][..], |experiment| &experiment.variants);
        let configs = variants
            .iter()
            .map(|variant| PyBytes::new(py, &variant.answer.config));
        PyTuple::new(py, configs.collect::<Vec<_>>())
    }

    /// The index of each unit's variant among the names, as native int16; -1 where no experiment decided.
    #[getter]
    fn indices<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, self.0.variants.len() * 2, |out| {
            for (place, variant) in out.as_chunks_mut().0.iter_mut().zip(&self.0.variants) {
                *place = variant.to_ne_bytes();
            }
            Ok(())
        })
    }

    /// How many answers count as an exposure.
    #[getter]
    fn exposed(&self) -> usize {
        self.0.exposed
    }

    /// The version of the snapshot that answered.
    #[getter]
    fn snapshot_version(&self) -> u64 {
        self.0.snapshot.version
    }

    fn __len__(&self) -> usize {
        self.0.variants.len()
    }
}
