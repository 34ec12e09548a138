-- The whole contract: delegates, safeguards, policies, requests, emergencies, batches, erasures and agreements.
--
-- As before, every row but the checkpoint follows from events, and names the event that made and last changed it.
-- Foreign keys and uniqueness are claimed only where the program's accounts guarantee them, because what a constraint
-- refuses stops the indexer. Rows are never deleted: what was replaced is kept, with its end.

SET search_path TO chartseal;

-- Words -----------------------------------------------------------------------------------------------------------

ALTER DOMAIN actor_kind DROP CONSTRAINT actor_kind_check;
ALTER DOMAIN actor_kind ADD CONSTRAINT actor_kind_check CHECK (VALUE IN ('patient', 'member', 'person', 'delegate'));
ALTER DOMAIN basis DROP CONSTRAINT basis_check;
ALTER DOMAIN basis ADD CONSTRAINT basis_check CHECK (VALUE IN (
    'patient', 'consent', 'author', 'steward', 'grant', 'delegate', 'policy', 'emergency'));
ALTER DOMAIN reason DROP CONSTRAINT reason_check;
ALTER DOMAIN reason ADD CONSTRAINT reason_check CHECK (VALUE IN (
    'record-erased', 'member-not-accepted', 'member-suspended', 'member-expired', 'institution-not-active',
    'role-forbids-content', 'role-forbids-action', 'role-forbids-purpose', 'purpose-not-personal', 'no-grant',
    'grant-of-another-patient', 'grant-names-another', 'grant-revoked', 'grant-not-yet-valid', 'grant-expired',
    'grant-exhausted', 'grant-for-another-record', 'right-not-granted', 'purpose-not-granted', 'not-the-author',
    'grant-ancestor-missing', 'grant-ancestor-lapsed', 'grant-passed-on-too-often', 'grant-beyond-its-parent',
    'delegation-not-accepted', 'delegation-revoked', 'delegation-expired', 'policy-of-another-patient',
    'policy-names-another', 'policy-expired', 'policy-for-other-records', 'institution-not-enrolled',
    'no-emergency-credential', 'emergency-awaits-review', 'emergencies-reached-their-cap',
    'emergency-of-another-patient', 'emergency-of-another-member', 'emergency-over', 'purpose-not-emergency',
    'delegation-for-another-patient', 'older-version'));
CREATE DOMAIN claim_kind AS text CHECK (VALUE IN ('nothing', 'grant', 'policy', 'emergency', 'delegation'));
COMMENT ON DOMAIN claim_kind IS 'What an actor rested its right on.';
CREATE DOMAIN request_state AS text CHECK (VALUE IN ('open', 'approved', 'denied'));
COMMENT ON DOMAIN request_state IS 'What a patient decided about a request.';
CREATE DOMAIN verdict AS text CHECK (VALUE IN ('justified', 'unjustified'));
COMMENT ON DOMAIN verdict IS 'What a review of an emergency found.';
CREATE DOMAIN agreement_state AS text CHECK (VALUE IN ('proposed', 'active', 'closed'));
COMMENT ON DOMAIN agreement_state IS 'How far an agreement is.';
CREATE DOMAIN amount AS numeric(20, 0) CHECK (VALUE >= 0);
COMMENT ON DOMAIN amount IS 'Smallest units of a mint.';

-- Institutions and their members ----------------------------------------------------------------------------------

ALTER TABLE institutions ADD COLUMN proposed_authority address;
-- Until now an approval had no end.
ALTER TABLE institutions ADD COLUMN expires_at timestamptz NOT NULL DEFAULT 'infinity';
ALTER TABLE institutions ALTER COLUMN expires_at DROP DEFAULT;
COMMENT ON COLUMN institutions.authority IS 'Wallet that names and suspends members. It decides for patients whom the institution stewards, and has no right over any other record.';
COMMENT ON COLUMN institutions.proposed_authority IS 'Wallet that may become authority by signing too; null where none was proposed.';
COMMENT ON COLUMN institutions.expires_at IS 'From here on the admin''s approval gives no right; infinity where that lies beyond the calendar.';

-- Until now nobody held one.
ALTER TABLE members ADD COLUMN emergency_credential boolean NOT NULL DEFAULT false;
ALTER TABLE members ALTER COLUMN emergency_credential DROP DEFAULT;
COMMENT ON COLUMN members.emergency_credential IS 'Whether the member may open emergencies.';

CREATE TABLE batches (
    institution id NOT NULL REFERENCES institutions,
    id id NOT NULL,
    author address NOT NULL REFERENCES members,
    wallet address NOT NULL,
    root hash NOT NULL,
    locator hash NOT NULL,
    count bigint NOT NULL CHECK (count >= 0),
    at timestamptz NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (institution, id),
    UNIQUE (institution, seq)
);
CREATE INDEX batches_by_time ON batches (at);
COMMENT ON TABLE batches IS 'Many records in one commitment. Whose they are stands in the sealed leaves only. One row for each event BatchAnchored of the institution''s chain.';
COMMENT ON COLUMN batches.institution IS 'The institution''s id, subject of the chain institution.';
COMMENT ON COLUMN batches.id IS 'The batch''s id, unique within the institution.';
COMMENT ON COLUMN batches.author IS 'Membership that wrote its records.';
COMMENT ON COLUMN batches.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN batches.root IS 'Merkle root over the leaves; it commits to their order and count too.';
COMMENT ON COLUMN batches.locator IS 'Id of the list of leaves'' data item on Arweave, which is sealed.';
COMMENT ON COLUMN batches.count IS 'How many records there are.';
COMMENT ON COLUMN batches.at IS 'When it was anchored.';
COMMENT ON COLUMN batches.seq IS 'Place in the chain institution of the institution''s id.';

