//! Names of things, each of a type of its own, so that a record's id is never taken for a grant's. They are shown, read and
//! serialised as people write them: ids as 32 hex digits, a member as `INSTITUTION:MEMBER`, a wallet in base58.

use std::{fmt, str::FromStr};

use chartseal_program::seeds::{Id, NO_ID};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// A text that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAName {
    /// No id.
    #[error("'{0}' is no id: an id is 32 hex digits")]
    Id(String),
    /// The id that stands for none.
    #[error("the id of zeros stands for none")]
    Zeros,
    /// No member.
    #[error("'{0}' is no member: type INSTITUTION:MEMBER")]
    Member(String),
    /// No address.
    #[error("'{0}' is no address: an address is 32 bytes in base58")]
    Wallet(String),
}

/// Reads an id.
pub(crate) fn parse_id(text: &str) -> Result<Id, NotAName> {
    let mut id = NO_ID;
    hex::decode_to_slice(text, &mut id).map_err(|_| NotAName::Id(text.to_owned()))?;
    if id == NO_ID { Err(NotAName::Zeros) } else { Ok(id) }
}

/// Reads an address.
pub(crate) fn parse_address(text: &str) -> Result<[u8; 32], NotAName> {
    let mut address = [0; 32];
    match bs58::decode(text).onto(&mut address) {
        Ok(32) => Ok(address),
        _ => Err(NotAName::Wallet(text.to_owned())),
    }
}

/// Serialises a name as it is shown.
macro_rules! as_text {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Id);

        impl $name {
            /// The id in bytes.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0
            }

            /// What the ledger gave, which never is zeros.
            pub(super) const fn new(id: Id) -> Self {
                Self(id)
            }
        }

        impl TryFrom<[u8; 16]> for $name {
            type Error = NotAName;

            fn try_from(id: [u8; 16]) -> Result<Self, NotAName> {
                if id == NO_ID { Err(NotAName::Zeros) } else { Ok(Self(id)) }
            }
        }

        impl FromStr for $name {
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                parse_id(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        as_text!($name);
    )*};
}

ids! {
    /// A patient's id, 16 bytes.
    PatientId,
    /// A record's id, 16 bytes; it is unique for its patient.
    RecordId,
    /// A grant's id, 16 bytes; it is unique for its patient.
    GrantId,
    /// The id of a request for rights, 16 bytes; it is unique for its patient.
    RequestId,
    /// An institution's id, 16 bytes.
    InstitutionId,
}

/// A member of an institution. Shown as `INSTITUTION:MEMBER`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId {
    institution: InstitutionId,
    member: Id,
}

impl MemberId {
    pub(super) const fn new(institution: InstitutionId, member: Id) -> Self {
        Self { institution, member }
    }

    /// The member of these ids.
    ///
    /// # Errors
    /// [`NotAName::Zeros`].
    pub fn of(institution: [u8; 16], member: [u8; 16]) -> Result<Self, NotAName> {
        if member == NO_ID {
            return Err(NotAName::Zeros);
        }
        Ok(Self::new(institution.try_into()?, member))
    }

    /// Its institution.
    #[must_use]
    pub const fn institution(self) -> InstitutionId {
        self.institution
    }

    /// The ids of institution and member.
    #[must_use]
    pub const fn to_bytes(self) -> ([u8; 16], [u8; 16]) {
        (self.institution.0, self.member)
    }
}

impl FromStr for MemberId {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let (institution, member) = text.split_once(':').ok_or_else(|| NotAName::Member(text.to_owned()))?;
        Ok(Self::new(institution.parse()?, parse_id(member)?))
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.institution, hex::encode(self.member))
    }
}

as_text!(MemberId);

/// The address of somebody's wallet: an Ed25519 public key, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wallet([u8; 32]);

impl Wallet {
    /// The address in bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl From<[u8; 32]> for Wallet {
    fn from(address: [u8; 32]) -> Self {
        Self(address)
    }
}

impl FromStr for Wallet {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        parse_address(text).map(Self)
    }
}

impl fmt::Display for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(self.0).into_string())
    }
}

as_text!(Wallet);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_shown() {
        let (record, institution) = ("ab".repeat(16), "cd".repeat(16));
        assert_eq!(record.parse::<RecordId>().unwrap().to_string(), record);
        let member = format!("{institution}:{record}");
        assert_eq!(member.parse::<MemberId>().unwrap().to_string(), member);
        let wallet = Wallet::from([7; 32]);
        assert_eq!(wallet.to_string().parse::<Wallet>().unwrap(), wallet);
        assert_eq!(
            serde_json::to_string(&wallet).unwrap(),
            format!("\"{}\"", bs58::encode([7; 32]).into_string())
        );
        let read: MemberId = serde_json::from_str(&format!("\"{member}\"")).unwrap();
        assert_eq!(read.to_string(), member);
    }

    #[test]
    fn what_names_nothing_says_what_a_name_looks_like() {
        for wrong in ["", "ab", &"00".repeat(16), &"zz".repeat(16), &"ab".repeat(17)] {
            assert!(wrong.parse::<PatientId>().is_err(), "{wrong}");
            assert!(format!("{wrong}:{}", "ab".repeat(16)).parse::<MemberId>().is_err());
        }
        assert_eq!(PatientId::try_from([0; 16]).unwrap_err(), NotAName::Zeros);
        assert!(
            "ab".repeat(16)
                .parse::<MemberId>()
                .unwrap_err()
                .to_string()
                .contains("INSTITUTION:MEMBER")
        );
        assert!("0OIl".parse::<Wallet>().is_err());
        assert!(serde_json::from_str::<RecordId>("\"no\"").is_err());
    }
}
