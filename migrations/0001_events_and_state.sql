-- Events as they came from the ledger, and what follows from them.
--
-- `events` is the source; every other table but `checkpoint` can be rebuilt from it, and `chartseal-indexer verify`
-- does so to find any row that was deleted, added or altered. Nothing here has a default that depends on when or where
-- a row was written, because two indexers of one ledger must hold the same rows.

CREATE SCHEMA IF NOT EXISTS chartseal;
COMMENT ON SCHEMA chartseal IS 'Medical records on Solana: who may do what, and who did. Filled by chartseal-indexer, proved by `chartseal-indexer verify`.';
SET search_path TO chartseal;

-- Bytes -----------------------------------------------------------------------------------------------------------

CREATE DOMAIN id AS bytea CHECK (octet_length(VALUE) = 16);
COMMENT ON DOMAIN id IS '16 random bytes that name a patient, record, grant, request, institution or member. encode(x, ''hex'') shows them as people write them.';
CREATE DOMAIN address AS bytea CHECK (octet_length(VALUE) = 32);
COMMENT ON DOMAIN address IS 'A Solana address: a wallet or an account of the program. base58(x) shows it as explorers do.';
CREATE DOMAIN hash AS bytea CHECK (octet_length(VALUE) = 32);
COMMENT ON DOMAIN hash IS '32 bytes: a SHA-256, a Merkle root, a public key or the id of a data item on Arweave.';
CREATE DOMAIN signature AS bytea CHECK (octet_length(VALUE) = 64);
COMMENT ON DOMAIN signature IS 'First signature of a transaction, which names it. base58(x) shows it as explorers do.';

-- Words -----------------------------------------------------------------------------------------------------------

CREATE DOMAIN chain_kind AS text CHECK (VALUE IN ('registry', 'institution', 'log', 'refusals'));
COMMENT ON DOMAIN chain_kind IS 'The hash chains: registry (admins, pauses), institution (it and its members), log (what was done about a patient), refusals (what was refused).';
CREATE DOMAIN institution_kind AS text CHECK (VALUE IN ('hospital', 'laboratory', 'insurer', 'research-body', 'regulator'));
COMMENT ON DOMAIN institution_kind IS 'What kind of body an institution is.';
CREATE DOMAIN standing AS text CHECK (VALUE IN ('invited', 'active', 'suspended'));
COMMENT ON DOMAIN standing IS 'Where an institution or member stands; only active ones have rights.';
CREATE DOMAIN member_role AS text CHECK (VALUE IN ('doctor', 'nurse', 'technician', 'insurer', 'researcher', 'auditor'));
COMMENT ON DOMAIN member_role IS 'What a member does; it limits purposes and actions before any grant is looked at.';
CREATE DOMAIN action AS text CHECK (VALUE IN ('read', 'append', 'amend', 'share', 'aggregate'));
COMMENT ON DOMAIN action IS 'What somebody wants to do with a record; each is also a right that a grant can carry.';
CREATE DOMAIN purpose AS text CHECK (VALUE IN ('treatment', 'payment', 'operations', 'research', 'legal', 'emergency', 'personal'));
COMMENT ON DOMAIN purpose IS 'What an action is for.';
CREATE DOMAIN grantee_kind AS text CHECK (VALUE IN ('member', 'institution', 'person'));
COMMENT ON DOMAIN grantee_kind IS 'Whom a grant names.';
CREATE DOMAIN actor_kind AS text CHECK (VALUE IN ('patient', 'member', 'person'));
COMMENT ON DOMAIN actor_kind IS 'In what capacity somebody acted.';
CREATE DOMAIN basis AS text CHECK (VALUE IN ('patient', 'consent', 'author', 'steward', 'grant'));
COMMENT ON DOMAIN basis IS 'Why an action was allowed.';
CREATE DOMAIN reason AS text CHECK (VALUE IN (
    'record-erased', 'member-not-accepted', 'member-suspended', 'member-expired', 'institution-not-active',
    'role-forbids-content', 'role-forbids-action', 'role-forbids-purpose', 'purpose-not-personal', 'no-grant',
    'grant-of-another-patient', 'grant-names-another', 'grant-revoked', 'grant-not-yet-valid', 'grant-expired',
    'grant-exhausted', 'grant-for-another-record', 'right-not-granted', 'purpose-not-granted', 'not-the-author'));