-- Patients and whoever acts for them ------------------------------------------------------------------------------

ALTER TABLE patients ADD COLUMN proposed_wallet address;
-- Until now nobody could change keys.
ALTER TABLE patients ADD COLUMN key_epoch bigint NOT NULL DEFAULT 1 CHECK (key_epoch > 0);
ALTER TABLE patients ALTER COLUMN key_epoch DROP DEFAULT;
COMMENT ON COLUMN patients.steward IS 'The institution that opened a patient who had no wallet, and decides as long as there is none; null where the patient did.';
COMMENT ON COLUMN patients.proposed_wallet IS 'Wallet that may become the patient''s by signing too; null where none was proposed.';
COMMENT ON COLUMN patients.key_epoch IS 'From 1, increases with each change of the encryption keys.';
COMMENT ON COLUMN patients.changed_at IS 'When wallet, proposed wallet or keys last changed.';

CREATE TABLE delegates (
    patient id NOT NULL REFERENCES patients,
    id id NOT NULL,
    address address NOT NULL UNIQUE,
    wallet address NOT NULL,
    rights text[] NOT NULL CHECK (rights <@ ARRAY['read', 'append', 'amend', 'share', 'aggregate']),
    expires_at timestamptz NOT NULL,
    encryption_key hash,
    post_quantum_key_hash hash,
    named_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    revoked_by address,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, id)
);
CREATE INDEX delegates_by_wallet ON delegates (wallet);
COMMENT ON TABLE delegates IS 'Those who act for a patient: parents, spouses, carers. Each delegation as it stands now. Their events are in the chain log of the patient.';
COMMENT ON COLUMN delegates.patient IS 'For whom, subject of the chain.';
COMMENT ON COLUMN delegates.id IS 'The delegation''s id, unique within the patient.';
COMMENT ON COLUMN delegates.address IS 'Address of its account; accesses, versions and refusals name the delegate by this.';
COMMENT ON COLUMN delegates.wallet IS 'Wallet that signs for the delegate.';
COMMENT ON COLUMN delegates.rights IS 'What the delegate may do; share is to decide for the patient.';
COMMENT ON COLUMN delegates.expires_at IS 'From here on the delegation gives no right; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN delegates.encryption_key IS 'X25519 public key that envelopes for the delegate are wrapped to; null until it accepted.';
COMMENT ON COLUMN delegates.post_quantum_key_hash IS 'SHA-256 of the delegate''s X-Wing public key; null where there is none.';
COMMENT ON COLUMN delegates.named_at IS 'When the patient named the delegate.';
COMMENT ON COLUMN delegates.accepted_at IS 'When the delegate''s wallet accepted; null until then.';
COMMENT ON COLUMN delegates.revoked_at IS 'When the delegation was taken or given back; null as long as it was not.';
COMMENT ON COLUMN delegates.revoked_by IS 'Wallet that took it or gave it back.';
COMMENT ON COLUMN delegates.changed_at IS 'When it last changed.';
COMMENT ON COLUMN delegates.made_seq IS 'Place of the event that named the delegate in the chain log.';
COMMENT ON COLUMN delegates.changed_seq IS 'Place of the event that last changed the delegation.';

CREATE TABLE safeguards (
    patient id PRIMARY KEY REFERENCES patients,
    guardian_threshold smallint NOT NULL CHECK (guardian_threshold >= 0),
    recovery_delay bigint NOT NULL,
    holder_threshold smallint NOT NULL CHECK (holder_threshold >= 0),
    agreed_wallet address,
    ready_at timestamptz,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    CHECK ((agreed_wallet IS NULL) = (ready_at IS NULL))
);
COMMENT ON TABLE safeguards IS 'How guardians recover a patient''s wallet, and how break-glass holders open records, as it stands now. Who they are is in guardians and break_glass_holders. Their events are in the chain log of the patient.';
COMMENT ON COLUMN safeguards.patient IS 'Whose safeguards, subject of the chain.';
COMMENT ON COLUMN safeguards.guardian_threshold IS 'How many guardians have to agree on a wallet; 0 where there are none.';
COMMENT ON COLUMN safeguards.recovery_delay IS 'Seconds between their vote and the change of the wallet, in which the patient can object.';
COMMENT ON COLUMN safeguards.holder_threshold IS 'How many break-glass holders open a record together; 0 where there are none.';
COMMENT ON COLUMN safeguards.agreed_wallet IS 'Wallet that enough guardians vote for; null where there is none. It does not take over by itself, and cannot once thirty days have passed since ready_at.';
COMMENT ON COLUMN safeguards.ready_at IS 'From here on that wallet can take over; null where there is none.';
COMMENT ON COLUMN safeguards.changed_at IS 'When any of it last changed, or a guardian last voted.';
COMMENT ON COLUMN safeguards.made_seq IS 'Place of the first event about them in the chain log.';
COMMENT ON COLUMN safeguards.changed_seq IS 'Place of the last one.';

