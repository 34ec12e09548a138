//! The registry, institutions and their members.

use chartseal_program::{builders as ix, instructions::*, vocabulary::*};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{Case, Entry, Stage, ANY};
use crate::common::*;

#[rustfmt::skip]
pub(super) const CASES: &[Entry] = &[
    ("initialize", "", ANY, initialize),
    ("propose_admin", "", ANY, propose_admin),
    ("accept_admin", "", ANY, accept_admin),
    ("set_paused", "", ANY, set_paused),
    ("register_institution", "", ANY, register_institution),
    ("accept_institution", "", ANY, accept_institution),
    ("set_institution_standing", "suspending", ANY, |stage| set_institution_standing(stage, Standing::Suspended)),
    ("set_institution_standing", "lifting that", ANY, |stage| set_institution_standing(stage, Standing::Active)),
    ("renew_institution", "", ANY, renew_institution),
    ("propose_authority", "by the authority", ANY, |stage| propose_authority(stage, false)),
    ("propose_authority", "by the admin, of a suspended one", ANY, |stage| propose_authority(stage, true)),
    ("accept_authority", "", ANY, accept_authority),
    ("register_member", "", ANY, register_member),
    ("accept_membership", "", ANY, accept_membership),
    ("set_member_standing", "suspending", ANY, |stage| set_member_standing(stage, Standing::Suspended)),
    ("set_member_standing", "lifting that", ANY, |stage| set_member_standing(stage, Standing::Active)),
    ("renew_member", "", ANY, renew_member),
    ("set_emergency_credential", "", ANY, set_emergency_credential),
];

fn initialize(stage: &mut Stage) -> Case {
    let (payer, chain) = (stage.payer(), Chain::bare());
    stage.world.chain = chain;
    stage.world.chain.fund(&payer);
    let chain = &stage.world.chain;
    let upgrade = &chain.upgrade_authority;
    let initialize = ix::initialize(upgrade.pubkey(), payer, program_data(), chain.admin.pubkey());
    Case::new(initialize, &[upgrade])
}

fn propose_admin(stage: &mut Stage) -> Case {
    let admin = &stage.world.chain.admin;
    Case::new(ix::propose_admin(admin.pubkey(), Keypair::new().pubkey()), &[admin])
}

fn accept_admin(stage: &mut Stage) -> Case {
    let (admin, next) = (stage.world.chain.admin.insecure_clone(), stage.world.chain.wallet());
    let propose = ix::propose_admin(admin.pubkey(), next.pubkey());
    stage.world.chain.must(propose, &[&admin]);
    Case::new(ix::accept_admin(next.pubkey()), &[&next])
}

fn set_paused(stage: &mut Stage) -> Case {
    let admin = &stage.world.chain.admin;
    Case::new(ix::set_paused(admin.pubkey(), true), &[admin])
}

fn invited_institution(stage: &mut Stage, authority: &Keypair) -> RegisterInstitutionArgs {
    RegisterInstitutionArgs {
        id: stage.random_id(),
        kind: InstitutionKind::Hospital,
        authority: authority.pubkey(),
        expires: GENESIS + 365 * DAY,
    }
}

fn register_institution(stage: &mut Stage) -> Case {
    let args = invited_institution(stage, &Keypair::new());
    let admin = &stage.world.chain.admin;
    Case::new(ix::register_institution(admin.pubkey(), stage.payer(), args), &[admin])
}

fn accept_institution(stage: &mut Stage) -> Case {
    let (admin, authority) = (stage.world.chain.admin.insecure_clone(), stage.world.chain.wallet());
    let args = invited_institution(stage, &authority);
    let register = ix::register_institution(admin.pubkey(), admin.pubkey(), args);
    stage.world.chain.must(register, &[&admin]);
    let accept = ix::accept_institution(authority.pubkey(), &args.id, keys(1));
    Case::new(accept, &[&authority])
}

