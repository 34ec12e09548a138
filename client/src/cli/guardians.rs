//! `chartseal guardian`, `break-glass set` and `keys recover`.

use anyhow::Result;
use chartseal_program::{
    seeds::Id,
    state::{RECOVERY_WINDOW, Safeguards},
};
use serde_json::{Value, json};

use super::{
    args::{Guardian, Holders},
    caller::Caller,
    output::Output,
    patients::describe_keys,
    registry::done,
};
use crate::ops::{Dealt, OpError};

pub(super) async fn guardian(command: &Guardian, caller: Caller, output: Output) -> Result<()> {
    match command {
        Guardian::Set {
            patient,
            guardians,
            threshold,
            delay,
            ..
        } => {
            // None at all: then there is neither a threshold nor a delay.
            let (threshold, delay) = threshold.map_or((0, 0), |threshold| (threshold, *delay));
            let session = caller.session().await?;
            let named = session.set_guardians(patient, guardians, threshold, delay).await?;
            let shares = &named.shares;
            output.say(
                &format!("{} guardians, {}", guardians.len(), describe_shares(shares)),
                &json!({
                    "guardians": guardians.len(), "threshold": threshold, "delay": delay, "signature": named.signature,
                    "shares": shares.shares, "because": shares.because,
                }),
            );
        }
        Guardian::Deal(of) => {
            let shares = caller.session().await?.deal_shares(&of.patient).await?;
            output.say(
                &describe_shares(&shares),
                &json!({ "shares": shares.shares, "threshold": shares.threshold }),
            );
        }
        Guardian::Vote { patient, next, .. } => {
            done(&caller.session().await?.vote_recovery(patient, *next).await?, output);
        }
        Guardian::Object(of) => done(&caller.session().await?.object_to_recovery(&of.patient).await?, output),
        Guardian::Finish(of) => {
            let receipt = caller.session().await?.finish_recovery(&of.patient).await?;
            let (id, signature) = (hex::encode(of.patient), receipt.signature.to_string());
            output.say(
                &format!(
                    "patient {id} is yours, by transaction {signature}\nThe history opens once guardians have released their \
                     shares (chartseal guardian release {id}): then type chartseal keys recover {id}"
                ),
                &json!({ "patient": id, "event": receipt.event.name(), "signature": signature }),
            );
        }
        Guardian::Release(of) => {
            let released = caller.session().await?.release_shares(&of.patient).await?;
            output.say(&format!("{released} shares released"), &json!({ "released": released }));
        }
        Guardian::Status(of) => status(&of.patient, &caller, output).await?,
    }
    Ok(())
}

pub(super) async fn set_break_glass(command: &Holders, caller: Caller, output: Output) -> Result<()> {
    // None at all: then there is no threshold either.
    let threshold = command.threshold.unwrap_or_default();
    let session = caller.session().await?;
    let receipt = session
        .set_break_glass(&command.patient, &command.holders, threshold)
        .await?;
    done(&receipt, output);
    Ok(())
}

pub(super) async fn recover(patient: &Id, caller: Caller, output: Output) -> Result<()> {
    let (mut session, file) = caller.session_and_file().await?;
    let recovered = session.recover_keys(patient, |identity| file.save(identity)).await?;
    let (keys, shares) = (&recovered.keys, &recovered.shares);
    let wrong: Vec<_> = recovered
        .wrong
        .iter()
        .map(|wallet| bs58::encode(wallet).into_string())
        .collect();
    if !wrong.is_empty() {
        output.warn(&format!("these guardians released a wrong share: {}", wrong.join(", ")));
    }
    output.say(
        &format!(
            "keys of {} epochs recovered, {}, {}",
            recovered.epochs.len(),
            describe_keys(keys),
            describe_shares(shares)
        ),
        &json!({
            "epochs": recovered.epochs, "wrong_shares": wrong, "wrapped": keys.wrapped, "pending": keys.pending,
            "because": keys.because, "shares": shares.shares, "shares_because": shares.because,
        }),
    );
    Ok(())
}

/// How many guardians hold a share, and what to do where they do not.
pub(super) fn describe_shares(shares: &Dealt) -> String {
    match (&shares.because, shares.shares) {
        (Some(why), _) => {
            format!("no shares dealt until somebody who holds the key runs `chartseal guardian deal` ({why})")
        }
        (None, 0) => "no guardians hold a share".into(),
        (None, dealt) => format!(
            "{dealt} guardians hold a share, {} of them give the key back",
            shares.threshold
        ),
    }
}

async fn status(patient: &Id, caller: &Caller, output: Output) -> Result<()> {
    let ledger = caller.ledger();
    // A patient that there is not has no guardians either: say which it is.
    ledger.patient(patient).await.map_err(OpError::from)?;
    let now = ledger.now().await.map_err(OpError::from)?;
    let safeguards = ledger.safeguards(patient).await.map_err(OpError::from)?;
    let (sentence, object) = describe(safeguards.as_ref(), now);
    output.say(&sentence, &object);
    Ok(())
}

fn describe(safeguards: Option<&Safeguards>, now: i64) -> (String, Value) {
    let Some(safeguards) = safeguards else {
        let object = json!({
            "guardians": [], "threshold": 0, "delay": 0, "pending": null, "break_glass": { "holders": [], "threshold": 0 },
        });
        return ("no guardians, no break-glass holders".into(), object);
    };
    let guardians = safeguards.guardians();
    let mut lines = vec![format!(
        "{} of {} guardians, {} seconds to object",
        safeguards.guardian_threshold,
        guardians.len(),
        safeguards.delay
    )];
    for guardian in guardians {
        let voted = if guardian.vote == [0; 32] { "" } else { ", has voted" };
        lines.push(format!("guardian {}{voted}", guardian.wallet));
    }
    let pending = safeguards.is_pending().then(|| {
        let ready_at = safeguards.ready_at;
        let ends_at = ready_at.saturating_add(RECOVERY_WINDOW);
        let state = match now {
            _ if now < ready_at => "waiting",
            _ if now < ends_at => "due",
            _ => "lapsed",
        };
        lines.push(format!(
            "recovery by {} {state}: it can be finished from {ready_at} to {ends_at} (unix)",
            safeguards.pending_wallet
        ));
        json!({
            "wallet": safeguards.pending_wallet.to_string(), "state": state, "ready_at": ready_at, "ends_at": ends_at,
            "encryption_key": hex::encode(safeguards.pending_keys.encryption),
        })
    });
    let holders: Vec<_> = safeguards.holders().iter().map(ToString::to_string).collect();
    if !holders.is_empty() {
        let (threshold, count) = (safeguards.holder_threshold, holders.len());
        lines.push(format!(
            "{threshold} of {count} break-glass holders: {}",
            holders.join(", ")
        ));
    }
    let named: Vec<_> = guardians
        .iter()
        .map(|guardian| {
            json!({
                "wallet": guardian.wallet.to_string(), "encryption_key": hex::encode(guardian.encryption),
                "voted": guardian.vote != [0; 32],
            })
        })
        .collect();
    let object = json!({
        "guardians": named, "threshold": safeguards.guardian_threshold, "delay": safeguards.delay, "pending": pending,
        "break_glass": { "holders": holders, "threshold": safeguards.holder_threshold },
    });
    (lines.join("\n"), object)
}
