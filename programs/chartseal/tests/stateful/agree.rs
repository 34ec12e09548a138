//! Whether the accounts say what the model says, and whether nothing was made or lost.

use anchor_lang::prelude::Address;
use chartseal_program::{
    log::ChainKind,
    seeds::address,
    state::{self, NO_OUTCOME},
    vocabulary::*,
    ID,
};
use litesvm::LiteSVM;
use solana_account::ReadableAccount;

use crate::{common::Chain, model::Model};

/// Lamports in all accounts there are.
pub(crate) fn lamports(svm: &LiteSVM) -> u64 {
    svm.accounts_db().inner.values().map(ReadableAccount::lamports).sum()
}

macro_rules! same {
    ($what:expr, $left:expr, $right:expr) => {
        let (account, model) = (&$left, &$right);
        if account != model {
            return Err(format!("{}: the account has {account:?}, the model {model:?}", $what));
        }
    };
}

/// Compares every account of the program with the model.
///
/// # Errors
/// The first difference.
pub(crate) fn accounts(chain: &Chain, model: &Model) -> Result<(), String> {
    registry(chain, model)?;
    institutions(chain, model)?;
    patients(chain, model)?;
    records(chain, model)?;
    consent(chain, model)?;
    crate::trees::agree(chain, model)?;
    nothing_else(chain, model)
}

fn registry(chain: &Chain, model: &Model) -> Result<(), String> {
    let registry: state::Registry = chain.read(&address::registry());
    same!("admin", registry.admin, model.admin);
    same!("proposed admin", registry.proposed_admin, model.proposed_admin);
    same!("paused", registry.is_paused(), model.paused);
    same!(
        "registry's chain",
        registry.chain,
        model.chains[&(ChainKind::Registry, [0; 16])]
    );
    Ok(())
}

fn institutions(chain: &Chain, model: &Model) -> Result<(), String> {
    for (id, body) in &model.institutions {
        let account: state::Institution = chain.read(&address::institution(id));
        same!("authority", account.authority, body.authority);
        same!("proposed authority", account.proposed_authority, body.proposed);
        same!("standing", account.standing, body.standing.byte());
        same!("expiry", account.expires, body.expires);
        same!("unreviewed", account.unreviewed_emergencies, body.unreviewed);
        same!(
            "institution's chain",
            account.chain,
            model.chains[&(ChainKind::Institution, *id)]
        );
    }
    for (address, member) in &model.members {
        let account: state::Member = chain.read(address);
        same!("member's wallet", account.wallet, member.wallet);
        same!("member's institution", account.institution, member.institution);
        same!("role", account.role, member.role.byte());
        same!("member's standing", account.standing, member.standing.byte());
        same!("member's expiry", account.expires, member.expires);
        same!("credential", account.emergency_credential != 0, member.emergencies);
        same!("member's unreviewed", account.unreviewed_emergencies, member.unreviewed);
    }
    for ((institution, id), batch) in &model.batches {
        let account: state::Batch = chain.read(&address::batch(institution, id));
        same!("batch's author", account.author, batch.author);
        same!("batch's count", account.count, batch.count);
    }
    for ((consumer, id), agreement) in &model.agreements {
        let account: state::Agreement = chain.read(&address::agreement(consumer, id));
        same!("agreement's state", account.state, agreement.state.byte());
        same!("deposited", account.deposited, agreement.deposited);
        same!("paid", account.paid, agreement.paid);
    }
    Ok(())
}

