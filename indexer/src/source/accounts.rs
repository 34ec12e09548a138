//! Accounts as they are on the ledger, asked for by address, with the slot in which the node read them.

use anchor_lang::{Discriminator, prelude::Address};
use bytemuck::AnyBitPattern;
use serde_json::json;
use solana_account_decoder_client_types::UiAccount;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client_api::{
    request::RpcRequest,
    response::{OptionalContext, Response, RpcKeyedAccount},
};

use super::{RpcSource, SourceError, rpc::bytes};

/// Addresses that a node takes in one question.
const AT_ONCE: usize = 100;

/// An account at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAccount {
    /// The slot in which it was read.
    pub slot: u64,
    /// What it holds; nothing where there is no such account.
    pub data: Option<Vec<u8>>,
}

impl RpcSource {
    /// Accounts in the order of their addresses. Up to a hundred of them are read in one slot.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn accounts(
        &self,
        addresses: &[Address],
        commitment: CommitmentConfig,
    ) -> Result<Vec<ReadAccount>, SourceError> {
        let mut read = Vec::with_capacity(addresses.len());
        for part in addresses.chunks(AT_ONCE) {
            let texts: Vec<String> = part.iter().map(ToString::to_string).collect();
            let config = json!({ "encoding": "base64", "commitment": commitment.commitment });
            let answer: Response<Vec<Option<UiAccount>>> = self
                .ask(RpcRequest::GetMultipleAccounts, json!([texts, config]))
                .await?;
            if answer.value.len() != part.len() {
                return Err(SourceError::Nonsense("another number of accounts".to_owned()));
            }
            for (account, address) in answer.value.into_iter().zip(&texts) {
                let data = account.map(|account| {
                    let data = account.data.decode();
                    data.ok_or_else(|| SourceError::Nonsense(format!("account {address}")))
                });
                read.push(ReadAccount {
                    slot: answer.context.slot,
                    data: data.transpose()?,
                });
            }
        }
        Ok(read)
    }

    /// Every account of a kind, with its address.
    ///
    /// # Errors
    /// Where the node does not answer, has not reached `at_least`, or an account is not of its kind's size.
    pub async fn program_accounts<T: AnyBitPattern + Discriminator>(
        &self,
        at_least: u64,
    ) -> Result<Vec<(Address, T)>, SourceError> {
        let config = json!({
            "encoding": "base64",
            "commitment": self.commitment().config().commitment,
            "minContextSlot": at_least,
            "filters": [{ "memcmp": {
                "offset": 0,
                "bytes": bs58::encode(T::DISCRIMINATOR).into_string(),
                "encoding": "base58",
            } }],
        });
        let accounts: OptionalContext<Vec<RpcKeyedAccount>> = self
            .ask(
                RpcRequest::GetProgramAccounts,
                json!([chartseal_program::ID.to_string(), config]),
            )
            .await?;
        let read = |account: RpcKeyedAccount| {
            let wrong = || SourceError::Nonsense(format!("account {}", account.pubkey));
            let address: [u8; 32] = bytes(&account.pubkey).ok_or_else(wrong)?;
            let data = account.account.data.decode().ok_or_else(wrong)?;
            let fields = data.strip_prefix(T::DISCRIMINATOR).ok_or_else(wrong)?;
            let account = bytemuck::try_pod_read_unaligned(fields).map_err(|_| wrong())?;
            Ok((Address::new_from_array(address), account))
        };
        accounts.parse_value().into_iter().map(read).collect()
    }

    /// The hash of the cluster's first block, which names the cluster.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn genesis_hash(&self) -> Result<[u8; 32], SourceError> {
        let text: String = self.ask(RpcRequest::GetGenesisHash, json!([])).await?;
        bytes(&text).ok_or_else(|| SourceError::Nonsense(format!("genesis hash {text:?}")))
    }
}