CREATE TABLE guardians (
    patient id NOT NULL REFERENCES patients,
    made_seq bigint NOT NULL,
    place smallint NOT NULL CHECK (place > 0),
    wallet address NOT NULL,
    encryption_key hash NOT NULL,
    named_at timestamptz NOT NULL,
    ended_at timestamptz,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, made_seq, place)
);
CREATE INDEX guardians_by_wallet ON guardians (wallet);
COMMENT ON TABLE guardians IS 'Those who can recover a patient''s wallet together, and those who could: the patient names all of them at once. Their events are in the chain log of the patient.';
COMMENT ON COLUMN guardians.patient IS 'For whom, subject of the chain.';
COMMENT ON COLUMN guardians.made_seq IS 'Place of the event that named them in the chain log.';
COMMENT ON COLUMN guardians.place IS 'Which one of those that were named together, from 1.';
COMMENT ON COLUMN guardians.wallet IS 'The guardian''s wallet.';
COMMENT ON COLUMN guardians.encryption_key IS 'X25519 public key, to which the guardian''s share of the patient''s key is wrapped.';
COMMENT ON COLUMN guardians.named_at IS 'When the patient named them.';
COMMENT ON COLUMN guardians.ended_at IS 'When the patient named others, or none; null as long as they stand.';
COMMENT ON COLUMN guardians.changed_seq IS 'Place of the event that named others, or else of the one that named them.';

CREATE TABLE break_glass_holders (
    patient id NOT NULL REFERENCES patients,
    made_seq bigint NOT NULL,
    place smallint NOT NULL CHECK (place > 0),
    holder address NOT NULL,
    named_at timestamptz NOT NULL,
    ended_at timestamptz,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, made_seq, place)
);
CREATE INDEX break_glass_holders_by_holder ON break_glass_holders (holder);
COMMENT ON TABLE break_glass_holders IS 'Institutions that open a patient''s records together in an emergency, and those that did: the patient names all of them at once. Their events are in the chain log of the patient.';
COMMENT ON COLUMN break_glass_holders.patient IS 'For whom, subject of the chain.';
COMMENT ON COLUMN break_glass_holders.made_seq IS 'Place of the event that named them in the chain log.';
COMMENT ON COLUMN break_glass_holders.place IS 'Which one of those that were named together, from 1.';
COMMENT ON COLUMN break_glass_holders.holder IS 'institutions.address.';
COMMENT ON COLUMN break_glass_holders.named_at IS 'When the patient named them.';
COMMENT ON COLUMN break_glass_holders.ended_at IS 'When the patient named others, or none; null as long as they stand.';
COMMENT ON COLUMN break_glass_holders.changed_seq IS 'Place of the event that named others, or else of the one that named them.';

CREATE TABLE recovery_steps (
    patient id NOT NULL REFERENCES patients,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    step text NOT NULL CHECK (step IN ('voted', 'withdrew', 'objected', 'finished')),
    guardian address,
    wallet address,
    encryption_key hash,
    votes smallint CHECK (votes >= 0),
    agreed_wallet address,
    ready_at timestamptz,
    PRIMARY KEY (patient, seq),
    CHECK ((agreed_wallet IS NULL) = (ready_at IS NULL)),
    CHECK (agreed_wallet IS NULL OR votes IS NOT NULL)
);
CREATE INDEX recovery_steps_by_time ON recovery_steps (at);
COMMENT ON TABLE recovery_steps IS 'Every vote of a guardian, every objection of a patient, and every wallet that took over. One row for each event RecoveryVoted, RecoveryObjected or RecoveryFinished of the patient''s chain log.';
COMMENT ON COLUMN recovery_steps.patient IS 'Whose wallet, subject of the chain.';
COMMENT ON COLUMN recovery_steps.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN recovery_steps.at IS 'When it happened.';
COMMENT ON COLUMN recovery_steps.step IS 'A guardian voted or withdrew its vote, the patient objected, or the recovery was finished.';
COMMENT ON COLUMN recovery_steps.guardian IS 'The guardian''s wallet; null where it is about none.';
COMMENT ON COLUMN recovery_steps.wallet IS 'Wallet that was voted for, objected to, or took over; null where there was none.';
COMMENT ON COLUMN recovery_steps.encryption_key IS 'X25519 public key that came with that wallet; null where there was none, and for an objection.';
COMMENT ON COLUMN recovery_steps.votes IS 'How many guardians voted for the same wallet and keys after it; null where nobody voted.';
COMMENT ON COLUMN recovery_steps.agreed_wallet IS 'Wallet that enough guardians voted for after a vote, whatever that one was for; null where there was none, and after an objection or a change of the wallet, which end what was agreed.';
COMMENT ON COLUMN recovery_steps.ready_at IS 'From when on that wallet could take over; null where there was none.';

-- Policies --------------------------------------------------------------------------------------------------------

