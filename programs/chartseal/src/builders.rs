//! Instructions as clients and tests build them: one function for each, which derives every address.
//!
//! Only off chain. Ids and wallets go in, an `Instruction` comes out; who has to sign is marked in its accounts.

use anchor_lang::{prelude::*, solana_program::instruction::Instruction, InstructionData, ToAccountMetas};

use crate::{
    __client_accounts_acting as shared, accounts, instruction,
    instructions::*,
    seeds::{address, Id, NO_ID},
    state::Keys,
    vocabulary::Standing,
    ID,
};

/// The system program's address: zeros.
const SYSTEM_PROGRAM: Address = Address::new_from_array([0; 32]);

/// Who acts, and by which credential.
#[derive(Clone, Copy, Debug)]
pub struct As {
    /// Signs.
    pub wallet: Address,
    /// Ids of the institution and of the member in it, unless the actor is the patient or a person.
    pub member: Option<(Id, Id)>,
    /// Id of the grant that is claimed.
    pub grant: Option<Id>,
}

impl As {
    /// The patient itself, or a person that a grant names.
    pub fn wallet(wallet: Address) -> Self {
        Self {
            wallet,
            member: None,
            grant: None,
        }
    }

    /// A member of an institution.
    pub fn member(wallet: Address, institution: Id, member: Id) -> Self {
        Self {
            wallet,
            member: Some((institution, member)),
            grant: None,
        }
    }

    /// The same, claiming a grant.
    pub fn claiming(self, grant: Id) -> Self {
        Self {
            grant: Some(grant),
            ..self
        }
    }

    fn accounts(&self, patient: &Id) -> shared::Acting {
        shared::Acting {
            actor: self.wallet,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            refusals: address::refusal_log(patient),
            member: self
                .member
                .map(|(institution, member)| address::member(&institution, &member)),
            institution: self.member.map(|(institution, _)| address::institution(&institution)),
            grant: self.grant.map(|grant| address::grant_slot(patient, &grant)),
        }
    }

    /// The id that goes into the instruction's arguments.
    pub fn claimed(&self) -> Id {
        self.grant.unwrap_or(NO_ID)
    }
}

fn build(accounts: &impl ToAccountMetas, data: &impl InstructionData) -> Instruction {
    Instruction {
        program_id: ID,
        accounts: accounts.to_account_metas(None),
        data: data.data(),
    }
}

