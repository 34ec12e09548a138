//! `audit check`: a log that somebody wrote into a file with its proofs, checked with nothing but that file.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use chartseal_audit::{CheckError, Checked, Names, check};
use chartseal_program::{
    events::{Actor, AnyEvent},
    seeds::NO_ID,
};
use clap::Subcommand;
use serde_json::{Value, json};
use thiserror::Error;

use super::{
    caller::{Caller, off_thread},
    events,
    output::Output,
    parse,
};
use crate::{ledger::Differs, ops::OpError};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Check a file that `chartseal-indexer audit export` wrote, and show what is in it. Needs no network, no key and no
    /// right.
    ///
    /// Every hash chain in it is recomputed. That shows that no event is missing, added or altered as far as the heads go
    /// that the file says it read from the ledger; --signer shows who says so, and --ledger asks the ledger itself.
    ///
    /// Exit codes: 0 it holds; 1 error, nothing can be said; 3 it does not hold.
    Check {
        /// The file.
        file: PathBuf,
        /// Demand that it is signed by this key.
        #[arg(long, value_name = "BASE58", value_parser = parse::address)]
        signer: Option<[u8; 32]>,
        /// Ask the ledger too (--rpc): chains' heads, what followed since, and each transaction's slot and time.
        #[arg(long)]
        ledger: bool,
    },
}

impl Audit {
    /// Whether it asks anybody else.
    pub(super) fn asks_ledger(&self) -> bool {
        let Self::Check { ledger, .. } = self;
        *ledger
    }
}

