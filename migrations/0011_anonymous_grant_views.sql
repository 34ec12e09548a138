-- All views of the schema as they are now, those of before included, and what they call. So the newest migration of this
-- kind says what each of them must be, and `chartseal-indexer verify` holds the database against it. Replacing them
-- keeps the rights that others were given on them, and what others built on them.
--
-- Views show whoever asks the rows that the tables would show (`security_invoker`). Ids stand in them as text for eyes
-- and, under names that end in `_id`, as bytes for searching.

SET search_path TO chartseal;

-- Text -------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION base58(bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    alphabet constant text := '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
    zeros constant integer := octet_length(bytes) - octet_length(ltrim(bytes, '\x00'::bytea));
    number numeric := 0;
    -- Ten digits, which a bigint can hold: the long numbers are divided that much less often.
    ten constant numeric := 430804206899405824;
    digits bigint;
    answer text := '';
BEGIN
    FOR place IN 0 .. octet_length(bytes) - 1 LOOP
        number := number * 256 + get_byte(bytes, place);
    END LOOP;
    WHILE number > 0 LOOP
        digits := mod(number, ten)::bigint;
        number := div(number, ten);
        FOR place IN 1 .. 10 LOOP
            EXIT WHEN number = 0 AND digits = 0;
            answer := substr(alphabet, (digits % 58)::integer + 1, 1) || answer;
            digits := digits / 58;
        END LOOP;
    END LOOP;
    RETURN repeat('1', zeros) || answer;
END $$;
COMMENT ON FUNCTION base58(bytea) IS 'Bytes as Solana writes addresses and signatures.';

-- What happened, and what stands -----------------------------------------------------------------------------------

CREATE OR REPLACE VIEW decisions WITH (security_invoker = true) AS
SELECT d.at, encode(d.patient, 'hex') AS patient, d.chain, d.seq, d.action, d.outcome, d.why, d.purpose, d.actor_kind,
       m.role, encode(d.institution, 'hex') AS institution, base58(d.wallet) AS wallet, encode(d.record, 'hex') AS record,
       d.version, encode(d.grant_id, 'hex') AS grant_id, encode(d.request, 'hex') AS request,
       encode(x.id, 'hex') AS delegate, encode(d.policy, 'hex') AS policy, encode(d.emergency, 'hex') AS emergency,
       d.patient AS patient_id, d.record AS record_id, d.institution AS institution_id
FROM (
    SELECT at, patient, 'log' AS chain, seq, 'read' AS action, 'allowed' AS outcome, basis::text AS why, purpose,
           actor_kind, wallet, member, delegate, institution, record, version, grant_id, policy, emergency, request
    FROM accesses
    UNION ALL
    SELECT at, patient, 'log', seq, CASE version WHEN 1 THEN 'append' ELSE 'amend' END, 'allowed', basis, purpose,
           actor_kind, wallet, member, delegate, institution, record, version, grant_id, policy, emergency, request
    FROM record_versions
    UNION ALL
    SELECT p.at, p.patient, 'log', p.seq, 'share', 'allowed', 'grant', p.purpose, p.actor_kind, p.wallet, p.member,
           p.delegate, p.institution, g.record, NULL, p.parent, NULL, NULL, p.request
    FROM grants_passed_on p
    JOIN grants g ON g.patient = p.patient AND g.id = p.grant_id
    UNION ALL
    SELECT at, patient, 'refusals', seq, action, 'refused', reason, purpose, actor_kind, wallet, member, delegate,
           institution, record, NULL, CASE claim WHEN 'grant' THEN claimed END,
           CASE claim WHEN 'policy' THEN claimed END, CASE claim WHEN 'emergency' THEN claimed END, request
    FROM refusals
) d
LEFT JOIN members m ON m.address = d.member
LEFT JOIN delegates x ON x.address = d.delegate;
COMMENT ON VIEW decisions IS 'Everything that was decided about records, allowed or refused: who, in what capacity, on which basis or for which reason, and under which grant, delegation, policy or emergency.';
COMMENT ON COLUMN decisions.at IS 'When it was decided.';
COMMENT ON COLUMN decisions.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN decisions.chain IS 'The chain that has the event: log or refusals.';
COMMENT ON COLUMN decisions.seq IS 'Place in that chain.';
COMMENT ON COLUMN decisions.action IS 'What was wanted: read, append, amend, share, aggregate.';
COMMENT ON COLUMN decisions.outcome IS 'Allowed or refused.';
COMMENT ON COLUMN decisions.why IS 'Basis of an allowed action, reason of a refused one.';
COMMENT ON COLUMN decisions.purpose IS 'What it was for.';
COMMENT ON COLUMN decisions.actor_kind IS 'In what capacity the actor acted.';
COMMENT ON COLUMN decisions.role IS 'The actor''s role, where it is a member.';
COMMENT ON COLUMN decisions.institution IS 'The actor''s institution, hex; null where there was none.';
COMMENT ON COLUMN decisions.wallet IS 'The wallet that signed, base58.';
COMMENT ON COLUMN decisions.record IS 'The record''s id, hex; null where it was about no single one.';
COMMENT ON COLUMN decisions.version IS 'The version that was read or written; null where it was refused.';
COMMENT ON COLUMN decisions.grant_id IS 'Of an allowed action, the grant by which it was allowed; of a refused one, the grant that was claimed. Hex; null where there was none.';
COMMENT ON COLUMN decisions.request IS 'Id that the actor chose, hex.';
COMMENT ON COLUMN decisions.delegate IS 'The delegation by which the actor acted, hex; null where it was none.';
COMMENT ON COLUMN decisions.policy IS 'Of an allowed action, the institution whose policy allowed it; of a refused one, the institution whose policy was claimed. Hex; null where there was none.';
COMMENT ON COLUMN decisions.emergency IS 'Of an allowed action, the emergency that allowed it; of a refused one, the emergency that was claimed. Hex; null where there was none.';
COMMENT ON COLUMN decisions.patient_id IS 'The patient''s id as the tables have it: a search by this one uses their indexes.';
COMMENT ON COLUMN decisions.record_id IS 'The record''s id as the tables have it.';
COMMENT ON COLUMN decisions.institution_id IS 'The actor''s institution as the tables have it.';

CREATE OR REPLACE VIEW record_list WITH (security_invoker = true) AS
SELECT encode(r.patient, 'hex') AS patient, encode(r.id, 'hex') AS record, r.class, r.status, r.version, v.padded_size,
       CASE WHEN v.batch IS NULL THEN v.actor_kind ELSE 'member'::actor_kind END AS author_kind, m.role AS author_role,
       encode(coalesce(v.batch_institution, v.institution), 'hex') AS institution,
       base58(v.locator) AS locator, encode(v.manifest_hash, 'hex') AS manifest_hash, r.created_at, r.changed_at,
       encode(v.batch, 'hex') AS batch, v.batch_index,
       r.patient AS patient_id, r.id AS record_id
FROM records r
JOIN record_versions v ON (v.patient, v.record, v.version) = (r.patient, r.id, r.version)
LEFT JOIN members m ON m.address = coalesce(v.batch_author, v.member);
COMMENT ON VIEW record_list IS 'Every record in its newest version.';
COMMENT ON COLUMN record_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN record_list.record IS 'The record''s id, hex.';
COMMENT ON COLUMN record_list.class IS 'Sharing class, 0 to 31.';
COMMENT ON COLUMN record_list.status IS 'Active or erased.';
COMMENT ON COLUMN record_list.version IS 'Number of the newest version.';
COMMENT ON COLUMN record_list.padded_size IS 'Sealed bytes of that version, after padding.';
COMMENT ON COLUMN record_list.author_kind IS 'In what capacity its author acted; a delegate writes for the patient.';
COMMENT ON COLUMN record_list.author_role IS 'The author''s role, where it is a member.';
COMMENT ON COLUMN record_list.institution IS 'The author''s institution, hex; null where there was none.';
COMMENT ON COLUMN record_list.locator IS 'Id of the manifest''s data item, base58.';
COMMENT ON COLUMN record_list.manifest_hash IS 'SHA-256 of the manifest, hex.';
COMMENT ON COLUMN record_list.created_at IS 'When the first version was added.';
COMMENT ON COLUMN record_list.changed_at IS 'When the record last changed.';
COMMENT ON COLUMN record_list.batch IS 'The batch of that institution that the version came from, hex; null where it came from none.';
COMMENT ON COLUMN record_list.batch_index IS 'Its place in the batch, from 0.';
COMMENT ON COLUMN record_list.patient_id IS 'The patient''s id as the tables have it: a search by this one uses their indexes.';
COMMENT ON COLUMN record_list.record_id IS 'The record''s id as the tables have it.';

CREATE OR REPLACE VIEW grant_list WITH (security_invoker = true) AS
SELECT encode(g.patient, 'hex') AS patient, encode(g.id, 'hex') AS grant_id, g.grantee_kind,
       base58(g.grantee) AS grantee, encode(coalesce(i.id, m.institution), 'hex') AS institution,
       encode(g.record, 'hex') AS record, g.classes, g.rights, g.purposes, g.not_before, g.expires_at, g.uses_left,
       g.created_at, g.revoked_at, base58(g.issuer) AS issuer, encode(g.parent, 'hex') AS parent, g.depth,
       encode(g.request, 'hex') AS request,
       g.patient AS patient_id, g.id AS grant_key, coalesce(i.id, m.institution) AS institution_id
FROM grants g
LEFT JOIN members m ON g.grantee_kind = 'member' AND m.address = g.grantee
LEFT JOIN institutions i ON g.grantee_kind = 'institution' AND i.address = g.grantee;
COMMENT ON VIEW grant_list IS 'Every grant as it stands now.';
COMMENT ON COLUMN grant_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN grant_list.grant_id IS 'The grant''s id, hex.';
COMMENT ON COLUMN grant_list.grantee_kind IS 'Member, institution or person.';
COMMENT ON COLUMN grant_list.grantee IS 'Address of the member''s or institution''s account, or the person''s wallet, base58.';
COMMENT ON COLUMN grant_list.institution IS 'The institution, or that of the member, hex; null for a person.';
COMMENT ON COLUMN grant_list.record IS 'The one record it is about, hex; null where it is about classes.';
COMMENT ON COLUMN grant_list.classes IS 'The sharing classes it is about; null where it is about one record.';
COMMENT ON COLUMN grant_list.rights IS 'What the grantee may do.';
COMMENT ON COLUMN grant_list.purposes IS 'What for.';
COMMENT ON COLUMN grant_list.not_before IS 'Valid from here.';
COMMENT ON COLUMN grant_list.expires_at IS 'Valid until just before here.';
COMMENT ON COLUMN grant_list.uses_left IS 'How often it can still be used; null is without limit.';
COMMENT ON COLUMN grant_list.created_at IS 'When it was given.';
COMMENT ON COLUMN grant_list.revoked_at IS 'When it was revoked; null as long as it was not.';
COMMENT ON COLUMN grant_list.issuer IS 'Wallet that signed it, base58.';
COMMENT ON COLUMN grant_list.parent IS 'The grant that was passed on, hex; it has to live. Null where the patient gave this one.';
COMMENT ON COLUMN grant_list.depth IS 'How many grants it descends from.';
COMMENT ON COLUMN grant_list.request IS 'The request that it answers, hex; null where it answers none.';
COMMENT ON COLUMN grant_list.patient_id IS 'The patient''s id as the tables have it: a search by this one uses their indexes.';
COMMENT ON COLUMN grant_list.grant_key IS 'The grant''s id as the tables have it.';
COMMENT ON COLUMN grant_list.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW delegate_list WITH (security_invoker = true) AS
SELECT encode(d.patient, 'hex') AS patient, encode(d.id, 'hex') AS delegate, base58(d.wallet) AS wallet,
       CASE WHEN d.revoked_at IS NOT NULL THEN 'revoked' WHEN d.accepted_at IS NULL THEN 'invited' ELSE 'accepted' END
           AS standing,
       d.rights, d.expires_at, d.named_at, d.accepted_at, d.revoked_at
FROM delegates d;
COMMENT ON VIEW delegate_list IS 'Everybody who acts for a patient, or did.';
COMMENT ON COLUMN delegate_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN delegate_list.delegate IS 'The delegation''s id, hex.';
COMMENT ON COLUMN delegate_list.wallet IS 'The delegate''s wallet, base58.';
COMMENT ON COLUMN delegate_list.standing IS 'Invited, accepted or revoked. An accepted one gives rights until it expires.';
COMMENT ON COLUMN delegate_list.rights IS 'What the delegate may do; share is to decide for the patient.';
COMMENT ON COLUMN delegate_list.expires_at IS 'From here on it gives no right.';
COMMENT ON COLUMN delegate_list.named_at IS 'When the patient named the delegate.';
COMMENT ON COLUMN delegate_list.accepted_at IS 'When the delegate accepted; null until then.';
COMMENT ON COLUMN delegate_list.revoked_at IS 'When it was taken or given back; null as long as it was not.';

CREATE OR REPLACE VIEW request_list WITH (security_invoker = true) AS
SELECT encode(r.patient, 'hex') AS patient, encode(r.id, 'hex') AS request, r.state, m.role,
       encode(r.institution, 'hex') AS institution, base58(r.wallet) AS wallet, encode(r.record, 'hex') AS record,
       r.classes, r.rights, r.purposes, r.until, r.asked_at, r.decided_at, base58(r.decided_by) AS decided_by,
       encode(r.grant_id, 'hex') AS grant_id
FROM requests r
JOIN members m ON m.address = r.member;
COMMENT ON VIEW request_list IS 'Every request for a grant, and what the patient decided.';
COMMENT ON COLUMN request_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN request_list.request IS 'The request''s id, hex.';
COMMENT ON COLUMN request_list.state IS 'Open, approved or denied.';
COMMENT ON COLUMN request_list.role IS 'Role of the member who asks.';
COMMENT ON COLUMN request_list.institution IS 'Its institution, hex.';
COMMENT ON COLUMN request_list.wallet IS 'The wallet that signed, base58.';
COMMENT ON COLUMN request_list.record IS 'The one record it is about, hex; null where it is about classes.';
COMMENT ON COLUMN request_list.classes IS 'The sharing classes it is about; null where it is about one record.';
COMMENT ON COLUMN request_list.rights IS 'What the member wants to do.';
COMMENT ON COLUMN request_list.purposes IS 'What for.';
COMMENT ON COLUMN request_list.until IS 'How long the grant is wanted for.';
COMMENT ON COLUMN request_list.asked_at IS 'When it was made.';
COMMENT ON COLUMN request_list.decided_at IS 'When it was decided; null until then.';
COMMENT ON COLUMN request_list.decided_by IS 'Wallet that decided, base58.';
COMMENT ON COLUMN request_list.grant_id IS 'The grant that it led to, hex; null where it led to none.';

CREATE OR REPLACE VIEW policy_list WITH (security_invoker = true) AS
SELECT encode(p.patient, 'hex') AS patient, encode(p.institution, 'hex') AS institution, i.kind, p.classes,
       (SELECT array_agg(c.since ORDER BY c.class) FROM policy_classes c
        WHERE c.patient = p.patient AND c.institution = p.institution AND c.ended_at IS NULL) AS since,
       p.purposes, p.enrols, p.expires_at, p.created_at, p.changed_at, base58(p.changed_by) AS changed_by
FROM policies p
JOIN institutions i ON i.id = p.institution;
COMMENT ON VIEW policy_list IS 'What patients share with institutions by itself.';
COMMENT ON COLUMN policy_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN policy_list.institution IS 'The institution''s id, hex.';
COMMENT ON COLUMN policy_list.kind IS 'What kind of body it is.';
COMMENT ON COLUMN policy_list.classes IS 'Classes of records that are shared; null where the policy was withdrawn.';
COMMENT ON COLUMN policy_list.since IS 'For each of the classes, in their order: records that are created from here on are shared.';
COMMENT ON COLUMN policy_list.purposes IS 'What for.';
COMMENT ON COLUMN policy_list.enrols IS 'Whether the institution''s members may add records of these classes.';
COMMENT ON COLUMN policy_list.expires_at IS 'From here on it gives no right.';
COMMENT ON COLUMN policy_list.created_at IS 'When it was first set.';
COMMENT ON COLUMN policy_list.changed_at IS 'When it was last set.';
COMMENT ON COLUMN policy_list.changed_by IS 'Wallet that last set it, base58.';

CREATE OR REPLACE VIEW emergency_list WITH (security_invoker = true) AS
SELECT encode(e.patient, 'hex') AS patient, encode(e.id, 'hex') AS emergency, m.role,
       encode(e.institution, 'hex') AS institution, base58(e.wallet) AS wallet, e.opened_at, e.expires_at,
       (SELECT count(*) FROM accesses a WHERE a.patient = e.patient AND a.emergency = e.id) AS readings,
       (SELECT count(*) FROM record_versions v WHERE v.patient = e.patient AND v.emergency = e.id) AS additions,
       e.patient_verdict, e.patient_reviewed_at, e.institution_verdict, e.institution_reviewed_at,
       CASE WHEN e.patient_verdict IS NULL AND e.institution_verdict IS NULL THEN 'both'
            WHEN e.institution_verdict IS NULL THEN 'institution'
            WHEN e.patient_verdict IS NULL THEN 'patient' END AS awaits,
       encode(e.reason_hash, 'hex') AS reason_hash,
       e.patient AS patient_id, e.institution AS institution_id
FROM emergencies e
JOIN members m ON m.address = e.member
ORDER BY (e.institution_verdict IS NULL)::integer + (e.patient_verdict IS NULL)::integer DESC, e.opened_at DESC, e.id;
COMMENT ON VIEW emergency_list IS 'Every chart that was opened without asking: those that await both reviews first, then those that await one.';
COMMENT ON COLUMN emergency_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN emergency_list.emergency IS 'The emergency''s id, hex.';
COMMENT ON COLUMN emergency_list.role IS 'Role of the member who opened it.';
COMMENT ON COLUMN emergency_list.institution IS 'Its institution, hex.';
COMMENT ON COLUMN emergency_list.wallet IS 'The wallet that signed, base58.';
COMMENT ON COLUMN emergency_list.opened_at IS 'When it was opened.';
COMMENT ON COLUMN emergency_list.expires_at IS 'From here on it gives no right. A review that finds it unjustified brings this forward.';
COMMENT ON COLUMN emergency_list.readings IS 'How many times a record was read by it.';
COMMENT ON COLUMN emergency_list.additions IS 'How many records were added by it.';
COMMENT ON COLUMN emergency_list.patient_verdict IS 'What the patient''s review found; null until then.';
COMMENT ON COLUMN emergency_list.patient_reviewed_at IS 'When the patient reviewed it.';
COMMENT ON COLUMN emergency_list.institution_verdict IS 'What the institution''s review found; null until then.';
COMMENT ON COLUMN emergency_list.institution_reviewed_at IS 'When the institution reviewed it.';
COMMENT ON COLUMN emergency_list.awaits IS 'Whose review it awaits: both, institution or patient; null where both are there.';
COMMENT ON COLUMN emergency_list.reason_hash IS 'Salted hash of the reason that the institution keeps, hex.';
COMMENT ON COLUMN emergency_list.patient_id IS 'The patient''s id as the tables have it: a search by this one uses their indexes.';
COMMENT ON COLUMN emergency_list.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW batch_list WITH (security_invoker = true) AS
SELECT encode(b.institution, 'hex') AS institution, encode(b.id, 'hex') AS batch, m.role AS author_role,
       base58(b.wallet) AS wallet, b.count,
       (SELECT count(*) FROM record_versions v WHERE v.batch_institution = b.institution AND v.batch = b.id) AS promoted,
       encode(b.root, 'hex') AS root, base58(b.locator) AS locator, b.at AS anchored_at
FROM batches b
JOIN members m ON m.address = b.author;
COMMENT ON VIEW batch_list IS 'Every batch of records that was anchored, and how many of them have an account of their own.';
COMMENT ON COLUMN batch_list.institution IS 'The institution''s id, hex.';
COMMENT ON COLUMN batch_list.batch IS 'The batch''s id, hex.';
COMMENT ON COLUMN batch_list.author_role IS 'Role of the member who anchored it.';
COMMENT ON COLUMN batch_list.wallet IS 'The wallet that signed, base58.';
COMMENT ON COLUMN batch_list.count IS 'How many records there are.';
COMMENT ON COLUMN batch_list.promoted IS 'How many of them were promoted.';
COMMENT ON COLUMN batch_list.root IS 'Merkle root over the records, hex.';
COMMENT ON COLUMN batch_list.locator IS 'Id of the data item with the list of leaves, base58.';
COMMENT ON COLUMN batch_list.anchored_at IS 'When it was anchored.';

CREATE OR REPLACE VIEW erasure_list WITH (security_invoker = true) AS
SELECT encode(e.patient, 'hex') AS patient, encode(e.record, 'hex') AS record, r.class, e.version, e.at AS erased_at,
       base58(e.erased_by) AS erased_by,
       (SELECT count(*) FROM erasure_attestations a WHERE a.patient = e.patient AND a.record = e.record) AS attestations,
       (SELECT max(a.at) FROM erasure_attestations a WHERE a.patient = e.patient AND a.record = e.record)
           AS last_attested_at
FROM erasures e
JOIN records r ON r.patient = e.patient AND r.id = e.record;
COMMENT ON VIEW erasure_list IS 'Every record that was erased, and how many keepers of its keys attested that they destroyed them.';
COMMENT ON COLUMN erasure_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN erasure_list.record IS 'The record''s id, hex.';
COMMENT ON COLUMN erasure_list.class IS 'Its sharing class, 0 to 31.';
COMMENT ON COLUMN erasure_list.version IS 'The newest version that there was.';
COMMENT ON COLUMN erasure_list.erased_at IS 'When it was erased.';
COMMENT ON COLUMN erasure_list.erased_by IS 'Wallet that erased it, base58.';
COMMENT ON COLUMN erasure_list.attestations IS 'How many attestations there are.';
COMMENT ON COLUMN erasure_list.last_attested_at IS 'When the last one was given; null where there is none.';

CREATE OR REPLACE VIEW agreement_list WITH (security_invoker = true) AS
SELECT encode(a.consumer, 'hex') AS consumer, encode(a.id, 'hex') AS agreement, encode(a.provider, 'hex') AS provider,
       a.state, a.classes, a.purpose, base58(a.mint) AS mint, a.price::numeric AS price,
       coalesce(d.deposited, 0) AS deposited, coalesce(s.paid, 0) AS paid, coalesce(s.settled, 0) AS settled,
       a.returned::numeric AS returned, a.expires_at, a.proposed_at, a.accepted_at, a.closed_at
FROM agreements a
LEFT JOIN LATERAL (SELECT sum(received) AS deposited FROM agreement_deposits
                   WHERE consumer = a.consumer AND agreement = a.id) d ON true
LEFT JOIN LATERAL (SELECT sum(amount) AS paid, count(*) AS settled FROM settlements
                   WHERE consumer = a.consumer AND agreement = a.id) s ON true;
COMMENT ON VIEW agreement_list IS 'Every agreement by which an institution pays another for access, with what was deposited, paid and returned.';
COMMENT ON COLUMN agreement_list.consumer IS 'The institution that pays, hex.';
COMMENT ON COLUMN agreement_list.agreement IS 'The agreement''s id, hex.';
COMMENT ON COLUMN agreement_list.provider IS 'The institution whose records are paid for, hex.';
COMMENT ON COLUMN agreement_list.state IS 'Proposed, active or closed.';
COMMENT ON COLUMN agreement_list.classes IS 'The sharing classes it is about.';
COMMENT ON COLUMN agreement_list.purpose IS 'The purpose that access is paid for.';
COMMENT ON COLUMN agreement_list.mint IS 'The token that it is paid in, base58.';
COMMENT ON COLUMN agreement_list.price IS 'Smallest units of the mint for one version of one record.';
COMMENT ON COLUMN agreement_list.deposited IS 'Smallest units that arrived in escrow.';
COMMENT ON COLUMN agreement_list.paid IS 'Smallest units that were paid out of it.';
COMMENT ON COLUMN agreement_list.settled IS 'How many versions of records were paid for.';
COMMENT ON COLUMN agreement_list.returned IS 'Smallest units that left the escrow when it was closed; null until then.';
COMMENT ON COLUMN agreement_list.expires_at IS 'From here on nothing is settled.';
COMMENT ON COLUMN agreement_list.proposed_at IS 'When it was proposed.';
COMMENT ON COLUMN agreement_list.accepted_at IS 'When the provider accepted; null until then.';
COMMENT ON COLUMN agreement_list.closed_at IS 'When it was closed; null as long as it was not.';

-- Sums -------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW accesses_by_hour WITH (security_invoker = true) AS
SELECT h.hour, encode(h.institution, 'hex') AS institution, h.role, h.actor_kind, h.purpose, h.basis, h.accesses,
       h.institution AS institution_id
FROM access_hours h;
COMMENT ON VIEW accesses_by_hour IS 'How many readings were allowed in each hour, by institution, role, purpose and basis.';
COMMENT ON COLUMN accesses_by_hour.hour IS 'Beginning of the hour, UTC.';
COMMENT ON COLUMN accesses_by_hour.institution IS 'The readers'' institution, hex; null where there was none.';
COMMENT ON COLUMN accesses_by_hour.role IS 'The readers'' role; null where they were no members.';
COMMENT ON COLUMN accesses_by_hour.actor_kind IS 'In what capacity the readers acted.';
COMMENT ON COLUMN accesses_by_hour.purpose IS 'What the readings were for.';
COMMENT ON COLUMN accesses_by_hour.basis IS 'Why they were allowed.';
COMMENT ON COLUMN accesses_by_hour.accesses IS 'How many there were.';
COMMENT ON COLUMN accesses_by_hour.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW accesses_by_day WITH (security_invoker = true) AS
SELECT d.day, encode(d.institution, 'hex') AS institution, d.role, d.actor_kind, d.purpose, d.basis, d.accesses,
       d.institution AS institution_id
FROM access_days d;
COMMENT ON VIEW accesses_by_day IS 'How many readings were allowed on each day, by institution, role, purpose and basis.';
COMMENT ON COLUMN accesses_by_day.day IS 'Beginning of the day, UTC.';
COMMENT ON COLUMN accesses_by_day.institution IS 'The readers'' institution, hex; null where there was none.';
COMMENT ON COLUMN accesses_by_day.role IS 'The readers'' role; null where they were no members.';
COMMENT ON COLUMN accesses_by_day.actor_kind IS 'In what capacity the readers acted.';
COMMENT ON COLUMN accesses_by_day.purpose IS 'What the readings were for.';
COMMENT ON COLUMN accesses_by_day.basis IS 'Why they were allowed.';
COMMENT ON COLUMN accesses_by_day.accesses IS 'How many there were.';
COMMENT ON COLUMN accesses_by_day.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW refusals_by_hour WITH (security_invoker = true) AS
SELECT h.hour, encode(h.institution, 'hex') AS institution, h.role, h.action, h.purpose, h.reason, h.refusals,
       h.institution AS institution_id
FROM refusal_hours h;
COMMENT ON VIEW refusals_by_hour IS 'How many actions were refused in each hour, by institution, role, action, purpose and reason.';
COMMENT ON COLUMN refusals_by_hour.hour IS 'Beginning of the hour, UTC.';
COMMENT ON COLUMN refusals_by_hour.institution IS 'The actors'' institution, hex; null where there was none.';
COMMENT ON COLUMN refusals_by_hour.role IS 'The actors'' role; null where they were no members.';
COMMENT ON COLUMN refusals_by_hour.action IS 'What was wanted.';
COMMENT ON COLUMN refusals_by_hour.purpose IS 'What it was for.';
COMMENT ON COLUMN refusals_by_hour.reason IS 'Why it was refused.';
COMMENT ON COLUMN refusals_by_hour.refusals IS 'How many there were.';
COMMENT ON COLUMN refusals_by_hour.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW refusals_by_day WITH (security_invoker = true) AS
SELECT d.day, encode(d.institution, 'hex') AS institution, d.role, d.action, d.purpose, d.reason, d.refusals,
       d.institution AS institution_id
FROM refusal_days d;
COMMENT ON VIEW refusals_by_day IS 'How many actions were refused on each day, by institution, role, action, purpose and reason.';
COMMENT ON COLUMN refusals_by_day.day IS 'Beginning of the day, UTC.';
COMMENT ON COLUMN refusals_by_day.institution IS 'The actors'' institution, hex; null where there was none.';
COMMENT ON COLUMN refusals_by_day.role IS 'The actors'' role; null where they were no members.';
COMMENT ON COLUMN refusals_by_day.action IS 'What was wanted.';
COMMENT ON COLUMN refusals_by_day.purpose IS 'What it was for.';
COMMENT ON COLUMN refusals_by_day.reason IS 'Why it was refused.';
COMMENT ON COLUMN refusals_by_day.refusals IS 'How many there were.';
COMMENT ON COLUMN refusals_by_day.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW refusals_by_reason WITH (security_invoker = true) AS
SELECT h.reason, sum(h.refusals) FILTER (WHERE h.hour > now() - interval '1 day') AS last_day,
       sum(h.refusals) FILTER (WHERE h.hour > now() - interval '7 days') AS last_week,
       sum(h.refusals) AS last_month, max(h.hour) AS last_hour
FROM refusal_hours h
WHERE h.hour > now() - interval '30 days'
GROUP BY h.reason;
COMMENT ON VIEW refusals_by_reason IS 'How often each reason stood against an action in the last 30 days, counted by whole hours.';
COMMENT ON COLUMN refusals_by_reason.reason IS 'Why something was refused.';
COMMENT ON COLUMN refusals_by_reason.last_day IS 'How many there were in the last 24 hours; null where there were none.';
COMMENT ON COLUMN refusals_by_reason.last_week IS 'How many there were in the last 7 days; null where there were none.';
COMMENT ON COLUMN refusals_by_reason.last_month IS 'How many there were in the last 30 days.';
COMMENT ON COLUMN refusals_by_reason.last_hour IS 'Beginning of the last hour in which there was one, UTC.';

CREATE OR REPLACE VIEW records_by_size WITH (security_invoker = true) AS
SELECT encode(s.institution, 'hex') AS institution, s.class, s.status, trunc(2::numeric ^ s.step) AS less_than, s.versions,
       s.bytes, s.institution AS institution_id
FROM record_sizes s;
COMMENT ON VIEW records_by_size IS 'How many versions of records there are, by author''s institution, class and size.';
COMMENT ON COLUMN records_by_size.institution IS 'The authors'' institution, hex; null where there was none.';
COMMENT ON COLUMN records_by_size.class IS 'Sharing class, 0 to 31.';
COMMENT ON COLUMN records_by_size.status IS 'Whether the records are active or were erased.';
COMMENT ON COLUMN records_by_size.less_than IS 'Versions that have less sealed bytes than this after padding, and no less than half of it.';
COMMENT ON COLUMN records_by_size.versions IS 'How many versions there are.';
COMMENT ON COLUMN records_by_size.bytes IS 'Their sealed bytes after padding, as their authors state.';
COMMENT ON COLUMN records_by_size.institution_id IS 'The institution as the tables have it.';

-- What to look after -----------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW expiring_grants WITH (security_invoker = true) AS
SELECT encode(g.patient, 'hex') AS patient, encode(g.id, 'hex') AS grant_id, g.grantee_kind,
       encode(coalesce(i.id, m.institution), 'hex') AS institution, m.role, encode(g.record, 'hex') AS record, g.classes,
       g.rights, g.purposes, g.uses_left, g.expires_at, g.patient AS patient_id, g.id AS grant_key,
       coalesce(i.id, m.institution) AS institution_id
FROM grants g
LEFT JOIN members m ON g.grantee_kind = 'member' AND m.address = g.grantee
LEFT JOIN institutions i ON g.grantee_kind = 'institution' AND i.address = g.grantee
WHERE g.expires_at > now() AND g.expires_at <= now() + interval '30 days' AND g.revoked_at IS NULL
      AND g.uses_left IS DISTINCT FROM 0;
COMMENT ON VIEW expiring_grants IS 'Grants that end within 30 days and were neither revoked nor used up.';
COMMENT ON COLUMN expiring_grants.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN expiring_grants.grant_id IS 'The grant''s id, hex.';
COMMENT ON COLUMN expiring_grants.grantee_kind IS 'Member, institution or person.';
COMMENT ON COLUMN expiring_grants.institution IS 'The institution, or that of the member, hex; null for a person.';
COMMENT ON COLUMN expiring_grants.role IS 'The member''s role; null for others.';
COMMENT ON COLUMN expiring_grants.record IS 'The one record it is about, hex; null where it is about classes.';
COMMENT ON COLUMN expiring_grants.classes IS 'The sharing classes it is about; null where it is about one record.';
COMMENT ON COLUMN expiring_grants.rights IS 'What the grantee may do.';
COMMENT ON COLUMN expiring_grants.purposes IS 'What for.';
COMMENT ON COLUMN expiring_grants.uses_left IS 'How often it can still be used; null is without limit.';
COMMENT ON COLUMN expiring_grants.expires_at IS 'When it ends. It ends sooner where a grant that it descends from does.';
COMMENT ON COLUMN expiring_grants.patient_id IS 'The patient''s id as the tables have it.';
COMMENT ON COLUMN expiring_grants.grant_key IS 'The grant''s id as the tables have it.';
COMMENT ON COLUMN expiring_grants.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW unreviewed_emergencies WITH (security_invoker = true) AS
SELECT encode(e.patient, 'hex') AS patient, encode(e.id, 'hex') AS emergency, m.role,
       encode(e.institution, 'hex') AS institution, e.opened_at, e.expires_at,
       CASE WHEN e.patient_verdict IS NULL AND e.institution_verdict IS NULL THEN 'both'
            WHEN e.institution_verdict IS NULL THEN 'institution' ELSE 'patient' END AS awaits,
       e.patient AS patient_id, e.id AS emergency_id, e.institution AS institution_id
FROM emergencies e
JOIN members m ON m.address = e.member
WHERE e.patient_verdict IS NULL OR e.institution_verdict IS NULL;
COMMENT ON VIEW unreviewed_emergencies IS 'Charts that were opened without asking, and that the patient, the institution or both have not reviewed.';
COMMENT ON COLUMN unreviewed_emergencies.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN unreviewed_emergencies.emergency IS 'The emergency''s id, hex.';
COMMENT ON COLUMN unreviewed_emergencies.role IS 'Role of the member who opened it.';
COMMENT ON COLUMN unreviewed_emergencies.institution IS 'Its institution, hex.';
COMMENT ON COLUMN unreviewed_emergencies.opened_at IS 'When it was opened.';
COMMENT ON COLUMN unreviewed_emergencies.expires_at IS 'From here on it gives no right.';
COMMENT ON COLUMN unreviewed_emergencies.awaits IS 'Whose review it awaits: both, institution or patient. Until the institution''s, its opener opens no other.';
COMMENT ON COLUMN unreviewed_emergencies.patient_id IS 'The patient''s id as the tables have it.';
COMMENT ON COLUMN unreviewed_emergencies.emergency_id IS 'The emergency''s id as the tables have it.';
COMMENT ON COLUMN unreviewed_emergencies.institution_id IS 'The institution as the tables have it.';

CREATE OR REPLACE VIEW recent_accesses WITH (security_invoker = true) AS
SELECT a.at, a.patient AS patient_id, a.seq, a.record AS record_id, a.version, a.actor_kind, m.role,
       a.institution AS institution_id, a.wallet, a.purpose, a.basis, a.grant_id AS grant_key, a.request AS request_id
FROM accesses a
LEFT JOIN members m ON m.address = a.member
WHERE a.at > now() - interval '24 hours';
COMMENT ON VIEW recent_accesses IS 'Every reading of the last 24 hours. There are many: all ids are bytes here, as the tables have them.';
COMMENT ON COLUMN recent_accesses.at IS 'When it was decided.';
COMMENT ON COLUMN recent_accesses.patient_id IS 'Whose record.';
COMMENT ON COLUMN recent_accesses.seq IS 'Place in the patient''s chain log.';
COMMENT ON COLUMN recent_accesses.record_id IS 'The record''s id.';
COMMENT ON COLUMN recent_accesses.version IS 'Its newest version at that time.';
COMMENT ON COLUMN recent_accesses.actor_kind IS 'In what capacity the reader acted.';
COMMENT ON COLUMN recent_accesses.role IS 'The reader''s role, where it is a member.';
COMMENT ON COLUMN recent_accesses.institution_id IS 'The reader''s institution; null where there was none.';
COMMENT ON COLUMN recent_accesses.wallet IS 'The wallet that signed.';
COMMENT ON COLUMN recent_accesses.purpose IS 'What it was for.';
COMMENT ON COLUMN recent_accesses.basis IS 'Why it was allowed.';
COMMENT ON COLUMN recent_accesses.grant_key IS 'The grant by which it was allowed; null where the basis is another.';
COMMENT ON COLUMN recent_accesses.request_id IS 'Id that the reader chose.';

-- Grants without a name ----------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW anonymous_grant_list WITH (security_invoker = true) AS
SELECT encode(g.patient, 'hex') AS patient, encode(g.record, 'hex') AS record, encode(g.tree, 'hex') AS tree, g.leaf_index,
       g.rights, g.expires_at, g.created_at, g.revoked_at, base58(g.issuer) AS issuer, g.number, g.revoked_number,
       g.patient AS patient_id, g.record AS record_id, g.tree AS tree_id
FROM anonymous_grants g;
COMMENT ON VIEW anonymous_grant_list IS 'Every grant without a name as it stands now.';
COMMENT ON COLUMN anonymous_grant_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN anonymous_grant_list.record IS 'The record that it is about, hex.';
COMMENT ON COLUMN anonymous_grant_list.tree IS 'The tree that it stands in, hex.';
COMMENT ON COLUMN anonymous_grant_list.leaf_index IS 'Place of its leaf there, from 0.';
COMMENT ON COLUMN anonymous_grant_list.rights IS 'What may be proved a right to.';
COMMENT ON COLUMN anonymous_grant_list.expires_at IS 'Valid until just before here.';
COMMENT ON COLUMN anonymous_grant_list.created_at IS 'When it was given.';
COMMENT ON COLUMN anonymous_grant_list.revoked_at IS 'When it was revoked; null as long as it was not.';
COMMENT ON COLUMN anonymous_grant_list.issuer IS 'Wallet that signed it, base58.';
COMMENT ON COLUMN anonymous_grant_list.number IS 'Number of the root that the tree had after it was given.';
COMMENT ON COLUMN anonymous_grant_list.revoked_number IS 'Number of the root that the tree had after it was revoked; null as long as it was not.';
COMMENT ON COLUMN anonymous_grant_list.patient_id IS 'The patient''s id as the tables have it.';
COMMENT ON COLUMN anonymous_grant_list.record_id IS 'The record''s id as the tables have it.';
COMMENT ON COLUMN anonymous_grant_list.tree_id IS 'The tree''s id as the tables have it.';

CREATE OR REPLACE VIEW anonymity_sets WITH (security_invoker = true) AS
SELECT encode(g.patient, 'hex') AS patient, encode(g.record, 'hex') AS record, encode(g.tree, 'hex') AS tree,
       count(*) FILTER (WHERE g.revoked_at IS NULL AND g.expires_at > now()) AS live,
       count(*) FILTER (WHERE g.revoked_at IS NULL AND g.expires_at <= now()) AS expired,
       count(g.revoked_at) AS revoked, max(g.revoked_number) AS floor, g.patient AS patient_id, g.record AS record_id,
       g.tree AS tree_id
FROM anonymous_grants g
GROUP BY g.patient, g.record, g.tree;
COMMENT ON VIEW anonymity_sets IS 'Among how many a reader of a record by a grant without a name hides. Who they are stands nowhere; whoever knows of few of them can count.';
COMMENT ON COLUMN anonymity_sets.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN anonymity_sets.record IS 'The record''s id, hex.';
COMMENT ON COLUMN anonymity_sets.tree IS 'The tree, hex: a proof says which.';
COMMENT ON COLUMN anonymity_sets.live IS 'Grants that can be used now. Each is a reader''s, but one reader may have several.';
COMMENT ON COLUMN anonymity_sets.expired IS 'Grants that ended by their time.';
COMMENT ON COLUMN anonymity_sets.revoked IS 'Grants that were revoked.';
COMMENT ON COLUMN anonymity_sets.floor IS 'Number of the first root by which a proof about the record counts: that after the last revocation. Null where none was revoked.';
COMMENT ON COLUMN anonymity_sets.patient_id IS 'The patient''s id as the tables have it.';
COMMENT ON COLUMN anonymity_sets.record_id IS 'The record''s id as the tables have it.';
COMMENT ON COLUMN anonymity_sets.tree_id IS 'The tree''s id as the tables have it.';

CREATE OR REPLACE VIEW access_proof_list WITH (security_invoker = true) AS
SELECT p.at, encode(p.tree, 'hex') AS tree, p.made_seq AS seq, base58(p.verifier) AS verifier, p.epoch,
       encode(p.exchange, 'hex') AS exchange, encode(p.nullifier, 'hex') AS nullifier, encode(p.handle, 'hex') AS handle,
       p.rights, base58(p.relayer) AS relayer, p.number, p.rent_returned_at, p.tree AS tree_id, p.verifier AS verifier_id,
       p.nullifier AS nullifier_id
FROM access_proofs p;
COMMENT ON VIEW access_proof_list IS 'Every use of a grant without a name that the chain counted. Of what record, and by whom, is not known.';
COMMENT ON COLUMN access_proof_list.at IS 'When it was shown.';
COMMENT ON COLUMN access_proof_list.tree IS 'The tree that it rests on, hex.';
COMMENT ON COLUMN access_proof_list.seq IS 'Place in the chain tree.';
COMMENT ON COLUMN access_proof_list.verifier IS 'Whom it was made for, base58.';
COMMENT ON COLUMN access_proof_list.epoch IS 'Hours since 1970.';
COMMENT ON COLUMN access_proof_list.exchange IS 'Id that the reader chose, hex.';
COMMENT ON COLUMN access_proof_list.nullifier IS 'What a second use of that epoch would have too, hex.';
COMMENT ON COLUMN access_proof_list.handle IS 'Names the record to whoever knows it and the blind, hex.';
COMMENT ON COLUMN access_proof_list.rights IS 'What was proved a right to.';
COMMENT ON COLUMN access_proof_list.relayer IS 'Wallet that brought it and paid, base58.';
COMMENT ON COLUMN access_proof_list.number IS 'Number of the tree''s root that it rests on.';
COMMENT ON COLUMN access_proof_list.rent_returned_at IS 'When the relayer got the rent back; null as long as it did not.';
COMMENT ON COLUMN access_proof_list.tree_id IS 'The tree''s id as the tables have it.';
COMMENT ON COLUMN access_proof_list.verifier_id IS 'The verifier''s address as the tables have it.';
COMMENT ON COLUMN access_proof_list.nullifier_id IS 'The nullifier as the tables have it.';

CREATE OR REPLACE VIEW accesses_by_proof WITH (security_invoker = true) AS
SELECT to_timestamp(p.epoch * 3600.0) AS hour, p.epoch, base58(p.verifier) AS verifier,
       count(*) FILTER (WHERE 'read' = ANY (p.rights)) AS readings,
       count(*) FILTER (WHERE 'aggregate' = ANY (p.rights)) AS aggregations, count(DISTINCT p.relayer) AS relayers,
       count(*) FILTER (WHERE p.rent_returned_at IS NULL) AS rents_out, p.verifier AS verifier_id
FROM access_proofs p
GROUP BY p.epoch, p.verifier;
COMMENT ON VIEW accesses_by_proof IS 'Uses of grants without a name that the chain counted, by verifier and epoch. In an epoch, a reader has one for each record at each verifier.';
COMMENT ON COLUMN accesses_by_proof.hour IS 'When the epoch begins.';
COMMENT ON COLUMN accesses_by_proof.epoch IS 'Hours since 1970.';
COMMENT ON COLUMN accesses_by_proof.verifier IS 'Whom the proofs were made for, base58.';
COMMENT ON COLUMN accesses_by_proof.readings IS 'Proofs of a right to read.';
COMMENT ON COLUMN accesses_by_proof.aggregations IS 'Proofs of a right to aggregate; one of both counts in both.';
COMMENT ON COLUMN accesses_by_proof.relayers IS 'How many wallets brought them.';
COMMENT ON COLUMN accesses_by_proof.rents_out IS 'How many relayers'' rents were not returned yet.';
COMMENT ON COLUMN accesses_by_proof.verifier_id IS 'The verifier''s address as the tables have it.';

-- What can still be dropped ----------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW unsettled_events WITH (security_invoker = true) AS
SELECT e.chain, encode(e.subject, 'hex') AS subject, e.seq, e.name, e.at, e.slot, e.signature, e.subject AS subject_id
FROM tail t
JOIN events e ON e.signature = t.signature;
COMMENT ON VIEW unsettled_events IS 'Events of transactions that are confirmed and not final. Where the ledger drops one, its event goes, and every row that followed from it is made anew.';
COMMENT ON COLUMN unsettled_events.chain IS 'The hash chain that the event is a link of.';
COMMENT ON COLUMN unsettled_events.subject IS 'Whose chain, hex.';
COMMENT ON COLUMN unsettled_events.seq IS 'Place in that chain: rows that name it, or a later one, are not final.';
COMMENT ON COLUMN unsettled_events.name IS 'The event''s name in the program.';
COMMENT ON COLUMN unsettled_events.at IS 'When it happened, by the chain''s clock.';
COMMENT ON COLUMN unsettled_events.slot IS 'Its slot on the ledger.';
COMMENT ON COLUMN unsettled_events.signature IS 'The transaction that emitted it.';
COMMENT ON COLUMN unsettled_events.subject_id IS 'Whose chain, as the tables have it.';

-- Runs as the tables' owner, because an institution does not see the events of patients. It tells one time.
CREATE OR REPLACE FUNCTION settled_before() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
    SELECT coalesce(min(e.at), 'infinity') FROM chartseal.tail t JOIN chartseal.events e ON e.signature = t.signature
$$;
COMMENT ON FUNCTION settled_before() IS 'Rows whose time lies before this one are final; infinity where all are.';

-- Who could read what, at any moment --------------------------------------------------------------------------------

-- Runs as the tables' owner, because a grant may descend from one whose grantee is somebody else's matter. It says whether
-- a grant lived at a moment, to an analyst who knows its random id; asked of many moments, when it began and ended.
CREATE OR REPLACE FUNCTION grant_lives(of_patient bytea, of_grant bytea, moment timestamptz) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
    WITH RECURSIVE above AS (
        SELECT g.*, 0 AS step FROM chartseal.grants g WHERE g.patient = of_patient AND g.id = of_grant
        UNION ALL
        SELECT g.*, above.step + 1 FROM above JOIN chartseal.grants g ON g.patient = above.patient AND g.id = above.parent
        WHERE above.step < 3
    )
    SELECT coalesce(bool_and(created_at <= moment AND not_before <= moment AND moment < expires_at
                             AND (revoked_at IS NULL OR moment < revoked_at)
                             AND (exhausted_at IS NULL OR moment <= exhausted_at))
                    AND bool_or(parent IS NULL), false)
    FROM above
$$;
REVOKE EXECUTE ON FUNCTION grant_lives(bytea, bytea, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION grant_lives(bytea, bytea, timestamptz) IS 'Whether a grant, and every grant that it descends from, gave rights at that moment. At the moment of its last use it did.';

CREATE OR REPLACE FUNCTION readers_at(of_patient bytea, of_record bytea, moment timestamptz)
RETURNS TABLE (actor_kind text, reader bytea, role text, institution bytea, purposes text[], basis text, under bytea)
LANGUAGE sql STABLE SET search_path TO pg_catalog, pg_temp AS $$
    WITH subject AS (
        SELECT r.class, r.created_at, ARRAY(
                   SELECT coalesce(v.batch_author, v.member)::bytea FROM chartseal.record_versions v
                   WHERE v.patient = r.patient AND v.record = r.id
                         AND v.version IN (1, (SELECT max(w.version) FROM chartseal.record_versions w
                                               WHERE w.patient = r.patient AND w.record = r.id AND w.at <= moment))
               ) AS authors
        FROM chartseal.records r
        WHERE r.patient = of_patient AND r.id = of_record AND r.created_at <= moment
              AND NOT EXISTS (SELECT FROM chartseal.erasures e
                              WHERE e.patient = r.patient AND e.record = r.id AND e.at <= moment)
              -- While the program is paused, everybody is turned away.
              AND coalesce((SELECT p.change FROM chartseal.registry_changes p
                            WHERE p.change IN ('paused', 'resumed') AND p.at <= moment
                            ORDER BY p.seq DESC LIMIT 1), 'resumed') = 'resumed'
    ),
    -- Memberships that gave rights, with all that their roles may read for.
    members AS NOT MATERIALIZED (
        SELECT m.address, m.institution, m.role, s.emergency_credential, may.purposes
        FROM chartseal.members m
        JOIN chartseal.member_standings s ON s.member = m.address AND s.since <= moment
             AND (s.ended_at IS NULL OR moment < s.ended_at) AND s.standing = 'active' AND moment < s.expires_at
        JOIN chartseal.institution_standings i ON i.institution = m.institution AND i.since <= moment
             AND (i.ended_at IS NULL OR moment < i.ended_at) AND i.standing = 'active' AND moment < i.expires_at
        JOIN (VALUES ('doctor', '{treatment,operations,research,legal,emergency}'::text[]),
                     ('nurse', '{treatment,operations,emergency}'), ('technician', '{treatment,operations}'),
                     ('insurer', '{payment}'), ('researcher', '{research}')) may (role, purposes) ON may.role = m.role
    ),
    grants AS NOT MATERIALIZED (
        SELECT g.id, g.grantee_kind, g.grantee, g.purposes
        FROM subject
        JOIN chartseal.grants g ON g.patient = of_patient AND (g.record = of_record OR subject.class = ANY (g.classes))
        WHERE 'read' = ANY (g.rights) AND chartseal.grant_lives(g.patient, g.id, moment)
    )
    SELECT 'patient', w.wallet::bytea, NULL, NULL::bytea,
           '{treatment,payment,operations,research,legal,emergency,personal}'::text[], 'patient', NULL::bytea
    FROM subject
    JOIN chartseal.patient_wallets w ON w.patient = of_patient AND w.since <= moment
         AND (w.ended_at IS NULL OR moment < w.ended_at)
    UNION ALL
    SELECT 'delegate', d.address, NULL, NULL, '{personal}', 'delegate', d.id
    FROM subject
    JOIN chartseal.delegates d ON d.patient = of_patient AND d.accepted_at <= moment AND moment < d.expires_at
         AND (d.revoked_at IS NULL OR moment < d.revoked_at) AND 'read' = ANY (d.rights)
    UNION ALL
    SELECT 'member', m.address, m.role, m.institution, m.purposes, 'author', NULL
    FROM subject JOIN members m ON m.address = ANY (subject.authors)
    UNION ALL
    SELECT 'member', m.address, m.role, m.institution,
           ARRAY(SELECT unnest(m.purposes) INTERSECT SELECT unnest(g.purposes) ORDER BY 1), 'grant', g.id
    FROM grants g
    JOIN members m ON g.grantee_kind = 'member' AND m.address = g.grantee AND m.purposes && g.purposes
    UNION ALL
    SELECT 'member', m.address, m.role, m.institution,
           ARRAY(SELECT unnest(m.purposes) INTERSECT SELECT unnest(g.purposes) ORDER BY 1), 'grant', g.id
    FROM grants g
    JOIN chartseal.institutions i ON g.grantee_kind = 'institution' AND i.address = g.grantee
    JOIN members m ON m.institution = i.id AND m.purposes && g.purposes
    UNION ALL
    SELECT 'person', g.grantee, NULL, NULL, '{personal}', 'grant', g.id
    FROM grants g
    WHERE g.grantee_kind = 'person' AND 'personal' = ANY (g.purposes)
    UNION ALL
    SELECT 'member', m.address, m.role, m.institution,
           ARRAY(SELECT unnest(m.purposes) INTERSECT SELECT unnest(p.purposes) ORDER BY 1), 'policy', c.institution
    FROM subject
    JOIN chartseal.policy_classes c ON c.patient = of_patient AND c.class = subject.class AND c.since <= moment
         AND (c.ended_at IS NULL OR moment < c.ended_at) AND c.since <= subject.created_at
    CROSS JOIN LATERAL (SELECT p.purposes, p.expires_at FROM chartseal.policy_changes p
                        WHERE p.patient = c.patient AND p.institution = c.institution AND p.at <= moment
                        ORDER BY p.seq DESC LIMIT 1) p
    JOIN members m ON m.institution = c.institution AND m.purposes && p.purposes
    WHERE moment < p.expires_at
    UNION ALL
    SELECT 'member', m.address, m.role, m.institution, '{emergency}', 'emergency', e.id
    FROM subject
    JOIN chartseal.emergencies e ON e.patient = of_patient AND e.opened_at <= moment AND moment < e.expires_at
    JOIN members m ON m.address = e.member AND m.emergency_credential AND 'emergency' = ANY (m.purposes)
$$;
COMMENT ON FUNCTION readers_at(bytea, bytea, timestamptz) IS 'Everybody who could read a record of a patient at a moment by a right that stood then, with what for, on which basis, and under which grant, delegation, emergency or institution''s policy; one row for each way. The rules are those of the program: nobody could while it was paused. A reading to which the patient consents on the spot takes no standing right, and is not among them. reader is members.address, delegates.address, or a wallet. An analyst of an institution is shown its own members, and the patient.';

CREATE OR REPLACE FUNCTION could_read(of_patient bytea, of_record bytea, moment timestamptz, who bytea, for_purpose text DEFAULT NULL)
RETURNS boolean
LANGUAGE sql STABLE SET search_path TO pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM chartseal.readers_at(of_patient, of_record, moment) r
                   WHERE r.reader = who AND (for_purpose IS NULL OR for_purpose = ANY (r.purposes)))
$$;
COMMENT ON FUNCTION could_read(bytea, bytea, timestamptz, bytea, text) IS 'Whether somebody could read a record at a moment, for that purpose or for any: whoever readers_at names then.';
