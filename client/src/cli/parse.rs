//! From typed words to values, with errors that say what was expected.

use std::ops::Range;

use chartseal_program::seeds::Id;

use crate::client::{parse_address, parse_id};
use crate::keys::{Invitation, InvitationError};
use crate::ledger::Commitment;
use crate::ops::{AgreementId, Grantee, WalletAndKey};
use crate::store::Price;

/// Winston in an AR, as digits after the point.
const AR_DIGITS: usize = 12;

/// An id: 32 hex digits.
pub(super) fn id(text: &str) -> Result<Id, String> {
    parse_id(text).map_err(|error| error.to_string())
}

/// An address, in base58.
pub(super) fn address(text: &str) -> Result<[u8; 32], String> {
    parse_address(text).map_err(|error| error.to_string())
}

/// When answers are believed.
pub(super) fn commitment(text: &str) -> Result<Commitment, String> {
    match text {
        "confirmed" => Ok(Commitment::Confirmed),
        "finalized" => Ok(Commitment::Finalized),
        _ => Err(format!("'{text}' is no commitment: type confirmed or finalized")),
    }
}

/// `INSTITUTION:MEMBER`.
pub(super) fn member(text: &str) -> Result<(Id, Id), String> {
    let (institution, member) = text
        .split_once(':')
        .ok_or_else(|| format!("'{text}' is no member: type INSTITUTION:MEMBER"))?;
    Ok((id(institution)?, id(member)?))
}

/// `INSTITUTION:BATCH`.
pub(super) fn batch(text: &str) -> Result<(Id, Id), String> {
    let (institution, batch) = text
        .split_once(':')
        .ok_or_else(|| format!("'{text}' is no batch: type INSTITUTION:BATCH"))?;
    Ok((id(institution)?, id(batch)?))
}

/// `CONSUMER:AGREEMENT`.
pub(super) fn agreement(text: &str) -> Result<AgreementId, String> {
    let (consumer, agreement) = text
        .split_once(':')
        .ok_or_else(|| format!("'{text}' is no agreement: type CONSUMER:AGREEMENT"))?;
    Ok(AgreementId {
        consumer: id(consumer)?,
        agreement: id(agreement)?,
    })
}

/// `member:INSTITUTION:MEMBER`, `institution:ID` or `person:WALLET[:KEY]`.
pub(super) fn grantee(text: &str) -> Result<Grantee, String> {
    let wrong = || format!("'{text}': type member:INSTITUTION:MEMBER, institution:ID or person:WALLET[:X25519-KEY]");
    let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
    match kind {
        "member" => member(rest).map(|(institution, member)| Grantee::Member { institution, member }),
        "institution" => id(rest).map(Grantee::Institution),
        "person" => {
            let (wallet, key) = match rest.split_once(':') {
                Some((wallet, key)) => (wallet, Some(public_key(key)?)),
                None => (rest, None),
            };
            Ok(Grantee::Person {
                wallet: address(wallet)?,
                key,
            })
        }
        _ => Err(wrong()),
    }
}

/// `WALLET:KEY`.
pub(super) fn wallet_and_key(text: &str) -> Result<WalletAndKey, String> {
    let (wallet, key) = text
        .split_once(':')
        .ok_or_else(|| format!("'{text}': type WALLET:X25519-KEY, as `chartseal keys show` gives them"))?;
    Ok(WalletAndKey {
        wallet: address(wallet)?,
        key: public_key(key)?,
    })
}

/// An invitation to be granted something without a name.
pub(super) fn invitation(text: &str) -> Result<Invitation, String> {
    text.parse().map_err(|error: InvitationError| error.to_string())
}

fn public_key(text: &str) -> Result<[u8; 32], String> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).map_err(|_| format!("'{text}' is no key: a key is 64 hex digits"))?;
    Ok(key)
}

/// A length of time in seconds: a number and s, m, h or d.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no length of time: type for example 90m, 12h or 30d");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = text
        .get(..text.len() - 1)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(wrong)
}

/// `START..END`, in bytes.
pub(super) fn range(text: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("'{text}' is no range: type START..END, for example 1000..2000");
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    let range = start.parse().map_err(|_| wrong())?..end.parse().map_err(|_| wrong())?;
    if range.start < range.end {
        Ok(range)
    } else {
        Err(wrong())
    }
}

/// One of a vocabulary's words.
pub(super) fn word<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    word: fn(T) -> &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        all.iter().copied().find(|one| word(*one) == text).ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|one| word(*one)).collect();
            format!("'{text}' is none of: {}", words.join(", "))
        })
    }
}

/// An amount of AR, `0.25` for example.
pub(super) fn ar(text: &str) -> Result<Price, String> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let winston = (digits(whole) && digits(rest) && rest.len() <= AR_DIGITS)
        .then(|| format!("{whole}{rest:0<AR_DIGITS$}").parse().ok())
        .flatten();
    winston
        .map(|winston| Price { winston })
        .ok_or_else(|| format!("'{text}' is no amount of AR: type 0.25, with up to {AR_DIGITS} digits after the point"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_hex_and_not_zero() {
        assert_eq!(id(&"ab".repeat(16)).unwrap(), [0xAB; 16]);
        for wrong in ["", "ab", &"00".repeat(16), &"zz".repeat(16), &"ab".repeat(17)] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units_and_do_not_overflow() {
        assert_eq!(duration("90m").unwrap(), 5_400);
        assert_eq!(duration("30d").unwrap(), 2_592_000);
        for wrong in ["", "d", "30", "-1d", "0s", "1y", "9223372036854775807d", "ü"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn grantees_are_of_three_kinds() {
        let (a, b) = ("ab".repeat(16), "cd".repeat(16));
        assert!(matches!(
            grantee(&format!("member:{a}:{b}")).unwrap(),
            Grantee::Member { .. }
        ));
        assert!(matches!(
            grantee(&format!("institution:{a}")).unwrap(),
            Grantee::Institution(_)
        ));
        let wallet = bs58::encode([7; 32]).into_string();
        assert!(matches!(
            grantee(&format!("person:{wallet}")).unwrap(),
            Grantee::Person { key: None, .. }
        ));
        let key = "09".repeat(32);
        assert!(matches!(
            grantee(&format!("person:{wallet}:{key}")).unwrap(),
            Grantee::Person { key: Some(_), .. }
        ));
        for wrong in ["", "person", "member:", "doctor:1", "institution:zz"] {
            assert!(grantee(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_guardian_is_a_wallet_and_a_key() {
        let (wallet, key) = (bs58::encode([7; 32]).into_string(), "09".repeat(32));
        let parsed = wallet_and_key(&format!("{wallet}:{key}")).unwrap();
        assert_eq!((parsed.wallet, parsed.key), ([7; 32], [9; 32]));
        for wrong in [
            String::new(),
            wallet.clone(),
            format!("{wallet}:"),
            format!("{key}:{wallet}"),
        ] {
            assert!(wallet_and_key(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_amount_of_ar_is_exact_to_the_last_winston() {
        for (text, winston) in [
            ("1", 1_000_000_000_000),
            ("0.5", 500_000_000_000),
            ("0", 0),
            ("2.000000000001", 2_000_000_000_001),
        ] {
            assert_eq!(ar(text).unwrap(), Price { winston }, "{text}");
        }
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1 AR",
            "0.0000000000001",
            "1.2.3",
            "99999999999999999999999999999",
        ] {
            assert!(ar(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_are_not_empty() {
        assert_eq!(range("0..5").unwrap(), 0..5);
        for wrong in ["5..5", "6..5", "..5", "5..", "a..b", "5"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
