//! The tree of grants without a name against one that keeps all of its leaves: the same roots whatever is appended and
//! taken out, by paths of whatever age, and nothing taken out that is not there.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use anchor_lang::prelude::ProgramError;
use bytemuck::{bytes_of, Zeroable};
use chartseal_program::{membership::*, state::*, ChartsealError};
use proptest::prelude::*;

/// A tree that is computed anew from all of its leaves, whenever it is asked.
#[derive(Clone, Default)]
struct Plain {
    leaves: BTreeMap<u64, Field>,
}

impl Plain {
    /// The node on this level at this place, by the definition alone.
    fn node(&self, level: usize, at: u64) -> Field {
        let first = at << level;
        let last = first + (1 << level) - 1;
        if self.leaves.range(first..=last).next().is_none() {
            return ZEROS[level];
        }
        match level {
            0 => self.leaves[&at],
            _ => joined(self.node(level - 1, 2 * at), self.node(level - 1, 2 * at + 1)),
        }
    }

    fn root(&self) -> Field {
        self.node(DEPTH, 0)
    }

    fn path(&self, index: u64) -> Vec<Field> {
        (0..DEPTH).map(|level| self.node(level, (index >> level) ^ 1)).collect()
    }
}

/// A hash takes long without optimisation, and most of a tree is what it was before.
fn joined(left: Field, right: Field) -> Field {
    thread_local! {
        static KNOWN: RefCell<HashMap<(Field, Field), Field>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        *known
            .entry((left, right))
            .or_insert_with(|| node(&left, &right).unwrap())
    })
}

/// Both trees, and the plain one as it was at each number.
#[derive(Clone)]
struct Both {
    tree: GrantTree,
    plain: Plain,
    history: Vec<Plain>,
    now: i64,
}

fn leaf(n: u64) -> Field {
    small(1_000 + n)
}

#[allow(clippy::needless_pass_by_value)] // It is handed over as it comes.
fn fails_with<T: std::fmt::Debug + PartialEq>(outcome: Result<T, ProgramError>, error: ChartsealError) {
    assert_eq!(outcome, Err(error.into()));
}

impl Both {
    fn new() -> Self {
        let mut tree = GrantTree::zeroed();
        tree.begin(&[7; 16], 255);
        Self {
            tree,
            plain: Plain::default(),
            history: vec![Plain::default()],
            now: 1_000_000,
        }
    }

    /// Those of a test begin with the same leaves.
    fn with_leaves(count: u64) -> Self {
        thread_local! {
            static GROWN: RefCell<Vec<Both>> = RefCell::new(vec![Both::new()]);
        }
        GROWN.with_borrow_mut(|grown| {
            while grown.len() as u64 <= count {
                let mut next = grown[grown.len() - 1].clone();
                next.append();
                grown.push(next);
            }
            grown[count as usize].clone()
        })
    }

    fn append(&mut self) -> u64 {
        let index = self.tree.leaves;
        assert_eq!(self.tree.append(&leaf(index)), Ok(index as u32));
        self.plain.leaves.insert(index, leaf(index));
        self.changed();
        index
    }

    fn remove(&mut self, index: u64) {
        let path = self.plain.path(index);
        self.remove_by(index, &path, self.tree.number).unwrap();
    }

    /// Takes a leaf out by a path of this number: all of it happens, or nothing.
    fn remove_by(&mut self, index: u64, path: &[Field], number: u64) -> Result<(), ProgramError> {
        let before = self.tree;
        let taken = self.tree.remove(&leaf(index), index as u32, path, number, self.now);
        if taken.is_err() {
            self.unchanged_since(&before);
            return taken;
        }
        assert!(self.plain.leaves.remove(&index).is_some(), "{index} is not there");
        self.changed();
        Ok(())
    }

    fn changed(&mut self) {
        self.history.push(self.plain.clone());
        assert_eq!(self.tree.number + 1, self.history.len() as u64);
        assert_eq!(
            *self.tree.root(),
            self.plain.root(),
            "after change {}",
            self.tree.number
        );
    }