CREATE TABLE policies (
    patient id NOT NULL REFERENCES patients,
    institution id NOT NULL REFERENCES institutions,
    classes integer[],
    purposes text[] NOT NULL
        CHECK (purposes <@ ARRAY['treatment', 'payment', 'operations', 'research', 'legal', 'emergency', 'personal']),
    enrols boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by address NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, institution)
);
CREATE INDEX policies_by_institution ON policies (institution);
COMMENT ON TABLE policies IS 'What patients share with institutions by itself, each as it stands now. Their events are in the chain log of the patient.';
COMMENT ON COLUMN policies.patient IS 'Whose records, subject of the chain.';
COMMENT ON COLUMN policies.institution IS 'With which institution: its id.';
COMMENT ON COLUMN policies.classes IS 'Classes of records that are shared; policy_classes says since when. Null where the policy was withdrawn.';
COMMENT ON COLUMN policies.purposes IS 'What for.';
COMMENT ON COLUMN policies.enrols IS 'Whether the institution''s members may add records of these classes.';
COMMENT ON COLUMN policies.expires_at IS 'From here on it gives no right; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN policies.created_at IS 'When it was first set.';
COMMENT ON COLUMN policies.changed_at IS 'When it was last set.';
COMMENT ON COLUMN policies.changed_by IS 'Wallet that last set it.';
COMMENT ON COLUMN policies.made_seq IS 'Place of the event that first set it in the chain log.';
COMMENT ON COLUMN policies.changed_seq IS 'Place of the event that last set it.';

CREATE TABLE policy_classes (
    patient id NOT NULL,
    institution id NOT NULL,
    class smallint NOT NULL CHECK (class BETWEEN 0 AND 31),
    made_seq bigint NOT NULL,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, institution, class, made_seq),
    FOREIGN KEY (patient, institution) REFERENCES policies
);
COMMENT ON TABLE policy_classes IS 'Since when, and until when, a policy shares records of a class: those that are created from then on, and none that were before. Their events are in the chain log of the patient.';
COMMENT ON COLUMN policy_classes.patient IS 'Whose records, subject of the chain.';
COMMENT ON COLUMN policy_classes.institution IS 'With which institution: its id.';
COMMENT ON COLUMN policy_classes.class IS 'Sharing class, 0 to 31.';
COMMENT ON COLUMN policy_classes.made_seq IS 'Place of the event that began to share the class in the chain log.';
COMMENT ON COLUMN policy_classes.since IS 'Records that are created from here on are shared.';
COMMENT ON COLUMN policy_classes.ended_at IS 'When the patient took the class out of the policy, or set the policy again after it had expired; null as long as it is in it.';
COMMENT ON COLUMN policy_classes.changed_seq IS 'Place of the event that ended it, or else of the one that began it.';

CREATE TABLE policy_changes (
    patient id NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    institution id NOT NULL,
    classes integer[],
    purposes text[] NOT NULL
        CHECK (purposes <@ ARRAY['treatment', 'payment', 'operations', 'research', 'legal', 'emergency', 'personal']),
    enrols boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    changed_by address NOT NULL,
    PRIMARY KEY (patient, seq),
    FOREIGN KEY (patient, institution) REFERENCES policies
);
COMMENT ON TABLE policy_changes IS 'Every setting and withdrawal of a policy. One row for each event PolicySet of the patient''s chain log.';
COMMENT ON COLUMN policy_changes.patient IS 'Whose records, subject of the chain.';
COMMENT ON COLUMN policy_changes.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN policy_changes.at IS 'When it was set.';
COMMENT ON COLUMN policy_changes.institution IS 'With which institution: its id.';
COMMENT ON COLUMN policy_changes.classes IS 'Classes of records that were shared from then on; null where the policy was withdrawn.';
COMMENT ON COLUMN policy_changes.purposes IS 'What for.';
COMMENT ON COLUMN policy_changes.enrols IS 'Whether the institution''s members could add records of these classes.';
COMMENT ON COLUMN policy_changes.expires_at IS 'From when on it gave no right.';
COMMENT ON COLUMN policy_changes.changed_by IS 'Wallet that set it.';

-- Emergencies -----------------------------------------------------------------------------------------------------

