//! What each instruction costs on chain: compute units, bytes of transaction, rent.
//!
//! Run by `cargo xtask bench cu [--json]`. Compute units are counted by the virtual machine, so they depend neither on
//! the machine nor on how this program is compiled. For each instruction it is the worst of 100 runs with fresh random
//! ids, every optional account present where the rules allow it, and the logs' rings full.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/common/mod.rs"]
mod common;

use anchor_lang::prelude::Address;
use chartseal_program::{
    builders::{self as ix, As, By},
    events::{AnyEvent, Terms},
    instructions::*,
    seeds::{address, Id},
    state::RING,
    vocabulary::*,
};
use common::*;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::Message;
use solana_signer::Signer;

const RUNS: usize = 100;

/// The worst that was seen of one instruction.
struct Cost {
    instruction: &'static str,
    cu: u64,
    tx_bytes: usize,
    rent_lamports: u64,
}

struct Bench {
    world: World,
    costs: Vec<Cost>,
}

impl Bench {
    fn run(&mut self, name: &'static str, instruction: &Instruction, signers: &[&Keypair]) -> AnyEvent {
        let before = rent(&self.world.chain, instruction);
        let done = self
            .world
            .chain
            .send(std::slice::from_ref(instruction), signers)
            .unwrap();
        let rent_lamports = rent(&self.world.chain, instruction) - before;
        let message = Message::new(std::slice::from_ref(instruction), Some(&signers[0].pubkey()));
        // A compact length of one byte, the signatures of 64, the message.
        let tx_bytes = 1 + 64 * message.header.num_required_signatures as usize + message.serialize().len();
        match self.costs.iter_mut().find(|cost| cost.instruction == name) {
            Some(cost) => {
                cost.cu = cost.cu.max(done.cu);
                cost.tx_bytes = cost.tx_bytes.max(tx_bytes);
                cost.rent_lamports = cost.rent_lamports.max(rent_lamports);
            }
            None => self.costs.push(Cost {
                instruction: name,
                cu: done.cu,
                tx_bytes,
                rent_lamports,
            }),
        }
        done.event
    }
}

/// Lamports in the accounts of the program that an instruction names.
fn rent(chain: &Chain, instruction: &Instruction) -> u64 {
    let accounts = instruction
        .accounts
        .iter()
        .filter_map(|meta| chain.svm.get_account(&meta.pubkey));
    accounts
        .filter(|account| account.owner == chartseal_program::ID)
        .map(|account| account.lamports)
        .sum()
}

fn random_id() -> Id {
    Keypair::new().pubkey().to_bytes()[..16].try_into().unwrap()
}

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut bench = Bench {
        world: World::new(),
        costs: Vec::new(),
    };
    administration(&mut bench);
    for _ in 0..RUNS {
        registration(&mut bench);
        records(&mut bench);
    }
    if !json {
        println!(
            "{:<30} {:>8} {:>9} {:>14}",
            "instruction", "cu", "tx bytes", "rent lamports"
        );
    }
    for Cost {
        instruction,
        cu,
        tx_bytes,
        rent_lamports,
    } in &bench.costs
    {
        if json {
            println!(
                r#"{{"instruction":"{instruction}","cu":{cu},"tx_bytes":{tx_bytes},"rent_lamports":{rent_lamports}}}"#
            );
        } else {
            println!("{instruction:<30} {cu:>8} {tx_bytes:>9} {rent_lamports:>14}");
        }
    }
}

fn administration(bench: &mut Bench) {
    let bare = Chain::bare();
    let (upgrade, admin) = (bare.upgrade_authority.insecure_clone(), bare.admin.insecure_clone());
    let chain = std::mem::replace(&mut bench.world.chain, bare);
    let initialize = ix::initialize(upgrade.pubkey(), upgrade.pubkey(), program_data(), admin.pubkey());
    bench.run("initialize", &initialize, &[&upgrade]);
    let next = bench.world.chain.wallet();
    bench.run(
        "propose_admin",
        &ix::propose_admin(admin.pubkey(), next.pubkey()),
        &[&admin],
    );
    bench.run("accept_admin", &ix::accept_admin(next.pubkey()), &[&next]);
    bench.run("set_paused", &ix::set_paused(next.pubkey(), true), &[&next]);
    bench.world.chain = chain;
}

fn registration(bench: &mut Bench) {
    let admin = bench.world.chain.admin.insecure_clone();
    let (authority, wallet) = (bench.world.chain.wallet(), bench.world.chain.wallet());
    let (institution, member, patient) = (random_id(), random_id(), random_id());
    let args = RegisterInstitutionArgs {
        id: institution,
        kind: InstitutionKind::Hospital,
        authority: authority.pubkey(),
        expires: i64::MAX,
    };
    let register = ix::register_institution(admin.pubkey(), admin.pubkey(), args);
    bench.run("register_institution", &register, &[&admin]);
    let accept = ix::accept_institution(authority.pubkey(), &institution, keys(1));
    bench.run("accept_institution", &accept, &[&authority]);
    let expires = bench.world.chain.now() + DAY;
    let args = RegisterMemberArgs {
        id: member,
        wallet: wallet.pubkey(),
        role: Role::Doctor,
        expires,
    };
    let register = ix::register_member(authority.pubkey(), authority.pubkey(), &institution, args);
    bench.run("register_member", &register, &[&authority]);
    let accept = ix::accept_membership(wallet.pubkey(), &institution, &member, keys(1));
    bench.run("accept_membership", &accept, &[&wallet]);
    let suspend = ix::set_member_standing(authority.pubkey(), &institution, &member, Standing::Suspended);
    bench.run("set_member_standing", &suspend, &[&authority]);
    let args = OpenPatientArgs {
        id: patient,
        keys: keys(1),
    };
    let open = ix::open_patient(authority.pubkey(), authority.pubkey(), Some(&institution), args);
    bench.run("open_patient", &open, &[&authority]);
    let suspend = ix::set_institution_standing(admin.pubkey(), &institution, Standing::Suspended);
    bench.run("set_institution_standing", &suspend, &[&admin]);
}

