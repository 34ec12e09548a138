//! Keeps the lanes of a kernel full. A kernel advances several hash states by the same number of blocks at once; this
//! deals inputs of any length to its lanes, pads each of them (FIPS 180-4, section 5.1), and gives a lane that has
//! finished its input the next one. Nothing here is allocated, and nothing is `unsafe`.

/// The most lanes that a kernel has.
pub(super) const MAX_LANES: usize = 16;

/// A hash function of the SHA-2 family: how its input is cut into blocks, and how it begins and ends.
pub(super) trait Algorithm {
    /// Bytes in a block.
    type Block: Copy + 'static;
    /// The eight working words.
    type State: Copy;
    /// What is handed out.
    type Digest;

    /// The state before the first block.
    const INITIAL: Self::State;
    /// A block of zeros.
    const ZEROS: Self::Block;

    /// The whole blocks of an input, and what is left.
    fn blocks(input: &[u8]) -> (&[Self::Block], &[u8]);
    /// Pads what is left of an input of `len` bytes; returns how many of the two blocks that takes.
    fn pad(rest: &[u8], len: usize, tail: &mut [Self::Block; 2]) -> usize;
    /// The digest that a final state stands for.
    fn digest(state: &Self::State) -> Self::Digest;
}

/// Something that advances hash states.
pub(super) trait Kernel<A: Algorithm> {
    /// How many inputs it likes to have at once, at most [`MAX_LANES`].
    fn lanes(&self) -> usize;
    /// Advances `states[i]` by `blocks[i]`, for every `i`. There are as many states as block lists, at most
    /// [`Kernel::lanes`], and the lists are equally long.
    fn compress(&self, states: &mut [A::State], blocks: &[&[A::Block]]);
}

/// An input on its way through a lane.
struct Lane<'a, A: Algorithm> {
    /// Which of the inputs this is.
    index: usize,
    /// The blocks of the input itself that are still to come.
    body: &'a [A::Block],
    /// The padded end.
    tail: [A::Block; 2],
    /// Which blocks of `tail` are still to come.
    tail_left: std::ops::Range<usize>,
}

impl<'a, A: Algorithm> Lane<'a, A> {
    const IDLE: Self = Self {
        index: 0,
        body: &[],
        tail: [A::ZEROS; 2],
        tail_left: 0..0,
    };

    fn start(&mut self, index: usize, input: &'a [u8]) {
        let (body, rest) = A::blocks(input);
        self.index = index;
        self.body = body;
        self.tail_left = 0..A::pad(rest, input.len(), &mut self.tail);
    }

    /// The longest run of blocks that lie one after the other.
    fn run(&self) -> &[A::Block] {
        if self.body.is_empty() {
            &self.tail[self.tail_left.clone()]
        } else {
            self.body
        }
    }

    /// Goes on by `count` blocks of the run; true when the input is finished.
    fn advance(&mut self, count: usize) -> bool {
        if self.body.is_empty() {
            self.tail_left.start += count;
        } else {
            self.body = &self.body[count..];
        }
        self.body.is_empty() && self.tail_left.is_empty()
    }
}

/// Writes the digest of `inputs[i]` to `digests[i]`, for as many as both have.
pub(super) fn each<A: Algorithm>(kernel: &impl Kernel<A>, inputs: &[&[u8]], digests: &mut [A::Digest]) {
    let mut waiting = inputs.iter().copied().take(digests.len()).enumerate();
    let mut lanes = [const { Lane::<A>::IDLE }; MAX_LANES];
    let mut states = [A::INITIAL; MAX_LANES];
    let mut active = 0;
    loop {
        while active < kernel.lanes().min(MAX_LANES) {
            let Some((index, input)) = waiting.next() else { break };
            lanes[active].start(index, input);
            states[active] = A::INITIAL;
            active += 1;
        }
        if active == 0 {
            return;
        }

        let mut runs: [&[A::Block]; MAX_LANES] = [&[]; MAX_LANES];
        for (run, lane) in runs.iter_mut().zip(&lanes[..active]) {
            *run = lane.run();
        }
        let count = runs[..active].iter().map(|run| run.len()).min().unwrap_or(0);
        for run in &mut runs[..active] {
            *run = &run[..count];
        }
        kernel.compress(&mut states[..active], &runs[..active]);

        // From the last lane to the first, so that the one that fills a gap has been advanced already.
        for at in (0..active).rev() {
            if lanes[at].advance(count) {
                digests[lanes[at].index] = A::digest(&states[at]);
                active -= 1;
                lanes.swap(at, active);
                states.swap(at, active);
            }
        }
    }
}