COMMENT ON DOMAIN reason IS 'Why an action was refused: the first rule that stood against it.';
CREATE DOMAIN record_status AS text CHECK (VALUE IN ('active', 'erased'));
COMMENT ON DOMAIN record_status IS 'What became of a record; an erased one stays as a tombstone.';

-- The source ------------------------------------------------------------------------------------------------------

CREATE TABLE checkpoint (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    program address NOT NULL,
    signature signature NOT NULL,
    slot bigint NOT NULL CHECK (slot >= 0)
);
COMMENT ON TABLE checkpoint IS 'How far the ledger was read: every event up to and including this transaction is in these tables. Moves in the same database transaction as the rows that it stands for.';
COMMENT ON COLUMN checkpoint.single IS 'Always true: there is one row.';
COMMENT ON COLUMN checkpoint.program IS 'Address of the program whose events these are.';
COMMENT ON COLUMN checkpoint.signature IS 'The last transaction that was read.';
COMMENT ON COLUMN checkpoint.slot IS 'Its slot on the ledger.';

CREATE TABLE events (
    signature signature NOT NULL,
    outer_index integer NOT NULL CHECK (outer_index >= 0),
    inner_index integer NOT NULL CHECK (inner_index >= 0),
    slot bigint NOT NULL CHECK (slot >= 0),
    blockhash hash NOT NULL,
    block_time timestamptz,
    chain chain_kind NOT NULL,
    subject id NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    at timestamptz NOT NULL,
    name text NOT NULL,
    body bytea NOT NULL,
    head hash NOT NULL,
    PRIMARY KEY (signature, outer_index, inner_index),
    UNIQUE (chain, subject, seq)
);
CREATE INDEX events_by_slot ON events (slot);
COMMENT ON TABLE events IS 'Every event of the program, once, as it was emitted. All other tables but checkpoint follow from this one.';
COMMENT ON COLUMN events.signature IS 'The transaction that emitted it.';
COMMENT ON COLUMN events.outer_index IS 'Which instruction of the transaction, from 0.';
COMMENT ON COLUMN events.inner_index IS 'Which inner instruction of that instruction, from 0.';
COMMENT ON COLUMN events.slot IS 'The slot of the ledger that the transaction stands in.';
COMMENT ON COLUMN events.blockhash IS 'Hash of the block of that slot.';
COMMENT ON COLUMN events.block_time IS 'When the cluster says that the block was made; null where it does not say.';
COMMENT ON COLUMN events.chain IS 'The hash chain that the event is a link of.';
COMMENT ON COLUMN events.subject IS 'Whose chain: the institution''s or the patient''s id, zeros for the registry.';
COMMENT ON COLUMN events.seq IS 'Place in that chain, from 1 and without gaps.';
COMMENT ON COLUMN events.at IS 'When it happened, by the chain''s clock at execution.';
COMMENT ON COLUMN events.name IS 'The event''s name in the program, such as AccessAllowed.';
COMMENT ON COLUMN events.body IS 'The event''s bytes as emitted: discriminator, Borsh fields, head. The hash chain is computed from these.';
COMMENT ON COLUMN events.head IS 'The chain''s hash after this event: the last 32 bytes of body.';

CREATE TABLE chains (
    chain chain_kind NOT NULL,
    subject id NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    head hash NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (chain, subject)
);
COMMENT ON TABLE chains IS 'Where each hash chain stands. The same hash is in the chain''s account on the ledger.';
COMMENT ON COLUMN chains.chain IS 'Kind of the chain.';
COMMENT ON COLUMN chains.subject IS 'Whose chain: the institution''s or the patient''s id, zeros for the registry.';
COMMENT ON COLUMN chains.seq IS 'How many events it has, which is the place of the last.';
COMMENT ON COLUMN chains.head IS 'Its hash after the last event.';
COMMENT ON COLUMN chains.at IS 'When the last event happened.';

-- Registry --------------------------------------------------------------------------------------------------------

