//! Putting a key together from shares of which some may be wrong: as many at a time as it takes are tried, until they give
//! the key that stood on chain.

use std::collections::BTreeSet;

use crate::{
    keys::{
        EncryptionKey, Origin,
        shares::{Share, combine},
    },
    seal::recovery_share::RecoveryShare,
};

/// Shares that are looked at for one key: more than a patient has guardians, fewer than would take long to try.
pub(super) const MOST_SHARES: usize = 12;

/// A share that a guardian released; `None` where it does not open.
pub(super) struct Released {
    pub(super) guardian: [u8; 32],
    pub(super) share: Option<RecoveryShare>,
}

/// A key that was put together, and the guardians whose share did not go with it.
#[derive(Debug)]
pub(super) struct PutTogether {
    pub(super) key: EncryptionKey,
    pub(super) wrong: Vec<[u8; 32]>,
}

/// Takes in a share that was found. One that does not open takes no room from those that do, and of each guardian one is
/// enough to name it: anybody who can write into a key store can write what does not open.
pub(super) fn take_in(shares: &mut Vec<Released>, found: Released) {
    let has_room = match found.share {
        Some(_) => shares.iter().filter(|known| known.share.is_some()).count() < MOST_SHARES,
        None => !shares.iter().any(|known| known.guardian == found.guardian),
    };
    if has_room {
        shares.push(found);
    }
}

/// Tries the shares, as many at a time as it takes, until they give the secret of this public key.
pub(super) fn put_together(shares: &[Released], public: &[u8; 32]) -> Result<PutTogether, String> {
    let opened: Vec<&RecoveryShare> = shares.iter().filter_map(|released| released.share.as_ref()).collect();
    let thresholds: BTreeSet<u8> = opened.iter().map(|share| share.threshold).collect();
    for threshold in &thresholds {
        let alike: Vec<&RecoveryShare> = opened
            .iter()
            .copied()
            .filter(|share| share.threshold == *threshold && *threshold != 0)
            .collect();
        for chosen in subsets(alike.len(), (*threshold).into()) {
            let some: Vec<Share> = chosen.iter().map(|place| alike[*place].share.clone()).collect();
            if let Some(key) = key_of(&some, public) {
                let fits = |share: &RecoveryShare| {
                    // A right share gives the key together with any others that are.
                    let mut tried = some.clone();
                    let known = tried
                        .iter()
                        .any(|one| one.index == share.share.index && one.value == share.share.value);
                    if !known && let Some(first) = tried.first_mut() {
                        *first = share.share.clone();
                    }
                    known || key_of(&tried, public).is_some()
                };
                let wrong = shares
                    .iter()
                    .filter(|released| !released.share.as_ref().is_some_and(fits))
                    .map(|released| released.guardian)
                    .collect();
                return Ok(PutTogether { key, wrong });
            }
        }
    }
    let have = opened.len();
    Err(match thresholds.first() {
        Some(threshold) if have < usize::from(*threshold) => {
            format!("{have} of the {threshold} shares that it takes were released")
        }
        Some(_) => format!(
            "the {have} shares that were released do not make it; at least one is wrong, ask a further guardian"
        ),
        None => "no share that was released opens".into(),
    })
}

fn key_of(shares: &[Share], public: &[u8; 32]) -> Option<EncryptionKey> {
    let secret = combine(shares).ok()?;
    // What was shared is the seed of both halves, or the X25519 secret of a key of an earlier release.
    [Origin::Seed, Origin::X25519].into_iter().find_map(|origin| {
        let key = EncryptionKey::new(origin, &secret).ok()?;
        (key.public() == *public).then_some(key)
    })
}