    fn unchanged_since(&self, before: &GrantTree) {
        assert!(bytes_of(&self.tree) == bytes_of(before), "what fails changes nothing");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append,
    /// Which of the leaves that are there, and how many changes ago its path was read.
    Remove(prop::sample::Index, u64),
    /// Of one that is not there any more.
    RemoveAgain(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Append),
        3 => (any::<prop::sample::Index>(), 0..14u64).prop_map(|(which, age)| Step::Remove(which, age)),
        1 => any::<prop::sample::Index>().prop_map(Step::RemoveAgain),
    ];
    proptest::collection::vec(step, 1..50)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_changes_by_paths_of_any_age_come_to_the_same_root(steps in steps()) {
        let mut both = Both::new();
        for step in steps {
            match step {
                Step::Append => {
                    both.append();
                }
                Step::Remove(which, age) => {
                    let there: Vec<u64> = both.plain.leaves.keys().copied().collect();
                    if there.is_empty() {
                        continue;
                    }
                    let index = there[which.index(there.len())];
                    // When the path was read, the leaf stood there already.
                    let number = both.tree.number;
                    let mut read_at = number.saturating_sub(age);
                    while !both.history[read_at as usize].leaves.contains_key(&index) {
                        read_at += 1;
                    }
                    let path = both.history[read_at as usize].path(index);
                    let expected = match number - read_at {
                        0..=10 => Ok(()),
                        _ => Err(ChartsealError::StalePath.into()),
                    };
                    prop_assert_eq!(both.remove_by(index, &path, read_at), expected);
                }
                Step::RemoveAgain(which) => {
                    let gone: Vec<u64> = (0..both.tree.leaves).filter(|n| !both.plain.leaves.contains_key(n)).collect();
                    if gone.is_empty() {
                        continue;
                    }
                    let index = gone[which.index(gone.len())];
                    let path = both.plain.path(index);
                    let number = both.tree.number;
                    prop_assert_eq!(both.remove_by(index, &path, number), Err(ChartsealError::NotInTree.into()));
                }
            }
        }
    }

    /// Whatever number a path is said to be of, it takes out what is there or changes nothing.
    #[test]
    fn path_said_to_be_of_another_number_is_sound(steps in 12..30u64, read in 0..30u64, said in 0..40u64, which in any::<prop::sample::Index>()) {
        let mut both = Both::with_leaves(steps / 2);
        for n in 0..steps - steps / 2 {
            if n % 3 == 2 {
                both.remove(n);
            } else {
                both.append();
            }
        }
        let read = read % both.history.len() as u64;
        let then = both.history[read as usize].leaves.clone();
        let there: Vec<u64> = then.into_keys().collect();
        if there.is_empty() {
            return Ok(());
        }
        let index = there[which.index(there.len())];
        let path = both.history[read as usize].path(index);
        let number = both.tree.number;
        let outcome = both.remove_by(index, &path, said);
        if said > number || number - said > 10 {
            prop_assert_eq!(outcome, Err(ChartsealError::StalePath.into()));
        } else if said == read && both.history[number as usize].leaves.contains_key(&index) {
            prop_assert_eq!(outcome, Ok(()));
        }
    }

    /// Revocations void the roots before them together: a minute after the first of a batch.
    #[test]
    fn floor_rises_a_minute_after_the_first_of_a_batch(steps in proptest::collection::vec((any::<bool>(), 0..45i64), 1..20)) {
        let mut both = Both::with_leaves(20);
        // When each batch began, and the number of its last revocation.
        let mut batches: Vec<(i64, u64)> = Vec::new();
        for (revokes, wait) in steps {
            both.now += wait;
            if revokes {
                let index = *both.plain.leaves.keys().next().unwrap();
                both.remove(index);
                match batches.last_mut().filter(|(began, _)| both.now - *began < 60) {
                    Some((_, last)) => *last = both.tree.number,
                    None => batches.push((both.now, both.tree.number)),
                }
            } else {
                both.append();
            }
            for now in [both.now, both.now + 1, both.now + 30, both.now + 59, both.now + 60, both.now + 3_600] {
                let over = batches.iter().filter(|(began, _)| now - began >= 60);
                let floor = over.map(|(_, last)| *last).max().unwrap_or_default();
                prop_assert_eq!(both.tree.floor_at(now), floor);
                let number = both.tree.number;
                for asked in number.saturating_sub(70)..number + 3 {
                    let counts = asked <= number && number - asked < 64 && asked >= floor;
                    let root = both.history.get(asked as usize).map(Plain::root);
                    let expected = if counts { Ok(root.unwrap()) } else { Err(ChartsealError::StaleRoot.into()) };
                    // Computing a root is slow: the newest ones and the edges are compared, of others whether they count.
                    prop_assert_eq!(both.tree.accepted(asked, now).copied().is_ok(), expected.is_ok());
                    if counts && (asked + 2 > number || asked == floor) {
                        prop_assert_eq!(both.tree.accepted(asked, now).copied(), expected);
                    }
                }
            }
        }
    }
}