CREATE TABLE registry (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    admin address NOT NULL,
    proposed_admin address,
    paused boolean NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL
);
COMMENT ON TABLE registry IS 'Who administers the program now, and whether it is paused. Its events are in the chain registry, whose subject is zeros.';
COMMENT ON COLUMN registry.single IS 'Always true: there is one row.';
COMMENT ON COLUMN registry.admin IS 'Wallet that approves and suspends institutions and pauses; it has no right over any record.';
COMMENT ON COLUMN registry.proposed_admin IS 'Wallet that may become admin by signing too; null where none was proposed.';
COMMENT ON COLUMN registry.paused IS 'True while nothing works that gives or uses a right. Revoking, suspending and the handover of the admin do.';
COMMENT ON COLUMN registry.created_at IS 'When the registry was made.';
COMMENT ON COLUMN registry.changed_at IS 'When it last changed.';
COMMENT ON COLUMN registry.made_seq IS 'Place of the event that made it in the chain registry.';
COMMENT ON COLUMN registry.changed_seq IS 'Place of the event that last changed it.';

CREATE TABLE registry_changes (
    seq bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    change text NOT NULL CHECK (change IN ('created', 'admin-proposed', 'admin-accepted', 'paused', 'resumed')),
    admin address
);
COMMENT ON TABLE registry_changes IS 'Every change of admin and every pause: one row for each event of the chain registry, whose subject is zeros.';
COMMENT ON COLUMN registry_changes.seq IS 'Place in the chain registry.';
COMMENT ON COLUMN registry_changes.at IS 'When it happened.';
COMMENT ON COLUMN registry_changes.change IS 'What changed.';
COMMENT ON COLUMN registry_changes.admin IS 'The wallet that was named, proposed or accepted; null where the change is about none.';

-- Institutions and their members ----------------------------------------------------------------------------------

CREATE TABLE institutions (
    id id PRIMARY KEY,
    address address NOT NULL UNIQUE,
    kind institution_kind NOT NULL,
    standing standing NOT NULL,
    authority address NOT NULL,
    encryption_key hash,
    post_quantum_key_hash hash,
    registered_at timestamptz NOT NULL,
    accepted_at timestamptz,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL
);
COMMENT ON TABLE institutions IS 'Hospitals, laboratories, insurers, research bodies and regulators that the admin approved. Their events are in the chain institution of their id.';
COMMENT ON COLUMN institutions.id IS 'The institution''s id, subject of its chain.';
COMMENT ON COLUMN institutions.address IS 'Address of its account; grants name it by this.';
COMMENT ON COLUMN institutions.kind IS 'What kind of body it is.';
COMMENT ON COLUMN institutions.standing IS 'Invited until its authority accepted, then active or suspended.';
COMMENT ON COLUMN institutions.authority IS 'Wallet that names and suspends members.';
COMMENT ON COLUMN institutions.encryption_key IS 'X25519 public key that envelopes for it are wrapped to; null until it accepted.';
COMMENT ON COLUMN institutions.post_quantum_key_hash IS 'SHA-256 of its X-Wing public key; null where it has none.';
COMMENT ON COLUMN institutions.registered_at IS 'When the admin registered it.';
COMMENT ON COLUMN institutions.accepted_at IS 'When its authority accepted; null until then.';
COMMENT ON COLUMN institutions.changed_at IS 'When it last changed.';
COMMENT ON COLUMN institutions.made_seq IS 'Place of the event that registered it in the chain institution of this id.';
COMMENT ON COLUMN institutions.changed_seq IS 'Place of the event that last changed it.';

