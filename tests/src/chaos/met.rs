//! What befell an indexer, by kinds: a run that was spared one of them shows less than it says.

use std::{
    collections::BTreeMap,
    fmt::{Display, Formatter, Result},
};

/// What may befall it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The node answers by an HTTP status that is an error.
    HttpError,
    /// The node answers by a JSON-RPC error.
    RpcError,
    /// An answer ends in its middle, and the connection with it.
    Broken,
    /// An answer does not come to its end before the indexer gives it up.
    Timeout,
    /// An answer comes late.
    Late,
    /// What is new is listed in the wrong order, or an answer is overtaken by that to a later question.
    OutOfOrder,
    /// Something new is listed twice.
    Duplicate,
    /// Something new is not listed, and what came after it is.
    Gap,
    /// The node does not have yet what it lists.
    NotThere,
    /// The node is some blocks behind.
    Behind,
    /// Nobody listens where the node was, which the indexer has seen.
    NodeAway,
    /// A block is dropped of which the indexer has stored something.
    DroppedBlock,
    /// The indexer is killed.
    Killed,
    /// Postgres ends, and starts again.
    Restarted,
    /// The indexer cannot write because Postgres has no room.
    DiskFull,
}

impl Kind {
    const ALL: [(Self, &'static str); 15] = [
        (Self::HttpError, "HTTP errors"),
        (Self::RpcError, "RPC errors"),
        (Self::Broken, "broken answers"),
        (Self::Timeout, "timeouts"),
        (Self::Late, "late answers"),
        (Self::OutOfOrder, "answers out of order"),
        (Self::Duplicate, "duplicates"),
        (Self::Gap, "gaps"),
        (Self::NotThere, "listed and not there yet"),
        (Self::Behind, "node behind"),
        (Self::NodeAway, "node away"),
        (Self::DroppedBlock, "stored of a dropped block"),
        (Self::Killed, "indexer killed"),
        (Self::Restarted, "Postgres restarted"),
        (Self::DiskFull, "disk full"),
    ];

    fn words(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(kind, _)| *kind == self).map_or("", |(_, words)| words)
    }
}

/// How often each befell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Met(BTreeMap<Kind, u64>);

impl Met {
    /// Once more.
    pub(super) fn count(&mut self, kind: Kind) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// What either says.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (kind, times) in &other.0 {
            *self.0.entry(*kind).or_default() += times;
        }
        self
    }

    /// Every kind by its name, and how often it was met.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let times = |kind| self.0.get(&kind).copied().unwrap_or_default();
        Kind::ALL.into_iter().map(move |(kind, words)| (words, times(kind)))
    }

    /// What never befell it, of what had to.
    pub(super) fn lacks(&self, spared: Option<Kind>) -> Vec<&'static str> {
        let spared = spared.map_or("", Kind::words);
        let never = self.each().filter(|(_, times)| *times == 0);
        never.map(|(words, _)| words).filter(|words| *words != spared).collect()
    }
}

impl Display for Met {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (number, (words, times)) in self.each().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{words}: {times}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_met_is_named() {
        let mut met = Met::default();
        for (kind, _) in Kind::ALL {
            if !matches!(kind, Kind::Gap | Kind::DiskFull) {
                met.count(kind);
            }
        }
        assert_eq!(met.lacks(None), ["gaps", "disk full"]);
        assert_eq!(met.lacks(Some(Kind::DiskFull)), ["gaps"]);
        let mut other = Met::default();
        other.count(Kind::Gap);
        let both = met.and(&other);
        assert!(both.lacks(Some(Kind::DiskFull)).is_empty());
        assert!(both.to_string().contains("gaps: 1, "), "{both}");
    }
}
