//! Verifying: a transcript is followed from its first byte to its last, section by section, and each is taken only if it
//! follows from those before it.

use std::io::Read;

use super::{
    Ceremony, CeremonyError, Exponent, Fault, Listener, MAGIC, MOST_CONTRIBUTIONS, PHASE_ONE, PHASE_TWO, Place,
    Progress, QUERIES, Report, Stage,
    delta::Delta,
    powers::Powers,
    queries::Queries,
    second_stage,
    share::{self, Share, Weights},
    tape::{ReadError, Source, so_far},
};
use crate::Relation;

impl Ceremony {
    /// Reads a transcript and verifies all of it. The input should be buffered.
    ///
    /// # Errors
    /// [`CeremonyError::Unsound`] with the first fault; the input cannot be read.
    pub fn read(relation: Relation, input: &mut dyn Read, listener: Listener<'_>) -> Result<Self, CeremonyError> {
        let mut ceremony = Self::before_anybody(relation)?;
        ceremony.follow(input, listener)?;
        Ok(ceremony)
    }

    /// Verifies a transcript: says who contributed, and what the first fault is. The input should be buffered.
    ///
    /// # Errors
    /// The circuit is too large or has no constraints; everything else stands in the report.
    pub fn verify(relation: Relation, input: &mut dyn Read, listener: Listener<'_>) -> Result<Report, CeremonyError> {
        let mut ceremony = Self::before_anybody(relation)?;
        let fault = ceremony.follow(input, listener).err();
        let transcript = so_far(&ceremony.hash);
        let keys = match (&fault, ceremony.contributed(2)) {
            (None, true) => Some(ceremony.keys()?),
            _ => None,
        };
        Ok(Report {
            contributions: ceremony.contributions,
            fault,
            transcript,
            keys,
        })
    }

    /// Reads and verifies section by section. The hash goes as far as what was read.
    fn follow(&mut self, input: &mut dyn Read, listener: Listener<'_>) -> Result<(), CeremonyError> {
        let mut source = Source::new(input);
        let followed = self.follow_source(&mut source, listener);
        self.hash = source.hash;
        followed
    }

    fn follow_source(&mut self, source: &mut Source<'_>, listener: Listener<'_>) -> Result<(), CeremonyError> {
        self.header(source).map_err(|error| at(Place::Header, error))?;
        loop {
            let before = so_far(&source.hash);
            let mut place = self.next_place();
            let Some(mark) = source.mark().map_err(|error| at(place.clone(), error))? else {
                return Ok(());
            };
            if mark == QUERIES {
                self.read_phase_two(source)
                    .map_err(|error| at(Place::PhaseTwo, error))?;
                listener(Progress::VerifiedPhaseTwo);
                continue;
            }
            let name = self
                .read_contribution(source, mark, &before, &mut place)
                .map_err(|error| at(place, error))?;
            self.hash.clone_from(&source.hash);
            listener(Progress::Verified(self.note(name)));
        }
    }

    fn next_place(&self) -> Place {
        Place::Contribution {
            phase: self.phase(),
            number: self.contributions.len() + 1,
            name: String::new(),
        }
    }

    fn header(&self, source: &mut Source<'_>) -> Result<(), ReadError> {
        if source.bytes()? != MAGIC {
            return Err(Fault::NotATranscript.into());
        }
        if source.bytes()? != self.relation.hash() {
            return Err(Fault::OtherCircuit.into());
        }
        Ok(())
    }

    fn read_phase_two(&mut self, source: &mut Source<'_>) -> Result<(), ReadError> {
        let Stage::One(powers) = &self.stage else {
            return Err(Fault::OutOfOrder.into());
        };
        if self.contributions.is_empty() {
            return Err(Fault::OutOfOrder.into());
        }
        let queries = Queries::read(source, &self.relation)?;
        queries.check(powers, &self.relation, &mut Weights::new(&so_far(&source.hash)))?;
        self.stage = second_stage(powers, queries, &self.relation);
        Ok(())
    }

    fn read_contribution(
        &mut self,
        source: &mut Source<'_>,
        mark: u8,
        before: &[u8; 32],
        place: &mut Place,
    ) -> Result<String, ReadError> {
        match (mark, &self.stage) {
            (PHASE_ONE, Stage::One(_)) | (PHASE_TWO, Stage::Two(..)) => {}
            (PHASE_ONE | PHASE_TWO, _) => return Err(Fault::OutOfOrder.into()),
            (unknown, _) => return Err(Fault::UnknownSection(unknown).into()),
        }
        if self.contributions.len() >= MOST_CONTRIBUTIONS {
            return Err(Fault::TooMany.into());
        }
        let read = source.name()?;
        if let Place::Contribution { name, .. } = place {
            name.clone_from(&read);
        }
        match &mut self.stage {
            Stage::One(powers) => {
                let shares = [source.share()?, source.share()?, source.share()?];
                let moved = Powers::read(source, powers.size())?;
                check_knowledge(&shares, [Exponent::Tau, Exponent::Alpha, Exponent::Beta], before, &read)?;
                moved.check(powers, &shares, &mut Weights::new(&so_far(&source.hash)))?;
                **powers = moved;
            }
            Stage::Two(_, delta) => {
                let share = source.share()?;
                let moved = Delta::read(source, delta.h.len(), delta.l.len())?;
                check_knowledge(&[share], [Exponent::Delta], before, &read)?;
                moved.check(delta, &share, &mut Weights::new(&so_far(&source.hash)))?;
                **delta = moved;
            }
        }
        Ok(read)
    }
}

fn check_knowledge<const N: usize>(
    shares: &[Share; N],
    exponents: [Exponent; N],
    before: &[u8; 32],
    name: &str,
) -> Result<(), Fault> {
    let bound_to = share::binding(before, name, &shares.map(|share| (share.g1, share.g2)));
    shares
        .iter()
        .zip(exponents)
        .try_for_each(|(share, which)| share.check(which, &bound_to))
}

fn at(place: Place, error: ReadError) -> CeremonyError {
    match error {
        ReadError::Fault(fault) => CeremonyError::Unsound { place, fault },
        ReadError::Io(error) => CeremonyError::Io(error),
    }
}
