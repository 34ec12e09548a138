use anchor_lang::prelude::*;

use crate::{events::Content, log::sha256_of, seeds::Id, vocabulary::RecordStatus};

/// One medical file, in its newest version. Seeds: `record`, patient's id, id. Never closed.
#[account]
#[derive(Debug)]
pub struct Record {
    pub id: Id,
    /// The patient's id.
    pub patient: Id,
    /// Address of the Member account that wrote the newest version, or of the Patient account.
    pub author: Address,
    /// The same of the first version. Who wrote that may always read the record, and a patient may always put its own
    /// right, whoever amended it since.
    pub origin: Address,
    /// Id of the author's institution, or zeros.
    pub institution: Id,
    pub manifest_hash: [u8; 32],
    pub content_root: [u8; 32],
    pub locator: [u8; 32],
    /// Hash of the version before, or zeros.
    pub previous: [u8; 32],
    /// Sealed bytes, after padding.
    pub padded_size: u64,
    pub created_at: i64,
    pub updated_at: i64,
    /// From 1.
    pub version: u32,
    /// Sharing class, 0 to 31.
    pub class: u8,
    /// A `RecordStatus`.
    pub status: u8,
    pub reserved: [u8; 2],
}

impl Record {
    /// Whether it is but a tombstone. A status that no word stands for counts as erased.
    pub fn is_erased(&self) -> bool {
        self.status != RecordStatus::Active.byte()
    }

    /// Where the newest version is and what it must hash to.
    pub fn content(&self) -> Content {
        Content {
            manifest_hash: self.manifest_hash,
            root: self.content_root,
            locator: self.locator,
            padded_size: self.padded_size,
        }
    }

    /// Puts a version's content in place.
    pub fn set_content(&mut self, content: &Content) {
        self.manifest_hash = content.manifest_hash;
        self.content_root = content.root;
        self.locator = content.locator;
        self.padded_size = content.padded_size;
    }

    /// Makes it a tombstone: nothing of the content stays, but the hash that goes on the chain of its versions.
    pub fn erase(&mut self, now: i64) {
        self.previous = self.version_hash();
        self.set_content(&Content {
            manifest_hash: [0; 32],
            root: [0; 32],
            locator: [0; 32],
            padded_size: 0,
        });
        self.status = RecordStatus::Erased.byte();
        self.updated_at = now;
    }

    /// Writes the first version. The account is new.
    pub fn begin(&mut self, id: &Id, patient: &Id, class: u8, author: &Address, institution: &Id, now: i64) {
        self.id = *id;
        self.patient = *patient;
        self.author = *author;
        self.origin = *author;
        self.institution = *institution;
        self.created_at = now;
        self.updated_at = now;
        self.version = 1;
        self.class = class;
        self.status = RecordStatus::Active.byte();
    }

    /// Hash of this version, which the next one carries as `previous`, so that versions form a chain of their own.
    pub fn version_hash(&self) -> [u8; 32] {
        sha256_of(&[
            b"chartseal/version/v1",
            crate::ID.as_ref(),
            &self.patient,
            &self.id,
            &self.version.to_le_bytes(),
            self.author.as_ref(),
            &self.manifest_hash,
            &self.content_root,
            &self.locator,
            &self.padded_size.to_le_bytes(),
            &self.previous,
        ])
    }
}
