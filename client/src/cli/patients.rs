//! `chartseal patient`, `grant`, `revoke`, `grants`, `log`.

use anchor_lang::prelude::Address;
use anyhow::Result;
use chartseal_program::{
    seeds::Id,
    state::UNLIMITED,
    vocabulary::{Action, GranteeKind, Purpose, Reason},
};
use serde_json::{Value, json};
use thiserror::Error;

use super::{
    args::{Grant, Patient},
    caller::Caller,
    events,
    output::Output,
    people,
};
use crate::{
    ledger::Logged,
    ops::{GrantRequest, GrantState, Granted, OpError, Rewrapped},
};

pub(super) async fn patient(command: &Patient, caller: Caller, output: Output) -> Result<()> {
    match command {
        Patient::Open { steward } => {
            let (id, receipt) = caller.session().await?.open_patient(steward.as_ref()).await?;
            let id = hex::encode(id);
            let object = json!({ "patient": id, "signature": receipt.signature.to_string() });
            output.say(&format!("patient {id}"), &object);
        }
        Patient::Show { patient } => {
            let patient = caller.ledger().patient(patient).await.map_err(OpError::from)?;
            let wallet = patient.has_wallet().then(|| patient.wallet.to_string());
            let steward = (!patient.has_wallet()).then(|| hex::encode(patient.steward));
            let sentence = match (&wallet, &steward) {
                (Some(wallet), _) => format!("wallet {wallet}, key epoch {}", patient.key_epoch),
                (None, steward) => format!("no wallet yet, steward {}", steward.clone().unwrap_or_default()),
            };
            output.say(
                &sentence,
                &json!({
                    "wallet": wallet, "steward": steward, "key_epoch": patient.key_epoch,
                    "encryption_key": hex::encode(patient.keys.encryption),
                    "proposed_wallet": (patient.proposed_wallet != Address::default())
                        .then(|| patient.proposed_wallet.to_string()),
                }),
            );
        }
        Patient::HandOver(command) => people::hand_over(command, caller, output).await?,
        Patient::Accept(of) => people::accept(&of.patient, caller, output).await?,
        Patient::RotateKey(of) => people::rotate_key(&of.patient, caller, output).await?,
    }
    Ok(())
}

pub(super) async fn grant(command: &Grant, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let now = session.from_now(0).await?;
    let not_before = command.starts_in.map(|starts_in| now.saturating_add(starts_in));
    let request = GrantRequest {
        patient: command.patient,
        grantee: command.to,
        record: command.subject.record,
        classes: command.subject.classes(),
        rights: command.rights.clone(),
        purposes: command.purposes.clone(),
        not_before,
        expires: not_before.unwrap_or(now).saturating_add(command.lasts),
        uses: command.uses,
    };
    say_granted(&session.grant(&request).await?, output);
    Ok(())
}

/// Says that a grant stands, and what became of its keys.
pub(super) fn say_granted(granted: &Granted, output: Output) {
    let id = hex::encode(granted.grant);
    let keys = &granted.keys;
    output.say(
        &format!("grant {id}, {}", describe_keys(keys)),
        &json!({
            "grant": id, "signature": granted.signature, "wrapped": keys.wrapped, "pending": keys.pending,
            "because": keys.because,
        }),
    );
}

/// How many keys were wrapped, and what to do about those that were not.
pub(super) fn describe_keys(keys: &Rewrapped) -> String {
    let wrapped = format!("{} keys wrapped", keys.wrapped);
    let why = keys.because.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    match keys.pending {
        0 => wrapped + &why,
        n => format!("{wrapped}; {n} pending until somebody who holds them runs `chartseal rewrap`{why}"),
    }
}

pub(super) async fn revoke(patient: &Id, grant: &Id, caller: Caller, output: Output) -> Result<()> {
    let revoked = caller.session().await?.revoke(patient, grant).await?;
    let what = match revoked.signature {
        Some(_) => "revoked",
        None => "it was revoked already",
    };
    output.say(
        &format!("{what}, {} envelopes deleted", revoked.envelopes),
        &json!({
            "signature": revoked.signature, "already_revoked": revoked.signature.is_none(),
            "envelopes_deleted": revoked.envelopes,
        }),
    );
    Ok(())
}

