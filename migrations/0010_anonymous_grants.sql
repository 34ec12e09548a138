-- Grants without a name: trees, the grants that are their leaves, and proofs that somebody used one.
--
-- A proof names neither the record nor the reader, so no row of it does, and nothing here joins it to a grant. What of a
-- grant is known, the patient published: it says to whom by a key and a commitment that were drawn for it alone.

SET search_path TO chartseal;

ALTER DOMAIN chain_kind DROP CONSTRAINT chain_kind_check;
ALTER DOMAIN chain_kind ADD CONSTRAINT chain_kind_check CHECK (VALUE IN (
    'registry', 'institution', 'log', 'refusals', 'tree'));
COMMENT ON DOMAIN chain_kind IS 'The hash chains: registry (admins, pauses), institution (it and its members), log (what was done about a patient), refusals (what was refused), tree (proofs of access that rest on a tree of grants without a name).';
COMMENT ON COLUMN events.subject IS 'Whose chain: the institution''s, the patient''s or the tree''s id, zeros for the registry.';
COMMENT ON COLUMN chains.subject IS 'Whose chain: the institution''s, the patient''s or the tree''s id, zeros for the registry.';

CREATE TABLE grant_trees (
    id id PRIMARY KEY,
    address address NOT NULL UNIQUE,
    opened_by address NOT NULL,
    at timestamptz NOT NULL,
    seq bigint NOT NULL
);
COMMENT ON TABLE grant_trees IS 'Trees for grants without a name. One row for each event TreeOpened of the chain tree of that id. What a tree holds is in anonymous_grants.';
COMMENT ON COLUMN grant_trees.id IS 'The tree''s id, subject of its chain.';
COMMENT ON COLUMN grant_trees.address IS 'Address of its account.';
COMMENT ON COLUMN grant_trees.opened_by IS 'Wallet of the admin who opened it; it has no more power over it than anybody else.';
COMMENT ON COLUMN grant_trees.at IS 'When it was opened.';
COMMENT ON COLUMN grant_trees.seq IS 'Place in the chain tree.';

CREATE TABLE anonymous_grants (
    tree id NOT NULL REFERENCES grant_trees DEFERRABLE,
    leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
    patient id NOT NULL,
    record id NOT NULL,
    issuer address NOT NULL,
    rights text[] NOT NULL CHECK (rights <@ ARRAY['read', 'append', 'amend', 'share', 'aggregate']),
    expires_at timestamptz NOT NULL,
    expires bigint NOT NULL,
    envelope_key hash NOT NULL,
    commitment hash NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    root hash NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by address,
    revoked_number bigint CHECK (revoked_number > number),
    revoked_root hash,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (tree, leaf_index),
    FOREIGN KEY (patient, record) REFERENCES records DEFERRABLE,
    CHECK (num_nulls(revoked_at, revoked_by, revoked_number, revoked_root) IN (0, 4))
);
CREATE INDEX anonymous_grants_by_record ON anonymous_grants (patient, record);
COMMENT ON TABLE anonymous_grants IS 'Rights on one record that patients gave to somebody whom the ledger does not know, each as it stands now: a leaf of a tree. Their events are in the chain log of the patient.';
COMMENT ON COLUMN anonymous_grants.tree IS 'The tree that it stands in.';
COMMENT ON COLUMN anonymous_grants.leaf_index IS 'Place of its leaf there, from 0. With the tree, what names the grant.';
COMMENT ON COLUMN anonymous_grants.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN anonymous_grants.record IS 'The record''s id.';
COMMENT ON COLUMN anonymous_grants.issuer IS 'Wallet that signed it: the patient''s, a delegate''s, or that of the steward''s authority.';
COMMENT ON COLUMN anonymous_grants.rights IS 'What may be proved a right to.';
COMMENT ON COLUMN anonymous_grants.expires_at IS 'Valid until just before here; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN anonymous_grants.expires IS 'The same in seconds since 1970, as it stands in the leaf.';
COMMENT ON COLUMN anonymous_grants.envelope_key IS 'X25519 public key to which data keys are wrapped; drawn for this grant alone.';
COMMENT ON COLUMN anonymous_grants.commitment IS 'Commits the reader to a secret that was drawn for this grant alone: P2(P1(secret), salt), Poseidon on BN254.';
COMMENT ON COLUMN anonymous_grants.number IS 'Number of the root that the tree had after it was given: each change of the tree has the next, from 1.';
COMMENT ON COLUMN anonymous_grants.root IS 'That root.';
COMMENT ON COLUMN anonymous_grants.created_at IS 'When it was given.';
COMMENT ON COLUMN anonymous_grants.revoked_at IS 'When it was revoked; null as long as it was not.';
COMMENT ON COLUMN anonymous_grants.revoked_by IS 'Wallet that revoked it.';
COMMENT ON COLUMN anonymous_grants.revoked_number IS 'Number of the root that the tree had after its leaf was zeroed.';
COMMENT ON COLUMN anonymous_grants.revoked_root IS 'That root.';
COMMENT ON COLUMN anonymous_grants.changed_at IS 'When it was given or revoked.';
COMMENT ON COLUMN anonymous_grants.made_seq IS 'Place of the event that made it in the patient''s chain log.';
COMMENT ON COLUMN anonymous_grants.changed_seq IS 'Place of the event that last changed it.';

