//! `chartseal agreement`.

use anyhow::Result;
use chartseal_program::{
    seeds::Id,
    state::Agreement as AgreementAccount,
    vocabulary::{AgreementState, Purpose},
};
use serde_json::{Value, json};

use super::{
    args::{Agreement, Propose, class_mask},
    caller::Caller,
    output::Output,
    patients::classes,
    registry::done,
};
use crate::ops::{OpError, Payment, Proposal};

pub(super) async fn agreement(command: &Agreement, caller: Caller, output: Output) -> Result<()> {
    let receipt = match command {
        Agreement::List { institution } => return list(institution, &caller, output).await,
        Agreement::Propose(command) => return propose(command, caller, output).await,
        Agreement::Accept(named) => caller.session().await?.accept_agreement(&named.agreement).await?,
        Agreement::Fund { agreement, amount } => {
            let session = caller.session().await?;
            session.fund_agreement(&agreement.agreement, *amount).await?
        }
        Agreement::Settle {
            agreement,
            patient,
            request,
            record,
        } => {
            let payment = Payment {
                agreement: *agreement,
                request: *request,
            };
            let session = caller.session().await?;
            session.settle_access(patient, record.as_ref(), &payment).await?
        }
        Agreement::Close(named) => caller.session().await?.close_agreement(&named.agreement).await?,
    };
    done(&receipt, output);
    Ok(())
}

async fn propose(command: &Propose, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let proposal = Proposal {
        consumer: command.consumer,
        provider: command.provider,
        mint: command.mint,
        classes: class_mask(&command.classes),
        purpose: command.purpose,
        price: command.price,
        expires: session.from_now(command.lasts).await?,
    };
    let (named, receipt) = session.propose_agreement(&proposal).await?;
    let (consumer, id) = (hex::encode(named.consumer), hex::encode(named.agreement));
    output.say(
        &format!("agreement {id}\nThe provider has to accept: chartseal agreement accept {consumer}:{id}"),
        &json!({ "agreement": id, "consumer": consumer, "signature": receipt.signature.to_string() }),
    );
    Ok(())
}

async fn list(institution: &Id, caller: &Caller, output: Output) -> Result<()> {
    let ledger = caller.ledger();
    let now = ledger.now().await.map_err(OpError::from)?;
    let agreements = ledger.agreements(institution).await.map_err(OpError::from)?;
    let rows = agreements.iter().map(|found| row(&found.account, now)).collect();
    output.table(
        &[
            "agreement",
            "consumer",
            "provider",
            "classes",
            "purpose",
            "price",
            "deposited",
            "paid",
            "settled",
            "until (unix)",
            "state",
        ],
        rows,
    );
    Ok(())
}

fn row(agreement: &AgreementAccount, now: i64) -> (Vec<String>, Value) {
    let [id, consumer, provider] = [agreement.id, agreement.consumer, agreement.provider].map(hex::encode);
    let covered = classes(agreement.classes);
    let purpose = Purpose::from_byte(agreement.purpose).map_or("unknown", Purpose::word);
    let state = match AgreementState::from_byte(agreement.state) {
        Some(AgreementState::Closed) => AgreementState::Closed.word(),
        _ if now >= agreement.expires => "expired",
        state => state.map_or("unknown", AgreementState::word),
    };
    let object = json!({
        "agreement": id, "consumer": consumer, "provider": provider, "classes": covered, "purpose": purpose,
        "mint": agreement.mint.to_string(), "escrow": agreement.escrow.to_string(), "price": agreement.price,
        "deposited": agreement.deposited, "paid": agreement.paid, "settled": agreement.settled,
        "expires": agreement.expires, "state": state,
    });
    let cells = vec![
        id,
        consumer,
        provider,
        covered,
        purpose.into(),
        agreement.price.to_string(),
        agreement.deposited.to_string(),
        agreement.paid.to_string(),
        agreement.settled.to_string(),
        agreement.expires.to_string(),
        state.into(),
    ];
    (cells, object)
}