#[test]
fn tree_without_leaves_has_the_root_of_number_0() {
    let both = Both::new();
    assert_eq!((both.tree.number, both.tree.leaves), (0, 0));
    assert_eq!(*both.tree.root(), ZEROS[DEPTH]);
    for now in [i64::MIN, -1, 0, 59, 60, i64::MAX] {
        assert_eq!(both.tree.accepted(0, now), Ok(&ZEROS[DEPTH]));
        for number in [1, 64, u64::MAX] {
            fails_with(both.tree.accepted(number, now), ChartsealError::StaleRoot);
        }
    }
}

/// Each leaf of each small tree is taken out, and what is appended then stands where it should.
#[test]
fn tree_goes_on_after_any_leaf_was_taken_out() {
    for count in 1..=9 {
        for index in 0..count {
            let mut both = Both::with_leaves(count);
            both.remove(index);
            both.append();
            both.append();
            both.remove(count);
            both.append();
        }
    }
}

/// The last leaves, again and again: nodes that the next leaf's path needs are those that change.
#[test]
fn tree_goes_on_after_all_of_it_was_taken_out() {
    let mut both = Both::with_leaves(8);
    for index in (0..8).rev() {
        both.remove(index);
    }
    assert_eq!(*both.tree.root(), ZEROS[DEPTH]);
    for _ in 0..3 {
        let index = both.append();
        both.remove(index);
    }
    assert_eq!(*both.tree.root(), ZEROS[DEPTH]);
    both.append();
}

#[test]
fn path_is_mended_over_ten_changes_and_no_more() {
    for removals in [0, 4, 10] {
        let mut both = Both::with_leaves(12);
        let (path, read_at) = (both.plain.path(5), both.tree.number);
        for n in 0..10 {
            if n < removals {
                both.remove([0, 1, 2, 3, 4, 6, 7, 8, 9, 10][n]);
            } else {
                both.append();
            }
        }
        let mut late = both.clone();
        late.append();
        fails_with(late.remove_by(5, &path, read_at), ChartsealError::StalePath);
        assert_eq!(both.remove_by(5, &path, read_at), Ok(()));
    }
}

#[test]
fn leaf_is_taken_out_once() {
    let mut both = Both::with_leaves(5);
    let (path, read_at) = (both.plain.path(3), both.tree.number);
    both.remove(3);
    // By the path of before, of now, and by that of before said to be of now.
    let number = both.tree.number;
    fails_with(both.remove_by(3, &path, read_at), ChartsealError::NotInTree);
    fails_with(both.remove_by(3, &path, number), ChartsealError::NotInTree);
    fails_with(
        both.remove_by(3, &both.plain.path(3), number),
        ChartsealError::NotInTree,
    );
}

#[test]
fn nothing_else_is_taken_out() {
    let mut both = Both::with_leaves(6);
    both.remove(1);
    let (before, number) = (both.tree, both.tree.number);
    let take = |leaf: &Field, index: u32, path: &[Field], number: u64| {
        let mut tree = before;
        let outcome = tree.remove(leaf, index, path, number, 1_000_000);
        assert_eq!(outcome.is_err(), bytes_of(&tree) == bytes_of(&before));
        outcome
    };
    for index in [0, 2, 3, 4, 5] {
        let path = both.plain.path(index);
        let place = index as u32;
        assert_eq!(take(&leaf(index), place, &path, number), Ok(()));
        // Another leaf.
        for other in [
            leaf(index + 1),
            leaf(99),
            both.plain.node(1, index / 2),
            *both.tree.root(),
            NO_LEAF,
        ] {
            fails_with(take(&other, place, &path, number), ChartsealError::NotInTree);
        }
        fails_with(take(&[0xFF; 32], place, &path, number), ChartsealError::NotAField);
        // Another place.
        for other in (0..20).chain([CAPACITY - 1, CAPACITY, 1 << 31, u32::MAX]) {
            if other != place {
                fails_with(take(&leaf(index), other, &path, number), ChartsealError::NotInTree);
            }
        }
        // Another path: of another leaf, altered on any level, a level short, or one longer.
        for other in (0..6).filter(|other| *other != index) {
            let other = both.plain.path(other);
            fails_with(take(&leaf(index), place, &other, number), ChartsealError::NotInTree);
        }
        for level in 0..DEPTH {
            let mut other = path.clone();
            other[level][31] ^= 1;
            fails_with(take(&leaf(index), place, &other, number), ChartsealError::NotInTree);
            other[level] = [0xFF; 32];
            fails_with(take(&leaf(index), place, &other, number), ChartsealError::NotAField);
        }
        fails_with(take(&leaf(index), place, &path[1..], number), ChartsealError::NotInTree);
        let longer = [&path[..], &[NO_LEAF]].concat();
        fails_with(take(&leaf(index), place, &longer, number), ChartsealError::NotInTree);
        // A number that is to come, or long gone.
        for other in [number + 1, number + 10, u64::MAX] {
            fails_with(take(&leaf(index), place, &path, other), ChartsealError::StalePath);
        }
    }
    both.append();
    both.append();
    both.append();
    both.append();
    let path = both.plain.path(0);
    for said in [0, both.tree.number - 11] {
        fails_with(both.remove_by(0, &path, said), ChartsealError::StalePath);
    }
}

