//! Opening a total: every member gives a share of it with a proof, and any `k` shares give the numbers. A share is
//! `D_i = s_i D` of each total's handle, with one proof that all have the logarithm of the member's `S_i`. Lagrange's
//! weights make `s D = r H` of `k` shares, and `C - s D = x G` remains, whose logarithm is below 2^32.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use solana_zk_sdk::encryption::discrete_log::DiscreteLog;

use crate::{
    collection::Closed,
    committee::{CommitteeError, CommitteeKey, MemberKey},
    group::{G, Point, RandomError, h},
    shamir,
    sigma::Equality,
    study::StudyError,
    transcript::Transcript,
};

/// Why a total is not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptionError {
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    #[error(
        "this member has given shares of another total of this study and epoch: of the two together the difference would be open, so it gives none"
    )]
    Answered,
    #[error("the share of member {member} is not of this total, or wrong: ask another member, and ask why")]
    Share { member: u8 },
    #[error("there are two shares of member {member}: take one")]
    Twice { member: u8 },
    #[error("{have} shares are fewer than the {need} that open a total: ask more members")]
    TooFew { have: usize, need: usize },
    #[error("total {place} is no number below 2^32: its contributions were not all checked")]
    NoNumber { place: usize },
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// One member's share of all totals of a study.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DecryptionShare {
    /// Whose it is.
    pub member: u8,
    /// `s_i D` of each total.
    pub points: Vec<Point>,
    /// They are that.
    pub proof: Equality,
}

/// What a member has given shares of: one total of each study and epoch. It is to be stored before a share is sent.
///
/// By itself this keeps two totals of one study closed where `2k > n`, as two sets of `k` members then have one in common;
/// in a committee of more, members are to answer only for the total that stands on chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Answered(BTreeMap<([u8; 16], u64), [u8; 32]>);

impl MemberKey {
    /// The member's share of a closed study's totals. The same total may be asked for again.
    ///
    /// # Errors
    /// [`DecryptionError::Study`] where the study is another committee's, [`DecryptionError::Answered`],
    /// [`DecryptionError::Random`].
    pub fn decrypt(&self, closed: &Closed, answered: &mut Answered) -> Result<DecryptionShare, DecryptionError> {
        let study = closed.study();
        if study.committee != *self.committee() {
            return Err(StudyError::OtherCommittee.into());
        }
        let first = answered.0.entry((study.id, study.epoch)).or_insert(*closed.hash());
        if first != closed.hash() {
            return Err(DecryptionError::Answered);
        }
        let handles = closed.totals().iter().map(|(_, handle)| handle);
        let pairs: Vec<_> = handles.map(|handle| (*handle, self.secret() * handle)).collect();
        let mut transcript = transcript(closed, self.index());
        Ok(DecryptionShare {
            member: self.index(),
            points: pairs.iter().map(|(_, share)| Point::of(share)).collect(),
            proof: Equality::prove(&mut transcript, &h(), &pairs, self.secret())?,
        })
    }
}

impl DecryptionShare {
    /// Whether the share is the member's, of this total.
    ///
    /// # Errors
    /// [`DecryptionError::Committee`] where there is no such member, [`DecryptionError::Share`].
    pub fn verify(&self, closed: &Closed, key: &CommitteeKey) -> Result<(), DecryptionError> {
        self.open(closed, key).map(|_| ())
    }

    fn open(&self, closed: &Closed, key: &CommitteeKey) -> Result<Vec<RistrettoPoint>, DecryptionError> {
        let member = self.member;
        let public = key.share(member)?;
        let wrong = || DecryptionError::Share { member };
        let points: Result<Vec<_>, _> = self.points.iter().map(Point::open).collect();
        let points = points.map_err(|_| wrong())?;
        if points.len() != closed.totals().len() {
            return Err(wrong());
        }
        let pairs: Vec<_> = closed
            .totals()
            .iter()
            .map(|(_, handle)| *handle)
            .zip(points.iter().copied())
            .collect();
        let mut transcript = transcript(closed, member);
        let proved = self.proof.verify(&mut transcript, &h(), &public, &pairs);
        proved.map_err(|_| wrong())?;
        Ok(points)
    }
}

fn transcript(closed: &Closed, member: u8) -> Transcript {
    let mut transcript = Transcript::new("decryption");
    closed.study().append_to(&mut transcript);
    transcript.append("contributors", &closed.contributors().to_le_bytes());
    transcript.append("total", closed.hash());
    transcript.append("member", &[member]);
    transcript
}

/// Opens the totals with the shares of `k` members or more; each is checked.
///
/// # Errors
/// [`DecryptionError`], with the first member whose share is wrong. Leave it out and try again with the others.
pub fn combine(closed: &Closed, key: &CommitteeKey, shares: &[DecryptionShare]) -> Result<Vec<u32>, DecryptionError> {
    let encoded = encoded(closed, key, shares)?;
    let numbers = encoded.into_iter().enumerate().map(|(place, point)| {
        let number = DiscreteLog::new_for_g(point).decode_u32();
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.ok_or(DecryptionError::NoNumber { place })
    });
    numbers.collect()
}

/// Whether the shares open the totals to these numbers. It searches nothing, and is much faster than [`combine`].
///
/// # Errors
/// [`DecryptionError`]; [`DecryptionError::NoNumber`] with the first that is another.
pub fn check_opened(
    closed: &Closed,
    key: &CommitteeKey,
    shares: &[DecryptionShare],
    numbers: &[u32],
) -> Result<(), DecryptionError> {
    let encoded = encoded(closed, key, shares)?;
    let mut numbers = numbers.iter();
    for (place, point) in encoded.iter().enumerate() {
        if numbers.next().map(|number| Scalar::from(*number) * G) != Some(*point) {
            return Err(DecryptionError::NoNumber { place });
        }
    }
    if numbers.next().is_some() {
        return Err(DecryptionError::NoNumber { place: encoded.len() });
    }
    Ok(())
}

/// `x G` of each total.
fn encoded(
    closed: &Closed,
    key: &CommitteeKey,
    shares: &[DecryptionShare],
) -> Result<Vec<RistrettoPoint>, DecryptionError> {
    key.check()?;
    closed.study().check_committee(key)?;
    let mut opened = BTreeMap::new();
    for share in shares {
        if opened.insert(share.member, share.open(closed, key)?).is_some() {
            return Err(DecryptionError::Twice { member: share.member });
        }
    }
    let (have, need) = (opened.len(), usize::from(key.setup.threshold));
    if have < need {
        return Err(DecryptionError::TooFew { have, need });
    }
    let members: Vec<u8> = opened.keys().copied().take(need).collect();
    let weights: Vec<_> = members
        .iter()
        .map(|member| shamir::weight(&members, *member, 0))
        .collect();
    let totals = closed.totals().iter().enumerate().map(|(place, (commitment, _))| {
        let shares = opened.values().filter_map(|points| points.get(place));
        let blinding: RistrettoPoint = shares.zip(&weights).map(|(share, weight)| weight * share).sum();
        commitment - blinding
    });
    Ok(totals.collect())
}

#[cfg(test)]
mod tests;
