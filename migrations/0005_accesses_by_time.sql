-- Accesses by month, sums by the hour, and what held at any moment of the past.
--
-- `accesses` grows without end, so it is partitioned by time: a month is as far as most questions look, and can be moved
-- or compressed by itself. Sums and histories follow from events like every other row, and are compared like them.

SET search_path TO chartseal;

-- Accesses by month -----------------------------------------------------------------------------------------------

-- Foreign keys on what is only ever added cost more than the row itself, and prove less than `chartseal-indexer verify`.
DO $$
DECLARE
    foreign_key record;
BEGIN
    FOR foreign_key IN
        SELECT conname FROM pg_constraint WHERE conrelid = 'refusals'::regclass AND contype = 'f'
    LOOP
        EXECUTE format('ALTER TABLE refusals DROP CONSTRAINT %I', foreign_key.conname);
    END LOOP;
END $$;

ALTER TABLE accesses RENAME TO accesses_before;

CREATE TABLE accesses (
    patient id NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    request id NOT NULL,
    record id NOT NULL,
    version bigint NOT NULL,
    actor_kind actor_kind NOT NULL,
    wallet address NOT NULL,
    member address,
    institution id,
    purpose purpose NOT NULL,
    basis basis NOT NULL,
    grant_id id,
    delegate address,
    policy id,
    emergency id
) PARTITION BY RANGE (at);
COMMENT ON TABLE accesses IS 'Every allowed reading of a record, in a partition for each month (UTC) between 2020 and 2100. One row for each event AccessAllowed of the patient''s chain log.';
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
COMMENT ON COLUMN accesses.delegate IS 'Address of the reader''s delegation; null where it was none.';
COMMENT ON COLUMN accesses.policy IS 'The institution whose policy allowed it; null where the basis is another.';
COMMENT ON COLUMN accesses.emergency IS 'The emergency that allowed it; null where the basis is another.';

-- Two ends instead of a default partition, which would be locked against readers whenever a month is added.
CREATE TABLE accesses_before_2020 PARTITION OF accesses FOR VALUES FROM (MINVALUE) TO ('2020-01-01 00:00:00+00');
COMMENT ON TABLE accesses_before_2020 IS 'Those of accesses before 2020.';
CREATE TABLE accesses_from_2100 PARTITION OF accesses FOR VALUES FROM ('2100-01-01 00:00:00+00') TO (MAXVALUE);
COMMENT ON TABLE accesses_from_2100 IS 'Those of accesses from 2100 on.';

