//! The chains' heads as the ledger keeps them, in the accounts of the registry, institutions, patients and trees.

use std::mem::{offset_of, size_of};

use anchor_lang::Discriminator;
use chartseal_program::{
    log::{Chain, ChainKind},
    seeds::{Id, NO_ID},
    state::{AccessLog, GrantTree, Institution, RefusalLog, Registry},
};
use serde_json::json;
use solana_rpc_client_api::{
    request::RpcRequest,
    response::{OptionalContext, RpcKeyedAccount},
};

use super::{RpcSource, SourceError};

/// Where a chain stands on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub kind: ChainKind,
    pub subject: Id,
    pub chain: Chain,
}

/// Where an account keeps its chain, and whose it is.
struct Layout {
    kind: ChainKind,
    discriminator: &'static [u8],
    /// Offset of the subject's id behind the discriminator; nothing for the registry, which has none.
    subject: Option<usize>,
    chain: usize,
}

impl Layout {
    const ALL: [Self; 5] = [
        Self {
            kind: ChainKind::Registry,
            discriminator: Registry::DISCRIMINATOR,
            subject: None,
            chain: offset_of!(Registry, chain),
        },
        Self {
            kind: ChainKind::Institution,
            discriminator: Institution::DISCRIMINATOR,
            subject: Some(offset_of!(Institution, id)),
            chain: offset_of!(Institution, chain),
        },
        Self {
            kind: ChainKind::Log,
            discriminator: AccessLog::DISCRIMINATOR,
            subject: Some(offset_of!(AccessLog, patient)),
            chain: offset_of!(AccessLog, chain),
        },
        Self {
            kind: ChainKind::Refusals,
            discriminator: RefusalLog::DISCRIMINATOR,
            subject: Some(offset_of!(RefusalLog, patient)),
            chain: offset_of!(RefusalLog, chain),
        },
        Self {
            kind: ChainKind::Tree,
            discriminator: GrantTree::DISCRIMINATOR,
            subject: Some(offset_of!(GrantTree, id)),
            chain: offset_of!(GrantTree, chain),
        },
    ];

    /// How much of the account has all that is needed.
    fn length(&self) -> usize {
        self.discriminator.len() + self.chain + size_of::<Chain>()
    }

    fn read(&self, data: &[u8]) -> Option<Head> {
        let fields = data.strip_prefix(self.discriminator)?;
        let subject = match self.subject {
            Some(offset) => fields.get(offset..offset + size_of::<Id>())?.try_into().ok()?,
            None => NO_ID,
        };
        let chain = fields.get(self.chain..self.chain + size_of::<Chain>())?;
        Some(Head {
            kind: self.kind,
            subject,
            chain: bytemuck::pod_read_unaligned(chain),
        })
    }
}

/// The head that an account keeps, if it keeps one.
pub(crate) fn head_in(data: &[u8]) -> Option<Head> {
    Layout::ALL.iter().find_map(|layout| layout.read(data))
}

impl RpcSource {
    /// Every chain that the ledger has, with its head. Chains without a link are left out: they say nothing.
    ///
    /// # Errors
    /// Where the node does not answer, or has not reached `at_least`.
    pub async fn heads(&self, at_least: u64) -> Result<Vec<Head>, SourceError> {
        let mut heads = Vec::new();
        for layout in &Layout::ALL {
            let config = json!({
                "encoding": "base64",
                "commitment": self.commitment().config().commitment,
                "minContextSlot": at_least,
                "dataSlice": { "offset": 0, "length": layout.length() },
                "filters": [{ "memcmp": {
                    "offset": 0,
                    "bytes": bs58::encode(layout.discriminator).into_string(),
                    "encoding": "base58",
                } }],
            });
            let accounts: OptionalContext<Vec<RpcKeyedAccount>> = self
                .ask(
                    RpcRequest::GetProgramAccounts,
                    json!([chartseal_program::ID.to_string(), config]),
                )
                .await?;
            for account in accounts.parse_value() {
                let head = account.account.data.decode().and_then(|data| layout.read(&data));
                let head = head.ok_or_else(|| SourceError::Nonsense(format!("account {}", account.pubkey)))?;
                if head.chain.seq > 0 {
                    heads.push(head);
                }
            }
        }
        Ok(heads)
    }
}