#[test]
fn empty_siblings_at_the_end_of_a_path_may_be_left_out() {
    for count in [1, 2, 5, 8, 9] {
        let both = Both::with_leaves(count);
        let path = both.plain.path(0);
        // What is not empty has to be there.
        let needed = (0..DEPTH)
            .rev()
            .find(|level| path[*level] != ZEROS[*level])
            .map_or(0, |level| level + 1);
        for length in 0..=DEPTH {
            let mut tree = both.tree;
            let outcome = tree.remove(&leaf(0), 0, &path[..length], both.tree.number, both.now);
            if length < needed {
                fails_with(outcome, ChartsealError::NotInTree);
            } else {
                assert_eq!(outcome, Ok(()));
            }
        }
    }
}

#[test]
fn leaf_that_is_no_element_of_the_field_is_not_appended() {
    for count in [0, 1] {
        let mut both = Both::with_leaves(count);
        fails_with(both.tree.append(&[0xFF; 32]), ChartsealError::NotAField);
        assert_eq!((both.tree.number, both.tree.leaves), (count, count));
    }
}

#[test]
fn roots_count_while_they_are_among_the_newest_sixty_four() {
    let mut both = Both::with_leaves(63);
    assert_eq!(both.tree.accepted(0, both.now), Ok(&ZEROS[DEPTH]));
    both.append();
    fails_with(both.tree.accepted(0, both.now), ChartsealError::StaleRoot);
    assert!(both.tree.accepted(1, both.now).is_ok());
    for _ in 0..70 {
        both.append();
    }
    let number = both.tree.number;
    for (asked, plain) in (0..).zip(&both.history) {
        match number - asked {
            0..64 => assert_eq!(both.tree.accepted(asked, both.now), Ok(&plain.root())),
            _ => fails_with(both.tree.accepted(asked, both.now), ChartsealError::StaleRoot),
        }
    }
    for beyond in [number + 1, number + 64, number + 128, u64::MAX - 1, u64::MAX] {
        fails_with(both.tree.accepted(beyond, both.now), ChartsealError::StaleRoot);
    }
}

#[test]
fn revocation_voids_older_roots_a_minute_later() {
    let mut both = Both::with_leaves(4);
    let at = both.now;
    both.remove(2);
    let (older, newest) = (both.tree.number - 1, both.tree.number);
    for (now, counts) in [
        (at - 1, true),
        (at, true),
        (at + 59, true),
        (at + 60, false),
        (at + 61, false),
        (i64::MAX, false),
    ] {
        assert_eq!(both.tree.accepted(older, now).is_ok(), counts, "at {}", now - at);
        assert!(both.tree.accepted(newest, now).is_ok());
    }
}

/// A second revocation does not put off the first, and comes into force with it.
#[test]
fn revocations_within_a_minute_come_into_force_together() {
    let mut both = Both::with_leaves(6);
    let at = both.now;
    both.remove(0);
    both.now = at + 59;
    both.remove(1);
    let second = both.tree.number;
    assert_eq!(both.tree.floor_at(at + 59), 0);
    assert_eq!(both.tree.floor_at(at + 60), second);
    // The next one begins a batch of its own, and what was in force stays.
    both.now = at + 60;
    both.remove(2);
    let third = both.tree.number;
    assert_eq!(both.tree.floor_at(at + 60), second);
    assert_eq!(both.tree.floor_at(at + 119), second);
    assert_eq!(both.tree.floor_at(at + 120), third);
    // An append neither raises it nor puts it off.
    both.now = at + 119;
    both.append();
    assert_eq!(both.tree.floor_at(at + 119), second);
    assert_eq!(both.tree.floor_at(at + 120), third);
}