fn patients(chain: &Chain, model: &Model) -> Result<(), String> {
    for (id, patient) in &model.patients {
        let account: state::Patient = chain.read(&address::patient(id));
        same!("patient's wallet", account.wallet, patient.wallet.unwrap_or_default());
        same!("proposed wallet", account.proposed_wallet, patient.proposed);
        same!("steward", account.steward, patient.steward);
        same!("key epoch", account.key_epoch, patient.key_epoch);
        let log: state::AccessLog = chain.read(&address::access_log(id));
        same!("log", log.chain, model.chains[&(ChainKind::Log, *id)]);
        let newest = log.ring.entries[(log.chain.seq % 16) as usize];
        same!("newest entry", newest.seq, log.chain.seq);
        if newest.outcome != NO_OUTCOME && Basis::from_byte(newest.outcome).is_none() {
            return Err(format!("an entry's outcome is no basis: {newest:?}"));
        }
        let refusals: state::RefusalLog = chain.read(&address::refusal_log(id));
        let expected = model
            .chains
            .get(&(ChainKind::Refusals, *id))
            .map_or(0, |chain| chain.seq);
        same!("refusals", refusals.chain.seq, expected);
    }
    for ((patient, id), delegate) in &model.delegates {
        let account: state::Delegate = chain.read(&address::delegate(patient, id));
        same!("delegate's wallet", account.wallet, delegate.wallet);
        same!("delegate's rights", account.rights, delegate.rights);
        same!("delegate accepted", account.key_epoch != 0, delegate.accepted);
        same!("delegate revoked", account.revoked != 0, delegate.revoked);
    }
    for (patient, safeguards) in &model.safeguards {
        let account: state::Safeguards = chain.read(&address::safeguards(patient));
        let guardians: Vec<Address> = account.guardians().iter().map(|guardian| guardian.wallet).collect();
        same!("guardians", guardians, safeguards.guardians);
        let pending = account
            .is_pending()
            .then_some((account.pending_wallet, account.ready_at));
        same!("pending recovery", pending, safeguards.pending);
    }
    Ok(())
}

fn records(chain: &Chain, model: &Model) -> Result<(), String> {
    for ((patient, id), record) in &model.records {
        let account: state::Record = chain.read(&address::record(patient, id));
        same!("record's class", account.class, record.class);
        same!("record's author", account.author, record.author);
        same!("record's origin", account.origin, record.origin);
        same!("record's version", account.version, record.version);
        same!("record erased", account.is_erased(), record.erased);
        same!("record's time", account.created_at, record.created_at);
    }
    Ok(())
}

fn consent(chain: &Chain, model: &Model) -> Result<(), String> {
    for ((patient, id), grant) in &model.grants {
        let account: state::Grant = chain.read(&address::grant(patient, id));
        let mut terms = account.terms().ok_or("a grant has a grantee of no kind")?;
        same!("uses left", terms.uses, grant.uses_left);
        terms.uses = grant.terms.uses;
        same!("terms", terms, grant.terms);
        same!("parent", account.parent, grant.parent);
        same!("depth", account.depth, grant.depth);
        same!("revoked", account.revoked != 0, grant.revoked);
    }
    for ((patient, id), request) in &model.requests {
        let account: state::Request = chain.read(&address::request(patient, id));
        same!("request's state", account.state, request.state.byte());
        same!("request's grant", account.grant, request.grant);
    }
    for ((patient, institution), policy) in &model.policies {
        let account: state::Policy = chain.read(&address::policy(patient, institution));
        same!("policy's classes", account.classes, policy.classes);
        same!("policy's purposes", account.purposes, policy.purposes);
        for class in 0..32u8 {
            let since = policy.since.get(&class).copied().unwrap_or_default();
            same!("policy's beginning", account.since[usize::from(class)], since);
        }
    }
    for ((patient, id), emergency) in &model.emergencies {
        let account: state::Emergency = chain.read(&address::emergency(patient, id));
        same!("emergency's end", account.expires, emergency.expires);
        let reviewed = Reviewer::ALL.iter().map(|side| account.verdict_of(*side));
        let reviewed: Vec<_> = reviewed.collect();
        same!("reviews", reviewed, emergency.reviewed.to_vec());
    }
    Ok(())
}

/// No account of the program exists that no event speaks of, and none that one speaks of is gone.
fn nothing_else(chain: &Chain, model: &Model) -> Result<(), String> {
    let there = chain
        .svm
        .accounts_db()
        .inner
        .values()
        .filter(|account| *account.owner() == ID)
        .count();
    let expected = 1
        + model.institutions.len()
        + model.members.len()
        + 3 * model.patients.len()
        + model.delegates.len()
        + model.safeguards.len()
        + model.records.len()
        + model.grants.len()
        + model.requests.len()
        + model.policies.len()
        + model.emergencies.len()
        + model.batches.len()
        + model.agreements.len()
        + model.settlements.len()
        + model.trees.len()
        + model.sets.len()
        + model.nullifiers.len();
    same!("number of accounts", there, expected);
    Ok(())
}
