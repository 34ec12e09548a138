//! `chartseal anonymous`, `tree`.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use chartseal_program::{membership::CAPACITY, vocabulary::Action};
use chartseal_zk::keys::{ProvingKey, VerifyingKey};
use serde_json::{Value, json};

use super::{
    args::{Anonymous, OfRecord, ReadAnonymously, Tree},
    caller::{Caller, off_thread},
    output::Output,
    patients::describe_keys,
    records::is_dash,
};
use crate::{
    keys::{InvitationSecret, KdfCost},
    ledger::AnonymousGrant,
    ops::{self, AnonymousGrantRequest, OpError, ReadingAnonymously, Step},
    store::{AtomicFile, Existing},
};

pub(super) async fn anonymous(command: Anonymous, caller: Caller, output: Output) -> Result<()> {
    match command {
        Anonymous::Invite { out } => off_thread(move || invite(&out, caller, output)).await?,
        Anonymous::Grant {
            of,
            invitation,
            rights,
            lasts,
            tree,
        } => {
            let session = caller.session().await?;
            let request = AnonymousGrantRequest {
                patient: of.patient,
                record: of.record,
                invitation,
                rights,
                expires: session.from_now(lasts).await?,
                tree: tree.tree,
            };
            let granted = session.grant_anonymously(&request).await?;
            let (tree, index, keys) = (hex::encode(granted.tree), granted.index, &granted.keys);
            output.say(
                &format!("grant {index} in tree {tree}, {}", describe_keys(keys)),
                &json!({
                    "tree": tree, "index": index, "signature": granted.signature, "wrapped": keys.wrapped,
                    "pending": keys.pending, "because": keys.because,
                }),
            );
        }
        Anonymous::List { of } => list(&of, &caller, output).await?,
        Anonymous::Revoke { of, index, tree } => {
            let session = caller.session().await?;
            let revoked = session
                .revoke_anonymous(&of.patient, &of.record, index, tree.tree)
                .await?;
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
        }
        Anonymous::Read(command) => read(*command, caller, output).await?,
    }
    Ok(())
}

pub(super) async fn tree(command: Tree, caller: Caller, output: Output) -> Result<()> {
    match command {
        Tree::Open => {
            let (id, receipt) = caller.session().await?.open_tree().await?;
            let (id, signature) = (hex::encode(id), receipt.signature.to_string());
            output.say(&format!("tree {id}"), &json!({ "tree": id, "signature": signature }));
        }
        Tree::List => {
            let trees = caller.ledger().grant_trees().await.map_err(OpError::from)?;
            let rows = trees.iter().map(|found| {
                let tree = &found.account;
                let (id, root) = (hex::encode(tree.id), hex::encode(tree.root()));
                let object = json!({
                    "tree": id, "leaves": tree.leaves, "room": CAPACITY, "number": tree.number, "root": root,
                });
                let cells = vec![id, tree.leaves.to_string(), tree.number.to_string(), root];
                (cells, object)
            });
            output.table(&["tree", "leaves", "root number", "root"], rows.collect());
        }
    }
    Ok(())
}

fn invite(out: &Path, caller: Caller, output: Output) -> Result<()> {
    let passphrase = caller.passphrase.choose("Passphrase for the new invitation")?;
    let secret = InvitationSecret::generate().map_err(OpError::from)?;
    let invitation = secret.public().map_err(OpError::from)?.to_string();
    secret
        .create(out, &passphrase, KdfCost::DEFAULT)
        .map_err(OpError::from)?;
    output.say(
        &format!(
            "{invitation}\nHand this text to the patient; {} stays with you",
            out.display()
        ),
        &json!({ "invitation": invitation, "out": out }),
    );
    Ok(())
}

async fn list(of: &OfRecord, caller: &Caller, output: Output) -> Result<()> {
    let session = caller.anonymous()?;
    let now = session.from_now(0).await?;
    let grants = session.anonymous_grants(&of.patient, &of.record).await?;
    let rows = grants.iter().map(|grant| row(grant, now)).collect();
    output.table(
        &["index", "tree", "rights", "until (unix)", "state", "one-time key"],
        rows,
    );
    Ok(())
}

fn row(grant: &AnonymousGrant, now: i64) -> (Vec<String>, Value) {
    let rights: Vec<_> = Action::ALL
        .iter()
        .filter(|right| grant.terms.rights & right.bit() != 0)
        .map(|right| right.word())
        .collect();
    let state = match grant.revoked_at {
        Some(_) => "revoked",
        None if grant.is_live(now) => "live",
        None => "expired",
    };
    let (tree, key) = (hex::encode(grant.tree), hex::encode(grant.terms.key));
    let object = json!({
        "index": grant.index, "tree": tree, "rights": rights, "expires": grant.terms.expires, "state": state,
        "made_at": grant.made_at, "revoked_at": grant.revoked_at, "key": key,
        "commitment": hex::encode(grant.terms.commitment),
    });
    let cells = vec![
        grant.index.to_string(),
        tree,
        rights.join(","),
        grant.terms.expires.to_string(),
        state.into(),
        key,
    ];
    (cells, object)
}

async fn read(command: ReadAnonymously, caller: Caller, output: Output) -> Result<()> {
    let Caller { globals, passphrase } = caller;
    let (invitation, key_file) = (
        command.invitation.clone(),
        globals.proving_key(command.proving_key.as_ref())?,
    );
    let (secret, key) = off_thread(move || {
        let passphrase = passphrase.ask("Passphrase of the invitation")?;
        let secret = InvitationSecret::load(&invitation, &passphrase).map_err(OpError::from)?;
        let verifying = VerifyingKey::of_contract().map_err(OpError::from)?;
        let key = ProvingKey::of_contract(&verifying, &key_file).map_err(OpError::from)?;
        Ok((secret, Arc::new(key)))
    })
    .await?;
    let reader = globals.anonymous_reader(key)?;
    let request = ops::ReadAnonymously {
        patient: command.of.patient,
        record: command.of.record,
        tree: command.tree.tree,
        range: command.range.clone(),
        counted: command.count,
    };
    let steps = output.tally("transactions of the tree");
    let tally = steps.tally();
    let step = |step| match step {
        Step::ReadingTree { done, of } => tally(done, of),
        Step::Proving | Step::Counting | Step::Asking => {}
    };
    let bar = output.progress(None);
    let progress = bar.callback();
    if is_dash(&command.out) {
        let mut out = tokio::io::stdout();
        reader.read(&secret, &request, &mut out, step, &progress).await?;
        return Ok(());
    }
    let existing = match command.force {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    let mut file = AtomicFile::create(&command.out, existing).map_err(OpError::from)?;
    let read = reader.read(&secret, &request, &mut file, step, &progress).await?;
    file.commit().await.map_err(OpError::from)?;
    drop((steps, bar));
    say_read(&read, &command.out, output);
    Ok(())
}

fn say_read(read: &ReadingAnonymously, out: &Path, output: Output) {
    let (opened, nullifier) = (&read.opened, hex::encode(read.nullifier));
    output.say(
        &format!(
            "{}: {} bytes of version {}, {}, as one of {} readers without a name; the entry is {nullifier}{}",
            out.display(),
            opened.written,
            read.version,
            opened.media_type,
            read.among,
            match &read.signature {
                Some(signature) => format!(", counted in transaction {signature}"),
                None => String::new(),
            }
        ),
        &json!({
            "out": out, "name": opened.name, "media_type": opened.media_type, "bytes": opened.written,
            "sha256": opened.sha256.map(hex::encode), "version": read.version, "nullifier": nullifier,
            "signature": read.signature, "among": read.among,
        }),
    );
}
