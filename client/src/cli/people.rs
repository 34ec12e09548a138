//! `chartseal patient hand-over`, `accept` and `rotate-key`, `keys rotate`, `delegate`.

use anyhow::Result;
use chartseal_program::{
    seeds::Id,
    state::Delegate as DelegateAccount,
    vocabulary::{Action, Reason},
};
use serde_json::{Value, json};

use super::{
    args::{Delegate, HandOver},
    caller::Caller,
    guardians::describe_shares,
    output::Output,
    patients::describe_keys,
    registry::done,
};
use crate::ops::OpError;

pub(super) async fn hand_over(command: &HandOver, caller: Caller, output: Output) -> Result<()> {
    // Clap has seen to it that there is a wallet or the wish for none.
    let receipt = caller
        .session()
        .await?
        .propose_wallet(&command.patient, command.to)
        .await?;
    done(&receipt, output);
    Ok(())
}

pub(super) async fn accept(patient: &Id, caller: Caller, output: Output) -> Result<()> {
    let receipt = caller.session().await?.accept_wallet(patient).await?;
    let (id, signature) = (hex::encode(patient), receipt.signature.to_string());
    output.say(
        &format!(
            "patient {id} is yours, by transaction {signature}\nHave those who can open its records wrap their keys for you: \
             chartseal rewrap {id}"
        ),
        &json!({ "patient": id, "event": receipt.event.name(), "signature": signature }),
    );
    Ok(())
}

pub(super) async fn rotate_key(patient: &Id, caller: Caller, output: Output) -> Result<()> {
    let (mut session, file) = caller.session_and_file().await?;
    let rotated = session.rotate_key(patient, |identity| file.save(identity)).await?;
    let key = hex::encode(rotated.encryption_key);
    let (keys, shares) = (&rotated.keys, &rotated.shares);
    output.say(
        &format!(
            "encryption key {key}, {}, {}",
            describe_keys(keys),
            describe_shares(shares)
        ),
        &json!({
            "encryption_key": key, "signature": rotated.signature, "wrapped": keys.wrapped, "pending": keys.pending,
            "because": keys.because, "shares": shares.shares, "shares_because": shares.because,
        }),
    );
    Ok(())
}

pub(super) async fn delegate(command: &Delegate, caller: Caller, output: Output) -> Result<()> {
    match command {
        Delegate::Name {
            patient,
            wallet,
            rights,
            lasts,
        } => {
            let session = caller.session().await?;
            let expires = session.from_now(*lasts).await?;
            let (id, receipt) = session.name_delegate(patient, *wallet, rights, expires).await?;
            let (patient, id) = (hex::encode(patient), hex::encode(id));
            output.say(
                &format!("delegation {id}\nIts wallet has to accept: chartseal delegate accept {patient} {id}"),
                &json!({ "delegate": id, "patient": patient, "signature": receipt.signature.to_string() }),
            );
        }
        Delegate::Accept(of) => {
            let session = caller.session().await?;
            let receipt = session.accept_delegation(&of.patient, &of.delegate).await?;
            done(&receipt, output);
        }
        Delegate::Revoke(of) => {
            let session = caller.session().await?;
            let ended = session.revoke_delegate(&of.patient, &of.delegate).await?;
            output.say(
                &format!("revoked, {} envelopes deleted", ended.envelopes),
                &json!({ "signature": ended.signature, "envelopes_deleted": ended.envelopes }),
            );
        }
        Delegate::List(of) => list(&of.patient, &caller, output).await?,
    }
    Ok(())
}

async fn list(patient: &Id, caller: &Caller, output: Output) -> Result<()> {
    let ledger = caller.ledger();
    let now = ledger.now().await.map_err(OpError::from)?;
    let delegates = ledger.delegates(patient).await.map_err(OpError::from)?;
    let rows = delegates.iter().map(|found| row(&found.account, now)).collect();
    output.table(&["delegation", "wallet", "rights", "until (unix)", "state"], rows);
    Ok(())
}

fn row(delegate: &DelegateAccount, now: i64) -> (Vec<String>, Value) {
    let (id, wallet) = (hex::encode(delegate.id), delegate.wallet.to_string());
    let rights = Action::ALL.iter().filter(|right| delegate.has(**right));
    let rights: Vec<_> = rights.map(|right| right.word()).collect();
    let state = delegate.fault(now).map_or("live", Reason::word);
    let object = json!({
        "delegate": id, "wallet": wallet, "rights": rights, "expires": delegate.expires, "state": state,
    });
    let cells = vec![id, wallet, rights.join(","), delegate.expires.to_string(), state.into()];
    (cells, object)
}
