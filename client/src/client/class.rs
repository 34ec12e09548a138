//! Sharing classes, and sets of them as a grant carries them.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// How many sharing classes there are.
pub const CLASSES: u8 = 32;

/// A sharing class: a number below 32 that the patient chooses for a kind of record, so that grants can be given on the
/// kind. It is public, so it must not say what a record is about.
///
/// ```
/// use chartseal::client::Class;
///
/// const IMAGING: Class = Class::new(1).unwrap();
/// assert!(Class::try_from(32).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Class(u8);

/// A number that is no sharing class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is no sharing class: they are 0 to 31")]
pub struct NotAClass(u8);

impl Class {
    /// The class of a number, 0 to 31; `None` for others.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < CLASSES { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Class {
    type Error = NotAClass;

    fn try_from(number: u8) -> Result<Self, NotAClass> {
        Self::new(number).ok_or(NotAClass(number))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One bit for each class.
pub(super) fn mask(classes: impl IntoIterator<Item = Class>) -> u32 {
    classes.into_iter().fold(0, |mask, class| mask | (1 << class.0))
}

/// The classes of a mask.
pub(super) fn of_mask(mask: u32) -> Vec<Class> {
    (0..CLASSES)
        .filter(|class| mask & (1 << class) != 0)
        .map(Class)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mask_gives_its_classes_back() {
        let classes: Vec<_> = [0, 3, 31].into_iter().map(|class| Class::new(class).unwrap()).collect();
        assert_eq!(mask(classes.iter().copied()), 1 | 1 << 3 | 1 << 31);
        assert_eq!(of_mask(mask(classes.iter().copied())), classes);
    }

    #[test]
    fn there_are_thirty_two() {
        assert_eq!(Class::new(31).map(Class::number), Some(31));
        assert!(Class::try_from(32).unwrap_err().to_string().contains("0 to 31"));
    }
}
