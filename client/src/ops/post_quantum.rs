//! X-Wing keys: publishing one's own, finding those of readers, and insisting on them. An account on chain holds the hash of
//! such a key and the key store the key, so what is found is the one that its owner registered. Where either is missing,
//! keys are wrapped by X25519, unless this session insists.

use chartseal_program::state::Keys;

use super::{
    OpError, Rewrapped, Session,
    break_glass::Holders,
    chart::{PublicKey, Recipients},
};
use crate::{
    crypto,
    seal::envelope::{self, RecipientKey, Suite},
    store::{BlobStore, KeyStore, KeyStoreError, keystore::EnvelopeSlot},
};

/// Accounts that a refusal names at most.
const MOST_NAMED: usize = 5;

impl<S: BlobStore, K: KeyStore> Session<S, K> {
    /// This identity's public keys, as they are registered on chain. The X-Wing key goes into the key store before its hash
    /// stands anywhere: nobody is then promised a key that cannot be found.
    ///
    /// # Errors
    /// What the key store says.
    pub async fn publish_keys(&self) -> Result<Keys, OpError> {
        let key = &self.identity.encryption;
        envelope::check_key(&key.public())?;
        if let Some(post_quantum) = key.post_quantum() {
            envelope::check_post_quantum_key(post_quantum)?;
            self.keys.put_public_key(post_quantum).await?;
        }
        Ok(Keys {
            encryption: key.public(),
            post_quantum_hash: key.post_quantum_hash(),
        })
    }

    /// The X-Wing key that belongs to an account's hash. One that nothing can be wrapped to is none.
    pub(super) async fn x_wing_key(&self, public: &PublicKey) -> Result<Option<Vec<u8>>, OpError> {
        Ok(registered_key(&self.keys, public.post_quantum).await?)
    }

    /// Whether an envelope is there and wrapped to its reader's present key: by X-Wing where that is preferred and possible.
    pub(super) async fn is_wrapped(
        &self,
        slot: EnvelopeSlot,
        reader: &PublicKey,
        prefers_post_quantum: bool,
    ) -> Result<bool, OpError> {
        let Some(wrapping) = self.keys.wrapping(slot).await? else {
            return Ok(false);
        };
        if wrapping.key_epoch != reader.epoch {
            return Ok(false);
        }
        let better = prefers_post_quantum && wrapping.suite == Suite::X25519;
        Ok(!better || self.x_wing_key(reader).await?.is_none())
    }

    /// Of readers who lack an envelope those whom this session would wrap one for; the others are counted as pending. It is
    /// asked before an envelope is opened for them, because that is logged.
    pub(super) async fn within_reach(&self, missing: Recipients, done: &mut Rewrapped) -> Result<Recipients, OpError> {
        if !self.requires_post_quantum {
            return Ok(missing);
        }
        let mut reached = Recipients::new();
        let lacking = missing.len();
        for (account, public) in missing {
            if self.x_wing_key(&public).await?.is_some() {
                reached.insert(account, public);
            }
        }
        let refused = lacking - reached.len();
        if refused != 0 {
            done.pending += refused;
            done.because = Some(format!(
                "{refused} of the readers have no post-quantum key, and without one nothing is wrapped for them \
                 (--require-post-quantum)"
            ));
        }
        Ok(reached)
    }

    /// Where this session insists on X-Wing: refuses where a reader, or a holder of shares, has no such key.
    pub(super) async fn insist_on_post_quantum(
        &self,
        readers: &Recipients,
        holders: Option<&Holders>,
    ) -> Result<(), OpError> {
        if !self.requires_post_quantum {
            return Ok(());
        }
        let holders = holders.iter().flat_map(|holders| &holders.keys);
        let everybody = readers.iter().chain(holders.map(|(account, key)| (account, key)));
        let mut lacking = Vec::new();
        for (account, public) in everybody {
            if self.x_wing_key(public).await?.is_none() {
                lacking.push(bs58::encode(account).into_string());
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        let (count, more) = (lacking.len(), if lacking.len() > MOST_NAMED { ", ..." } else { "" });
        lacking.truncate(MOST_NAMED);
        Err(OpError::Usage(format!(
            "{count} of those whom the key is wrapped for have no post-quantum key in this key store ({}{more}): they have to \
             publish one (`chartseal keys publish`, and a patient `chartseal keys rotate`), or do without --require-post-quantum",
            lacking.join(", ")
        )))
    }
}

/// The key that an account registered the hash of. What the key store gives is held against that hash here, where it is
/// used: a store is believed in nothing that the chain can say.
async fn registered_key(keys: &impl KeyStore, hash: [u8; 32]) -> Result<Option<Vec<u8>>, KeyStoreError> {
    if hash == [0; 32] {
        return Ok(None);
    }
    let key = keys.public_key(hash).await?;
    Ok(key.filter(|key| crypto::sha256(&[key]) == hash && envelope::check_post_quantum_key(key).is_ok()))
}

/// The better of an account's keys.
pub(super) fn recipient_key<'a>(public: &'a PublicKey, x_wing: Option<&'a [u8]>) -> RecipientKey<'a> {
    x_wing.map_or(RecipientKey::X25519(&public.key), RecipientKey::XWing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{keys::EncryptionKey, store::keystore::lying::LyingKeyStore};

    #[tokio::test]
    async fn a_key_that_the_chain_does_not_name_is_none_whatever_the_key_store_says() {
        let folder = tempfile::tempdir().unwrap();
        let [reader, thief] = [(), ()].map(|()| EncryptionKey::generate().unwrap());
        let liar = LyingKeyStore::open(folder.path(), Some(thief.post_quantum().unwrap().to_vec()));
        assert_eq!(registered_key(&liar, reader.post_quantum_hash()).await.unwrap(), None);

        let honest = LyingKeyStore::open(folder.path(), None);
        honest.put_public_key(reader.post_quantum().unwrap()).await.unwrap();
        let found = registered_key(&honest, reader.post_quantum_hash()).await.unwrap();
        assert_eq!(found.as_deref(), reader.post_quantum());
        assert_eq!(registered_key(&honest, [0; 32]).await.unwrap(), None);
    }
}
