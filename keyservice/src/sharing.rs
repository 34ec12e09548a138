//! Sharing on, for those who have no other part in this: whoever was granted the right to share, and passed a grant on,
//! stores the envelopes that its grantee lacks, and nothing else. All of it is read from the chain anew: that the grant was
//! passed on by this wallet, that it and all that it comes from still stands, and whom it reaches.

use chartseal::ledger::{Ledger, LedgerError};
use chartseal::store::keystore::remote::wire::Failure;
use chartseal::store::keystore::{EnvelopeKind, EnvelopeSlot};
use chartseal_program::seeds::{NO_ID, address};
use chartseal_program::state::{Grant, Institution, Member};
use chartseal_program::vocabulary::{Action, Reason};
use solana_address::Address;

use crate::staff::{account, unavailable};

/// An active member of an institution, who shares.
#[derive(Debug)]
pub(crate) struct Sharer {
    pub(crate) wallet: Address,
    pub(crate) institution: Address,
    pub(crate) member: Address,
}

/// Whether somebody may store this envelope because it shared the record with its recipient: the epoch of the recipient's
/// key, if so. What is wrapped to that one is nobody's to replace.
pub(crate) async fn may_share(ledger: &Ledger, sharer: &Sharer, slot: &EnvelopeSlot) -> Result<Option<u32>, Failure> {
    if slot.kind != EnvelopeKind::Reader {
        return Ok(None);
    }
    let record = match ledger.record(&slot.patient, &slot.record).await {
        Ok(record) => record,
        Err(LedgerError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(unavailable(error)),
    };
    // A grant opens the newest version only.
    let is_newest = (record.version, record.manifest_hash) == (slot.version, slot.manifest_hash);
    if record.is_erased() || !is_newest {
        return Ok(None);
    }
    let recipient = Address::new_from_array(slot.recipient);
    let Some(reached) = Reached::of(ledger, &recipient).await? else {
        return Ok(None);
    };
    let now = ledger.now().await.map_err(unavailable)?;
    let grants = ledger.grants(&slot.patient).await.map_err(unavailable)?;
    let grants: Vec<Grant> = grants.into_iter().map(|found| found.account).collect();
    let shared = grants.iter().any(|grant| {
        grant.issuer == sharer.wallet
            && grant.parent != NO_ID
            && grant.rights & Action::Read.bit() != 0
            && grant.covers(&slot.record, record.class)
            && reached.by.contains(&grant.grantee)
            && stands(grant, &grants, sharer, now)
    });
    Ok(shared.then_some(reached.key_epoch))
}

/// A member or an institution, and the grantees whose grants reach it.
struct Reached {
    by: Vec<Address>,
    key_epoch: u32,
}

impl Reached {
    async fn of(ledger: &Ledger, at: &Address) -> Result<Option<Self>, Failure> {
        if let Some(member) = account::<Member>(ledger, at).await? {
            return Ok(Some(Self {
                by: vec![*at, address::institution(&member.institution)],
                key_epoch: member.key_epoch,
            }));
        }
        let institution = account::<Institution>(ledger, at).await?;
        Ok(institution.map(|institution| Self {
            by: vec![*at],
            key_epoch: institution.key_epoch,
        }))
    }
}

/// Whether a grant that was passed on gives something now or will, every one that it comes from allows the sharing, and the
/// one that was passed on is still the sharer's.
fn stands(grant: &Grant, grants: &[Grant], sharer: &Sharer, now: i64) -> bool {
    let lives = |grant: &Grant| matches!(grant.fault(now), None | Some(Reason::GrantNotYetValid));
    let parent = grants.iter().find(|parent| parent.id == grant.parent);
    if !parent.is_some_and(|parent| [sharer.member, sharer.institution].contains(&parent.grantee)) {
        return false;
    }
    let mut below = grant;
    // No deeper than grants go, whatever the accounts say.
    for _ in 0..grant.depth {
        let Some(parent) = grants.iter().find(|parent| parent.id == below.parent) else {
            return false;
        };
        if !lives(parent) || parent.rights & Action::Share.bit() == 0 {
            return false;
        }
        below = parent;
    }
    lives(grant) && below.parent == NO_ID
}