/// What a revocation has written as the floor never falls, and a batch that was begun is not begun again.
#[test]
fn clock_that_is_set_back_loses_no_revocation() {
    let mut both = Both::with_leaves(8);
    let at = both.now;
    both.remove(0);
    let first = both.tree.number;
    both.now = at + 60;
    both.remove(1);
    let second = both.tree.number;
    for back in [at - 3_600, 0, i64::MIN] {
        assert_eq!(both.tree.floor_at(back), first);
        both.now = back;
        both.append();
        both.remove(both.tree.leaves - 1);
        assert_eq!(both.tree.floor_at(back), first);
    }
    let last = both.tree.number;
    assert!(last > second);
    assert_eq!(both.tree.floor_at(at + 119), first);
    assert_eq!(both.tree.floor_at(at + 120), last);
}

#[test]
fn clock_at_the_ends_of_time_overflows_nothing() {
    for ends in [
        [i64::MIN, i64::MAX],
        [i64::MAX, i64::MIN],
        [0, i64::MAX],
        [i64::MAX, 0],
        [i64::MIN, i64::MIN],
    ] {
        let mut both = Both::with_leaves(3);
        for now in ends {
            both.now = now;
            both.remove(both.plain.leaves.keys().next().copied().unwrap());
            let floors = [i64::MIN, 0, i64::MAX].map(|now| both.tree.floor_at(now));
            assert!(floors.iter().all(|floor| *floor <= both.tree.number));
            assert!(both.tree.accepted(both.tree.number, now).is_ok());
        }
    }
}

#[test]
fn number_that_cannot_grow_is_an_error() {
    let mut tree = Both::with_leaves(1).tree;
    tree.number = u64::MAX;
    fails_with(tree.append(&leaf(1)), ChartsealError::Overflow);
}

/// A tree of a million equal leaves, of which each level has but one node. All but the last are there.
fn almost_full() -> (GrantTree, Vec<Field>) {
    let mut levels = vec![leaf(0)];
    for level in 0..DEPTH {
        levels.push(joined(levels[level], levels[level]));
    }
    let mut tree = Both::new().tree;
    tree.leaves = u64::from(CAPACITY) - 1;
    tree.number = tree.leaves;
    tree.frontier.copy_from_slice(&levels[..DEPTH]);
    let root = (0..DEPTH).fold(NO_LEAF, |right, level| joined(levels[level], right));
    tree.roots[(tree.number % 64) as usize] = root;
    (tree, levels)
}

#[test]
fn last_leaf_fills_the_tree() {
    let (mut tree, levels) = almost_full();
    assert_eq!(tree.append(&levels[0]), Ok(CAPACITY - 1));
    assert_eq!(*tree.root(), levels[DEPTH]);
    for leaves in [u64::from(CAPACITY), u64::from(CAPACITY) + 1, 1 << 32, u64::MAX] {
        let mut full = tree;
        full.leaves = leaves;
        let before = full;
        fails_with(full.append(&levels[0]), ChartsealError::TreeFull);
        assert!(bytes_of(&full) == bytes_of(&before));
    }
}

/// Taking leaves out makes no room: a place is used once.
#[test]
fn full_tree_gives_leaves_and_takes_none() {
    let (mut tree, levels) = almost_full();
    tree.append(&levels[0]).unwrap();
    let path = &levels[..DEPTH];
    let read_at = tree.number;
    for index in [0, CAPACITY - 1, CAPACITY / 2, CAPACITY / 2 - 1] {
        let mut other = tree;
        assert_eq!(other.remove(&levels[0], index, path, read_at, 9), Ok(()), "{index}");
        let root = (0..DEPTH).fold(NO_LEAF, |hash, level| match (index >> level) & 1 {
            0 => joined(hash, levels[level]),
            _ => joined(levels[level], hash),
        });
        assert_eq!(*other.root(), root);
        fails_with(other.append(&levels[0]), ChartsealError::TreeFull);
    }
    for index in [CAPACITY, CAPACITY + 1, u32::MAX] {
        fails_with(
            tree.remove(&levels[0], index, path, read_at, 9),
            ChartsealError::NotInTree,
        );
    }
    // The paths of the first and the last leaf meet below the root, where either mends the other's.
    tree.remove(&levels[0], 0, path, read_at, 9).unwrap();
    tree.remove(&levels[0], CAPACITY - 1, path, read_at, 9).unwrap();
    let left = (0..DEPTH - 1).fold(NO_LEAF, |hash, level| joined(hash, levels[level]));
    let right = (0..DEPTH - 1).fold(NO_LEAF, |hash, level| joined(levels[level], hash));
    assert_eq!(*tree.root(), joined(left, right));
}