CREATE TABLE emergencies (
    patient id NOT NULL REFERENCES patients,
    id id NOT NULL,
    member address NOT NULL REFERENCES members,
    wallet address NOT NULL,
    institution id NOT NULL REFERENCES institutions,
    reason_hash hash NOT NULL,
    opened_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    patient_verdict verdict,
    patient_reviewed_at timestamptz,
    patient_reviewed_by address,
    institution_verdict verdict,
    institution_reviewed_at timestamptz,
    institution_reviewed_by address,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, id),
    CHECK (num_nulls(patient_verdict, patient_reviewed_at, patient_reviewed_by) IN (0, 3)),
    CHECK (num_nulls(institution_verdict, institution_reviewed_at, institution_reviewed_by) IN (0, 3))
);
CREATE INDEX emergencies_by_time ON emergencies (opened_at);
CREATE INDEX emergencies_by_member ON emergencies (member, opened_at);
COMMENT ON TABLE emergencies IS 'Charts that were opened without asking, each as it stands now with both reviews. Their events are in the chain log of the patient.';
COMMENT ON COLUMN emergencies.patient IS 'Whose chart, subject of the chain.';
COMMENT ON COLUMN emergencies.id IS 'The emergency''s id, unique within the patient.';
COMMENT ON COLUMN emergencies.member IS 'Membership that opened it.';
COMMENT ON COLUMN emergencies.wallet IS 'The wallet that signed, which reviews nothing.';
COMMENT ON COLUMN emergencies.institution IS 'Its institution''s id.';
COMMENT ON COLUMN emergencies.reason_hash IS 'Salted hash of the reason as it is written down in the institution.';
COMMENT ON COLUMN emergencies.opened_at IS 'When it was opened.';
COMMENT ON COLUMN emergencies.expires_at IS 'From here on it gives no right. A review that finds it unjustified brings this forward.';
COMMENT ON COLUMN emergencies.patient_verdict IS 'What the patient''s review found; null until then.';
COMMENT ON COLUMN emergencies.patient_reviewed_at IS 'When the patient reviewed it.';
COMMENT ON COLUMN emergencies.patient_reviewed_by IS 'Wallet that reviewed for the patient.';
COMMENT ON COLUMN emergencies.institution_verdict IS 'What the institution''s review found; null until then, and until then its opener opens no other.';
COMMENT ON COLUMN emergencies.institution_reviewed_at IS 'When the institution reviewed it.';
COMMENT ON COLUMN emergencies.institution_reviewed_by IS 'Wallet that reviewed for the institution.';
COMMENT ON COLUMN emergencies.changed_at IS 'When it was opened or last reviewed.';
COMMENT ON COLUMN emergencies.made_seq IS 'Place of the event that opened it in the chain log.';
COMMENT ON COLUMN emergencies.changed_seq IS 'Place of the event that last changed it.';

-- Requests and grants ---------------------------------------------------------------------------------------------

CREATE TABLE requests (
    patient id NOT NULL REFERENCES patients,
    id id NOT NULL,
    member address NOT NULL REFERENCES members,
    wallet address NOT NULL,
    institution id NOT NULL REFERENCES institutions,
    record id,
    classes integer[],
    rights text[] NOT NULL CHECK (rights <@ ARRAY['read', 'append', 'amend', 'share', 'aggregate']),
    purposes text[] NOT NULL
        CHECK (purposes <@ ARRAY['treatment', 'payment', 'operations', 'research', 'legal', 'emergency', 'personal']),
    until timestamptz NOT NULL,
    state request_state NOT NULL,
    asked_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by address,
    grant_id id,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, id),
    FOREIGN KEY (patient, record) REFERENCES records,
    FOREIGN KEY (patient, grant_id) REFERENCES grants,
    CHECK ((state = 'open') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((state = 'approved') = (grant_id IS NOT NULL))
);
CREATE INDEX requests_by_time ON requests (asked_at);
CREATE INDEX requests_by_member ON requests (member, asked_at);
COMMENT ON TABLE requests IS 'Grants that members asked patients for, and what these decided. Their events are in the chain log of the patient.';
COMMENT ON COLUMN requests.patient IS 'Who is asked, subject of the chain.';
COMMENT ON COLUMN requests.id IS 'The request''s id, unique within the patient. Not the id of an access, which is also called a request.';
COMMENT ON COLUMN requests.member IS 'Membership that asks, and would be the grantee.';
COMMENT ON COLUMN requests.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN requests.institution IS 'Its institution''s id.';
COMMENT ON COLUMN requests.record IS 'The one record it is about; null where it is about classes.';
COMMENT ON COLUMN requests.classes IS 'The sharing classes it is about; null where it is about one record.';
COMMENT ON COLUMN requests.rights IS 'What the member wants to do.';
COMMENT ON COLUMN requests.purposes IS 'What for.';
COMMENT ON COLUMN requests.until IS 'How long the grant is wanted for; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN requests.state IS 'Open until the patient decided.';
COMMENT ON COLUMN requests.asked_at IS 'When it was made.';
COMMENT ON COLUMN requests.decided_at IS 'When it was decided; null until then.';
COMMENT ON COLUMN requests.decided_by IS 'Wallet that decided.';
COMMENT ON COLUMN requests.grant_id IS 'The grant that it led to; null where it led to none.';
COMMENT ON COLUMN requests.changed_at IS 'When it was made or decided.';
COMMENT ON COLUMN requests.made_seq IS 'Place of the event that made it in the chain log.';
COMMENT ON COLUMN requests.changed_seq IS 'Place of the event that decided it, or else of the one that made it.';