/// Every choice of `size` out of `count` places.
fn subsets(count: usize, size: usize) -> Vec<Vec<usize>> {
    let masks = 0_u32..1 << count.min(MOST_SHARES);
    masks
        .filter(|mask| mask.count_ones() as usize == size)
        .map(|mask| (0..count).filter(|place| mask & (1 << place) != 0).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keys::shares::split;

    fn dealt(threshold: u8, count: u8) -> (EncryptionKey, Vec<Released>) {
        dealt_of(EncryptionKey::generate().unwrap(), threshold, count)
    }

    fn dealt_of(key: EncryptionKey, threshold: u8, count: u8) -> (EncryptionKey, Vec<Released>) {
        let shares = split(key.secret(), threshold, count).unwrap().into_iter();
        let released = shares.map(|share| Released {
            guardian: [share.index; 32],
            share: Some(RecoveryShare { threshold, share }),
        });
        (key, released.collect())
    }

    fn damage(released: &mut Released) {
        if let Some(share) = &mut released.share {
            share.share.value[7] ^= 1;
        }
    }

    #[test]
    fn what_does_not_open_takes_no_room_from_what_does() {
        let (key, dealt) = dealt(2, 3);
        let mut shares = Vec::new();
        for guardian in (0..40).map(|n| [100 + n; 32]) {
            for _ in 0..2 {
                take_in(&mut shares, Released { guardian, share: None });
            }
        }
        for released in dealt {
            take_in(&mut shares, released);
        }
        let found = put_together(&shares, &key.public()).unwrap();
        assert_eq!(found.key.public(), key.public());
        assert_eq!(found.wrong.len(), 40, "each is named once");
    }

    #[test]
    fn no_more_shares_are_tried_than_can_be() {
        let (_, dealt) = dealt(2, 40);
        let mut shares = Vec::new();
        for released in dealt {
            take_in(&mut shares, released);
        }
        assert_eq!(shares.len(), MOST_SHARES);
    }

    #[test]
    fn enough_shares_give_the_key_back() {
        for (threshold, count) in [(1, 1), (1, 3), (2, 3), (3, 5), (5, 5)] {
            let (key, mut shares) = dealt(threshold, count);
            shares.truncate(threshold.into());
            let found = put_together(&shares, &key.public()).unwrap();
            assert_eq!(found.key.public(), key.public());
            assert!(found.wrong.is_empty());
        }
    }

    #[test]
    fn the_shares_of_a_key_give_both_its_halves_and_those_of_an_earlier_release_the_one_it_had() {
        for origin in [Origin::Seed, Origin::X25519] {
            let (key, shares) = dealt_of(EncryptionKey::new(origin, &[9; 32]).unwrap(), 2, 3);
            let found = put_together(&shares, &key.public()).unwrap();
            assert_eq!(found.key.post_quantum(), key.post_quantum());
            assert_eq!(found.key.post_quantum().is_some(), origin == Origin::Seed);
        }
    }

    #[test]
    fn a_wrong_share_is_named_and_does_no_harm_where_enough_are_right() {
        for wrong in 0..5 {
            let (key, mut shares) = dealt(3, 5);
            damage(&mut shares[wrong]);
            let found = put_together(&shares, &key.public()).unwrap();
            assert_eq!(found.key.public(), key.public());
            assert_eq!(found.wrong, [shares[wrong].guardian]);
        }
    }

    #[test]
    fn a_share_that_does_not_open_or_claims_another_threshold_is_named() {
        let (key, mut shares) = dealt(2, 4);
        shares[0].share = None;
        shares[3].share.as_mut().unwrap().threshold = 1;
        let found = put_together(&shares, &key.public()).unwrap();
        assert_eq!(found.key.public(), key.public());
        assert!(found.wrong.contains(&shares[0].guardian));
    }

    #[test]
    fn what_is_missing_is_said() {
        let (key, mut shares) = dealt(3, 5);
        shares.truncate(2);
        let lack = put_together(&shares, &key.public()).unwrap_err();
        assert!(lack.contains("2 of the 3"), "{lack}");
        let (key, mut shares) = dealt(3, 3);
        damage(&mut shares[1]);
        let lack = put_together(&shares, &key.public()).unwrap_err();
        assert!(lack.contains("at least one is wrong"), "{lack}");
        assert!(put_together(&[], &key.public()).is_err());
    }
}
