//! What was said while a key was made, from which anybody sees that it was made as it should.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{CommitteeError, CommitteeKey, Dealt, KeyShare, Product, Reveal, Setup};

/// All public messages of the rounds, each in the order of the members. The sealed shares are not among them: whether those
/// were right their receivers have said by going on.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ceremony {
    /// Who made it.
    pub setup: Setup,
    /// Of the first round.
    pub promises: Vec<[u8; 32]>,
    /// Of the second.
    pub reveals: Vec<Reveal>,
    /// Of the third.
    pub products: Vec<Product>,
    /// Of the fourth.
    pub key_shares: Vec<KeyShare>,
}

impl Ceremony {
    /// The key that came of it.
    ///
    /// # Errors
    /// [`CommitteeError`], with the first member whose message is not as it should be.
    pub fn verify(&self) -> Result<CommitteeKey, CommitteeError> {
        let dealt = Dealt::check(&self.setup, &self.promises, &self.reveals)?;
        let opened = dealt.open(&self.products)?;
        opened.finish(&self.key_shares)
    }
}
