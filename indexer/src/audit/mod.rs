//! Writes a patient's, an institution's or the registry's log into one file that proves itself (see `chartseal-audit`).
//!
//! The events come from the database and the chains' heads from the ledger, where they are final: a file is written only
//! where the one leads to the other, so a database that lacks an event, or has one too many, gives none.

mod rows;

use std::collections::BTreeSet;

use anchor_lang::prelude::Address;
use chartseal_audit::{Audit, CheckError, ExportedChain, Frontier, Mentions, Placed, SigningKey, Subject};
use chartseal_program::{
    events::AnyEvent,
    log::{Chain, ChainKind},
    seeds::{Id, NO_ID},
};
use solana_commitment_config::CommitmentConfig;
use sqlx::{Connection, PgConnection};

use crate::{
    Error,
    sink::{Position, connect},
    source::{Commitment, Limits, RpcSource, head_in},
    verify::require_readable,
};

/// How often a database that is behind is looked at again, and how long to wait in between.
const ATTEMPTS: u32 = 5;
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(400);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Indexer(#[from] Error),
    #[error("the ledger has no {} of this id: is it another cluster's?", .0.word())]
    NoSuch(Subject),
    #[error("chain {chain} of {subject}: the log names it, and the RPC node does not have it: it is behind, try again")]
    NotThere { chain: &'static str, subject: String },
    #[error("nothing was indexed into this database yet: run the indexer first")]
    Empty,
    #[error(
        "chain {chain} of {subject}: the ledger has {there} events, the database {here}. Run the indexer and try again; where it has read them all, `chartseal-indexer verify` says what is missing"
    )]
    Behind {
        chain: &'static str,
        subject: String,
        here: u64,
        there: u64,
    },
    #[error("the database does not bear out what the ledger says: {0}. Run `chartseal-indexer verify`")]
    Broken(#[from] CheckError),
}

impl From<crate::sink::SinkError> for ExportError {
    fn from(error: crate::sink::SinkError) -> Self {
        Self::Indexer(error.into())
    }
}

impl From<crate::source::SourceError> for ExportError {
    fn from(error: crate::source::SourceError) -> Self {
        Self::Indexer(error.into())
    }
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Indexer(error.into())
    }
}

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Exported {
    pub bytes: Vec<u8>,
    /// How many chains and events are in it.
    pub chains: usize,
    pub events: usize,
    /// SHA-256 over the file's content, which names it.
    pub digest: [u8; 32],
}

/// Writes the log of `subject` into a file, signed where there is a key.
///
/// # Errors
/// [`ExportError`]; above all where database and ledger do not agree.
pub async fn export(
    rpc: &str,
    database: &str,
    subject: Subject,
    key: Option<&SigningKey>,
) -> Result<Exported, ExportError> {
    let source = RpcSource::new(rpc, Limits::default(), Commitment::Confirmed);
    let mut connection = connect(database).await?;
    require_readable(&mut connection).await?;
    let mut attempt = 1;
    let audit = loop {
        let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        let outcome = collect(&source, &mut snapshot, subject).await;
        snapshot.rollback().await?;
        match outcome {
            Err(ExportError::Behind { .. } | ExportError::NotThere { .. }) if attempt < ATTEMPTS => {
                tokio::time::sleep(PATIENCE).await;
            }
            outcome => break outcome?,
        }
        attempt += 1;
    };
    let bytes = chartseal_audit::write(&audit, key)?;
    // Nothing leaves that does not hold: whoever gets it would take the database's fault for a forgery.
    let checked = chartseal_audit::check(&bytes, None)?;
    Ok(Exported {
        bytes,
        chains: audit.chains.len(),
        events: audit.chains.iter().map(|chain| chain.events.len()).sum(),
        digest: checked.digest,
    })
}

