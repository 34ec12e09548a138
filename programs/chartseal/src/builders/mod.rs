//! Instructions as clients and tests build them: one function for each, which derives every address.
//!
//! Only off chain. Ids and wallets go in, an `Instruction` comes out; who has to sign is marked in its accounts.

mod agreements;
mod anonymous;
mod batches;
mod consent;
mod institutions;
mod patients;
mod records;
mod registry;

pub use agreements::*;
pub use anonymous::*;
pub use batches::*;
pub use consent::*;
pub use institutions::*;
pub use patients::*;
pub use records::*;
pub use registry::*;

use anchor_lang::{prelude::*, solana_program::instruction::Instruction, InstructionData, ToAccountMetas};

use crate::{
    __client_accounts_acting, __client_accounts_deciding,
    seeds::{address, Id, NO_ID},
    ID,
};

/// The system program's address: zeros.
const SYSTEM_PROGRAM: Address = Address::new_from_array([0; 32]);

/// Who acts, in what capacity, and on what claim.
#[derive(Clone, Copy, Debug)]
pub struct As {
    /// Signs.
    pub wallet: Address,
    /// Ids of the institution and of the member in it, where it is one.
    pub member: Option<(Id, Id)>,
    /// Id of the delegation, where it is a delegate.
    pub delegate: Option<Id>,
    /// Id of the grant that is claimed.
    pub grant: Option<Id>,
    /// Ids of the grants that it descends from, parent first.
    pub ancestors: [Option<Id>; 3],
    /// Id of the institution whose policy is claimed.
    pub policy: Option<Id>,
    /// Id of the emergency that is claimed.
    pub emergency: Option<Id>,
}

impl As {
    /// The patient itself, or a person that a grant names.
    pub fn wallet(wallet: Address) -> Self {
        Self {
            wallet,
            member: None,
            delegate: None,
            grant: None,
            ancestors: [None; 3],
            policy: None,
            emergency: None,
        }
    }

    /// A member of an institution.
    pub fn member(wallet: Address, institution: Id, member: Id) -> Self {
        Self {
            member: Some((institution, member)),
            ..Self::wallet(wallet)
        }
    }

    /// A delegate of the patient.
    pub fn delegate(wallet: Address, delegate: Id) -> Self {
        Self {
            delegate: Some(delegate),
            ..Self::wallet(wallet)
        }
    }

    /// The same, claiming a grant that the patient gave.
    pub fn claiming(self, grant: Id) -> Self {
        Self {
            grant: Some(grant),
            ..self
        }
    }

    /// The same, claiming a grant that was passed on. `ancestors` are the grants that it descends from, parent first.
    pub fn claiming_passed_on(self, grant: Id, ancestors: &[Id]) -> Self {
        let ancestor = |n: usize| ancestors.get(n).copied();
        Self {
            ancestors: [ancestor(0), ancestor(1), ancestor(2)],
            ..self.claiming(grant)
        }
    }

    /// The same, claiming the patient's policy for an institution.
    pub fn by_policy(self, institution: Id) -> Self {
        Self {
            policy: Some(institution),
            ..self
        }
    }

    /// The same, claiming an emergency that the actor opened.
    pub fn in_emergency(self, emergency: Id) -> Self {
        Self {
            emergency: Some(emergency),
            ..self
        }
    }

    fn accounts(&self, patient: &Id) -> __client_accounts_acting::Acting {
        let grant = |id: Option<Id>| id.map(|id| address::grant_slot(patient, &id));
        let [parent, grandparent, great_grandparent] = self.ancestors.map(grant);
        __client_accounts_acting::Acting {
            actor: self.wallet,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            refusals: address::refusal_log(patient),
            member: self
                .member
                .map(|(institution, member)| address::member(&institution, &member)),
            institution: self.member.map(|(institution, _)| address::institution(&institution)),
            delegate: self.delegate.map(|delegate| address::delegate(patient, &delegate)),
            grant: grant(self.grant),
            parent,
            grandparent,
            great_grandparent,
            policy: self.policy.map(|institution| address::policy(patient, &institution)),
            emergency: self.emergency.map(|emergency| address::emergency(patient, &emergency)),
        }
    }

    /// The id that goes into the instruction's arguments.
    pub fn claimed(&self) -> Id {
        self.grant.unwrap_or(NO_ID)
    }
}

/// Who decides for a patient.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// Signs.
    pub wallet: Address,
    /// Id of the steward institution whose authority that is.
    pub steward: Option<Id>,
    /// Id of the delegation by which it signs.
    pub delegate: Option<Id>,
}

impl By {
    /// The patient's own wallet.
    pub fn wallet(wallet: Address) -> Self {
        Self {
            wallet,
            steward: None,
            delegate: None,
        }
    }

    /// The authority of the steward of a patient without a wallet.
    pub fn steward(authority: Address, institution: Id) -> Self {
        Self {
            steward: Some(institution),
            ..Self::wallet(authority)
        }
    }

    /// A delegate that may share.
    pub fn delegate(wallet: Address, delegate: Id) -> Self {
        Self {
            delegate: Some(delegate),
            ..Self::wallet(wallet)
        }
    }

    fn accounts(&self, patient: &Id) -> __client_accounts_deciding::Deciding {
        __client_accounts_deciding::Deciding {
            issuer: self.wallet,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            steward: self.steward.as_ref().map(address::institution),
            delegate: self.delegate.map(|delegate| address::delegate(patient, &delegate)),
        }
    }
}

fn build(accounts: &impl ToAccountMetas, data: &impl InstructionData) -> Instruction {
    Instruction {
        program_id: ID,
        accounts: accounts.to_account_metas(None),
        data: data.data(),
    }
}
