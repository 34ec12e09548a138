//! What rights are about, and what they are: the same for whoever gives or asks.

use std::time::Duration;

use chartseal_program::seeds::{Id, NO_ID};

use super::{Class, Error, Purpose, RecordId, Right, class, time::seconds};

/// How long what is given or asked for lasts where nothing is said: 30 days.
const LASTING: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What rights are about, and what they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    pub(super) record: Option<RecordId>,
    // What was said to be nothing is not what was not said.
    pub(super) classes: Option<Vec<Class>>,
    pub(super) rights: Option<Vec<Right>>,
    pub(super) purposes: Option<Vec<Purpose>>,
    pub(super) lasting: Option<Duration>,
    pub(super) uses: Option<u32>,
}

impl Terms {
    pub(super) fn record_id(&self) -> Option<Id> {
        self.record.map(RecordId::to_bytes)
    }

    /// One bit for each class.
    pub(super) fn classes(&self) -> Option<u32> {
        let classes = self.classes.as_ref()?;
        Some(class::mask(classes.iter().copied()))
    }

    /// Reading, where nothing is said.
    pub(super) fn rights(&self) -> Vec<Right> {
        self.rights.clone().unwrap_or_else(|| vec![Right::Read])
    }

    pub(super) fn lasting(&self) -> i64 {
        seconds(self.lasting.unwrap_or(LASTING))
    }

    /// Whether they give nothing, by what was said of them.
    pub(super) fn are_empty(&self) -> bool {
        let is_empty = |len: Option<usize>| len == Some(0);
        is_empty(self.classes.as_ref().map(Vec::len))
            || is_empty(self.rights.as_ref().map(Vec::len))
            || is_empty(self.purposes.as_ref().map(Vec::len))
    }

    /// Whether somebody said what they are about.
    pub(super) fn checked(&self) -> Result<&Self, Error> {
        match (self.record, &self.classes) {
            _ if self.are_empty() => usage("rights that are none: an empty list of classes, rights or purposes"),
            (None, None) => usage("rights on nothing: name a record, or classes"),
            (Some(_), Some(_)) => usage("rights are on one record or on classes, not on both: give two grants"),
            _ if self.purposes.is_none() => usage("rights for nothing: say for which purposes"),
            _ => Ok(self),
        }
    }
}

pub(super) fn usage<T>(what: &str) -> Result<T, Error> {
    Err(Error::Usage(what.to_owned()))
}

/// What can be said of rights, for whoever gives or asks, or answers with less. The words say what each is there.
macro_rules! terms {
    (classes: $classes:literal, rights: $rights:literal, purposes: $purposes:literal, lasting: $lasting:literal) => {
        #[doc = $classes]
        pub fn classes(mut self, classes: impl IntoIterator<Item = Class>) -> Self {
            self.terms.classes.get_or_insert_default().extend(classes);
            self
        }

        #[doc = $rights]
        pub fn rights(mut self, rights: impl IntoIterator<Item = Right>) -> Self {
            self.terms.rights.get_or_insert_default().extend(rights);
            self
        }

        #[doc = $purposes]
        pub fn purposes(mut self, purposes: impl IntoIterator<Item = Purpose>) -> Self {
            self.terms.purposes.get_or_insert_default().extend(purposes);
            self
        }

        #[doc = $lasting]
        pub fn lasting(mut self, duration: Duration) -> Self {
            self.terms.lasting = Some(duration);
            self
        }
    };
    () => {
        /// On this one record.
        pub fn record(mut self, record: RecordId) -> Self {
            self.terms.record = Some(record);
            self
        }

        terms! {
            classes: "On all records of these classes, those to come too.",
            rights: "To do this; to read, where nothing is said.",
            purposes: "For this.",
            lasting: "For so long, from now on, in whole seconds; 30 days where nothing is said."
        }
    };
}

pub(super) use terms;

pub(super) fn record(id: Id) -> Option<RecordId> {
    (id != NO_ID).then(|| RecordId::new(id))
}

pub(super) fn rights(mask: u8) -> Vec<Right> {
    Right::ALL
        .iter()
        .copied()
        .filter(|right| mask & right.bit() != 0)
        .collect()
}

pub(super) fn purposes(mask: u8) -> Vec<Purpose> {
    let all = Purpose::ALL.iter().copied();
    all.filter(|purpose| mask & purpose.bit() != 0).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rights_are_on_something_and_for_something() {
        let record = Some(RecordId::new([1; 16]));
        let classes = || Some(vec![Class::new(1).unwrap()]);
        let purposes = || Some(vec![Purpose::Treatment]);
        let terms = |record, classes, purposes| Terms {
            record,
            classes,
            purposes,
            ..Terms::default()
        };
        assert!(terms(record, None, purposes()).checked().is_ok());
        assert!(terms(None, classes(), purposes()).checked().is_ok());
        for (wrong, said) in [
            (terms(None, None, purposes()), "on nothing"),
            (terms(record, classes(), purposes()), "not on both"),
            (terms(record, None, None), "for which purposes"),
            (terms(record, None, Some(Vec::new())), "rights that are none"),
            (terms(None, Some(Vec::new()), purposes()), "rights that are none"),
        ] {
            let error = wrong.checked().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_said_to_be_nothing_is_not_what_was_not_said() {
        let terms = Terms::default();
        assert_eq!(terms.rights(), [Right::Read]);
        assert_eq!(terms.lasting(), 2_592_000);
        assert!(!terms.are_empty());
        let none = Terms {
            rights: Some(Vec::new()),
            ..Terms::default()
        };
        assert!(none.are_empty() && none.rights().is_empty());
    }
}
