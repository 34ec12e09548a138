//! Methods that read accounts.

use serde_json::{Value, json};
use solana_account::ReadableAccount;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_address::Address;
use solana_rpc_client_api::config::{RpcAccountInfoConfig, RpcProgramAccountsConfig};
use solana_rpc_client_api::filter::{Memcmp, RpcFilterType};
use solana_rpc_client_api::response::RpcKeyedAccount;

use super::encode::{account, size, to_json, with_context};
use super::error::RpcError;
use super::params::{ContextConfig, Params, check_context, parse_address};
use crate::ledger::Ledger;

/// The most accounts of one `getMultipleAccounts`, as with a validator.
const MAX_ACCOUNTS: usize = 100;

/// The most filters of one `getProgramAccounts`, as with a validator.
const MAX_FILTERS: usize = 4;

/// The longest account there can be, in bytes.
const MAX_ACCOUNT_LENGTH: usize = 10 << 20;

pub(crate) async fn get_account_info(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.address()?;
    let config: RpcAccountInfoConfig = params.config()?;
    let (slot, found) = ledger
        .run(move |chain| (chain.clock().slot(), chain.account(&address)))
        .await?;
    check_context(config.min_context_slot, slot)?;
    params.spend(found.iter().map(|found| size(found, config.data_slice)).sum())?;
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Binary);
    with_context(
        slot,
        found
            .map(|found| account(&found, encoding, config.data_slice))
            .transpose()?,
    )
}

pub(crate) async fn get_multiple_accounts(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let addresses: Vec<String> = params.required("addresses")?;
    let config: RpcAccountInfoConfig = params.config()?;
    if addresses.len() > MAX_ACCOUNTS {
        return Err(RpcError::invalid_params(format!(
            "Too many inputs provided; max {MAX_ACCOUNTS}"
        )));
    }
    let addresses = addresses
        .iter()
        .map(|a| parse_address(a))
        .collect::<Result<Vec<_>, _>>()?;
    let (slot, found) = ledger
        .run(move |chain| {
            let found: Vec<_> = addresses.iter().map(|address| chain.account(address)).collect();
            (chain.clock().slot(), found)
        })
        .await?;
    check_context(config.min_context_slot, slot)?;
    let sizes = found.iter().flatten().map(|found| size(found, config.data_slice));
    params.spend(sizes.sum())?;
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Base64);
    let encoded = found
        .iter()
        .map(|found| {
            found
                .as_ref()
                .map(|found| account(found, encoding, config.data_slice))
                .transpose()
        })
        .collect::<Result<Vec<_>, _>>()?;
    with_context(slot, encoded)
}

pub(crate) async fn get_program_accounts(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let program = params.address()?;
    let config: RpcProgramAccountsConfig = params.config()?;
    let filters = Filter::read(config.filters.unwrap_or_default())?;
    let (slot, mut found) = ledger
        .run(move |chain| {
            let found: Vec<_> = chain
                .accounts()
                .filter(|(_, account)| account.owner() == &program && Filter::all(&filters, account.data()))
                .map(|(address, account)| (*address, account.clone()))
                .collect();
            (chain.clock().slot(), found)
        })
        .await?;
    let account_config = config.account_config;
    check_context(account_config.min_context_slot, slot)?;
    let sizes = found.iter().map(|(_, found)| size(found, account_config.data_slice));
    params.spend(sizes.sum())?;
    // A validator sorts too unless told otherwise; here there is no reason ever not to.
    found.sort_unstable_by_key(|(address, _)| *address);
    let encoding = account_config.encoding.unwrap_or(UiAccountEncoding::Binary);
    let encoded = found
        .iter()
        .map(|(address, found)| {
            Ok(RpcKeyedAccount {
                pubkey: address.to_string(),
                account: account(found, encoding, account_config.data_slice)?,
            })
        })
        .collect::<Result<Vec<_>, RpcError>>()?;
    if config.with_context.unwrap_or_default() {
        with_context(slot, encoded)
    } else {
        to_json(encoded)
    }
}

pub(crate) async fn get_balance(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let address: Address = params.address()?;
    let config: ContextConfig = params.config()?;
    let (slot, lamports) = ledger
        .run(move |chain| (chain.clock().slot(), chain.balance(&address)))
        .await?;
    check_context(config.min_context_slot, slot)?;
    with_context(slot, lamports)
}

pub(crate) async fn get_minimum_balance(ledger: &Ledger, params: &mut Params) -> Result<Value, RpcError> {
    let length: usize = params.required("data_length")?;
    let _: ContextConfig = params.config()?;
    if length > MAX_ACCOUNT_LENGTH {
        return Err(RpcError::invalid_params(format!(
            "Invalid params: no account is longer than {MAX_ACCOUNT_LENGTH} bytes."
        )));
    }
    Ok(json!(ledger.run(move |chain| chain.rent_exempt(length)).await?))
}

/// A filter of `getProgramAccounts`, decoded once instead of for every account.
#[derive(Debug)]
enum Filter {
    DataSize(u64),
    Memcmp { offset: usize, bytes: Vec<u8> },
}

impl Filter {
    fn read(filters: Vec<RpcFilterType>) -> Result<Vec<Self>, RpcError> {
        if filters.len() > MAX_FILTERS {
            return Err(RpcError::invalid_params(format!(
                "Too many filters provided; max {MAX_FILTERS}"
            )));
        }
        filters
            .into_iter()
            .map(|filter| {
                filter
                    .verify()
                    .map_err(|e| RpcError::invalid_params(format!("Invalid param: {e}")))?;
                match filter {
                    RpcFilterType::DataSize(size) => Ok(Self::DataSize(size)),
                    RpcFilterType::Memcmp(memcmp) => Self::memcmp(&memcmp),
                    RpcFilterType::TokenAccountState => Err(RpcError::invalid_params(
                        "Invalid param: the sandbox has the filters dataSize and memcmp.",
                    )),
                }
            })
            .collect()
    }

    fn memcmp(memcmp: &Memcmp) -> Result<Self, RpcError> {
        let bytes = memcmp
            .bytes()
            .ok_or_else(|| RpcError::invalid_params("Invalid param: memcmp bytes"))?;
        Ok(Self::Memcmp {
            offset: memcmp.offset(),
            bytes: bytes.into_owned(),
        })
    }

    fn all(filters: &[Self], data: &[u8]) -> bool {
        filters.iter().all(|filter| match filter {
            Self::DataSize(size) => data.len() as u64 == *size,
            Self::Memcmp { offset, bytes } => data.get(*offset..).is_some_and(|rest| rest.starts_with(bytes)),
        })
    }
}