fn records(bench: &mut Bench) {
    let patient = bench
        .world
        .chain
        .patient(u64::from_le_bytes(random_id()[..8].try_into().unwrap()));
    bench.world.patient = patient;
    let owner = bench.world.patient.wallet.insecure_clone();
    let patient = bench.world.patient.id;
    let hospital = address::institution(&bench.world.hospital.id);
    let grant = grant(bench, GranteeKind::Institution, hospital);
    fill_rings(bench, grant);

    let doctor = bench.world.doctor.wallet.insecure_clone();
    let acting = bench.world.doctor.acting().claiming(grant);
    let record = address::draw_record_id(&patient, random_id);
    let mut args = CreateRecordArgs {
        request: random_id(),
        record,
        class: 0,
        purpose: Purpose::Treatment,
        grant,
        content: content(1),
    };
    let create = ix::create_record(&acting, doctor.pubkey(), Some(owner.pubkey()), &patient, args);
    bench.run("create_record", &create, &[&doctor, &owner]);
    args.record = address::draw_record_id(&patient, random_id);
    let create = ix::create_record(&acting, doctor.pubkey(), None, &patient, args);
    bench.run("create_record (by grant)", &create, &[&doctor]);
    args.record = address::draw_record_id(&patient, random_id);
    args.purpose = Purpose::Payment;
    let create = ix::create_record(&acting, doctor.pubkey(), None, &patient, args);
    let refused = bench.run("create_record (refused)", &create, &[&doctor]);
    assert!(matches!(refused, AnyEvent::ActionRefused(_)));

    let amend = |consent, purpose, expected_version| {
        let args = AmendRecordArgs {
            request: random_id(),
            expected_version,
            purpose,
            grant,
            content: content(9),
        };
        ix::amend_record(&acting, consent, &patient, &record, args)
    };
    let consent = Some(owner.pubkey());
    bench.run(
        "amend_record",
        &amend(consent, Purpose::Treatment, 1),
        &[&doctor, &owner],
    );
    bench.run(
        "amend_record (by grant)",
        &amend(None, Purpose::Treatment, 2),
        &[&doctor],
    );
    bench.run("amend_record (refused)", &amend(None, Purpose::Payment, 3), &[&doctor]);

    let address = bench.world.insurer.address();
    let theirs = self::grant(bench, GranteeKind::Member, address);
    let insurer = bench.world.insurer.wallet.insecure_clone();
    let acting = bench.world.insurer.acting().claiming(theirs);
    let allowed = bench.run(
        "access_record",
        &access(&acting, &patient, &record, Purpose::Payment),
        &[&insurer],
    );
    assert!(matches!(allowed, AnyEvent::AccessAllowed(_)));
    let refused = bench.run(
        "access_record (refused)",
        &access(&acting, &patient, &record, Purpose::Treatment),
        &[&insurer],
    );
    assert!(matches!(refused, AnyEvent::ActionRefused(_)));
    bench.run(
        "revoke_grant",
        &ix::revoke_grant(&By::wallet(owner.pubkey()), &patient, &theirs),
        &[&owner],
    );
    bench.run(
        "access_record (revoked)",
        &access(&acting, &patient, &record, Purpose::Payment),
        &[&insurer],
    );
    let missing = bench.world.insurer.acting().claiming(random_id());
    let refused = bench.run(
        "access_record (missing grant)",
        &access(&missing, &patient, &record, Purpose::Payment),
        &[&insurer],
    );
    assert!(matches!(refused, AnyEvent::ActionRefused(_)));
    // Refusals are capped by the hour, so the clock goes on.
    let later = bench.world.chain.now() + 3_600;
    bench.world.chain.set_time(later);
}

fn access(acting: &As, patient: &Id, record: &Id, purpose: Purpose) -> Instruction {
    let args = AccessRecordArgs {
        request: random_id(),
        purpose,
        grant: acting.claimed(),
    };
    ix::access_record(acting, patient, record, args)
}

fn grant(bench: &mut Bench, kind: GranteeKind, grantee: Address) -> Id {
    let owner = bench.world.patient.wallet.insecure_clone();
    let patient = bench.world.patient.id;
    let id = address::draw_grant_id(&patient, random_id);
    let terms = Terms {
        uses: 1_000,
        ..bench.world.terms(kind, grantee)
    };
    let create = ix::create_grant(
        &By::wallet(owner.pubkey()),
        owner.pubkey(),
        &patient,
        CreateGrantArgs { id, terms },
    );
    bench.run("create_grant", &create, &[&owner]);
    id
}

/// Writes each entry of both rings once, so that every later one takes the place of another.
fn fill_rings(bench: &mut Bench, grant: Id) {
    let (record, _) = bench.world.create(0, Some(grant));
    let (wallet, acting) = (bench.world.doctor.wallet.insecure_clone(), bench.world.doctor.acting());
    for _ in 0..RING {
        bench
            .world
            .verdict(&wallet, acting, record, Purpose::Treatment)
            .unwrap();
        bench
            .world
            .verdict(&wallet, acting, record, Purpose::Payment)
            .unwrap_err();
    }
}