CREATE FUNCTION make_access_partitions(moments timestamptz[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp SET timezone TO 'UTC' AS $$
DECLARE
    month timestamptz;
    part text;
BEGIN
    IF NOT has_table_privilege(session_user, 'chartseal.accesses', 'INSERT') THEN
        RAISE insufficient_privilege USING MESSAGE = 'only who may insert into chartseal.accesses makes partitions of it';
    END IF;
    FOR month IN
        SELECT DISTINCT date_trunc('month', moment) FROM unnest(moments) AS moment
        WHERE moment >= '2020-01-01 00:00:00+00' AND moment < '2100-01-01 00:00:00+00'
    LOOP
        part := 'accesses_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('chartseal.' || part) IS NOT NULL;
        -- Attached and not created as a partition: so nobody who reads accesses waits, or is waited for.
        EXECUTE format('CREATE TABLE chartseal.%I (LIKE chartseal.accesses INCLUDING ALL)', part);
        EXECUTE format('COMMENT ON TABLE chartseal.%I IS %L', part, 'Those of accesses of ' || to_char(month, 'YYYY-MM') || ', UTC.');
        -- Without a policy: rows are shown through accesses, whose policy holds then, and to the owner.
        EXECUTE format('ALTER TABLE chartseal.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('ALTER TABLE chartseal.accesses ATTACH PARTITION chartseal.%I FOR VALUES FROM (%L) TO (%L)',
                       part, month, month + interval '1 month');
    END LOOP;
END $$;
COMMENT ON FUNCTION make_access_partitions(timestamptz[]) IS 'Makes the partitions of accesses that these moments need and that are not there yet, as the tables'' owner. Refused to whoever may not insert into accesses.';

DO $$
BEGIN
    PERFORM make_access_partitions(array_agg(DISTINCT date_trunc('month', at, 'UTC'))) FROM accesses_before;
END $$;
INSERT INTO accesses (patient, seq, at, request, record, version, actor_kind, wallet, member, institution, purpose, basis,
                      grant_id, delegate, policy, emergency)
SELECT patient, seq, at, request, record, version, actor_kind, wallet, member, institution, purpose, basis, grant_id,
       delegate, policy, emergency
FROM accesses_before;

-- Views are replaced by empty ones and then made anew as they are, so that they keep their comments, the rights on them, and
-- what others built on them.
DO $$
DECLARE
    reader record;
    privilege record;
BEGIN
    FOR reader IN
        SELECT c.oid::regclass AS view,
               (SELECT string_agg(format('NULL::%s AS %I', format_type(a.atttypid, a.atttypmod), a.attname), ', '
                                  ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS columns
        FROM pg_class c WHERE c.oid IN ('decisions'::regclass, 'emergency_list'::regclass)
    LOOP
        EXECUTE format('CREATE OR REPLACE VIEW %s AS SELECT %s WHERE false', reader.view, reader.columns);
    END LOOP;
    FOR privilege IN
        SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS grantee, x.privilege_type,
               CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option
        FROM pg_class c
        CROSS JOIN aclexplode(c.relacl) x
        LEFT JOIN pg_roles r ON r.oid = x.grantee
        WHERE c.oid = 'accesses_before'::regclass AND x.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT %s ON accesses TO %s%s', privilege.privilege_type, privilege.grantee, privilege.option);
    END LOOP;
END $$;
DROP TABLE accesses_before;

CREATE OR REPLACE VIEW decisions AS
SELECT d.at, encode(d.patient, 'hex') AS patient, d.chain, d.seq, d.action, d.outcome, d.why, d.purpose, d.actor_kind,
       m.role, encode(d.institution, 'hex') AS institution, base58(d.wallet) AS wallet, encode(d.record, 'hex') AS record,
       d.version, encode(d.grant_id, 'hex') AS grant_id, encode(d.request, 'hex') AS request,
       encode(x.id, 'hex') AS delegate, encode(d.policy, 'hex') AS policy, encode(d.emergency, 'hex') AS emergency
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

CREATE OR REPLACE VIEW emergency_list AS
SELECT encode(e.patient, 'hex') AS patient, encode(e.id, 'hex') AS emergency, m.role,
       encode(e.institution, 'hex') AS institution, base58(e.wallet) AS wallet, e.opened_at, e.expires_at,
       (SELECT count(*) FROM accesses a WHERE a.patient = e.patient AND a.emergency = e.id) AS readings,
       (SELECT count(*) FROM record_versions v WHERE v.patient = e.patient AND v.emergency = e.id) AS additions,
       e.patient_verdict, e.patient_reviewed_at, e.institution_verdict, e.institution_reviewed_at,
       CASE WHEN e.patient_verdict IS NULL AND e.institution_verdict IS NULL THEN 'both'
            WHEN e.institution_verdict IS NULL THEN 'institution'
            WHEN e.patient_verdict IS NULL THEN 'patient' END AS awaits,
       encode(e.reason_hash, 'hex') AS reason_hash
FROM emergencies e
JOIN members m ON m.address = e.member
ORDER BY (e.institution_verdict IS NULL)::integer + (e.patient_verdict IS NULL)::integer DESC, e.opened_at DESC, e.id;

-- The key begins with the patient, and answers what was read of one: a request, which is random, is looked for with its
-- patient, because an index of random keys costs as much as the row. Rows come in the order of time, so a few pages of a
-- BRIN say where a time is, or a slot.
DROP INDEX events_by_slot;
CREATE INDEX events_by_slot ON events USING brin (slot) WITH (pages_per_range = 32, autosummarize = on);
ALTER TABLE accesses ADD PRIMARY KEY (patient, seq, at);
CREATE INDEX accesses_by_time ON accesses USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX accesses_by_institution ON accesses (institution, at) WHERE institution IS NOT NULL;
CREATE INDEX accesses_by_member ON accesses (member, at) WHERE member IS NOT NULL;
CREATE INDEX accesses_by_emergency ON accesses (patient, emergency) WHERE emergency IS NOT NULL;

DROP INDEX refusals_by_time, refusals_by_member, refusals_by_request;
CREATE INDEX refusals_by_time ON refusals USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX refusals_by_institution ON refusals (institution, at) WHERE institution IS NOT NULL;
CREATE INDEX refusals_by_member ON refusals (member, at) WHERE member IS NOT NULL;

-- Rows of a chain that was taken back are written anew in one transaction, and others refer to them meanwhile.
DO $$
DECLARE
    foreign_key record;
BEGIN
    FOR foreign_key IN
        SELECT conrelid::regclass AS of_table, conname FROM pg_constraint
        WHERE contype = 'f' AND connamespace = 'chartseal'::regnamespace AND conparentid = 0
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER CONSTRAINT %I DEFERRABLE INITIALLY IMMEDIATE', foreign_key.of_table,
                       foreign_key.conname);
    END LOOP;
END $$;

-- Sums ------------------------------------------------------------------------------------------------------------

CREATE TABLE access_hours (
    hour timestamptz NOT NULL,
    institution id,
    role member_role,
    actor_kind actor_kind NOT NULL,
    purpose purpose NOT NULL,
    basis basis NOT NULL,
    accesses bigint NOT NULL CHECK (accesses >= 0),
    UNIQUE NULLS NOT DISTINCT (hour, institution, role, actor_kind, purpose, basis)
);
COMMENT ON TABLE access_hours IS 'How many readings were allowed in each hour: the rows of accesses, counted. Always equal to them.';
COMMENT ON COLUMN access_hours.hour IS 'Beginning of the hour, UTC.';
COMMENT ON COLUMN access_hours.institution IS 'The readers'' institution; null where there was none.';
COMMENT ON COLUMN access_hours.role IS 'The readers'' role; null where they were no members.';
COMMENT ON COLUMN access_hours.actor_kind IS 'In what capacity the readers acted.';
COMMENT ON COLUMN access_hours.purpose IS 'What the readings were for.';
COMMENT ON COLUMN access_hours.basis IS 'Why they were allowed.';
COMMENT ON COLUMN access_hours.accesses IS 'How many there were.';

CREATE TABLE access_days (
    day timestamptz NOT NULL,
    institution id,
    role member_role,
    actor_kind actor_kind NOT NULL,
    purpose purpose NOT NULL,
    basis basis NOT NULL,
    accesses bigint NOT NULL CHECK (accesses >= 0),
    UNIQUE NULLS NOT DISTINCT (day, institution, role, actor_kind, purpose, basis)
);
COMMENT ON TABLE access_days IS 'How many readings were allowed on each day: the rows of access_hours, added up, for whoever looks at months. Always equal to them.';
COMMENT ON COLUMN access_days.day IS 'Beginning of the day, UTC.';
COMMENT ON COLUMN access_days.institution IS 'The readers'' institution; null where there was none.';
COMMENT ON COLUMN access_days.role IS 'The readers'' role; null where they were no members.';
COMMENT ON COLUMN access_days.actor_kind IS 'In what capacity the readers acted.';
COMMENT ON COLUMN access_days.purpose IS 'What the readings were for.';
COMMENT ON COLUMN access_days.basis IS 'Why they were allowed.';
COMMENT ON COLUMN access_days.accesses IS 'How many there were.';

CREATE TABLE refusal_hours (
    hour timestamptz NOT NULL,
    institution id,
    role member_role,
    action action NOT NULL,
    purpose purpose NOT NULL,
    reason reason NOT NULL,
    refusals bigint NOT NULL CHECK (refusals >= 0),
    UNIQUE NULLS NOT DISTINCT (hour, institution, role, action, purpose, reason)
);
COMMENT ON TABLE refusal_hours IS 'How many actions were refused in each hour: the rows of refusals, counted. Always equal to them.';
COMMENT ON COLUMN refusal_hours.hour IS 'Beginning of the hour, UTC.';
COMMENT ON COLUMN refusal_hours.institution IS 'The actors'' institution; null where there was none.';
COMMENT ON COLUMN refusal_hours.role IS 'The actors'' role; null where they were no members.';
COMMENT ON COLUMN refusal_hours.action IS 'What was wanted.';
COMMENT ON COLUMN refusal_hours.purpose IS 'What it was for.';
COMMENT ON COLUMN refusal_hours.reason IS 'Why it was refused.';
COMMENT ON COLUMN refusal_hours.refusals IS 'How many there were.';

CREATE TABLE refusal_days (
    day timestamptz NOT NULL,
    institution id,
    role member_role,
    action action NOT NULL,
    purpose purpose NOT NULL,
    reason reason NOT NULL,
    refusals bigint NOT NULL CHECK (refusals >= 0),
    UNIQUE NULLS NOT DISTINCT (day, institution, role, action, purpose, reason)
);
COMMENT ON TABLE refusal_days IS 'How many actions were refused on each day: the rows of refusal_hours, added up, for whoever looks at months. Always equal to them.';
COMMENT ON COLUMN refusal_days.day IS 'Beginning of the day, UTC.';
COMMENT ON COLUMN refusal_days.institution IS 'The actors'' institution; null where there was none.';
COMMENT ON COLUMN refusal_days.role IS 'The actors'' role; null where they were no members.';
COMMENT ON COLUMN refusal_days.action IS 'What was wanted.';
COMMENT ON COLUMN refusal_days.purpose IS 'What it was for.';
COMMENT ON COLUMN refusal_days.reason IS 'Why it was refused.';
COMMENT ON COLUMN refusal_days.refusals IS 'How many there were.';

CREATE TABLE record_sizes (
    institution id,
    class smallint NOT NULL CHECK (class BETWEEN 0 AND 31),
    status record_status NOT NULL,
    step smallint NOT NULL CHECK (step BETWEEN 0 AND 63),
    versions bigint NOT NULL CHECK (versions >= 0),
    bytes numeric NOT NULL CHECK (bytes >= 0),
    UNIQUE NULLS NOT DISTINCT (institution, class, status, step)
);
COMMENT ON TABLE record_sizes IS 'How many versions of records there are of each size: the rows of record_versions, counted. Always equal to them.';
COMMENT ON COLUMN record_sizes.institution IS 'The authors'' institution, that of the batch for a record of a batch; null where there was none.';
COMMENT ON COLUMN record_sizes.class IS 'Sharing class, 0 to 31.';
COMMENT ON COLUMN record_sizes.status IS 'Whether the records are active or were erased.';
COMMENT ON COLUMN record_sizes.step IS 'The versions that have less than 2^step bytes and no less than half of that, after padding; 0 where there are none.';
COMMENT ON COLUMN record_sizes.versions IS 'How many versions there are.';
COMMENT ON COLUMN record_sizes.bytes IS 'Their sealed bytes after padding, as their authors state.';

-- What held when --------------------------------------------------------------------------------------------------

CREATE TABLE institution_standings (
    institution id NOT NULL REFERENCES institutions DEFERRABLE,
    made_seq bigint NOT NULL,
    standing standing NOT NULL,
    expires_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (institution, made_seq)
);
COMMENT ON TABLE institution_standings IS 'Where each institution stood when: a row from each change of its standing or expiry to the next. At a moment t the row with since <= t and t before ended_at holds; the institution had rights then where that row is active and t is before its expires_at. Of changes within one second the last holds.';
COMMENT ON COLUMN institution_standings.institution IS 'The institution''s id, subject of the chain.';
COMMENT ON COLUMN institution_standings.made_seq IS 'Place of the event that began it in the chain institution.';
COMMENT ON COLUMN institution_standings.standing IS 'Where it stood: invited, active or suspended.';
COMMENT ON COLUMN institution_standings.expires_at IS 'The end of the approval that was in force then; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN institution_standings.since IS 'From here on.';
COMMENT ON COLUMN institution_standings.ended_at IS 'Until just before here; null as long as it holds.';
COMMENT ON COLUMN institution_standings.changed_seq IS 'Place of the event that ended it, or else of the one that began it.';

CREATE TABLE member_standings (
    member address NOT NULL REFERENCES members DEFERRABLE,
    institution id NOT NULL,
    made_seq bigint NOT NULL,
    standing standing NOT NULL,
    expires_at timestamptz NOT NULL,
    emergency_credential boolean NOT NULL,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (member, made_seq)
);
COMMENT ON TABLE member_standings IS 'Where each membership stood when: a row from each change of its standing, expiry or emergency credential to the next. At a moment t the row with since <= t and t before ended_at holds; the member had rights then where that row is active, t is before its expires_at, and the institution had rights too. Wallet and role never change. Of changes within one second the last holds.';
COMMENT ON COLUMN member_standings.member IS 'members.address.';
COMMENT ON COLUMN member_standings.institution IS 'The institution''s id, subject of the chain.';
COMMENT ON COLUMN member_standings.made_seq IS 'Place of the event that began it in the chain institution.';
COMMENT ON COLUMN member_standings.standing IS 'Where it stood: invited, active or suspended.';
COMMENT ON COLUMN member_standings.expires_at IS 'The end of the membership as it was set then; infinity where that lies beyond the calendar.';
COMMENT ON COLUMN member_standings.emergency_credential IS 'Whether the member could open emergencies, and use those that were open.';
COMMENT ON COLUMN member_standings.since IS 'From here on.';
COMMENT ON COLUMN member_standings.ended_at IS 'Until just before here; null as long as it holds.';
COMMENT ON COLUMN member_standings.changed_seq IS 'Place of the event that ended it, or else of the one that began it.';

CREATE TABLE patient_wallets (
    patient id NOT NULL REFERENCES patients DEFERRABLE,
    made_seq bigint NOT NULL,
    wallet address NOT NULL,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    changed_seq bigint NOT NULL,
    PRIMARY KEY (patient, made_seq)
);
CREATE INDEX patient_wallets_by_wallet ON patient_wallets (wallet);
COMMENT ON TABLE patient_wallets IS 'Which wallet was each patient''s when, and could read everything then; none as long as only a steward acted. Of changes within one second the last holds.';
COMMENT ON COLUMN patient_wallets.patient IS 'Whose wallet, subject of the chain.';
COMMENT ON COLUMN patient_wallets.made_seq IS 'Place of the event by which it took over in the chain log.';
COMMENT ON COLUMN patient_wallets.wallet IS 'The wallet.';
COMMENT ON COLUMN patient_wallets.since IS 'From here on.';
COMMENT ON COLUMN patient_wallets.ended_at IS 'Until just before here, when another took over; null as long as it is the patient''s.';
COMMENT ON COLUMN patient_wallets.changed_seq IS 'Place of the event by which another took over, or else of the one by which it did.';

ALTER TABLE grants ADD COLUMN exhausted_at timestamptz;
COMMENT ON COLUMN grants.exhausted_at IS 'When its last counted use was taken, by itself or by a grant that descends from it: from here on it gave no right. Null as long as there are uses left.';

-- What follows from what is there already -------------------------------------------------------------------------

INSERT INTO access_hours (hour, institution, role, actor_kind, purpose, basis, accesses)
SELECT date_bin('1 hour', a.at, '2000-01-01 00:00:00+00'), a.institution, m.role, a.actor_kind, a.purpose, a.basis, count(*)
FROM accesses a LEFT JOIN members m ON m.address = a.member
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO refusal_hours (hour, institution, role, action, purpose, reason, refusals)
SELECT date_bin('1 hour', r.at, '2000-01-01 00:00:00+00'), r.institution, m.role, r.action, r.purpose, r.reason, count(*)
FROM refusals r LEFT JOIN members m ON m.address = r.member
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO access_days (day, institution, role, actor_kind, purpose, basis, accesses)
SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, actor_kind, purpose, basis, sum(accesses)
FROM access_hours
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO refusal_days (day, institution, role, action, purpose, reason, refusals)
SELECT date_bin('1 day', hour, '2000-01-01 00:00:00+00'), institution, role, action, purpose, reason, sum(refusals)
FROM refusal_hours
GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO record_sizes (institution, class, status, step, versions, bytes)
SELECT coalesce(v.batch_institution, v.institution), r.class, r.status, length(ltrim(v.padded_size::bit(64)::text, '0')),
       count(*), sum(v.padded_size)
FROM record_versions v JOIN records r ON r.patient = v.patient AND r.id = v.record
GROUP BY 1, 2, 3, 4;

-- Seconds since 1970, as events have them: eight bytes, the lowest first.
CREATE FUNCTION pg_temp.moment(bytes bytea) RETURNS timestamptz LANGUAGE sql SET timezone TO 'UTC' AS $$
    SELECT CASE WHEN s < -210866803200 THEN '-infinity' WHEN s >= 9224318016000 THEN 'infinity'
                ELSE '1970-01-01 00:00:00+00'::timestamptz + make_interval(days => div(s, 86400)::integer)
                     + make_interval(secs => mod(s, 86400)::double precision) END
    FROM (SELECT sum(get_byte(bytes, place) * 256::numeric ^ place)
                 - CASE WHEN get_byte(bytes, 7) > 127 THEN 256::numeric ^ 8 ELSE 0 END AS s
          FROM generate_series(0, 7) AS place) AS seconds
$$;

INSERT INTO institution_standings (institution, made_seq, standing, expires_at, since, ended_at, changed_seq)
SELECT institution, seq, max(standing) OVER (PARTITION BY institution, standings),
       max(expires) OVER (PARTITION BY institution, expiries), at, lead(at) OVER chain, coalesce(lead(seq) OVER chain, seq)
FROM (SELECT *, count(standing) OVER chain AS standings, count(expires) OVER chain AS expiries
      FROM (SELECT subject::bytea AS institution, seq, at,
                   CASE name WHEN 'InstitutionRegistered' THEN 'invited' WHEN 'InstitutionAccepted' THEN 'active'
                             WHEN 'InstitutionStandingSet'
                             THEN ('{invited,active,suspended}'::text[])[get_byte(body, 40) + 1] END AS standing,
                   CASE name WHEN 'InstitutionRegistered' THEN pg_temp.moment(substring(body, 106, 8))
                             WHEN 'InstitutionRenewed' THEN pg_temp.moment(substring(body, 41, 8)) END AS expires
            FROM events
            WHERE name IN ('InstitutionRegistered', 'InstitutionAccepted', 'InstitutionStandingSet', 'InstitutionRenewed')
           ) change
      WINDOW chain AS (PARTITION BY institution ORDER BY seq)) change
WINDOW chain AS (PARTITION BY institution ORDER BY seq);

INSERT INTO member_standings (member, institution, made_seq, standing, expires_at, emergency_credential, since, ended_at,
                              changed_seq)
SELECT member, institution, seq, max(standing) OVER (PARTITION BY member, standings),
       max(expires) OVER (PARTITION BY member, expiries), bool_or(credential) OVER (PARTITION BY member, credentials), at,
       lead(at) OVER chain, coalesce(lead(seq) OVER chain, seq)
FROM (SELECT *, count(standing) OVER chain AS standings, count(expires) OVER chain AS expiries,
             count(credential) OVER chain AS credentials
      FROM (SELECT substring(body, 41, 32) AS member, subject::bytea AS institution, seq, at,
                   CASE name WHEN 'MemberRegistered' THEN 'invited' WHEN 'MembershipAccepted' THEN 'active'
                             WHEN 'MemberStandingSet'
                             THEN ('{invited,active,suspended}'::text[])[get_byte(body, 72) + 1] END AS standing,
                   CASE name WHEN 'MemberRegistered' THEN pg_temp.moment(substring(body, 122, 8))
                             WHEN 'MemberRenewed' THEN pg_temp.moment(substring(body, 73, 8)) END AS expires,
                   CASE name WHEN 'MemberRegistered' THEN false
                             WHEN 'EmergencyCredentialSet' THEN get_byte(body, 72) = 1 END AS credential
            FROM events
            WHERE name IN ('MemberRegistered', 'MembershipAccepted', 'MemberStandingSet', 'MemberRenewed',
                           'EmergencyCredentialSet')) change
      WINDOW chain AS (PARTITION BY member ORDER BY seq)) change
WINDOW chain AS (PARTITION BY member ORDER BY seq);

INSERT INTO patient_wallets (patient, made_seq, wallet, since, ended_at, changed_seq)
SELECT patient, seq, wallet, at, lead(at) OVER chain, coalesce(lead(seq) OVER chain, seq)
FROM (SELECT subject::bytea AS patient, seq, at, substring(body, 41, 32) AS wallet FROM events
      WHERE name IN ('PatientOpened', 'WalletAccepted', 'RecoveryFinished')) change
WHERE wallet <> decode(repeat('00', 32), 'hex')
WINDOW chain AS (PARTITION BY patient ORDER BY seq);

WITH RECURSIVE used (patient, id, at, seq, depth) AS (
    SELECT patient::bytea, grant_id::bytea, at, seq, 0
    FROM (SELECT patient, grant_id, at, seq FROM accesses WHERE basis = 'grant'
          UNION ALL
          SELECT patient, grant_id, at, seq FROM record_versions WHERE basis = 'grant'
          UNION ALL
          SELECT patient, parent, at, seq FROM grants_passed_on) uses
    UNION ALL
    SELECT used.patient, g.parent::bytea, used.at, used.seq, used.depth + 1
    FROM used JOIN grants g ON g.patient = used.patient AND g.id = used.id
    WHERE g.parent IS NOT NULL AND used.depth < 3
)
UPDATE grants g
SET exhausted_at = last.at
FROM (SELECT patient, id, at, row_number() OVER (PARTITION BY patient, id ORDER BY seq) AS place FROM used) last
WHERE g.patient = last.patient AND g.id = last.id AND g.uses = last.place;
UPDATE grants SET exhausted_at = created_at WHERE uses = 0;

DROP FUNCTION pg_temp.moment(bytea);