fn set_institution_standing(stage: &mut Stage, standing: Standing) -> Case {
    let hospital = stage.world.hospital.clone();
    if standing == Standing::Active {
        stage.world.set_institution_standing(&hospital, Standing::Suspended);
    }
    let admin = &stage.world.chain.admin;
    let set = ix::set_institution_standing(admin.pubkey(), &hospital.id, standing);
    Case::new(set, &[admin])
}

fn renew_institution(stage: &mut Stage) -> Case {
    let admin = &stage.world.chain.admin;
    let renew = ix::renew_institution(admin.pubkey(), &stage.world.hospital.id, GENESIS + DAY);
    Case::new(renew, &[admin])
}

fn propose_authority(stage: &mut Stage, suspended: bool) -> Case {
    let hospital = stage.world.hospital.clone();
    if suspended {
        stage.world.set_institution_standing(&hospital, Standing::Suspended);
    }
    let admin = &stage.world.chain.admin;
    let by = if suspended { admin } else { &hospital.authority };
    let propose = ix::propose_authority(by.pubkey(), &hospital.id, Keypair::new().pubkey());
    Case::new(propose, &[by])
}

fn accept_authority(stage: &mut Stage) -> Case {
    let (hospital, next) = (stage.world.hospital.clone(), stage.world.chain.wallet());
    let propose = ix::propose_authority(hospital.authority.pubkey(), &hospital.id, next.pubkey());
    stage.world.chain.must(propose, &[&hospital.authority]);
    Case::new(ix::accept_authority(next.pubkey(), &hospital.id), &[&next])
}

fn invited_member(stage: &mut Stage, wallet: &Keypair) -> RegisterMemberArgs {
    RegisterMemberArgs {
        id: stage.random_id(),
        wallet: wallet.pubkey(),
        role: Role::Nurse,
        expires: GENESIS + 365 * DAY,
    }
}

fn register_member(stage: &mut Stage) -> Case {
    let args = invited_member(stage, &Keypair::new());
    let hospital = &stage.world.hospital;
    let register = ix::register_member(hospital.authority.pubkey(), stage.payer(), &hospital.id, args);
    Case::new(register, &[&hospital.authority])
}

fn accept_membership(stage: &mut Stage) -> Case {
    let (hospital, wallet) = (stage.world.hospital.clone(), stage.world.chain.wallet());
    let args = invited_member(stage, &wallet);
    let authority = hospital.authority.pubkey();
    let register = ix::register_member(authority, authority, &hospital.id, args);
    stage.world.chain.must(register, &[&hospital.authority]);
    let accept = ix::accept_membership(wallet.pubkey(), &hospital.id, &args.id, keys(2));
    Case::new(accept, &[&wallet])
}

fn set_member_standing(stage: &mut Stage, standing: Standing) -> Case {
    let (hospital, doctor) = (stage.world.hospital.clone(), stage.world.doctor.clone());
    if standing == Standing::Active {
        stage.world.set_member_standing(&hospital, &doctor, Standing::Suspended);
    }
    let set = ix::set_member_standing(hospital.authority.pubkey(), &hospital.id, &doctor.id, standing);
    Case::new(set, &[&hospital.authority])
}

fn renew_member(stage: &mut Stage) -> Case {
    let (hospital, doctor) = (&stage.world.hospital, &stage.world.doctor);
    let later = GENESIS + 730 * DAY;
    let renew = ix::renew_member(hospital.authority.pubkey(), &hospital.id, &doctor.id, later);
    Case::new(renew, &[&hospital.authority])
}

fn set_emergency_credential(stage: &mut Stage) -> Case {
    let (hospital, doctor) = (&stage.world.hospital, &stage.world.doctor);
    let set = ix::set_emergency_credential(hospital.authority.pubkey(), &hospital.id, &doctor.id, true);
    Case::new(set, &[&hospital.authority])
}