CREATE TABLE members (
    address address PRIMARY KEY,
    institution id NOT NULL REFERENCES institutions,
    member_id id NOT NULL,
    wallet address NOT NULL,
    role member_role NOT NULL,
    standing standing NOT NULL,
    expires_at timestamptz NOT NULL,
    encryption_key hash,
    post_quantum_key_hash hash,
    registered_at timestamptz NOT NULL,
    accepted_at timestamptz,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    UNIQUE (institution, member_id)
);
CREATE INDEX members_by_wallet ON members (wallet);
COMMENT ON TABLE members IS 'People who act for an institution. Their events are in the chain institution of their institution''s id.';
COMMENT ON COLUMN members.address IS 'Address of the member''s account; grants and accesses name the member by this.';
COMMENT ON COLUMN members.institution IS 'The institution''s id, subject of the chain.';
COMMENT ON COLUMN members.member_id IS 'The member''s id, unique within the institution only.';
COMMENT ON COLUMN members.wallet IS 'Wallet that signs for the member.';
COMMENT ON COLUMN members.role IS 'What the member does.';
COMMENT ON COLUMN members.standing IS 'Invited until its wallet accepted, then active or suspended. A suspended institution suspends all of its members.';
COMMENT ON COLUMN members.expires_at IS 'From here on the membership gives no right.';
COMMENT ON COLUMN members.encryption_key IS 'X25519 public key that envelopes for the member are wrapped to; null until it accepted.';
COMMENT ON COLUMN members.post_quantum_key_hash IS 'SHA-256 of the member''s X-Wing public key; null where there is none.';
COMMENT ON COLUMN members.registered_at IS 'When the institution named the member.';
COMMENT ON COLUMN members.accepted_at IS 'When the member''s wallet accepted; null until then.';
COMMENT ON COLUMN members.changed_at IS 'When the membership last changed.';
COMMENT ON COLUMN members.made_seq IS 'Place of the event that registered the member in the chain institution.';
COMMENT ON COLUMN members.changed_seq IS 'Place of the event that last changed the membership.';

-- Patients and their records --------------------------------------------------------------------------------------

CREATE TABLE patients (
    id id PRIMARY KEY,
    wallet address,
    steward id REFERENCES institutions,
    encryption_key hash NOT NULL,
    post_quantum_key_hash hash,
    opened_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL
);
COMMENT ON TABLE patients IS 'Patients, by pseudonym: nothing here says who they are. Their events are in the chains log and refusals of their id.';
COMMENT ON COLUMN patients.id IS 'The patient''s pseudonym, subject of both chains.';
COMMENT ON COLUMN patients.wallet IS 'Wallet that decides about every record; null as long as a steward acts.';
COMMENT ON COLUMN patients.steward IS 'The institution that opened a patient who had no wallet; null where the patient did.';
COMMENT ON COLUMN patients.encryption_key IS 'X25519 public key that envelopes for the patient are wrapped to.';
COMMENT ON COLUMN patients.post_quantum_key_hash IS 'SHA-256 of the patient''s X-Wing public key; null where there is none.';
COMMENT ON COLUMN patients.opened_at IS 'When the patient was opened.';
COMMENT ON COLUMN patients.changed_at IS 'When wallet, steward or keys last changed.';
COMMENT ON COLUMN patients.made_seq IS 'Place of the event that opened the patient in its chain log.';
COMMENT ON COLUMN patients.changed_seq IS 'Place of the event that last changed it.';

CREATE TABLE records (
    patient id NOT NULL REFERENCES patients,
    id id NOT NULL,
    class smallint NOT NULL CHECK (class BETWEEN 0 AND 31),
    status record_status NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, id)
);
COMMENT ON TABLE records IS 'Medical files, each as it stands now; record_versions has where they are and what they hash to. Their events are in the chain log of the patient.';
COMMENT ON COLUMN records.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN records.id IS 'The record''s id, unique within the patient.';
COMMENT ON COLUMN records.class IS 'Sharing class, 0 to 31: a coarse label that the patient chose, and that says nothing of the content.';
COMMENT ON COLUMN records.status IS 'Active, or erased: then its keys were destroyed.';
COMMENT ON COLUMN records.version IS 'Number of the newest version, from 1.';
COMMENT ON COLUMN records.created_at IS 'When the first version was added.';
COMMENT ON COLUMN records.changed_at IS 'When the record last changed.';
COMMENT ON COLUMN records.made_seq IS 'Place of the event that created it in the chain log.';
COMMENT ON COLUMN records.changed_seq IS 'Place of the event that last changed it.';