ALTER TABLE grants ADD COLUMN parent id;
-- Until now none was passed on.
ALTER TABLE grants ADD COLUMN depth smallint NOT NULL DEFAULT 0 CHECK (depth BETWEEN 0 AND 3);
ALTER TABLE grants ALTER COLUMN depth DROP DEFAULT;
ALTER TABLE grants ADD COLUMN request id;
ALTER TABLE grants ADD FOREIGN KEY (patient, parent) REFERENCES grants;
ALTER TABLE grants ADD FOREIGN KEY (patient, request) REFERENCES requests;
CREATE INDEX grants_by_parent ON grants (patient, parent) WHERE parent IS NOT NULL;
COMMENT ON TABLE grants IS 'Rights that patients gave and grantees passed on, each as it stands now. Their events are in the chain log of the patient.';
COMMENT ON COLUMN grants.issuer IS 'Wallet that signed it: the patient''s, a delegate''s, that of the steward''s authority, or that of the grantee who passed it on.';
COMMENT ON COLUMN grants.parent IS 'The grant that was passed on, and that has to live for this one to give a right; null where the patient gave it.';
COMMENT ON COLUMN grants.depth IS 'How many grants it descends from: 0 where the patient gave it, at most 3.';
COMMENT ON COLUMN grants.request IS 'The request that it answers; null where it answers none.';
COMMENT ON COLUMN grants.uses_left IS 'How often it can still be used, by itself or by a grant that descends from it; null is without limit.';
COMMENT ON COLUMN grants.changed_at IS 'When it was made, revoked, or one of its counted uses was taken.';

CREATE TABLE grants_passed_on (
    patient id NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    request id NOT NULL,
    grant_id id NOT NULL,
    parent id NOT NULL,
    actor_kind actor_kind NOT NULL,
    wallet address NOT NULL,
    member address REFERENCES members,
    delegate address REFERENCES delegates (address),
    institution id,
    purpose purpose NOT NULL,
    PRIMARY KEY (patient, seq),
    FOREIGN KEY (patient, grant_id) REFERENCES grants,
    FOREIGN KEY (patient, parent) REFERENCES grants
);
CREATE INDEX grants_passed_on_by_time ON grants_passed_on (at);
COMMENT ON TABLE grants_passed_on IS 'Every grant that a grantee passed on: who did, and what for. One row for each event GrantPassedOn of the patient''s chain log.';
COMMENT ON COLUMN grants_passed_on.patient IS 'Whose records, subject of the chain.';
COMMENT ON COLUMN grants_passed_on.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN grants_passed_on.at IS 'When it was passed on.';
COMMENT ON COLUMN grants_passed_on.request IS 'Id that the actor chose for this attempt.';
COMMENT ON COLUMN grants_passed_on.grant_id IS 'The new grant.';
COMMENT ON COLUMN grants_passed_on.parent IS 'The grant that was passed on, and by which that was allowed; one of its uses was taken.';
COMMENT ON COLUMN grants_passed_on.actor_kind IS 'In what capacity the actor acted.';
COMMENT ON COLUMN grants_passed_on.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN grants_passed_on.member IS 'Address of the actor''s membership; null where it was none.';
COMMENT ON COLUMN grants_passed_on.delegate IS 'Address of the actor''s delegation; null where it was none.';
COMMENT ON COLUMN grants_passed_on.institution IS 'The actor''s institution; null where there was none.';
COMMENT ON COLUMN grants_passed_on.purpose IS 'What it was for.';

-- Records ---------------------------------------------------------------------------------------------------------

ALTER TABLE record_versions
    ADD COLUMN delegate address REFERENCES delegates (address),
    ADD COLUMN policy id,
    ADD COLUMN emergency id,
    ADD COLUMN batch_institution id,
    ADD COLUMN batch id,
    ADD COLUMN batch_index bigint CHECK (batch_index >= 0),
    ADD COLUMN batch_author address REFERENCES members,
    ADD FOREIGN KEY (patient, policy) REFERENCES policies,
    ADD FOREIGN KEY (patient, emergency) REFERENCES emergencies,
    ADD FOREIGN KEY (batch_institution, batch) REFERENCES batches,
    ADD CHECK (num_nulls(batch_institution, batch, batch_index, batch_author) IN (0, 4));
CREATE INDEX record_versions_by_emergency ON record_versions (patient, emergency) WHERE emergency IS NOT NULL;
CREATE INDEX record_versions_by_batch ON record_versions (batch_institution, batch, batch_index) WHERE batch IS NOT NULL;
COMMENT ON TABLE record_versions IS 'Every version of every record: who wrote it, on what basis, and where its ciphertext is. One row for each event RecordCreated, RecordAmended or RecordPromoted of the patient''s chain log.';
COMMENT ON COLUMN record_versions.actor_kind IS 'In what capacity acted whoever wrote it or, for a record of a batch, took it out of there.';
COMMENT ON COLUMN record_versions.member IS 'Address of that actor''s membership; null where it was none.';
COMMENT ON COLUMN record_versions.institution IS 'That actor''s institution; null where there was none.';
COMMENT ON COLUMN record_versions.delegate IS 'Address of that actor''s delegation; null where it was none. A delegate writes as the patient.';
COMMENT ON COLUMN record_versions.policy IS 'The institution whose policy allowed it; null where the basis is another.';
COMMENT ON COLUMN record_versions.emergency IS 'The emergency that allowed it; null where the basis is another.';
COMMENT ON COLUMN record_versions.batch_institution IS 'The institution whose batch it came from; null where it came from none.';
COMMENT ON COLUMN record_versions.batch IS 'That batch''s id.';
COMMENT ON COLUMN record_versions.batch_index IS 'Its place in the batch, from 0.';
COMMENT ON COLUMN record_versions.batch_author IS 'Membership that anchored the batch: the author of this version.';

