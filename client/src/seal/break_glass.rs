//! Shares of a data key for emergencies. The author shares the key among the institutions that the patient named, and
//! wraps each its share; k of them open the record together, none alone, and all without the patient. Against a live
//! emergency a holder wraps its share again, for whoever opened it. That a combined key is the right one shows in the
//! manifest's commitment, so a holder who gives a wrong share is noticed, and harms nothing where enough others are right.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::envelope::{EnvelopeContext, EnvelopeError, RecipientKey, open_with, seal_to, to_bytes};
use super::{DataKey, Manifest, ManifestError};
use crate::keys::EncryptionKey;
use crate::keys::shares::{self, Share, SharesError};
use crate::{CryptoError, crypto};

const HELD_LABEL: &[u8] = b"chartseal/break-glass/v1";
const RELEASED_LABEL: &[u8] = b"chartseal/break-glass-released/v1";
/// Holders that a patient can name.
const MOST_SHARES: u8 = 5;

/// A share of a data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShare {
    /// Names the sharing: shares of two sharings do not go together.
    pub sharing: [u8; 16],
    /// How many shares make the key.
    pub threshold: u8,
    /// The share itself.
    pub share: Share,
}

/// What a share was released for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize)]
pub struct ReleaseContext {
    /// The address of the holder's Institution account.
    pub holder: [u8; 32],
    /// The emergency's id.
    pub emergency: [u8; 16],
}

/// A key that was not put together.
#[derive(Debug, Error)]
pub enum BreakGlassError {
    /// Not enough of them.
    #[error("{released} of the {needed} shares that make this record's key were released")]
    Missing {
        /// How many there are.
        released: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Enough of them, and they make another key.
    #[error(
        "the {0} shares that were released do not make this record's key: at least one holder gave a wrong one; \
         ask a further holder"
    )]
    Wrong(usize),
    /// The envelope of a share.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The manifest that the key is held against.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The sharing.
    #[error(transparent)]
    Shares(#[from] SharesError),
    /// The primitives.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A share as it stands in its envelope.
#[derive(BorshSerialize, BorshDeserialize)]
struct Encoded {
    sharing: [u8; 16],
    threshold: u8,
    index: u8,
    value: [u8; 32],
}

/// Shares a data key among `count` holders, of whom any `threshold` open it.
///
/// # Errors
/// [`BreakGlassError::Shares`].
pub fn split(key: &DataKey, threshold: u8, count: u8) -> Result<Vec<KeyShare>, BreakGlassError> {
    let sharing = crypto::random()?;
    let shares = shares::split(key.as_bytes(), threshold, count)?.into_iter();
    Ok(shares
        .map(|share| KeyShare {
            sharing,
            threshold,
            share,
        })
        .collect())
}

/// Wraps a share to its holder's public key.
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn wrap<'a>(
    share: &KeyShare,
    holder_key: impl Into<RecipientKey<'a>>,
    context: &EnvelopeContext,
) -> Result<Vec<u8>, BreakGlassError> {
    Ok(seal_to(holder_key.into(), &encode(share)?, &held(context)?, context)?)
}

/// Unwraps a share, as its holder.
///
/// # Errors
/// [`EnvelopeError`].
pub fn open(envelope: &[u8], key: &EncryptionKey, context: &EnvelopeContext) -> Result<KeyShare, BreakGlassError> {
    Ok(decode(&open_with(envelope, key, &held(context)?, context)?)?)
}

/// Wraps a share to the public key of somebody who opened an emergency. The context is that person's.
///
/// # Errors
/// [`EnvelopeError::BadRecipientKey`].
pub fn wrap_released<'a>(
    share: &KeyShare,
    reader_key: impl Into<RecipientKey<'a>>,
    context: &EnvelopeContext,
    release: &ReleaseContext,
) -> Result<Vec<u8>, BreakGlassError> {
    let info = released(context, release)?;
    Ok(seal_to(reader_key.into(), &encode(share)?, &info, context)?)
}

/// Unwraps a share that was released.
///
/// # Errors
/// [`EnvelopeError`].
pub fn open_released(
    envelope: &[u8],
    key: &EncryptionKey,
    context: &EnvelopeContext,
    release: &ReleaseContext,
) -> Result<KeyShare, BreakGlassError> {
    Ok(decode(&open_with(
        envelope,
        key,
        &released(context, release)?,
        context,
    )?)?)
}