/// A file that does not hold.
#[derive(Debug, Error)]
pub(super) enum BrokenAudit {
    #[error("{0}")]
    Check(#[from] CheckError),
    #[error("the ledger says otherwise: {0}")]
    Ledger(#[from] Differs),
}

pub(super) async fn audit(command: Audit, caller: Caller, output: Output) -> Result<()> {
    let Audit::Check { file, signer, ledger } = command;
    let checked = off_thread(move || {
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(check(&bytes, signer.as_ref()).map_err(BrokenAudit::from)?)
    })
    .await?;
    let later = match ledger {
        true => {
            let compared = caller.ledger().compare(&checked.audit).await.map_err(OpError::from)?;
            Some(compared.map_err(BrokenAudit::from)?)
        }
        false => None,
    };
    show(&checked, later, output);
    Ok(())
}

fn show(checked: &Checked, later: Option<u64>, output: Output) {
    let own = checked.audit.subject.chains().len();
    let mut shown: Vec<(&AnyEvent, u64)> = Vec::new();
    for (chain, events) in checked.audit.chains.iter().zip(&checked.events).take(own) {
        shown.extend(events.iter().zip(chain.events.iter().map(|placed| placed.slot)));
    }
    shown.sort_by_key(|(event, slot)| (*slot, event.link().at, event.chain(), event.link().seq));
    output.table(
        &["at (unix)", "log", "seq", "event", "what", "under", "who"],
        shown
            .iter()
            .map(|(event, slot)| row(event, *slot, &checked.names))
            .collect(),
    );
    let count = |is: fn(&AnyEvent) -> bool| shown.iter().filter(|(event, _)| is(event)).count();
    let accesses = count(|event| matches!(event, AnyEvent::AccessAllowed(_)));
    let refusals = count(|event| matches!(event, AnyEvent::ActionRefused(_)));
    let audit = &checked.audit;
    let (subject, id) = (audit.subject.word(), hex::encode(audit.subject.id()));
    let base58 = |bytes: &[u8; 32]| bs58::encode(bytes).into_string();
    let signer = checked.signer.as_ref().map(base58);
    let said_of_signer = match &signer {
        Some(signer) => format!("signed by {signer}"),
        None => "not signed, so anybody can have written it".to_owned(),
    };
    let said_of_ledger = match later {
        None => "the ledger was not asked (--ledger)".to_owned(),
        Some(0) => "the ledger says the same now".to_owned(),
        Some(later) => format!("the ledger says the same, and has {later} events since"),
    };
    let chains = audit.chains.iter().filter_map(|chain| {
        Some(json!({
            "chain": chain.kind()?.word(), "subject": hex::encode(chain.subject), "events": chain.seq,
            "head": hex::encode(chain.head), "account": base58(&chain.account), "slot": chain.slot,
        }))
    });
    let events = shown.len();
    let slot = audit.chains.iter().take(own).map(|chain| chain.slot).min();
    output.say(
        &format!(
            "whole: {events} events of {subject} {id}, {accesses} accesses and {refusals} refusals among them; no gaps up to \
             slot {}\ncluster {}; {said_of_signer}; {said_of_ledger}",
            slot.unwrap_or_default(),
            base58(&audit.genesis_hash),
        ),
        &json!({
            "whole": true, "subject": subject, "id": id, "events": events, "accesses": accesses, "refusals": refusals,
            "gaps": 0, "chains": chains.collect::<Vec<_>>(), "cluster": base58(&audit.genesis_hash),
            "exported_at": audit.exported_at, "digest": hex::encode(checked.digest), "signer": signer,
            "ledger_asked": later.is_some(), "events_since": later,
        }),
    );
}

fn row(event: &AnyEvent, slot: u64, names: &Names) -> (Vec<String>, Value) {
    let link = event.link();
    let (what, wallet) = events::describe(event);
    let under = under(event);
    let who = match actor(event).and_then(|actor| known(actor, names)) {
        Some(known) => format!("{wallet}, {known}"),
        None => wallet,
    };
    let object = json!({
        "at": link.at, "log": event.chain().word(), "seq": link.seq, "event": event.name(), "what": what, "under": under,
        "who": who, "slot": slot,
    });
    let cells = vec![
        link.at.to_string(),
        event.chain().word().into(),
        link.seq.to_string(),
        event.name().into(),
        what,
        under,
        who,
    ];
    (cells, object)
}

/// Grant, policy, emergency or delegation on which something was allowed, or which was claimed in vain.
fn under(event: &AnyEvent) -> String {
    let (word, id) = match event {
        AnyEvent::RecordCreated(e) => (e.basis.word(), e.under),
        AnyEvent::RecordAmended(e) => (e.basis.word(), e.under),
        AnyEvent::RecordPromoted(e) => (e.basis.word(), e.under),
        AnyEvent::AccessAllowed(e) => (e.basis.word(), e.under),
        AnyEvent::ActionRefused(e) => (e.claim.word(), e.under),
        AnyEvent::GrantPassedOn(e) => ("grant", e.parent),
        _ => return String::new(),
    };
    match id == NO_ID {
        true => word.to_owned(),
        false => format!("{word} {}", hex::encode(id)),
    }
}

fn actor(event: &AnyEvent) -> Option<&Actor> {
    Some(match event {
        AnyEvent::RecordCreated(e) => &e.author,
        AnyEvent::RecordAmended(e) => &e.author,
        AnyEvent::RecordPromoted(e) => &e.actor,
        AnyEvent::ErasureAttested(e) => &e.actor,
        AnyEvent::GrantPassedOn(e) => &e.actor,
        AnyEvent::AccessRequested(e) => &e.actor,
        AnyEvent::EmergencyOpened(e) => &e.actor,
        AnyEvent::AccessAllowed(e) => &e.actor,
        AnyEvent::ActionRefused(e) => &e.actor,
        _ => return None,
    })
}

/// Who somebody is, by the institutions' own chains.
fn known(actor: &Actor, names: &Names) -> Option<String> {
    let (role, institution) = names.member(&actor.credential)?;
    let kind = names.institution(&institution)?;
    Some(format!(
        "{} of {} {}",
        role.word(),
        kind.word(),
        hex::encode(institution)
    ))
}