async fn collect(source: &RpcSource, snapshot: &mut PgConnection, subject: Subject) -> Result<Audit, ExportError> {
    // The database first and the ledger after it: then a head can be ahead of us, and is behind only where it is not
    // final yet.
    let checkpoint = Position::read(snapshot).await?.frontier().ok_or(ExportError::Empty)?;
    let own = final_chains(source, snapshot, subject.chains()).await;
    let mut exported = own.map_err(|error| match error {
        ExportError::NotThere { .. } => ExportError::NoSuch(subject),
        error => error,
    })?;
    // Only those that are named by what is final: others may not be there yet.
    let others = others(snapshot, &subject, &exported).await?;
    exported.extend(final_chains(source, snapshot, others).await?);
    let genesis_hash = source.genesis_hash().await?;
    Ok(Audit {
        program: chartseal_program::ID.to_bytes(),
        genesis_hash,
        exported_at: now(),
        frontier: Frontier {
            signature: checkpoint.signature,
            slot: checkpoint.slot,
        },
        subject,
        chains: exported,
    })
}

/// These chains as far as they are final.
async fn final_chains(
    source: &RpcSource,
    snapshot: &mut PgConnection,
    keys: impl IntoIterator<Item = (ChainKind, Id)>,
) -> Result<Vec<ExportedChain>, ExportError> {
    let mut chains = Vec::new();
    for (kind, id) in keys {
        chains.push((kind, id, rows::of_chain(snapshot, kind, &id).await?));
    }
    let addresses: Vec<Address> = chains
        .iter()
        .map(|(kind, id, _)| Address::new_from_array(ExportedChain::account_of(*kind, id)))
        .collect();
    let accounts = source.accounts(&addresses, CommitmentConfig::finalized()).await?;
    let chains = chains.into_iter().zip(accounts).map(|((kind, id, events), account)| {
        let head = account.data.as_deref().and_then(head_in);
        let head = head
            .filter(|head| (head.kind, head.subject) == (kind, id))
            .ok_or_else(|| ExportError::NotThere {
                chain: kind.word(),
                subject: hex::encode(id),
            })?;
        cut(kind, &id, account.slot, head.chain, events)
    });
    chains.collect()
}

/// A chain up to its head: what the database has beyond it is not final yet.
fn cut(
    kind: ChainKind,
    subject: &Id,
    slot: u64,
    head: Chain,
    mut events: Vec<Placed>,
) -> Result<ExportedChain, ExportError> {
    let here = events.len() as u64;
    if here < head.seq {
        return Err(ExportError::Behind {
            chain: kind.word(),
            subject: hex::encode(subject),
            here,
            there: head.seq,
        });
    }
    events.truncate(usize::try_from(head.seq).unwrap_or(usize::MAX));
    Ok(ExportedChain {
        kind: ExportedChain::kind_byte(kind),
        subject: *subject,
        account: ExportedChain::account_of(kind, subject),
        slot,
        seq: head.seq,
        head: head.head,
        events,
    })
}

/// The chains that say who the others are: the registry's, and those of the institutions that the log names.
async fn others(
    snapshot: &mut PgConnection,
    subject: &Subject,
    chains: &[ExportedChain],
) -> Result<BTreeSet<(ChainKind, Id)>, ExportError> {
    let mut institutions = BTreeSet::new();
    let mut accounts = BTreeSet::new();
    for placed in chains.iter().flat_map(|chain| &chain.events) {
        // What is no event is found when the chain is checked.
        let Ok(event) = AnyEvent::decode(&placed.body) else {
            continue;
        };
        let mentions = Mentions::of(&event);
        institutions.extend(mentions.institutions);
        accounts.extend(mentions.accounts.iter().map(Address::to_bytes));
    }
    institutions.extend(rows::institutions_of(snapshot, &accounts).await?);
    let mut keys: BTreeSet<_> = institutions
        .into_iter()
        .map(|id| (ChainKind::Institution, id))
        .collect();
    keys.insert((ChainKind::Registry, NO_ID));
    for own in subject.chains() {
        keys.remove(&own);
    }
    Ok(keys)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
