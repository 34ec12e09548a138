//! `chartseal policy`, `share`.

use anyhow::Result;
use chartseal_program::{seeds::Id, state::Policy as PolicyAccount, vocabulary::Purpose};
use serde_json::{Value, json};

use super::{
    args::{Policy, Share, class_mask},
    caller::Caller,
    output::Output,
    patients::{classes, say_granted, words},
};
use crate::ops::{OpError, PassOnRequest, PolicySet, PolicyTerms};

pub(super) async fn policy(command: &Policy, caller: Caller, output: Output) -> Result<()> {
    let set = match command {
        Policy::List { patient } => return list(patient, &caller, output).await,
        Policy::Clear { patient, institution } => caller.session().await?.clear_policy(patient, institution).await?,
        Policy::Set {
            patient,
            institution,
            classes,
            purposes,
            enrol,
            lasts,
        } => {
            let session = caller.session().await?;
            let terms = PolicyTerms {
                classes: class_mask(classes),
                purposes: purposes.clone(),
                enrols: *enrol,
                expires: session.from_now(*lasts).await?,
            };
            session.set_policy(patient, institution, &terms).await?
        }
    };
    say_set(&set, output);
    Ok(())
}

fn say_set(set: &PolicySet, output: Output) {
    let signature = set.receipt.signature.to_string();
    output.say(
        &format!(
            "PolicySet in transaction {signature}, {} envelopes deleted",
            set.envelopes
        ),
        &json!({ "event": "PolicySet", "signature": signature, "envelopes_deleted": set.envelopes }),
    );
}

async fn list(patient: &Id, caller: &Caller, output: Output) -> Result<()> {
    let ledger = caller.ledger();
    let now = ledger.now().await.map_err(OpError::from)?;
    let policies = ledger.policies(patient).await.map_err(OpError::from)?;
    let rows = policies.iter().map(|found| row(&found.account, now)).collect();
    output.table(
        &[
            "institution",
            "classes",
            "purposes",
            "adds records",
            "until (unix)",
            "state",
        ],
        rows,
    );
    Ok(())
}

fn row(policy: &PolicyAccount, now: i64) -> (Vec<String>, Value) {
    let institution = hex::encode(policy.institution);
    let shared = classes(policy.classes);
    let purposes = words(Purpose::ALL, Purpose::word, |purpose| {
        policy.purposes & purpose.bit() != 0
    });
    let state = match () {
        () if policy.classes == 0 => "cleared",
        () if now >= policy.expires => "expired",
        () => "live",
    };
    let enrols = policy.enrols != 0;
    let object = json!({
        "institution": institution, "classes": shared, "purposes": purposes, "enrols": enrols,
        "expires": policy.expires, "changed_at": policy.changed_at, "state": state,
    });
    let adds = if enrols { "yes" } else { "no" };
    let cells = vec![
        institution,
        shared,
        purposes,
        adds.into(),
        policy.expires.to_string(),
        state.into(),
    ];
    (cells, object)
}

pub(super) async fn share(command: &Share, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let expires = match command.lasts {
        Some(lasts) => Some(session.from_now(lasts).await?),
        None => None,
    };
    let request = PassOnRequest {
        patient: command.patient,
        grantee: command.to,
        record: command.subject.record,
        classes: command.subject.classes(),
        rights: command.rights.clone(),
        purposes: (!command.purposes.is_empty()).then(|| command.purposes.clone()),
        expires,
        uses: command.uses,
        grant: command.grant,
        purpose: command.purpose.unwrap_or(Purpose::Treatment),
    };
    say_granted(&session.pass_on(&request).await?, output);
    Ok(())
}
