//! What the ledger says about the past: the events of transactions, and a patient's whole log, checked link by link
//! against the head that stands on chain. It needs no indexer, only time.

use std::time::Instant;

use anchor_lang::event::EVENT_IX_TAG_LE;
use chartseal_program::{
    ID,
    events::AnyEvent,
    log::{Chain, ChainKind},
    seeds::{Id, address},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use solana_address::Address;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_rpc_client_api::config::RpcTransactionConfig;
use solana_signature::Signature;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, UiInstruction, UiTransactionEncoding,
    option_serializer::OptionSerializer,
};

use super::{Ledger, LedgerError, POLL};

/// Transactions that are fetched at once.
pub(super) const AT_ONCE: usize = 16;
/// Signatures that a node gives in one answer, at most.
pub(super) const PAGE: usize = 1_000;

/// An event, and where it stands.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The transaction.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// The event.
    pub event: AnyEvent,
}

/// A transaction, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) signature: Signature,
    pub(super) slot: u64,
    /// Seconds since 1970, as the cluster says.
    pub(super) block_time: Option<i64>,
}

/// A patient's log as the ledger tells it.
#[derive(Clone, Debug)]
pub struct PatientLog {
    /// Both logs' events, oldest first.
    pub events: Vec<Logged>,
    /// Where a chain does not hold, if anywhere.
    pub broken: Option<Broken>,
}

/// A chain that does not fit its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which chain.
    pub chain: ChainKind,
    /// The first link that is missing or altered.
    pub seq: u64,
}

impl Ledger {
    /// The events of a confirmed transaction of ours, of so many instructions. A node may not have it at hand at once, so it is asked
    /// until it does; it stands on chain whatever the node says.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] where no answer comes.
    pub(super) async fn events_of_ours(
        &self,
        signature: &Signature,
        instructions: usize,
    ) -> Result<Vec<AnyEvent>, LedgerError> {
        let since = Instant::now();
        loop {
            if let Ok((_, events)) = self.events_of(signature).await
                && events.len() == instructions
            {
                return Ok(events);
            }
            if since.elapsed() > self.patience {
                return Err(self.unknown(signature));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The events of a confirmed transaction, and its slot. None where it failed.
    pub(super) async fn events_of(&self, signature: &Signature) -> Result<(u64, Vec<AnyEvent>), LedgerError> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(self.rpc.commitment()),
            max_supported_transaction_version: Some(1),
        };
        let transaction = self
            .call(self.rpc.get_transaction_with_config(signature, config))
            .await?;
        Ok((
            transaction.slot,
            decode(&transaction).ok_or_else(|| malformed(signature))?,
        ))
    }

    /// What a transaction's programs said, as far as the node tells at once.
    pub(super) async fn logs_of(&self, signature: &Signature) -> Vec<String> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(self.rpc.commitment()),
            max_supported_transaction_version: Some(1),
        };
        let found = self.rpc.get_transaction_with_config(signature, config).await;
        match found.ok().and_then(|found| found.transaction.meta) {
            Some(meta) => Option::from(meta.log_messages).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// Everything that happened to a patient and everything that was refused, with both chains recomputed.
    ///
    /// # Errors
    /// [`LedgerError`]; a chain that does not hold is no error here but in the answer.
    pub async fn patient_log(&self, patient: &Id) -> Result<PatientLog, LedgerError> {
        // Heads first: what comes later may be in the events and not in them, never the other way round.
        let heads = [
            (ChainKind::Log, self.access_log(patient).await?.chain),
            (ChainKind::Refusals, self.refusal_log(patient).await?.chain),
        ];
        let signatures = self.signatures_of(&address::access_log(patient)).await?;
        let fetch = signatures.into_iter().map(|signature| async move {
            let (slot, events) = self.events_of(&signature).await?;
            Ok::<_, LedgerError>(events.into_iter().map(move |event| Logged { signature, slot, event }))
        });
        let fetched: Vec<_> = stream::iter(fetch).buffered(AT_ONCE).try_collect().await?;
        let mut events: Vec<Logged> = fetched
            .into_iter()
            .flatten()
            .filter(|logged| logged.event.link().subject == *patient)
            .collect();
        let broken = heads
            .into_iter()
            .find_map(|(kind, head)| check(kind, patient, &head, &events));
        events.sort_by_key(|logged| {
            (
                logged.event.link().at,
                logged.slot,
                logged.event.chain(),
                logged.event.link().seq,
            )
        });
        Ok(PatientLog { events, broken })
    }

    /// Transactions that name an address and did not fail, oldest first.
    pub(super) async fn signatures_of(&self, address: &Address) -> Result<Vec<Signature>, LedgerError> {
        let listed = self.listed(address).await?;
        Ok(listed.into_iter().map(|entry| entry.signature).collect())
    }

    /// The same with where each stands.
    pub(super) async fn listed(&self, address: &Address) -> Result<Vec<Standing>, LedgerError> {
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let config = GetConfirmedSignaturesForAddress2Config {
                before,
                until: None,
                limit: Some(PAGE),
                commitment: Some(self.rpc.commitment()),
            };
            let page = self
                .call(self.rpc.get_signatures_for_address_with_config(address, config))
                .await?;
            for entry in &page {
                let signature: Signature = entry.signature.parse().map_err(|_| LedgerError::Malformed {
                    what: format!("signature {}", entry.signature),
                })?;
                before = Some(signature);
                if entry.err.is_none() {
                    found.push(Standing {
                        signature,
                        slot: entry.slot,
                        block_time: entry.block_time,
                    });
                }
            }
            if page.len() < PAGE {
                found.reverse();
                return Ok(found);
            }
        }
    }
}

