//! The chain's clock. Whatever expires does so by it, not by this machine's: a grant that the contract still honours must
//! not be passed over because a clinic's clock is fast, nor one be claimed that ended because it is slow.

use solana_address::Address;

use super::{Ledger, LedgerError};

/// The account that says what time it is.
const CLOCK: Address = Address::from_str_const("SysvarC1ock11111111111111111111111111111111");

/// Where it says the time: after slot, start of the epoch, epoch and epoch of the leader schedule, eight bytes each.
const UNIX_TIMESTAMP: usize = 32;

impl Ledger {
    /// What time it is, in seconds since 1970.
    ///
    /// # Errors
    /// [`LedgerError::Unreachable`], [`LedgerError::Malformed`].
    pub async fn now(&self) -> Result<i64, LedgerError> {
        let answer = self
            .ask_again(|| self.rpc.get_account_with_commitment(&CLOCK, self.rpc.commitment()))
            .await?;
        let account = answer
            .value
            .ok_or_else(|| LedgerError::NotFound { what: "clock".into() })?;
        unix_timestamp(&account.data).ok_or_else(|| LedgerError::Malformed {
            what: "the clock".into(),
        })
    }
}

fn unix_timestamp(clock: &[u8]) -> Option<i64> {
    let bytes = clock.get(UNIX_TIMESTAMP..)?.first_chunk()?;
    Some(i64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_the_last_of_the_clocks_five_numbers() {
        let clock: Vec<u8> = [1_i64, 2, 3, 4, -5]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        assert_eq!(unix_timestamp(&clock), Some(-5));
        assert_eq!(unix_timestamp(&clock[..39]), None, "a clock that was cut tells no time");
    }
}