CREATE TABLE erasures (
    patient id NOT NULL,
    record id NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    erased_by address NOT NULL,
    PRIMARY KEY (patient, record),
    UNIQUE (patient, seq),
    FOREIGN KEY (patient, record) REFERENCES records
);
COMMENT ON TABLE erasures IS 'Records that became tombstones. One row for each event RecordErased of the patient''s chain log.';
COMMENT ON COLUMN erasures.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN erasures.record IS 'The record''s id.';
COMMENT ON COLUMN erasures.version IS 'The newest version that there was.';
COMMENT ON COLUMN erasures.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN erasures.at IS 'When it was erased.';
COMMENT ON COLUMN erasures.erased_by IS 'Wallet that erased it.';

CREATE TABLE erasure_attestations (
    patient id NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    record id NOT NULL,
    actor_kind actor_kind NOT NULL,
    wallet address NOT NULL,
    member address REFERENCES members,
    delegate address REFERENCES delegates (address),
    institution id,
    receipt hash NOT NULL,
    PRIMARY KEY (patient, seq),
    FOREIGN KEY (patient, record) REFERENCES records
);
CREATE INDEX erasure_attestations_by_record ON erasure_attestations (patient, record);
COMMENT ON TABLE erasure_attestations IS 'Keepers of keys who say that they destroyed those of an erased record. It attests that; it cannot prove that no copy was kept. One row for each event ErasureAttested of the patient''s chain log.';
COMMENT ON COLUMN erasure_attestations.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN erasure_attestations.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN erasure_attestations.at IS 'When it was attested.';
COMMENT ON COLUMN erasure_attestations.record IS 'The record''s id.';
COMMENT ON COLUMN erasure_attestations.actor_kind IS 'In what capacity the actor acted.';
COMMENT ON COLUMN erasure_attestations.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN erasure_attestations.member IS 'Address of the actor''s membership; null where it was none.';
COMMENT ON COLUMN erasure_attestations.delegate IS 'Address of the actor''s delegation; null where it was none.';
COMMENT ON COLUMN erasure_attestations.institution IS 'The actor''s institution; null where there was none.';
COMMENT ON COLUMN erasure_attestations.receipt IS 'SHA-256 of the receipt, which says which keys.';

-- What was decided ------------------------------------------------------------------------------------------------

ALTER TABLE accesses
    ADD COLUMN delegate address REFERENCES delegates (address),
    ADD COLUMN policy id,
    ADD COLUMN emergency id,
    ADD FOREIGN KEY (patient, policy) REFERENCES policies,
    ADD FOREIGN KEY (patient, emergency) REFERENCES emergencies;
CREATE INDEX accesses_by_emergency ON accesses (patient, emergency) WHERE emergency IS NOT NULL;
COMMENT ON COLUMN accesses.delegate IS 'Address of the reader''s delegation; null where it was none.';
COMMENT ON COLUMN accesses.policy IS 'The institution whose policy allowed it; null where the basis is another.';
COMMENT ON COLUMN accesses.emergency IS 'The emergency that allowed it; null where the basis is another.';

ALTER TABLE refusals RENAME COLUMN grant_id TO claimed;
ALTER TABLE refusals ALTER COLUMN record DROP NOT NULL;
ALTER TABLE refusals ADD COLUMN delegate address REFERENCES delegates (address);
ALTER TABLE refusals ADD COLUMN claim claim_kind;
-- Until now only grants could be claimed.
UPDATE refusals SET claim = CASE WHEN claimed IS NULL THEN 'nothing' ELSE 'grant' END;
ALTER TABLE refusals ALTER COLUMN claim SET NOT NULL;
ALTER TABLE refusals ADD CHECK ((claim = 'nothing') = (claimed IS NULL));
COMMENT ON COLUMN refusals.record IS 'The record''s id; for a refused append, the one that it would have had; null where it was about no single record.';
COMMENT ON COLUMN refusals.delegate IS 'Address of the actor''s delegation; null where it was none.';
COMMENT ON COLUMN refusals.claim IS 'What was claimed: nothing, a grant, a policy, an emergency or a delegation.';
COMMENT ON COLUMN refusals.claimed IS 'Its id: the grant''s, the emergency''s, the delegation''s, or that of the institution whose policy was claimed. Null where nothing was. It need not exist, nor be of this patient: the reason says.';

-- Agreements ------------------------------------------------------------------------------------------------------

CREATE TABLE agreements (
    consumer id NOT NULL REFERENCES institutions,
    id id NOT NULL,
    provider id NOT NULL REFERENCES institutions,
    state agreement_state NOT NULL,
    classes integer[],
    purpose purpose NOT NULL,
    mint address NOT NULL,
    token_program address NOT NULL,
    escrow address NOT NULL,
    refund address NOT NULL,
    payee address,
    price amount NOT NULL,
    expires_at timestamptz NOT NULL,
    proposed_at timestamptz NOT NULL,
    accepted_at timestamptz,
    closed_at timestamptz,
    closed_by address,
    returned amount,
    returned_to address,
    changed_at timestamptz NOT NULL,
    made_seq bigint NOT NULL,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (consumer, id),
    CHECK ((payee IS NULL) = (accepted_at IS NULL)),
    CHECK (num_nulls(closed_at, closed_by, returned, returned_to) IN (0, 4)),
    CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);