/// Puts a data key together, of shares from different holders: of any that make the key which the manifest commits to.
///
/// # Errors
/// [`BreakGlassError::Missing`], [`BreakGlassError::Wrong`].
pub fn combine(shares: &[KeyShare], manifest: &Manifest) -> Result<DataKey, BreakGlassError> {
    let mut sharings: BTreeMap<([u8; 16], u8), Vec<&Share>> = BTreeMap::new();
    for share in shares {
        let sharing = sharings.entry((share.sharing, share.threshold)).or_default();
        // Trying takes twice as long with each one more; of more than anybody has holders the first will do.
        if sharing.len() < usize::from(2 * MOST_SHARES) {
            sharing.push(&share.share);
        }
    }
    let mut nearest = None;
    for ((_, threshold), shares) in &sharings {
        let (released, needed) = (shares.len(), usize::from(*threshold));
        // Of five shares there are at most ten ways to choose some.
        for chosen in (0_u32..1 << released).filter(|chosen| chosen.count_ones() == u32::from(*threshold)) {
            let some = shares.iter().enumerate();
            let some = some.filter(|(n, _)| chosen & (1 << n) != 0);
            let some: Vec<Share> = some.map(|(_, share)| (*share).clone()).collect();
            let Ok(secret) = shares::combine(&some) else {
                continue;
            };
            if let Some(key) = DataKey::from_slice(secret.as_slice())
                && manifest.commits_to(&key)?
            {
                return Ok(key);
            }
        }
        let lacking = needed.saturating_sub(released);
        if nearest.is_none_or(|(before, _, _)| lacking < before) {
            nearest = Some((lacking, released, needed));
        }
    }
    Err(match nearest {
        Some((0, released, _)) => BreakGlassError::Wrong(released),
        Some((_, released, needed)) => BreakGlassError::Missing { released, needed },
        None => BreakGlassError::Missing { released: 0, needed: 1 },
    })
}

fn held(context: &EnvelopeContext) -> Result<Vec<u8>, EnvelopeError> {
    Ok([HELD_LABEL, &to_bytes(context)?].concat())
}

fn released(context: &EnvelopeContext, release: &ReleaseContext) -> Result<Vec<u8>, EnvelopeError> {
    Ok([RELEASED_LABEL, &to_bytes(context)?, &to_bytes(release)?].concat())
}

pub(super) fn encode(share: &KeyShare) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let encoded = Encoded {
        sharing: share.sharing,
        threshold: share.threshold,
        index: share.share.index,
        value: *share.share.value,
    };
    to_bytes(&encoded).map(Zeroizing::new)
}

