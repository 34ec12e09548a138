//! Where the shares of patients' keys lie: each sealed to one guardian's key or, once the guardian has released it, to the
//! key of the patient's next wallet. They are of no use to anybody else, so they may be copied and backed up: a share
//! that is lost with a machine helps nobody.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::KeyStoreError;
use super::disk::{make_folder, names, parse_hex};
use super::folder::Files;
use crate::hexed;
use crate::store::{Existing, write_file};

/// The place of one share.
///
/// Shares of one dealing fit together and those of two do not, so the dealing is part of the place: the shares before stay
/// until the new ones are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareSlot {
    /// The patient's id.
    #[serde(with = "hexed")]
    pub patient: [u8; 16],
    /// The epoch of the patient's key that was shared.
    pub key_epoch: u32,
    /// 16 random bytes that name the dealing.
    #[serde(with = "hexed")]
    pub dealing: [u8; 16],
    /// The guardian's wallet.
    #[serde(with = "hexed")]
    pub guardian: [u8; 32],
    /// The X25519 public key that the share is sealed to.
    #[serde(with = "hexed")]
    pub sealed_to: [u8; 32],
}

impl ShareSlot {
    fn folder(&self, root: &Path) -> PathBuf {
        patient_folder(root, self.patient)
            .join(self.key_epoch.to_string())
            .join(hex::encode(self.dealing))
    }

    pub(super) fn file(&self, root: &Path) -> PathBuf {
        let name = format!("{}-{}", hex::encode(self.guardian), hex::encode(self.sealed_to));
        self.folder(root).join(name)
    }
}

fn patient_folder(root: &Path, patient: [u8; 16]) -> PathBuf {
    root.join("shares").join(hex::encode(patient))
}

impl Files<'_> {
    pub(super) fn put_share(&self, slot: &ShareSlot, share: &[u8]) -> Result<(), KeyStoreError> {
        make_folder(&slot.folder(self.root))?;
        Ok(write_file(&slot.file(self.root), share, Existing::Replace)?)
    }

    pub(super) fn shares(&self, patient: [u8; 16]) -> Result<Vec<ShareSlot>, KeyStoreError> {
        let folder = patient_folder(self.root, patient);
        let mut slots = Vec::new();
        for key_epoch in names(&folder)?.iter().filter_map(|name| name.parse::<u32>().ok()) {
            let folder = folder.join(key_epoch.to_string());
            for dealing in names(&folder)?.iter().filter_map(|name| parse_hex::<16>(name)) {
                let files = names(&folder.join(hex::encode(dealing)))?;
                slots.extend(files.iter().filter_map(|name| {
                    let (guardian, sealed_to) = name.split_once('-')?;
                    Some(ShareSlot {
                        patient,
                        key_epoch,
                        dealing,
                        guardian: parse_hex(guardian)?,
                        sealed_to: parse_hex(sealed_to)?,
                    })
                }));
            }
        }
        slots.sort_unstable();
        Ok(slots)
    }
}
