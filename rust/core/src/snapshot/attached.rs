//! What an embedder makes of an answer once, and hands out many times.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

/// A place for one value, which lives as long as the snapshot.
#[derive(Default)]
pub struct Attached(OnceLock<Box<dyn Any + Send + Sync>>);

impl Attached {
    /// Returns the value, if it is there and a `T`.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.get()?.downcast_ref()
    }

    /// Keeps a value, unless another thread was faster; returns the one that is there, if it is a `T`.
    ///
    /// It was made before: whoever makes one may wait for locks that another one holds who waits here.
    pub fn keep<T: Any + Send + Sync>(&self, value: T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(value)).downcast_ref()
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Attached(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_stays() {
        let place = Attached::default();
        assert_eq!(place.get::<u8>(), None);
        assert_eq!(place.keep(7_u8), Some(&7));
        assert_eq!(place.keep(8_u8), Some(&7));
        assert_eq!(place.get::<u8>(), Some(&7));
        assert_eq!(place.get::<u16>(), None);
        assert_eq!(place.keep(9_u16), None);
    }
}