CREATE TABLE access_proofs (
    tree id NOT NULL REFERENCES grant_trees DEFERRABLE,
    made_seq bigint NOT NULL,
    at timestamptz NOT NULL,
    exchange id NOT NULL,
    nullifier hash NOT NULL,
    handle hash NOT NULL,
    verifier address NOT NULL,
    relayer address NOT NULL,
    epoch bigint NOT NULL CHECK (epoch >= 0),
    named_at timestamptz NOT NULL,
    rights text[] NOT NULL CHECK (rights <@ ARRAY['read', 'append', 'amend', 'share', 'aggregate']),
    number bigint NOT NULL CHECK (number >= 0),
    rent_returned_at timestamptz,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (tree, made_seq)
);
CREATE INDEX access_proofs_by_nullifier ON access_proofs (nullifier);
CREATE INDEX access_proofs_by_verifier ON access_proofs (verifier, epoch);
COMMENT ON TABLE access_proofs IS 'Uses of grants without a name that the chain counted: somebody proved a right to some record, and neither is known. One row for each event AccessProven of the tree''s chain. Proofs that were shown to a verifier alone are not among them.';
COMMENT ON COLUMN access_proofs.tree IS 'The tree that it rests on, subject of the chain.';
COMMENT ON COLUMN access_proofs.made_seq IS 'Place of the proof in the chain tree.';
COMMENT ON COLUMN access_proofs.at IS 'When it was shown, by the chain''s clock.';
COMMENT ON COLUMN access_proofs.exchange IS 'Id that the reader chose for this access.';
COMMENT ON COLUMN access_proofs.nullifier IS 'The same for a second use by the same reader, of the same record, at the same verifier, in the same epoch, of which there is none; without relation to any other.';
COMMENT ON COLUMN access_proofs.handle IS 'Names the record to whoever knows it and the blind, and to nobody else.';
COMMENT ON COLUMN access_proofs.verifier IS 'Whom the proof was made for: the address by which a keeper of keys is known.';
COMMENT ON COLUMN access_proofs.relayer IS 'Wallet that brought it and paid: a relayer''s, not the reader''s.';
COMMENT ON COLUMN access_proofs.epoch IS 'Hours since 1970 at the time that the proof names.';
COMMENT ON COLUMN access_proofs.named_at IS 'The time that the proof names, no more than a minute from when it was shown: the grant had not expired then.';
COMMENT ON COLUMN access_proofs.rights IS 'What was proved a right to.';
COMMENT ON COLUMN access_proofs.number IS 'Number of the tree''s root that it rests on.';
COMMENT ON COLUMN access_proofs.rent_returned_at IS 'When the relayer got the rent back, after the epoch; null as long as it did not.';
COMMENT ON COLUMN access_proofs.changed_seq IS 'Place of the event that last changed it: the proof, or the return of the rent.';

-- Who may see them ------------------------------------------------------------------------------------------------

ALTER TABLE grant_trees ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON grant_trees USING ((SELECT sees_all()) OR (SELECT own_institutions()) <> '{}');
COMMENT ON POLICY analysts ON grant_trees IS 'All analysts: they are everybody''s.';

ALTER TABLE anonymous_grants ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON anonymous_grants USING ((SELECT sees_all()));
COMMENT ON POLICY analysts ON anonymous_grants IS 'Nobody but who sees all: whether a patient has readers without a name is no institution''s matter.';

ALTER TABLE access_proofs ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON access_proofs USING ((SELECT sees_all()));
COMMENT ON POLICY analysts ON access_proofs IS 'Nobody but who sees all: a proof is of no institution.';