CREATE TABLE record_versions (
    patient id NOT NULL,
    record id NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    request id NOT NULL,
    actor_kind actor_kind NOT NULL,
    wallet address NOT NULL,
    member address REFERENCES members,
    institution id,
    purpose purpose NOT NULL,
    basis basis NOT NULL,
    grant_id id,
    manifest_hash hash NOT NULL,
    content_root hash NOT NULL,
    locator hash NOT NULL,
    padded_size bigint NOT NULL CHECK (padded_size >= 0),
    previous hash,
    PRIMARY KEY (patient, record, version),
    UNIQUE (patient, seq),
    FOREIGN KEY (patient, record) REFERENCES records
);
CREATE INDEX record_versions_by_time ON record_versions (at);
COMMENT ON TABLE record_versions IS 'Every version of every record: who wrote it, on what basis, and where its ciphertext is. One row for each event RecordCreated or RecordAmended of the patient''s chain log.';
COMMENT ON COLUMN record_versions.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN record_versions.record IS 'The record''s id.';
COMMENT ON COLUMN record_versions.version IS 'Number of the version, from 1.';
COMMENT ON COLUMN record_versions.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN record_versions.at IS 'When it was written.';
COMMENT ON COLUMN record_versions.request IS 'Id that the author chose for this attempt.';
COMMENT ON COLUMN record_versions.actor_kind IS 'In what capacity the author acted.';
COMMENT ON COLUMN record_versions.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN record_versions.member IS 'Address of the author''s membership; null where it was none.';
COMMENT ON COLUMN record_versions.institution IS 'The author''s institution; null where there was none.';
COMMENT ON COLUMN record_versions.purpose IS 'What it was written for.';
COMMENT ON COLUMN record_versions.basis IS 'Why that was allowed.';
COMMENT ON COLUMN record_versions.grant_id IS 'The grant by which it was allowed; null where the basis is another.';
COMMENT ON COLUMN record_versions.manifest_hash IS 'SHA-256 of the manifest.';
COMMENT ON COLUMN record_versions.content_root IS 'Merkle root over the ciphertext''s shards.';
COMMENT ON COLUMN record_versions.locator IS 'Id of the manifest''s data item on Arweave.';
COMMENT ON COLUMN record_versions.padded_size IS 'Sealed bytes after padding, as the author states; 9223372036854775807 stands for that or more.';
COMMENT ON COLUMN record_versions.previous IS 'Hash of the version before; null for the first.';

-- Grants ----------------------------------------------------------------------------------------------------------

CREATE TABLE grants (
    patient id NOT NULL REFERENCES patients,
    id id NOT NULL,
    issuer address NOT NULL,
    record id,
    classes integer[],
    grantee_kind grantee_kind NOT NULL,
    grantee address NOT NULL,
    grantee_key hash,
    rights text[] NOT NULL CHECK (rights <@ ARRAY['read', 'append', 'amend', 'share', 'aggregate']),
    purposes text[] NOT NULL
        CHECK (purposes <@ ARRAY['treatment', 'payment', 'operations', 'research', 'legal', 'emergency', 'personal']),
    not_before timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    uses bigint CHECK (uses >= 0),
    uses_left bigint CHECK (uses_left >= 0),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by address,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, id),
    FOREIGN KEY (patient, record) REFERENCES records
);
CREATE INDEX grants_by_grantee ON grants (grantee);
CREATE INDEX grants_by_expiry ON grants (expires_at);
COMMENT ON TABLE grants IS 'Rights that patients gave, each as it stands now. Their events are in the chain log of the patient.';
COMMENT ON COLUMN grants.patient IS 'Whose records it is about, subject of the chain.';
COMMENT ON COLUMN grants.id IS 'The grant''s id, unique within the patient.';
COMMENT ON COLUMN grants.issuer IS 'Wallet that signed it: the patient''s, or that of the steward''s authority.';
COMMENT ON COLUMN grants.record IS 'The one record it is about; null where it is about classes.';
COMMENT ON COLUMN grants.classes IS 'The sharing classes it is about; null where it is about one record.';
COMMENT ON COLUMN grants.grantee_kind IS 'Whether grantee is a member, an institution or a person.';
COMMENT ON COLUMN grants.grantee IS 'members.address, institutions.address, or the person''s wallet.';
COMMENT ON COLUMN grants.grantee_key IS 'A person''s X25519 public key, to which data keys are wrapped; null where it is not known, and for others.';
COMMENT ON COLUMN grants.rights IS 'What the grantee may do.';
COMMENT ON COLUMN grants.purposes IS 'What for.';
COMMENT ON COLUMN grants.not_before IS 'Valid from here; -infinity where that lies before the calendar.';
COMMENT ON COLUMN grants.expires_at IS 'Valid until just before here; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN grants.uses IS 'How often it could be used; null is without limit.';
COMMENT ON COLUMN grants.uses_left IS 'How often it can still be used; null is without limit.';
COMMENT ON COLUMN grants.created_at IS 'When it was given.';
COMMENT ON COLUMN grants.revoked_at IS 'When it was revoked; null as long as it was not.';
COMMENT ON COLUMN grants.revoked_by IS 'Wallet that revoked it.';
COMMENT ON COLUMN grants.changed_at IS 'When it was made, revoked, or one of its counted uses was taken.';
COMMENT ON COLUMN grants.made_seq IS 'Place of the event that made it in the chain log.';
COMMENT ON COLUMN grants.changed_seq IS 'Place of the event that last changed it: its making, its revocation, or a counted use.';

