//! What is wrong with a node, answer by answer. A printed seed rolls the same faults in the same order; which request each
//! befalls depends on what is asked when, so a run is repeated in kind, not to the letter. What is owed comes in any case.

use super::met::{Kind, Met};
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
    /// A listing lacks an entry that others came after: the index does not have it yet.
    Gap,
    /// There is nothing of that name yet.
    Nothing,
}

impl Fault {
    fn kind(self) -> Kind {
        match self {
            Self::Status(_) => Kind::HttpError,
            Self::Error(_) => Kind::RpcError,
            Self::Break => Kind::Broken,
            Self::Stall => Kind::Timeout,
            Self::Late(_) => Kind::Late,
            Self::Behind(_) => Kind::Behind,
            Self::Twice => Kind::Duplicate,
            Self::Swapped => Kind::OutOfOrder,
            Self::Gap => Kind::Gap,
            Self::Nothing => Kind::NotThere,
        }
    }

    fn can_befall(self, method: &str) -> bool {
        match self {
            Self::Twice | Self::Swapped | Self::Gap => method == "getSignaturesForAddress",
            Self::Nothing => matches!(method, "getTransaction" | "getBlock"),
            _ => true,
        }
    }
}

/// How a thousand requests fare, of any kind.
const ALL: [(u64, Fault); 9] = [
    (8, Fault::Status(503)),
    (8, Fault::Status(429)),
    (5, Fault::Status(500)),
    (15, Fault::Error(-32005)),
    (5, Fault::Error(-32603)),
    (8, Fault::Break),
    (1, Fault::Stall),
    (50, Fault::Late(150)),
    (40, Fault::Behind(4)),
];

/// How a thousand listings fare.
const LISTINGS: [(u64, Fault); 3] = [(50, Fault::Twice), (20, Fault::Swapped), (30, Fault::Gap)];

/// How a thousand questions for a transaction or a block fare.
const DETAILS: [(u64, Fault); 1] = [(30, Fault::Nothing)];

/// One of each kind.
const EACH: [Fault; 10] = [
    Fault::Status(503),
    Fault::Error(-32005),
    Fault::Break,
    Fault::Stall,
    Fault::Late(100),
    Fault::Behind(2),
    Fault::Twice,
    Fault::Swapped,
    Fault::Gap,
    Fault::Nothing,
];

/// Of so many requests that what is owed can befall, one is befallen.
const ONE_IN: u64 = 3;

/// The faults of a node.
#[derive(Debug)]
pub(super) struct Faults {
    dice: Dice,
    on: bool,
    owed: Vec<Fault>,
    met: Met,
    /// How many requests came, and the last of them that was answered.
    asked: u64,
    answered: u64,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            on: true,
            owed: Vec::new(),
            met: Met::default(),
            asked: 0,
            answered: 0,
        }
    }

    /// From now on nothing is wrong.
    pub(super) fn end(&mut self) {
        self.on = false;
    }

    /// From now on every fault comes as soon as it can, until each has struck once.
    pub(super) fn owe_each(&mut self) {
        let mut left = EACH.to_vec();
        self.owed.clear();
        while !left.is_empty() {
            let at = self.place(left.len());
            self.owed.push(left.swap_remove(at));
        }
    }

    /// What has not struck yet of what had to.
    pub(super) fn owed(&self) -> &[Fault] {
        &self.owed
    }

    /// How often which kind struck.
    pub(super) fn met(&self) -> &Met {
        &self.met
    }

    /// A request comes: its number, and what becomes of it.
    pub(super) fn roll(&mut self, method: &str) -> (u64, Option<Fault>) {
        self.asked += 1;
        if !self.on {
            return (self.asked, None);
        }
        (self.asked, self.due(method).or_else(|| self.rolled(method)))
    }

    fn due(&mut self, method: &str) -> Option<Fault> {
        let due = *self.owed.iter().find(|fault| fault.can_befall(method))?;
        (self.dice.below(ONE_IN) == 0).then_some(due)
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
        None
    }

    /// It struck, which is for whoever answers to say: not every answer has what a fault needs.
    pub(super) fn struck(&mut self, fault: Fault) {
        self.met.count(fault.kind());
        if let Some(at) = self.owed.iter().position(|owed| owed.kind() == fault.kind()) {
            self.owed.remove(at);
        }
    }

    /// The request of that number is answered now; it may be that a later one was answered before.
    pub(super) fn answered(&mut self, number: u64) {
        if number < self.answered && self.on {
            self.met.count(Kind::OutOfOrder);
        }
        self.answered = self.answered.max(number);
    }

    /// Which of so many it befalls.
    pub(super) fn place(&mut self, of: usize) -> usize {
        usize::try_from(self.dice.below(of.max(1) as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "getSignaturesForAddress";

    #[test]
    fn a_seed_rolls_the_same_faults_again() {
        let roll = |seed| {
            let mut faults = Faults::new(seed);
            (0..500).map(|_| faults.roll(LISTING).1).collect::<Vec<_>>()
        };
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
        assert!(roll(7).contains(&Some(Fault::Gap)));
    }

    #[test]
    fn nothing_is_wrong_once_the_faults_have_ended() {
        let mut faults = Faults::new(7);
        faults.owe_each();
        faults.end();
        assert!((0..500).all(|_| faults.roll("getBlock").1.is_none()));
    }

    #[test]
    fn what_is_owed_comes_until_it_has_struck() {
        let mut faults = Faults::new(7);
        faults.owe_each();
        assert_eq!(faults.owed().len(), EACH.len());
        // A listing in which nothing is new can have no gap.
        let passes_by = |fault| fault == Fault::Gap;
        for _ in 0..500 {
            for method in [LISTING, "getBlock"] {
                match faults.roll(method).1 {
                    Some(fault) if !passes_by(fault) => faults.struck(fault),
                    _ => {}
                }
            }
        }
        // Whatever else befalls listings waits behind it.
        assert!(faults.owed().contains(&Fault::Gap), "{:?}", faults.owed());
        assert!(!faults.owed().contains(&Fault::Nothing), "{:?}", faults.owed());
        for _ in 0..500 {
            if let Some(fault) = faults.roll(LISTING).1 {
                faults.struck(fault);
            }
        }
        assert!(faults.owed().is_empty(), "{:?}", faults.owed());
        assert!(faults.met().lacks(None).iter().all(|kind| !kind.contains("answers")));
    }

    #[test]
    fn what_strikes_pays_for_its_own_kind_alone() {
        let mut faults = Faults::new(7);
        faults.owe_each();
        for (number, fault) in EACH.into_iter().enumerate() {
            for _ in 0..2 {
                faults.struck(fault);
                assert_eq!(faults.owed().len(), EACH.len() - number - 1, "{fault:?}");
                assert!(!faults.owed().contains(&fault));
            }
        }
    }

    #[test]
    fn an_answer_that_is_overtaken_is_out_of_order() {
        let mut faults = Faults::new(7);
        let numbers = [(); 3].map(|()| faults.roll("getHealth").0);
        faults.answered(numbers[0]);
        faults.answered(numbers[2]);
        assert!(faults.met().to_string().contains("answers out of order: 0"));
        faults.answered(numbers[1]);
        assert!(faults.met().to_string().contains("answers out of order: 1"));
    }
}