CREATE INDEX agreements_by_provider ON agreements (provider);
COMMENT ON TABLE agreements IS 'Institutions that pay others for access to records, each agreement as it stands now. It pays; it never overrides consent. Their events are in the chain institution of the consumer''s id; what was paid is in settlements.';
COMMENT ON COLUMN agreements.consumer IS 'Id of the institution that pays, subject of the chain.';
COMMENT ON COLUMN agreements.id IS 'The agreement''s id, unique within the consumer.';
COMMENT ON COLUMN agreements.provider IS 'Id of the institution whose records are paid for.';
COMMENT ON COLUMN agreements.state IS 'Proposed until the provider accepted; nothing is settled once it is closed.';
COMMENT ON COLUMN agreements.classes IS 'The sharing classes it is about; null where there are none.';
COMMENT ON COLUMN agreements.purpose IS 'The purpose that access is paid for.';
COMMENT ON COLUMN agreements.mint IS 'The token that it is paid in.';
COMMENT ON COLUMN agreements.token_program IS 'SPL Token or Token-2022.';
COMMENT ON COLUMN agreements.escrow IS 'Token account that the deposit lies in.';
COMMENT ON COLUMN agreements.refund IS 'Token account that the consumer named for the rest.';
COMMENT ON COLUMN agreements.payee IS 'Token account that the provider is paid to; null until it accepted.';
COMMENT ON COLUMN agreements.price IS 'Smallest units of the mint for one version of one record.';
COMMENT ON COLUMN agreements.expires_at IS 'From here on nothing is settled; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN agreements.proposed_at IS 'When the consumer proposed it.';
COMMENT ON COLUMN agreements.accepted_at IS 'When the provider accepted; null until then.';
COMMENT ON COLUMN agreements.closed_at IS 'When it was closed; null as long as it was not.';
COMMENT ON COLUMN agreements.closed_by IS 'Wallet that closed it.';
COMMENT ON COLUMN agreements.returned IS 'Smallest units that left the escrow then.';
COMMENT ON COLUMN agreements.returned_to IS 'Token account that they went to.';
COMMENT ON COLUMN agreements.changed_at IS 'When it was proposed, accepted or closed.';
COMMENT ON COLUMN agreements.made_seq IS 'Place of the event that proposed it in the chain institution of the consumer''s id.';
COMMENT ON COLUMN agreements.changed_seq IS 'Place of the event that last changed it.';

CREATE TABLE agreement_deposits (
    consumer id NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    agreement id NOT NULL,
    received amount NOT NULL,
    PRIMARY KEY (consumer, seq),
    FOREIGN KEY (consumer, agreement) REFERENCES agreements
);
CREATE INDEX agreement_deposits_by_agreement ON agreement_deposits (consumer, agreement);
COMMENT ON TABLE agreement_deposits IS 'What arrived in escrow. One row for each event AgreementFunded of the consumer''s chain institution.';
COMMENT ON COLUMN agreement_deposits.consumer IS 'Id of the institution that pays, subject of the chain.';
COMMENT ON COLUMN agreement_deposits.seq IS 'Place in the chain institution of the consumer''s id.';
COMMENT ON COLUMN agreement_deposits.at IS 'When it arrived.';
COMMENT ON COLUMN agreement_deposits.agreement IS 'The agreement''s id.';
COMMENT ON COLUMN agreement_deposits.received IS 'Smallest units of the mint by which the escrow grew; less than was sent where the mint takes a fee.';

CREATE TABLE settlements (
    patient id NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    consumer id NOT NULL,
    agreement id NOT NULL,
    record id NOT NULL,
    version bigint NOT NULL,
    request id NOT NULL,
    wallet address NOT NULL,
    amount amount NOT NULL,
    PRIMARY KEY (patient, seq),
    UNIQUE (consumer, agreement, patient, record, version),
    FOREIGN KEY (consumer, agreement) REFERENCES agreements,
    FOREIGN KEY (patient, record, version) REFERENCES record_versions,
    FOREIGN KEY (patient, request) REFERENCES requests
);
CREATE INDEX settlements_by_time ON settlements (at);
COMMENT ON TABLE settlements IS 'Versions of records that were paid for, each once. One row for each event AccessSettled of the patient''s chain log.';
COMMENT ON COLUMN settlements.patient IS 'Whose record, subject of the chain.';
COMMENT ON COLUMN settlements.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN settlements.at IS 'When it was paid.';
COMMENT ON COLUMN settlements.consumer IS 'Id of the institution that paid.';
COMMENT ON COLUMN settlements.agreement IS 'The agreement under which it paid.';
COMMENT ON COLUMN settlements.record IS 'The record''s id.';
COMMENT ON COLUMN settlements.version IS 'Its version.';
COMMENT ON COLUMN settlements.request IS 'The approved request that it rests on.';
COMMENT ON COLUMN settlements.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN settlements.amount IS 'Smallest units of the mint that left the escrow.';