pub(super) fn decode(bytes: &[u8]) -> Result<KeyShare, EnvelopeError> {
    let encoded: Encoded = borsh::from_slice(bytes).map_err(|_| EnvelopeError::DoesNotOpen)?;
    let possible = 1..=MOST_SHARES;
    if !possible.contains(&encoded.threshold) || !possible.contains(&encoded.index) {
        return Err(EnvelopeError::DoesNotOpen);
    }
    Ok(KeyShare {
        sharing: encoded.sharing,
        threshold: encoded.threshold,
        share: Share {
            index: encoded.index,
            value: Zeroizing::new(encoded.value),
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::FrameIndex;
    use crate::seal::manifest::Content;
    use crate::seal::{ManifestBody, Placing, RecordIds, ShardEntry};

    const CONTEXT: EnvelopeContext = EnvelopeContext {
        cluster: [1; 32],
        program: [2; 32],
        patient: [3; 16],
        record: [4; 16],
        version: 5,
        manifest_hash: [6; 32],
        recipient: [7; 32],
        recipient_key_epoch: 8,
    };
    const RELEASE: ReleaseContext = ReleaseContext {
        holder: [9; 32],
        emergency: [10; 16],
    };

    fn manifest(key: &DataKey) -> Manifest {
        let shard = ShardEntry {
            salt: [2; 16],
            root: [3; 32],
            segments: 1,
            last_segment: 1_040,
        };
        let body = ManifestBody {
            ids: RecordIds {
                patient: [3; 16],
                record: [4; 16],
                version: 5,
            },
            name: String::new(),
            media_type: String::new(),
            length: 0,
            sha256: None,
            frames: FrameIndex::default(),
        };
        let content = Content {
            shards: vec![shard],
            placing: Placing::Whole(vec![[1; 64]]),
        };
        let sealed = Manifest::seal(key, [2; 12], [3; 32], &content, &body).unwrap();
        Manifest::parse(&sealed).unwrap()
    }

    #[test]
    fn any_two_of_three_holders_open_a_record_and_one_does_not() {
        let key = DataKey::generate().unwrap();
        let (manifest, shares) = (manifest(&key), split(&key, 2, 3).unwrap());
        for (a, b) in [(0, 1), (2, 0), (1, 2)] {
            let pair = [shares[a].clone(), shares[b].clone()];
            assert_eq!(combine(&pair, &manifest).unwrap().as_bytes(), key.as_bytes());
        }
        assert_eq!(combine(&shares, &manifest).unwrap().as_bytes(), key.as_bytes());
        for alone in shares.chunks(1) {
            let error = combine(alone, &manifest).unwrap_err();
            assert!(
                matches!(error, BreakGlassError::Missing { released: 1, needed: 2 }),
                "{error}"
            );
        }
        assert!(matches!(
            combine(&[], &manifest),
            Err(BreakGlassError::Missing { released: 0, .. })
        ));
    }

    #[test]
    fn a_wrong_share_is_noticed_and_enough_right_ones_open_all_the_same() {
        let key = DataKey::generate().unwrap();
        let (manifest, mut shares) = (manifest(&key), split(&key, 2, 3).unwrap());
        shares[0].share.value[31] ^= 0x80;
        assert!(matches!(
            combine(&shares[..2], &manifest),
            Err(BreakGlassError::Wrong(2))
        ));
        assert_eq!(combine(&shares, &manifest).unwrap().as_bytes(), key.as_bytes());
        // A holder that gives another's index, or says that its share alone is enough.
        shares[0].share.index = shares[1].share.index;
        assert!(matches!(
            combine(&shares[..2], &manifest),
            Err(BreakGlassError::Wrong(2))
        ));
        shares[0].threshold = 1;
        assert!(matches!(
            combine(&shares[..1], &manifest),
            Err(BreakGlassError::Wrong(1))
        ));
        assert_eq!(combine(&shares, &manifest).unwrap().as_bytes(), key.as_bytes());
    }

    #[test]
    fn more_shares_than_there_are_holders_do_no_harm() {
        let key = DataKey::generate().unwrap();
        let shares = split(&key, 2, 3).unwrap();
        let many: Vec<KeyShare> = shares.iter().cycle().take(100).cloned().collect();
        let combined = combine(&many, &manifest(&key)).unwrap();
        assert_eq!(combined.as_bytes(), key.as_bytes());
        let other = manifest(&DataKey::generate().unwrap());
        assert!(matches!(combine(&many, &other), Err(BreakGlassError::Wrong(10))));
    }

    #[test]
    fn shares_of_two_sharings_do_not_go_together() {
        let key = DataKey::generate().unwrap();
        let (first, second) = (split(&key, 2, 2).unwrap(), split(&key, 2, 2).unwrap());
        let mixed = [first[0].clone(), second[1].clone()];
        let error = combine(&mixed, &manifest(&key)).unwrap_err();
        assert!(
            matches!(error, BreakGlassError::Missing { released: 1, needed: 2 }),
            "{error}"
        );
    }

    #[test]
    fn a_share_opens_for_its_holder_and_for_nothing_else() {
        let holder = EncryptionKey::generate().unwrap();
        let x25519 = holder.public();
        opens_for_its_holder_only(&holder, RecipientKey::X25519(&x25519));
        opens_for_its_holder_only(&holder, RecipientKey::XWing(holder.post_quantum().unwrap()));
    }

    fn opens_for_its_holder_only(holder: &EncryptionKey, public: RecipientKey<'_>) {
        let share = split(&DataKey::generate().unwrap(), 2, 2).unwrap().swap_remove(0);
        let envelope = wrap(&share, public, &CONTEXT).unwrap();
        assert_eq!(open(&envelope, holder, &CONTEXT).unwrap(), share);
        let stranger = EncryptionKey::generate().unwrap();
        let other = EnvelopeContext {
            record: [9; 16],
            ..CONTEXT
        };
        assert!(open(&envelope, &stranger, &CONTEXT).is_err());
        assert!(open(&envelope, holder, &other).is_err());
        // Neither as a data key nor as a share that was released.
        assert!(super::super::envelope::open(&envelope, holder, &CONTEXT).is_err());
        assert!(open_released(&envelope, holder, &CONTEXT, &RELEASE).is_err());
    }

    #[test]
    fn a_released_share_is_of_one_holder_and_for_one_emergency() {
        let (key, reader) = (DataKey::generate().unwrap(), EncryptionKey::generate().unwrap());
        let share = split(&key, 2, 2).unwrap().swap_remove(0);
        let envelope = wrap_released(&share, &reader.public(), &CONTEXT, &RELEASE).unwrap();
        assert_eq!(open_released(&envelope, &reader, &CONTEXT, &RELEASE).unwrap(), share);
        for release in [
            ReleaseContext {
                holder: [1; 32],
                ..RELEASE
            },
            ReleaseContext {
                emergency: [1; 16],
                ..RELEASE
            },
        ] {
            assert!(
                open_released(&envelope, &reader, &CONTEXT, &release).is_err(),
                "{release:?}"
            );
        }
        assert!(open(&envelope, &reader, &CONTEXT).is_err());
    }

    #[test]
    fn impossible_shares_are_none() {
        let key = DataKey::generate().unwrap();
        let holder = EncryptionKey::generate().unwrap();
        let good = split(&key, 2, 2).unwrap().swap_remove(0);
        for (threshold, index) in [(0, 1), (6, 1), (2, 0), (2, 6)] {
            let mut share = good.clone();
            share.threshold = threshold;
            share.share.index = index;
            let envelope = wrap(&share, &holder.public(), &CONTEXT).unwrap();
            assert!(open(&envelope, &holder, &CONTEXT).is_err(), "{threshold}, {index}");
        }
    }
}
