//! Whom an account on chain stands for, by the ids that people name them by. Each account is read once.

use std::collections::HashMap;

use chartseal_program::{
    state::{self, Member},
    vocabulary::GranteeKind,
};
use solana_address::Address;

use super::{ClientSession, Error, Grantee, InstitutionId, MemberId, Wallet};

/// Accounts that were looked up.
pub(super) struct People<'a> {
    session: &'a ClientSession,
    members: HashMap<Address, MemberId>,
    institutions: HashMap<Address, InstitutionId>,
}

impl<'a> People<'a> {
    pub(super) fn new(session: &'a ClientSession) -> Self {
        Self {
            session,
            members: HashMap::new(),
            institutions: HashMap::new(),
        }
    }

    /// The member of an account.
    pub(super) async fn member(&mut self, account: &Address) -> Result<MemberId, Error> {
        if let Some(member) = self.members.get(account) {
            return Ok(*member);
        }
        let found: Option<Member> = self.session.ledger().try_read(account).await?;
        let found = found.ok_or_else(|| missing(account))?;
        let member = MemberId::new(InstitutionId::new(found.institution), found.id);
        self.members.insert(*account, member);
        Ok(member)
    }

    async fn institution(&mut self, account: &Address) -> Result<InstitutionId, Error> {
        if let Some(institution) = self.institutions.get(account) {
            return Ok(*institution);
        }
        let found: Option<state::Institution> = self.session.ledger().try_read(account).await?;
        let institution = InstitutionId::new(found.ok_or_else(|| missing(account))?.id);
        self.institutions.insert(*account, institution);
        Ok(institution)
    }

    /// Whom a grant names.
    pub(super) async fn grantee(&mut self, grant: &state::Grant) -> Result<Grantee, Error> {
        Ok(match GranteeKind::from_byte(grant.grantee_kind) {
            Some(GranteeKind::Member) => Grantee::Member(self.member(&grant.grantee).await?),
            Some(GranteeKind::Institution) => Grantee::Institution(self.institution(&grant.grantee).await?),
            Some(GranteeKind::Person) => Grantee::Person {
                wallet: Wallet::from(grant.grantee.to_bytes()),
                key: (grant.grantee_key != [0; 32]).then_some(grant.grantee_key),
            },
            None => return Err(missing(&grant.grantee)),
        })
    }
}

/// Accounts are never closed, so it is the node that does not have it.
fn missing(account: &Address) -> Error {
    Error::Usage(format!(
        "the node does not have account {account}, which a grant or request names: ask another one"
    ))
}
