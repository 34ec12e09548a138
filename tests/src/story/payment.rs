//! An insurance pays a hospital for a record that the patient lets it read.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{cast::Cast, steps::is_failure};
use crate::{
    money::{CLASSIC, Money},
    report::Report,
};

/// In smallest units of the token.
const PURSE: u64 = 10_000;
const DEPOSIT: u64 = 1_000;
const PRICE: u64 = 250;

/// The insurance deposits, pays once and gets the rest back.
pub(super) async fn agreement(cast: &Cast, report: &Report) -> Result<()> {
    report.chapter("Paying: access and settlement in one transaction, the rest goes back");
    let (insurance, insurer, id) = (&cast.insurance.authority, &cast.insurance.member, &cast.patient_id);
    let mr = &cast.files[1];
    let wallet = insurance.does(&["keys", "show"])?.text("wallet")?;
    let money = Money::mint(insurance, &cast.stack.endpoints().rpc, CLASSIC, None).await?;
    money.pour(&wallet, PURSE).await?;
    let (price, deposit, mint) = (PRICE.to_string(), DEPOSIT.to_string(), money.address());
    let proposed = insurance.does(&[
        "agreement",
        "propose",
        "--provider",
        &cast.hospital.id,
        "--mint",
        &mint,
        "--classes",
        "1",
        "--purpose",
        "payment",
        "--price",
        &price,
    ])?;
    let agreement = proposed.text("agreement")?;
    let named = format!("{}:{agreement}", cast.insurance.id);
    cast.hospital.authority.does(&["agreement", "accept", &named])?;
    insurance.does(&["agreement", "fund", &named, "--amount", &deposit])?;
    report.step(
        "agreement",
        &format!("insurance and hospital agree on {PRICE} tokens a record; the insurance puts {DEPOSIT} into escrow"),
        &json!({ "agreement": agreement, "price": PRICE, "deposit": DEPOSIT }),
    );

    let asked = ["request", id, "--record", &mr.record, "--purposes", "payment"];
    let request = insurer.does(&asked)?.text("request")?;
    cast.patient.does(&["decide", "approve", id, &request])?;
    report.step(
        "approve",
        "money gives no right: the insurer asks for the MR, and the patient approves",
        &json!({ "request": request }),
    );
    let basis = cast.opens(insurer, mr, &["--pay", &agreement, "--request", &request])?;
    let listed = insurance.does(&["agreement", "list", &cast.insurance.id])?;
    let listed = listed.objects.first().context("no agreement is listed")?;
    ensure!(listed["paid"] == PRICE, "{} were paid", listed["paid"]);
    report.step(
        "pay",
        "the insurer opens the MR and pays for it in the same transaction",
        &json!({ "file": mr.title, "basis": basis, "paid": PRICE }),
    );
    let again = [
        "agreement",
        "settle",
        &agreement,
        "--patient",
        id,
        "--request",
        &request,
    ];
    is_failure(&insurer.types(&again)?, "paid for before").context("settling the same version twice")?;
    report.step(
        "settle-twice",
        "a second settlement of the same version fails",
        &json!({ "exit_code": 1 }),
    );

    insurance.does(&["agreement", "close", &named])?;
    let escrow = listed["escrow"].as_str().context("the agreement names no escrow")?;
    let hospital = cast.hospital.authority.does(&["keys", "show"])?.text("wallet")?;
    let balances = (
        money.balance_at(escrow).await?,
        money.balance(&wallet).await?,
        money.balance(&hospital).await?,
    );
    ensure!(
        balances == (None, Some(PURSE - PRICE), Some(PRICE)),
        "escrow, insurance and hospital have {balances:?}"
    );
    let rest = DEPOSIT - PRICE;
    report.step(
        "close",
        &format!("closing the agreement returns {rest} tokens; the hospital has its {PRICE}"),
        &json!({ "returned": rest, "hospital": PRICE }),
    );
    Ok(())
}
