//! The stores that a record's bytes go to: one, or several of which any few are enough. With several, each shard is cut
//! into pieces by an erasure code, one piece for each store, and the manifest is kept whole at all of them.

use std::collections::HashSet;

use thiserror::Error;

use super::{BlobStore, Code, ErasureError};

/// Stores that do not go together as they were named.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoresError {
    /// None was named.
    #[error("no store is named; name one, or several and how to spread over them")]
    None,
    /// One was named twice.
    #[error("store {name} is named twice; to lose one of several they must be different stores")]
    Twice {
        /// Its name.
        name: String,
    },
    /// The code has another number of pieces than there are stores.
    #[error(
        "to spread {code} takes {needed} stores, one for each piece, and {given} are named; name as many, in the \
         order in which they were named when the record was stored"
    )]
    AnotherNumber {
        /// The code.
        code: Code,
        /// Its pieces.
        needed: usize,
        /// The stores.
        given: usize,
    },
    /// The code is none.
    #[error(transparent)]
    Code(#[from] ErasureError),
}

/// Stores that keep records together.
#[derive(Debug, Clone)]
pub struct Stores<S> {
    members: Vec<S>,
    code: Code,
}

impl<S: BlobStore> Stores<S> {
    /// A single store.
    #[must_use]
    pub fn one(store: S) -> Self {
        Self {
            members: vec![store],
            code: Code::ONE,
        }
    }

    /// Stores that shards are spread over by this code: piece `i` of each goes to member `i`.
    ///
    /// # Errors
    /// [`StoresError::None`], and [`StoresError::AnotherNumber`] where the code has more or fewer pieces than there are
    /// stores.
    pub fn spread(members: Vec<S>, code: Code) -> Result<Self, StoresError> {
        code.checked()?;
        if members.is_empty() {
            return Err(StoresError::None);
        }
        if members.len() != code.pieces() {
            return Err(StoresError::AnotherNumber {
                code,
                needed: code.pieces(),
                given: members.len(),
            });
        }
        Ok(Self { members, code })
    }

    /// Stores that each have a whole copy.
    ///
    /// # Errors
    /// [`StoresError::None`] without any, [`StoresError::Code`] with more than 64.
    pub fn copies(members: Vec<S>) -> Result<Self, StoresError> {
        let parity = members.len().checked_sub(1).ok_or(StoresError::None)?;
        let parity = u8::try_from(parity).unwrap_or(u8::MAX);
        Self::spread(members, Code::new(1, parity)?)
    }

    /// Stores as somebody named them: spread by a code, or else each with a whole copy.
    ///
    /// # Errors
    /// [`StoresError::Twice`] where two are one, and as [`spread`](Self::spread) and [`copies`](Self::copies).
    pub fn named(members: Vec<S>, code: Option<Code>) -> Result<Self, StoresError> {
        let mut names = HashSet::new();
        if let Some(name) = members.iter().map(S::name).find(|name| !names.insert(name.clone())) {
            return Err(StoresError::Twice { name });
        }
        match code {
            Some(code) => Self::spread(members, code),
            None => Self::copies(members),
        }
    }

    /// The stores: piece `i` of a shard is at member `i`.
    #[must_use]
    pub fn members(&self) -> &[S] {
        &self.members
    }

    /// The same stores, borrowed.
    #[must_use]
    pub fn by_ref(&self) -> Stores<&S> {
        Stores {
            members: self.members.iter().collect(),
            code: self.code,
        }
    }

    /// The same stores, each as something else.
    pub(crate) fn map<'s, T: BlobStore>(&'s self, each: impl Fn(&'s S) -> T) -> Stores<T> {
        Stores {
            members: self.members.iter().map(each).collect(),
            code: self.code,
        }
    }

    /// How shards are spread over them.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}

impl<S: BlobStore> From<S> for Stores<S> {
    fn from(store: S) -> Self {
        Self::one(store)
    }
}