fn malformed(signature: &Signature) -> LedgerError {
    LedgerError::Malformed {
        what: format!("transaction {signature}"),
    }
}

/// The first link of a chain that the events do not bear out.
fn check(kind: ChainKind, subject: &Id, head: &Chain, events: &[Logged]) -> Option<Broken> {
    let mut links: Vec<_> = events
        .iter()
        .map(|logged| &logged.event)
        .filter(|event| event.chain() == kind)
        .collect();
    links.sort_by_key(|event| event.link().seq);
    let mut chain = Chain::begin(kind, subject);
    for event in links {
        let broken = Broken {
            chain: kind,
            seq: chain.seq + 1,
        };
        match chain.follow(kind, subject, event.link().seq, &event.encode()) {
            Some(next) => chain = next,
            None => return Some(broken),
        }
        if chain.seq == head.seq && chain.head != head.head {
            return Some(broken);
        }
    }
    (chain.seq < head.seq).then_some(Broken {
        chain: kind,
        seq: chain.seq + 1,
    })
}

/// The events in a transaction: calls of the program to itself that carry Anchor's tag and the event authority.
fn decode(transaction: &EncodedConfirmedTransactionWithStatusMeta) -> Option<Vec<AnyEvent>> {
    let meta = transaction.transaction.meta.as_ref()?;
    if meta.err.is_some() {
        return Some(Vec::new());
    }
    let message = transaction.transaction.transaction.decode()?.message;
    let mut keys: Vec<Address> = message.static_account_keys().to_vec();
    if let OptionSerializer::Some(loaded) = &meta.loaded_addresses {
        for key in loaded.writable.iter().chain(&loaded.readonly) {
            keys.push(key.parse().ok()?);
        }
    }
    let OptionSerializer::Some(inner) = &meta.inner_instructions else {
        return Some(Vec::new());
    };
    let authority = address::event_authority();
    let mut events = Vec::new();
    for instruction in inner.iter().flat_map(|outer| &outer.instructions) {
        let UiInstruction::Compiled(instruction) = instruction else {
            return None;
        };
        let key = |index: u8| keys.get(usize::from(index));
        if key(instruction.program_id_index) != Some(&ID) || instruction.accounts.len() != 1 {
            continue;
        }
        if instruction.accounts.first().and_then(|index| key(*index)) != Some(&authority) {
            continue;
        }
        let data = bs58::decode(&instruction.data).into_vec().ok()?;
        if let Some(event) = data.strip_prefix(EVENT_IX_TAG_LE) {
            events.push(AnyEvent::decode(event).ok()?);
        }
    }
    Some(events)
}