-- What was decided ------------------------------------------------------------------------------------------------

CREATE TABLE accesses (
    patient id NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    request id NOT NULL,
    record id NOT NULL,
    version bigint NOT NULL,
    actor_kind actor_kind NOT NULL,
    wallet address NOT NULL,
    member address REFERENCES members,
    institution id,
    purpose purpose NOT NULL,
    basis basis NOT NULL,
    grant_id id,
    PRIMARY KEY (patient, seq),
    FOREIGN KEY (patient, record, version) REFERENCES record_versions
);
CREATE INDEX accesses_by_time ON accesses (at);
CREATE INDEX accesses_by_request ON accesses (request);
CREATE INDEX accesses_by_member ON accesses (member, at);
COMMENT ON TABLE accesses IS 'Every allowed reading of a record. One row for each event AccessAllowed of the patient''s chain log.';
COMMENT ON COLUMN accesses.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN accesses.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN accesses.at IS 'When it was decided.';
COMMENT ON COLUMN accesses.request IS 'Id that the reader chose; the key store releases the wrapped key against it.';
COMMENT ON COLUMN accesses.record IS 'The record''s id.';
COMMENT ON COLUMN accesses.version IS 'Its newest version at that time.';
COMMENT ON COLUMN accesses.actor_kind IS 'In what capacity the reader acted.';
COMMENT ON COLUMN accesses.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN accesses.member IS 'Address of the reader''s membership; null where it was none.';
COMMENT ON COLUMN accesses.institution IS 'The reader''s institution; null where there was none.';
COMMENT ON COLUMN accesses.purpose IS 'What it was for.';
COMMENT ON COLUMN accesses.basis IS 'Why it was allowed.';
COMMENT ON COLUMN accesses.grant_id IS 'The grant by which it was allowed; null where the basis is another.';

CREATE TABLE refusals (
    patient id NOT NULL REFERENCES patients,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    request id NOT NULL,
    record id NOT NULL,
    action action NOT NULL,
    actor_kind actor_kind NOT NULL,
    wallet address NOT NULL,
    member address REFERENCES members,
    institution id,
    purpose purpose NOT NULL,
    reason reason NOT NULL,
    grant_id id,
    PRIMARY KEY (patient, seq)
);
CREATE INDEX refusals_by_time ON refusals (at);
CREATE INDEX refusals_by_request ON refusals (request);
CREATE INDEX refusals_by_member ON refusals (member, at);
COMMENT ON TABLE refusals IS 'Everything that a registered actor was refused. One row for each event ActionRefused of the patient''s chain refusals.';
COMMENT ON COLUMN refusals.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN refusals.seq IS 'Place in the patient''s chain refusals, which counts apart from log.';
COMMENT ON COLUMN refusals.at IS 'When it was decided.';
COMMENT ON COLUMN refusals.request IS 'Id that the actor chose.';
COMMENT ON COLUMN refusals.record IS 'The record''s id; for a refused append, the one that it would have had.';
COMMENT ON COLUMN refusals.action IS 'What was wanted.';
COMMENT ON COLUMN refusals.actor_kind IS 'In what capacity the actor acted.';
COMMENT ON COLUMN refusals.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN refusals.member IS 'Address of the actor''s membership; null where it was none.';
COMMENT ON COLUMN refusals.institution IS 'The actor''s institution; null where there was none.';
COMMENT ON COLUMN refusals.purpose IS 'What it was for.';
COMMENT ON COLUMN refusals.reason IS 'Why it was refused.';
COMMENT ON COLUMN refusals.grant_id IS 'The grant that was claimed; null where none was.';
