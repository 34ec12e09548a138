//! Names for random bytes, in the order in which they first appear: `id#3` in one run is `id#3` in the other.

use std::collections::HashMap;

/// The names that were given.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: HashMap<Vec<u8>, String>,
    counts: HashMap<&'static str, usize>,
}

impl Names {
    /// The name of these bytes, which get one where they have none yet. Zeros stand for nothing, and stay what they are.
    pub(super) fn of(&mut self, kind: &'static str, bytes: &[u8]) -> String {
        if bytes.iter().all(|byte| *byte == 0) {
            return "zeros".to_owned();
        }
        if let Some(name) = self.given.get(bytes) {
            return name.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = format!("{kind}#{count}");
        self.given.insert(bytes.to_owned(), name.clone());
        name
    }

    /// The same, where nothing may be new: what no event tells of has no name.
    pub(super) fn known(&self, kind: &'static str, bytes: &[u8]) -> String {
        if bytes.iter().all(|byte| *byte == 0) {
            return "zeros".to_owned();
        }
        let name = self.given.get(bytes).cloned();
        name.unwrap_or_else(|| format!("{kind} of no event"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_order_of_appearance_and_not_the_bytes() {
        let order = |bytes: [[u8; 2]; 4]| {
            let mut names = Names::default();
            bytes.map(|bytes| names.of("id", &bytes))
        };
        assert_eq!(
            order([[9, 9], [1, 1], [0, 0], [9, 9]]),
            ["id#1", "id#2", "zeros", "id#1"]
        );
        assert_eq!(
            order([[3, 3], [4, 4], [0, 0], [3, 3]]),
            ["id#1", "id#2", "zeros", "id#1"]
        );
        assert_eq!(
            order([[3, 3], [4, 4], [0, 0], [4, 4]]),
            ["id#1", "id#2", "zeros", "id#2"]
        );
        assert_eq!(Names::default().known("id", &[5]), "id of no event");
    }
}