/// Makes the registry. Signed by the program's upgrade authority.
pub fn initialize(upgrade_authority: Address, payer: Address, program_data: Address, admin: Address) -> Instruction {
    build(
        &accounts::Initialize {
            upgrade_authority,
            payer,
            this_program: ID,
            program_data,
            registry: address::registry(),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::Initialize { admin },
    )
}

/// Names a successor of the admin, or withdraws that with zeros.
pub fn propose_admin(admin: Address, proposed: Address) -> Instruction {
    build(
        &accounts::ProposeAdmin {
            admin,
            registry: address::registry(),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::ProposeAdmin { proposed },
    )
}

/// Takes over as admin.
pub fn accept_admin(proposed: Address) -> Instruction {
    build(
        &accounts::AcceptAdmin {
            proposed,
            registry: address::registry(),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptAdmin {},
    )
}

/// Pauses the program, or lets it go on.
pub fn set_paused(admin: Address, paused: bool) -> Instruction {
    build(
        &accounts::SetPaused {
            admin,
            registry: address::registry(),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetPaused { paused },
    )
}

/// Approves an institution. Signed by the admin.
pub fn register_institution(admin: Address, payer: Address, args: RegisterInstitutionArgs) -> Instruction {
    build(
        &accounts::RegisterInstitution {
            admin,
            payer,
            registry: address::registry(),
            institution: address::institution(&args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RegisterInstitution { args },
    )
}

/// Accepts for an institution. Signed by its authority.
pub fn accept_institution(authority: Address, institution: &Id, keys: Keys) -> Instruction {
    build(
        &accounts::AcceptInstitution {
            authority,
            registry: address::registry(),
            institution: address::institution(institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptInstitution { keys },
    )
}

/// Suspends an institution, or lifts that. Signed by the admin.
pub fn set_institution_standing(admin: Address, institution: &Id, standing: Standing) -> Instruction {
    build(
        &accounts::SetInstitutionStanding {
            admin,
            registry: address::registry(),
            institution: address::institution(institution),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetInstitutionStanding { standing },
    )
}

/// Names a member. Signed by the institution's authority.
pub fn register_member(authority: Address, payer: Address, institution: &Id, args: RegisterMemberArgs) -> Instruction {
    build(
        &accounts::RegisterMember {
            authority,
            payer,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RegisterMember { args },
    )
}

/// Accepts a membership. Signed by the member's wallet.
pub fn accept_membership(wallet: Address, institution: &Id, member: &Id, keys: Keys) -> Instruction {
    build(
        &accounts::AcceptMembership {
            wallet,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, member),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AcceptMembership { keys },
    )
}

/// Suspends a member, or lifts that. Signed by the institution's authority.
pub fn set_member_standing(authority: Address, institution: &Id, member: &Id, standing: Standing) -> Instruction {
    build(
        &accounts::SetMemberStanding {
            authority,
            registry: address::registry(),
            institution: address::institution(institution),
            member: address::member(institution, member),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::SetMemberStanding { standing },
    )
}

/// Opens a patient. Signed by the patient's wallet, or by the authority of `steward`.
pub fn open_patient(opener: Address, payer: Address, steward: Option<&Id>, args: OpenPatientArgs) -> Instruction {
    build(
        &accounts::OpenPatient {
            opener,
            payer,
            registry: address::registry(),
            steward: steward.map(address::institution),
            patient: address::patient(&args.id),
            log: address::access_log(&args.id),
            refusals: address::refusal_log(&args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::OpenPatient { args },
    )
}

/// Adds a record. Signed by the author, the payer and, where it consents, the patient's wallet.
pub fn create_record(
    author: &As,
    payer: Address,
    consent: Option<Address>,
    patient: &Id,
    args: CreateRecordArgs,
) -> Instruction {
    build(
        &accounts::CreateRecord {
            acting: author.accounts(patient),
            payer,
            consent,
            record: address::record(patient, &args.record),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::CreateRecord { args },
    )
}

/// Puts a new version in a record's place. Signed by the author and, where it consents, the patient's wallet.
pub fn amend_record(
    author: &As,
    consent: Option<Address>,
    patient: &Id,
    record: &Id,
    args: AmendRecordArgs,
) -> Instruction {
    build(
        &accounts::AmendRecord {
            acting: author.accounts(patient),
            consent,
            record: address::record(patient, record),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AmendRecord { args },
    )
}

/// Grants rights. Signed by the patient's wallet, or by the authority of `steward`.
pub fn create_grant(
    issuer: Address,
    payer: Address,
    steward: Option<&Id>,
    patient: &Id,
    args: CreateGrantArgs,
) -> Instruction {
    build(
        &accounts::CreateGrant {
            issuer,
            payer,
            registry: address::registry(),
            patient: address::patient(patient),
            log: address::access_log(patient),
            steward: steward.map(address::institution),
            record: (args.terms.record != NO_ID).then(|| address::record(patient, &args.terms.record)),
            grantee: args.terms.grantee,
            grant: address::grant(patient, &args.id),
            system_program: SYSTEM_PROGRAM,
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::CreateGrant { args },
    )
}

/// Revokes a grant. Signed by the patient's wallet, or by the authority of `steward`.
pub fn revoke_grant(issuer: Address, steward: Option<&Id>, patient: &Id, grant: &Id) -> Instruction {
    build(
        &accounts::RevokeGrant {
            issuer,
            patient: address::patient(patient),
            log: address::access_log(patient),
            steward: steward.map(address::institution),
            grant: address::grant(patient, grant),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::RevokeGrant {},
    )
}

/// Asks to read a record. Signed by the reader.
pub fn access_record(reader: &As, patient: &Id, record: &Id, args: AccessRecordArgs) -> Instruction {
    build(
        &accounts::AccessRecord {
            acting: reader.accounts(patient),
            record: address::record(patient, record),
            event_authority: address::event_authority(),
            program: ID,
        },
        &instruction::AccessRecord { args },
    )
}