pub(super) async fn grants(patient: &Id, caller: &Caller, output: Output) -> Result<()> {
    // Where there is no key store, nothing is known of keys.
    let (grants, keys_known) = match caller.onlooker()? {
        Some(session) => (session.grants(patient).await?, true),
        None => (caller.anonymous()?.grants(patient).await?, false),
    };
    let rows = grants.iter().map(|state| grant_row(state, keys_known)).collect();
    output.table(
        &[
            "grant",
            "to",
            "on",
            "rights",
            "purposes",
            "until (unix)",
            "uses left",
            "state",
            "keys",
        ],
        rows,
    );
    Ok(())
}

fn grant_row(state: &GrantState, keys_known: bool) -> (Vec<String>, Value) {
    let GrantState { grant, fault, pending } = state;
    let id = hex::encode(grant.id);
    let kind = GranteeKind::from_byte(grant.grantee_kind).map_or("unknown", GranteeKind::word);
    let on = subject(&grant.record, grant.classes);
    let rights = words(Action::ALL, Action::word, |right| grant.rights & right.bit() != 0);
    let purposes = words(Purpose::ALL, Purpose::word, |purpose| {
        grant.purposes & purpose.bit() != 0
    });
    let uses = if grant.uses_left == UNLIMITED {
        "no limit".into()
    } else {
        grant.uses_left.to_string()
    };
    let state = fault.map_or("live", Reason::word);
    let pending: Option<Vec<_>> = keys_known.then(|| pending.iter().map(hex::encode).collect());
    let keys = match &pending {
        Some(records) if records.is_empty() => "wrapped".into(),
        Some(records) => format!("key pending ({})", records.len()),
        None => "unknown".into(),
    };
    let grantee = grant.grantee.to_string();
    let object = json!({
        "grant": id, "grantee_kind": kind, "grantee": grantee, "on": on, "rights": rights, "purposes": purposes,
        "expires": grant.expires, "uses_left": (grant.uses_left != UNLIMITED).then_some(grant.uses_left), "state": state,
        "depth": grant.depth, "key_pending": pending,
    });
    let to = format!("{kind} {grantee}");
    (
        vec![
            id,
            to,
            on,
            rights,
            purposes,
            grant.expires.to_string(),
            uses,
            state.into(),
            keys,
        ],
        object,
    )
}

/// What a grant or a request is on.
pub(super) fn subject(record: &Id, mask: u32) -> String {
    match mask {
        0 => format!("record {}", hex::encode(record)),
        mask => format!("classes {}", classes(mask)),
    }
}

/// The classes of a mask.
pub(super) fn classes(mask: u32) -> String {
    let classes: Vec<_> = (0..u32::BITS)
        .filter(|class| mask & (1 << class) != 0)
        .map(|class| class.to_string())
        .collect();
    classes.join(",")
}

pub(super) fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str, has: impl Fn(T) -> bool) -> String {
    let words: Vec<_> = all.iter().copied().filter(|one| has(*one)).map(word).collect();
    words.join(",")
}

/// A log in which something is missing or is not what was logged.
#[derive(Debug, Error)]
#[error(
    "the {chain} of patient {patient} does not hold at {seq}: an event is missing or was altered on the way here; \
     ask another node"
)]
pub(super) struct BrokenLog {
    patient: String,
    chain: &'static str,
    seq: u64,
}

pub(super) async fn log(patient: &Id, caller: &Caller, output: Output) -> Result<()> {
    let log = caller.ledger().patient_log(patient).await.map_err(OpError::from)?;
    output.table(
        &["at (unix)", "log", "seq", "event", "what", "who"],
        log.events.iter().map(log_row).collect(),
    );
    if let Some(broken) = log.broken {
        return Err(BrokenLog {
            patient: hex::encode(patient),
            chain: broken.chain.word(),
            seq: broken.seq,
        }
        .into());
    }
    let count = log.events.len();
    output.say(
        &format!("{count} events; both chains are whole"),
        &json!({ "events": count, "whole": true }),
    );
    Ok(())
}

fn log_row(logged: &Logged) -> (Vec<String>, Value) {
    let event = &logged.event;
    let link = event.link();
    let (what, who) = events::describe(event);
    let object = json!({
        "at": link.at, "log": event.chain().word(), "seq": link.seq, "event": event.name(), "what": what, "who": who,
        "signature": logged.signature.to_string(), "slot": logged.slot,
    });
    let cells = vec![
        link.at.to_string(),
        event.chain().word().into(),
        link.seq.to_string(),
        event.name().into(),
        what,
        who,
    ];
    (cells, object)
}
