//! What is wrong with a node, answer by answer. A printed seed rolls the same faults in the same order; which request each
//! befalls depends on what is asked when, so a run is repeated in kind, not to the letter.

use crate::kills::Dice;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is answered by this HTTP status.
    Status(u16),
    /// It is answered by a JSON-RPC error of this code.
    Error(i64),
    /// The connection breaks in the middle of the answer.
    Break,
    /// Half of the answer comes, and then nothing more.
    Stall,
    /// It is answered after so many milliseconds.
    Late(u64),
    /// It is answered by a node that is so many blocks behind, as any may be behind a load balancer.
    Behind(usize),
    /// A listing has an entry twice.
    Twice,
    /// A listing has two neighbours in the wrong order.
    Swapped,
    /// A listing lacks one of the newest entries, which the index does not have yet.
    Gap,
    /// There is nothing of that name yet.
    Nothing,
}

/// How a thousand requests fare, of any kind.
const ALL: [(u64, Fault); 8] = [
    (8, Fault::Status(503)),
    (8, Fault::Status(429)),
    (5, Fault::Status(500)),
    (15, Fault::Error(-32005)),
    (5, Fault::Error(-32603)),
    (8, Fault::Break),
    (50, Fault::Late(150)),
    (40, Fault::Behind(4)),
];

/// How a thousand listings fare.
const LISTINGS: [(u64, Fault); 3] = [(50, Fault::Twice), (20, Fault::Swapped), (30, Fault::Gap)];

/// How a thousand questions for a transaction or a block fare.
const DETAILS: [(u64, Fault); 1] = [(30, Fault::Nothing)];

/// The faults of a node.
#[derive(Debug)]
pub(super) struct Faults {
    dice: Dice,
    /// How many answers may still stall: each takes as long as a client waits.
    stalls: u32,
    on: bool,
    befallen: u64,
}

impl Faults {
    pub(super) fn new(seed: u64, stalls: u32) -> Self {
        Self {
            dice: Dice::new(seed),
            stalls,
            on: true,
            befallen: 0,
        }
    }

    /// From now on nothing is wrong.
    pub(super) fn end(&mut self) {
        self.on = false;
    }

    /// How many requests something befell.
    pub(super) fn befallen(&self) -> u64 {
        self.befallen
    }

    /// What becomes of a request.
    pub(super) fn roll(&mut self, method: &str) -> Option<Fault> {
        if !self.on {
            return None;
        }
        let fault = self.rolled(method);
        self.befallen += u64::from(fault.is_some());
        fault
    }

    fn rolled(&mut self, method: &str) -> Option<Fault> {
        let kinds: &[(u64, Fault)] = match method {
            "getSignaturesForAddress" => &LISTINGS,
            "getTransaction" | "getBlock" => &DETAILS,
            _ => &[],
        };
        let mut rolled = self.dice.below(1_000);
        for (share, fault) in ALL.iter().chain(kinds) {
            if rolled < *share {
                return Some(match fault {
                    Fault::Late(most) => Fault::Late(self.dice.below(*most)),
                    Fault::Behind(most) => Fault::Behind(1 + self.place(*most)),
                    fault => *fault,
                });
            }
            rolled -= share;
        }
        if self.stalls > 0 && self.dice.below(2_000) == 0 {
            self.stalls -= 1;
            return Some(Fault::Stall);
        }
        None
    }

    /// Which of so many it befalls.
    pub(super) fn place(&mut self, of: usize) -> usize {
        usize::try_from(self.dice.below(of.max(1) as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_rolls_the_same_faults_again() {
        let roll = |seed| {
            let mut faults = Faults::new(seed, 1);
            (0..500)
                .map(|_| faults.roll("getSignaturesForAddress"))
                .collect::<Vec<_>>()
        };
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
        assert!(roll(7).contains(&Some(Fault::Gap)));
    }

    #[test]
    fn nothing_is_wrong_once_the_faults_have_ended() {
        let mut faults = Faults::new(7, 1);
        faults.end();
        assert!((0..500).all(|_| faults.roll("getBlock").is_none()));
    }
}
