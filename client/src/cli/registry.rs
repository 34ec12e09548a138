//! `chartseal airdrop`, `registry`, `institution`, `member`.

use anyhow::Result;
use chartseal_program::vocabulary::Standing;
use serde_json::json;

use super::{
    args::{Institution, Member, Registry},
    caller::{Caller, Here},
    output::Output,
};
use crate::{ledger::Receipt, ops::OpError};

const LAMPORTS_PER_SOL: u64 = 1_000_000_000;

pub(super) async fn airdrop(sol: u32, caller: Caller, output: Output) -> Result<()> {
    let ledger = caller.ledger();
    let (identity, _) = caller.identity().await?;
    let lamports = u64::from(sol) * LAMPORTS_PER_SOL;
    let balance = ledger
        .airdrop(identity.wallet.address(), lamports)
        .await
        .map_err(OpError::from)?;
    output.say(
        &format!("balance {balance} lamports"),
        &json!({ "balance_lamports": balance }),
    );
    Ok(())
}

pub(super) async fn registry(command: &Registry, caller: Caller, output: Output) -> Result<()> {
    let receipt = match command {
        Registry::Show => {
            let registry = caller.ledger().registry().await.map_err(OpError::from)?;
            let (admin, paused) = (registry.admin.to_string(), registry.is_paused());
            let state = if paused { "paused" } else { "running" };
            output.say(
                &format!("admin {admin}, {state}"),
                &json!({ "admin": admin, "paused": paused }),
            );
            return Ok(());
        }
        Registry::Init { admin } => {
            let session = caller.session().await?;
            let own = session.identity().wallet.address();
            session.initialize(admin.unwrap_or(own)).await?
        }
        Registry::Pause => caller.session().await?.set_paused(true).await?,
        Registry::Resume => caller.session().await?.set_paused(false).await?,
        Registry::ProposeAdmin { wallet } => caller.session().await?.propose_admin(*wallet).await?,
        Registry::AcceptAdmin => caller.session().await?.accept_admin().await?,
    };
    done(&receipt, output);
    Ok(())
}

pub(super) async fn institution(command: &Institution, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let receipt = match command {
        Institution::Register { kind, authority, lasts } => {
            let expires = until(&session, *lasts).await?;
            let (id, receipt) = session.register_institution(*kind, *authority, expires).await?;
            let id = hex::encode(id);
            output.say(
                &format!("institution {id}\nIts authority has to accept: chartseal institution accept {id}"),
                &json!({ "institution": id, "signature": receipt.signature.to_string() }),
            );
            return Ok(());
        }
        Institution::Accept { institution } => session.accept_institution(institution).await?,
        Institution::Suspend { institution } => {
            session
                .set_institution_standing(institution, Standing::Suspended)
                .await?
        }
        Institution::Reinstate { institution } => session.reinstate_institution(institution).await?,
        Institution::Renew { institution, lasts } => {
            let expires = until(&session, *lasts).await?;
            session.renew_institution(institution, expires).await?
        }
        // Clap has seen to it that there is a wallet or the wish for none.
        Institution::ProposeAuthority {
            institution, wallet, ..
        } => session.propose_authority(institution, *wallet).await?,
        Institution::AcceptAuthority { institution } => session.accept_authority(institution).await?,
    };
    done(&receipt, output);
    Ok(())
}

pub(super) async fn member(command: &Member, caller: Caller, output: Output) -> Result<()> {
    let session = caller.session().await?;
    let receipt = match command {
        Member::Register {
            institution,
            wallet,
            role,
            lasts,
        } => {
            let expires = session.from_now(*lasts).await?;
            let (id, receipt) = session.register_member(institution, *wallet, *role, expires).await?;
            let (institution, id) = (hex::encode(institution), hex::encode(id));
            output.say(
                &format!("member {id}\nIts wallet has to accept: chartseal member accept {institution}:{id}"),
                &json!({ "member": id, "institution": institution, "signature": receipt.signature.to_string() }),
            );
            return Ok(());
        }
        Member::Accept {
            member: (institution, member),
        } => session.accept_membership(institution, member).await?,
        Member::Suspend {
            member: (institution, member),
        } => {
            session
                .set_member_standing(institution, member, Standing::Suspended)
                .await?
        }
        Member::Reinstate {
            member: (institution, member),
        } => session.reinstate_member(institution, member).await?,
        Member::Renew {
            member: (institution, member),
            lasts,
        } => {
            let expires = session.from_now(*lasts).await?;
            session.renew_member(institution, member, expires).await?
        }
        Member::EmergencyCredential {
            holds,
            member: (institution, member),
        } => {
            session
                .set_emergency_credential(institution, member, holds == "on")
                .await?
        }
    };
    done(&receipt, output);
    Ok(())
}

/// When an approval ends, in seconds since 1970.
async fn until(session: &Here, lasts: Option<i64>) -> Result<i64> {
    Ok(match lasts {
        Some(lasts) => session.from_now(lasts).await?,
        None => i64::MAX,
    })
}

pub(super) fn done(receipt: &Receipt, output: Output) {
    let (event, signature) = (receipt.event.name(), receipt.signature.to_string());
    output.say(
        &format!("{event} in transaction {signature}"),
        &json!({ "event": event, "signature": signature }),
    );
}
