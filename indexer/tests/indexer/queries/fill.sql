-- Rows enough that indexes are worth it: three institutions, 400 patients, and a year of readings. The ids that the
-- queries of docs/queries.md name are among them. Everything is where it is by arithmetic, so that plans do not vary.

SET search_path TO chartseal;
SET timezone TO 'UTC';
SET session_replication_role TO replica;

CREATE FUNCTION pg_temp.id(kind text, n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE n WHEN 0 THEN decode(repeat(kind, 16), 'hex') ELSE substring(sha256((kind || n)::bytea), 1, 16) END
$$;
CREATE FUNCTION pg_temp.address(kind text, n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE n WHEN 0 THEN decode(repeat(kind, 32), 'hex') ELSE sha256((kind || n)::bytea) END
$$;

INSERT INTO checkpoint (program, signature, slot) VALUES (decode(repeat('01', 32), 'hex'), decode(repeat('02', 64), 'hex'), 1000);

INSERT INTO institutions (id, address, kind, standing, authority, registered_at, accepted_at, changed_at, made_seq,
                          changed_seq, expires_at)
SELECT pg_temp.id('11', n), pg_temp.address('e0', n), (ARRAY['hospital', 'insurer', 'research-body'])[n + 1], 'active',
       pg_temp.address('90', n), '2025-01-01', '2025-01-01', '2025-01-01', 1, 2, 'infinity'
FROM generate_series(0, 2) n;
INSERT INTO institution_standings (institution, made_seq, standing, expires_at, since, changed_seq)
SELECT id, 2, 'active', 'infinity', '2025-01-01', 2 FROM institutions;

INSERT INTO members (address, institution, member_id, wallet, role, standing, expires_at, registered_at, accepted_at,
                     changed_at, made_seq, changed_seq, emergency_credential)
SELECT pg_temp.address('d0', n), pg_temp.id('11', n % 3), pg_temp.id('d0', n), pg_temp.address('a0', n),
       (ARRAY['doctor', 'insurer', 'researcher', 'nurse', 'insurer', 'researcher'])[n % 6 + 1], 'active', 'infinity',
       '2025-01-01', '2025-01-01', '2025-01-01', n + 3, n + 3, n % 6 = 0
FROM generate_series(0, 299) n;
INSERT INTO member_standings (member, institution, made_seq, standing, expires_at, emergency_credential, since, changed_seq)
SELECT address, institution, made_seq, 'active', 'infinity', emergency_credential, '2025-01-01', made_seq FROM members;

INSERT INTO patients (id, wallet, encryption_key, opened_at, changed_at, made_seq, changed_seq, key_epoch)
SELECT pg_temp.id('21', n), pg_temp.address('a2', n), pg_temp.address('82', n), '2025-10-01', '2025-10-01', 1, 1, 1
FROM generate_series(0, 399) n;
INSERT INTO patient_wallets (patient, made_seq, wallet, since, changed_seq)
SELECT id, 1, wallet, opened_at, 1 FROM patients;

INSERT INTO records (patient, id, class, status, version, created_at, changed_at, made_seq, changed_seq)
SELECT pg_temp.id('21', n / 5), pg_temp.id('31', n % 5), n % 5, 'active', 1, '2025-10-02', '2025-10-02', n % 5 + 2, n % 5 + 2
FROM generate_series(0, 1999) n;
INSERT INTO record_versions (patient, record, version, seq, at, request, actor_kind, wallet, member, institution, purpose,
                             basis, manifest_hash, content_root, locator, padded_size)
SELECT patient, id, 1, made_seq, created_at, id, 'member', pg_temp.address('a0', 0), pg_temp.address('d0', 0),
       pg_temp.id('11', 0), 'treatment', 'consent', sha256(id), sha256(patient), sha256(patient || id), 65536 << class
FROM records;
INSERT INTO record_sizes (institution, class, status, step, versions, bytes)
SELECT v.institution, r.class, r.status, 17 + r.class, count(*), sum(v.padded_size)
FROM record_versions v JOIN records r ON r.patient = v.patient AND r.id = v.record GROUP BY 1, 2, 3, 4;
INSERT INTO erasures (patient, record, version, seq, at, erased_by)
SELECT pg_temp.id('21', n), pg_temp.id('31', 4), 1, 900, '2026-10-01', pg_temp.address('a2', n) FROM generate_series(1, 20) n;
INSERT INTO erasure_attestations (patient, seq, at, record, actor_kind, wallet, receipt)
SELECT patient, 901, '2026-10-02', record, 'patient', erased_by, sha256(patient)
FROM erasures ORDER BY patient LIMIT 10;

-- Of each patient one of the hospital's, one of a member, and one that was passed on. Those of the first end soon.
INSERT INTO grants (patient, id, issuer, classes, grantee_kind, grantee, rights, purposes, not_before, expires_at,
                    created_at, changed_at, made_seq, changed_seq, depth, parent)
SELECT pg_temp.id('21', n / 3), pg_temp.id('4' || n % 3 + 1, 0), pg_temp.address('a2', n / 3), '{0,1,2,3}',
       CASE n % 3 WHEN 0 THEN 'institution' ELSE 'member' END,
       CASE n % 3 WHEN 0 THEN pg_temp.address('e0', 0) ELSE pg_temp.address('d0', n) END, '{read}',
       '{treatment,payment,research}', '-infinity',
       CASE WHEN n < 60 THEN now() + interval '10 days' ELSE '2100-01-01' END, '2025-10-03', '2025-10-03', n % 3 + 10,
       n % 3 + 10, (n % 3 = 2)::integer, CASE n % 3 WHEN 2 THEN pg_temp.id('41', 0) END
FROM generate_series(0, 1199) n;
INSERT INTO grants_passed_on (patient, seq, at, request, grant_id, parent, actor_kind, wallet, member, institution, purpose)
SELECT patient, made_seq, created_at, id, id, parent, 'member', pg_temp.address('a0', 0), pg_temp.address('d0', 0),
       pg_temp.id('11', 0), 'treatment'
FROM grants WHERE parent IS NOT NULL;

INSERT INTO policies (patient, institution, classes, purposes, enrols, expires_at, created_at, changed_at, changed_by,
                      made_seq, changed_seq)
SELECT pg_temp.id('21', n), pg_temp.id('11', 0), '{1}', '{treatment}', false, 'infinity', '2025-10-01', '2025-10-01',
       pg_temp.address('a2', n), 20, 20
FROM generate_series(0, 399, 2) n;
INSERT INTO policy_classes (patient, institution, class, made_seq, since, changed_seq)
SELECT patient, institution, 1, 20, created_at, 20 FROM policies;
INSERT INTO policy_changes (patient, seq, at, institution, classes, purposes, enrols, expires_at, changed_by)
SELECT patient, 20, created_at, institution, classes, purposes, enrols, expires_at, changed_by FROM policies;

INSERT INTO emergencies (patient, id, member, wallet, institution, reason_hash, opened_at, expires_at, patient_verdict,
                         patient_reviewed_at, patient_reviewed_by, institution_verdict, institution_reviewed_at,
                         institution_reviewed_by, changed_at, made_seq, changed_seq)
SELECT pg_temp.id('21', n % 400), pg_temp.id('61', n), pg_temp.address('d0', n % 50 * 6), pg_temp.address('a0', n % 50 * 6),
       pg_temp.id('11', 0), sha256(n::text::bytea), at, at + interval '4 hours',
       CASE WHEN n >= 20 THEN 'justified' END, CASE WHEN n >= 20 THEN at + interval '1 day' END,
       CASE WHEN n >= 20 THEN pg_temp.address('a2', n % 400) END, CASE WHEN n >= 10 THEN 'justified' END,
       CASE WHEN n >= 10 THEN at + interval '1 day' END, CASE WHEN n >= 10 THEN pg_temp.address('90', 0) END, at, 30 + n, 30 + n
FROM (SELECT n, '2025-11-01'::timestamptz + n * interval '6 hours' AS at FROM generate_series(0, 999) n) opened;

-- Every 25 minutes of most of a year one reading, and some of the last hours.
CREATE TEMPORARY TABLE readings AS
SELECT n, at, n % 300 AS member FROM (
    SELECT n, '2025-12-01'::timestamptz + n * interval '25 minutes' AS at FROM generate_series(0, 19999) n
    UNION ALL
    SELECT 20000 + n, now() - n * interval '1 minute' FROM generate_series(1, 300) n
) moments;
SELECT make_access_partitions(array_agg(at)) FROM readings;
INSERT INTO accesses (patient, seq, at, request, record, version, actor_kind, wallet, member, institution, purpose, basis,
                      grant_id, emergency)
SELECT pg_temp.id('21', n % 400), 2000 + n, at, pg_temp.id('51', n), pg_temp.id('31', n % 4), 1, 'member',
       pg_temp.address('a0', member), pg_temp.address('d0', member), pg_temp.id('11', member % 3),
       (ARRAY['treatment', 'payment', 'research'])[member % 3 + 1],
       CASE n % 100 WHEN 0 THEN 'emergency' ELSE 'grant' END, CASE n % 100 WHEN 0 THEN NULL ELSE pg_temp.id('41', 0) END,
       CASE n % 100 WHEN 0 THEN pg_temp.id('61', n / 100 % 1000) END
FROM readings;
INSERT INTO access_hours (hour, institution, role, actor_kind, purpose, basis, accesses)
SELECT date_bin('1 hour', a.at, '2000-01-01'), a.institution, m.role, a.actor_kind, a.purpose, a.basis, count(*)
FROM accesses a JOIN members m ON m.address = a.member GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO access_days (day, institution, role, actor_kind, purpose, basis, accesses)
SELECT date_bin('1 day', hour, '2000-01-01'), institution, role, actor_kind, purpose, basis, sum(accesses)
FROM access_hours GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO refusals (patient, seq, at, request, record, action, actor_kind, wallet, member, institution, purpose, reason,
                      claim)
SELECT pg_temp.id('21', n % 400), n + 1, now() - n * interval '2 hours', pg_temp.id('52', n), pg_temp.id('31', n % 4),
       'read', 'member', pg_temp.address('a0', n % 300), pg_temp.address('d0', n % 300), pg_temp.id('11', n % 3),
       'treatment', (ARRAY['no-grant', 'role-forbids-purpose', 'member-expired'])[n % 3 + 1], 'nothing'
FROM generate_series(0, 2999) n;
INSERT INTO refusal_hours (hour, institution, role, action, purpose, reason, refusals)
SELECT date_bin('1 hour', r.at, '2000-01-01'), r.institution, m.role, r.action, r.purpose, r.reason, count(*)
FROM refusals r JOIN members m ON m.address = r.member GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO refusal_days (day, institution, role, action, purpose, reason, refusals)
SELECT date_bin('1 day', hour, '2000-01-01'), institution, role, action, purpose, reason, sum(refusals)
FROM refusal_hours GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO requests (patient, id, member, wallet, institution, classes, rights, purposes, until, state, asked_at,
                      decided_at, decided_by, changed_at, made_seq, changed_seq)
SELECT pg_temp.id('21', n % 400), pg_temp.id('56', n), pg_temp.address('d0', n % 300), pg_temp.address('a0', n % 300),
       pg_temp.id('11', n % 3), '{1}', '{read}', '{treatment}', '2027-01-01',
       CASE WHEN n % 10 = 0 THEN 'open' ELSE 'denied' END, at, CASE WHEN n % 10 <> 0 THEN at + interval '1 day' END,
       CASE WHEN n % 10 <> 0 THEN pg_temp.address('a2', n % 400) END, at, 1100 + n, 1100 + n
FROM (SELECT n, '2026-01-01'::timestamptz + n * interval '4 hours' AS at FROM generate_series(0, 1999) n) asked;

INSERT INTO agreements (consumer, id, provider, state, classes, purpose, mint, token_program, escrow, refund, payee, price,
                        expires_at, proposed_at, accepted_at, changed_at, made_seq, changed_seq)
SELECT pg_temp.id('11', n % 2 + 1), pg_temp.id('c1', n), pg_temp.id('11', 0), 'active', '{1}', 'research',
       sha256('mint'), sha256('program'), sha256(n::text::bytea), sha256('refund'), sha256('payee'), 5, 'infinity',
       '2026-01-01', '2026-01-01', '2026-01-01', 400 + n, 400 + n
FROM generate_series(0, 9) n;
INSERT INTO agreement_deposits (consumer, seq, at, agreement, received)
SELECT consumer, made_seq + 100, accepted_at, id, 100000 FROM agreements;
INSERT INTO settlements (patient, seq, at, consumer, agreement, record, version, request, wallet, amount)
SELECT pg_temp.id('21', n / 5), 950 + n % 5, '2026-02-01'::timestamptz + n * interval '3 hours', pg_temp.id('11', n % 2 + 1),
       pg_temp.id('c1', n % 10), pg_temp.id('31', n % 5), 1, pg_temp.id('56', n / 5), pg_temp.address('a0', 1), 5
FROM generate_series(0, 1999) n;

-- Grants without a name on every record, of which each tenth was revoked, and proofs to three verifiers.
INSERT INTO grant_trees (id, address, opened_by, at, seq)
VALUES (pg_temp.id('71', 0), pg_temp.address('71', 0), pg_temp.address('01', 0), '2025-10-01', 1);
INSERT INTO anonymous_grants (tree, leaf_index, patient, record, issuer, rights, expires_at, expires, envelope_key,
                              commitment, number, root, created_at, revoked_at, revoked_by, revoked_number, revoked_root,
                              changed_at, made_seq, changed_seq)
SELECT pg_temp.id('71', 0), n, pg_temp.id('21', n / 20), pg_temp.id('31', n % 5), pg_temp.address('a2', n / 20), '{read}',
       'infinity', 9223372036854775807, sha256(n::text::bytea), sha256(n::text::bytea), n + 1, sha256(n::text::bytea),
       '2025-11-01', CASE WHEN n % 10 = 7 THEN timestamptz '2025-12-01' END,
       CASE WHEN n % 10 = 7 THEN pg_temp.address('a2', n / 20) END, CASE WHEN n % 10 = 7 THEN 8001 + n END,
       CASE WHEN n % 10 = 7 THEN sha256('root') END, '2025-11-01', 4000 + n % 20, 4000 + n % 20
FROM generate_series(0, 7999) n;
INSERT INTO access_proofs (tree, made_seq, at, exchange, nullifier, handle, verifier, relayer, epoch, named_at, rights,
                           number, changed_seq)
SELECT pg_temp.id('71', 0), n + 2, at, pg_temp.id('51', n), sha256(n::text::bytea), sha256(n::text::bytea),
       pg_temp.address('f1', n % 3), pg_temp.address('f2', n % 2), extract(epoch FROM at)::bigint / 3600, at, '{read}',
       8000, n + 2
FROM (SELECT n, '2026-01-01'::timestamptz + n * interval '20 minutes' AS at FROM generate_series(0, 7999) n) shown;

INSERT INTO registry_changes (seq, at, change, admin)
VALUES (1, '2025-01-01', 'created', pg_temp.address('01', 0)), (2, '2025-02-01', 'paused', NULL), (3, '2025-02-02', 'resumed', NULL);

-- Chains with their events, of which one lacks its last.
INSERT INTO events (signature, outer_index, inner_index, slot, blockhash, block_time, chain, subject, seq, at, name, body, head)
SELECT sha256((n || 'a')::bytea) || sha256((n || 'b')::bytea), 0, 0, n / 3, sha256((n / 3)::text::bytea), '2025-10-01', 'log',
       pg_temp.id('21', n / 10), n % 10 + 1, '2025-10-01', 'PatientOpened', sha256(n::text::bytea), sha256(n::text::bytea)
FROM generate_series(0, 3998) n;
INSERT INTO chains (chain, subject, seq, head, at)
SELECT 'log', id, 10, sha256(id), '2025-10-01' FROM patients;

SET session_replication_role TO origin;
VACUUM ANALYZE;
