-- Who may see whose rows.
--
-- A database role that is an analyst has rows in `analysts`; `chartseal-indexer analysts` writes them and gives the
-- role what it needs. An institution's analyst sees what the institution did, what was given to it, and the patients
-- and records that it has to do with through that. A role without a row sees nothing, whatever was granted to it.
-- Whoever writes the tables is not held back: the owner by Postgres' own rule, another writer because it may write.
--
-- Every table that analysts read has one policy, of the name `analysts`, whose comment says its rule; a table without
-- one is not for them. Row security is on for those too, so that a right to read the whole schema shows no row of them. The rules look at `current_user`, so migrating makes no role, of which there is one set for all
-- databases of a server. What they look up is looked up once for a query and not for each row. The functions have a
-- search path of their own: one that a reader chose could put other tables and operators in the place of these.
--
-- Each policy is a statement that begins and ends with a line: `chartseal-indexer verify` applies them once more, to
-- scratch tables, and compares.

SET search_path TO chartseal;

CREATE TABLE analysts (
    role regrole NOT NULL,
    institution id,
    UNIQUE NULLS NOT DISTINCT (role, institution)
);
GRANT SELECT ON analysts TO PUBLIC;
COMMENT ON TABLE analysts IS 'Which database roles see whose rows. Written by `chartseal-indexer analysts`; it does not follow from events. A role that is in none of its rows sees nothing.';
COMMENT ON COLUMN analysts.role IS 'The database role, by its oid: another that is given its name after it is gone is no analyst. Roles that inherit its rights see what it sees.';
COMMENT ON COLUMN analysts.institution IS 'The institution whose rows it sees; null where it sees all there is.';

CREATE FUNCTION sees_all() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp AS $$
    SELECT has_table_privilege('chartseal.events', 'INSERT')
           OR EXISTS (SELECT FROM chartseal.analysts a JOIN pg_roles r ON r.oid = a.role
                      WHERE a.institution IS NULL AND pg_has_role(r.oid, 'USAGE'))
$$;
COMMENT ON FUNCTION sees_all() IS 'Whether whoever asks sees every row: an analyst who was made one of all, or somebody who writes them.';

CREATE FUNCTION own_institutions() RETURNS bytea[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(a.institution::bytea), '{}')
    FROM chartseal.analysts a JOIN pg_roles r ON r.oid = a.role
    WHERE a.institution IS NOT NULL AND pg_has_role(r.oid, 'USAGE')
$$;
COMMENT ON FUNCTION own_institutions() IS 'The institutions whose rows are those of whoever asks.';

CREATE FUNCTION own_addresses() RETURNS SETOF bytea
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 SET search_path TO pg_catalog, pg_temp AS $$
    SELECT address::bytea FROM chartseal.institutions WHERE id = ANY (chartseal.own_institutions())
    UNION ALL
    SELECT address::bytea FROM chartseal.members WHERE institution = ANY (chartseal.own_institutions())
$$;
COMMENT ON FUNCTION own_addresses() IS 'The accounts by which grants name those institutions and their members.';

-- From the tables that say who has to do with whom, each searched by an index. The rule of patients asks this, so it
-- does not ask patients.
CREATE FUNCTION own_patients() RETURNS SETOF bytea
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000 SET search_path TO pg_catalog, pg_temp AS $$
    SELECT patient::bytea FROM chartseal.policies
    WHERE institution = ANY ((SELECT chartseal.own_institutions())::bytea[])
    UNION ALL
    SELECT patient::bytea FROM chartseal.grants WHERE grantee IN (SELECT chartseal.own_addresses())
    UNION ALL
    SELECT patient::bytea FROM chartseal.grants_passed_on
    WHERE institution = ANY ((SELECT chartseal.own_institutions())::bytea[])
    UNION ALL
    SELECT patient::bytea FROM chartseal.emergencies
    WHERE institution = ANY ((SELECT chartseal.own_institutions())::bytea[])
$$;
COMMENT ON FUNCTION own_patients() IS 'Patients of whom those institutions have a policy, a grant or an emergency, or had.';

CREATE FUNCTION known_patients() RETURNS SETOF bytea
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000 SET search_path TO pg_catalog, pg_temp AS $$
    SELECT chartseal.own_patients()
    UNION ALL
    SELECT id::bytea FROM chartseal.patients WHERE steward = ANY ((SELECT chartseal.own_institutions())::bytea[])
$$;
COMMENT ON FUNCTION known_patients() IS 'Those patients, and the ones whom the institutions steward.';

-- What the rules and those who ask under them search by. Of many emergencies, few await a review.
CREATE INDEX patients_by_steward ON patients (steward) WHERE steward IS NOT NULL;
CREATE INDEX grants_passed_on_by_grant ON grants_passed_on (patient, grant_id);
CREATE INDEX grants_passed_on_by_institution ON grants_passed_on (institution);
CREATE INDEX emergencies_by_institution ON emergencies (institution);
CREATE INDEX emergencies_unreviewed ON emergencies (opened_at)
    WHERE patient_verdict IS NULL OR institution_verdict IS NULL;
CREATE INDEX access_hours_by_institution ON access_hours (institution, hour);
CREATE INDEX refusal_hours_by_institution ON refusal_hours (institution, hour);
CREATE INDEX access_days_by_institution ON access_days (institution, day);
CREATE INDEX refusal_days_by_institution ON refusal_days (institution, day);

-- What everybody who reads may see: it is about no patient, and names nobody's doings ---------------------------------

ALTER TABLE checkpoint ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON checkpoint USING ((SELECT sees_all()) OR (SELECT own_institutions()) <> '{}');
COMMENT ON POLICY analysts ON checkpoint IS 'All analysts: how far the ledger was read.';

ALTER TABLE tail ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON tail USING ((SELECT sees_all()) OR (SELECT own_institutions()) <> '{}');
COMMENT ON POLICY analysts ON tail IS 'All analysts: which transactions can still be dropped.';

ALTER TABLE registry ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON registry USING ((SELECT sees_all()) OR (SELECT own_institutions()) <> '{}');
COMMENT ON POLICY analysts ON registry IS 'All analysts: who administers the program.';

ALTER TABLE registry_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON registry_changes USING ((SELECT sees_all()) OR (SELECT own_institutions()) <> '{}');
COMMENT ON POLICY analysts ON registry_changes IS 'All analysts, as registry.';

ALTER TABLE institutions ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON institutions USING ((SELECT sees_all()) OR (SELECT own_institutions()) <> '{}');
COMMENT ON POLICY analysts ON institutions IS 'All analysts: a directory, without which ids say nothing.';

ALTER TABLE institution_standings ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON institution_standings USING ((SELECT sees_all()) OR (SELECT own_institutions()) <> '{}');
COMMENT ON POLICY analysts ON institution_standings IS 'All analysts, as institutions.';

-- An institution's own people and papers ------------------------------------------------------------------------------

ALTER TABLE members ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON members USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON members IS 'The institution''s own members.';

ALTER TABLE member_standings ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON member_standings USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON member_standings IS 'As members.';

ALTER TABLE batches ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON batches USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON batches IS 'The institution''s own batches.';

ALTER TABLE agreements ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON agreements USING (
    (SELECT sees_all())
    OR consumer = ANY ((SELECT own_institutions())::bytea[])
    OR provider = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON agreements IS 'Both parties.';

ALTER TABLE agreement_deposits ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON agreement_deposits USING (
    (SELECT sees_all())
    OR EXISTS (SELECT FROM agreements a WHERE a.consumer = agreement_deposits.consumer AND a.id = agreement));
COMMENT ON POLICY analysts ON agreement_deposits IS 'Whoever sees the agreement.';

ALTER TABLE settlements ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON settlements USING (
    (SELECT sees_all())
    OR EXISTS (SELECT FROM agreements a WHERE a.consumer = settlements.consumer AND a.id = agreement));
COMMENT ON POLICY analysts ON settlements IS 'Whoever sees the agreement.';

-- What an institution did, or was refused -----------------------------------------------------------------------------

ALTER TABLE accesses ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON accesses USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
DO $$
DECLARE
    part regclass;
BEGIN
    -- Not for whoever reads past the table; make_access_partitions does the same with those to come.
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'chartseal.accesses'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', part);
    END LOOP;
END $$;
COMMENT ON POLICY analysts ON accesses IS 'Readings by the institution''s own members, and nobody else''s: who else reads a patient is the patient''s matter.';

ALTER TABLE refusals ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON refusals USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON refusals IS 'What the institution''s own members were refused.';

ALTER TABLE emergencies ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON emergencies USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON emergencies IS 'Emergencies that the institution''s own members opened.';

ALTER TABLE requests ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON requests USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON requests IS 'What the institution''s own members asked for.';

ALTER TABLE erasure_attestations ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON erasure_attestations USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON erasure_attestations IS 'What the institution''s own members attested.';

ALTER TABLE grants_passed_on ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON grants_passed_on USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON grants_passed_on IS 'What the institution''s own members passed on.';

ALTER TABLE access_hours ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON access_hours USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON access_hours IS 'As accesses, which it counts.';

ALTER TABLE access_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON access_days USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON access_days IS 'As accesses, which it counts.';

ALTER TABLE refusal_hours ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON refusal_hours USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON refusal_hours IS 'As refusals, which it counts.';

ALTER TABLE refusal_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON refusal_days USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON refusal_days IS 'As refusals, which it counts.';

ALTER TABLE record_sizes ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON record_sizes USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON record_sizes IS 'What the institution''s own members wrote.';

-- What was given to an institution ------------------------------------------------------------------------------------

ALTER TABLE grants ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON grants USING (
    (SELECT sees_all())
    OR grantee IN (SELECT own_addresses())
    OR EXISTS (SELECT FROM grants_passed_on p WHERE p.patient = grants.patient AND p.grant_id = grants.id));
COMMENT ON POLICY analysts ON grants IS 'Grants that name the institution or one of its members, and those that its members passed on.';

ALTER TABLE policies ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON policies USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON policies IS 'What is shared with the institution, and was.';

ALTER TABLE policy_classes ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON policy_classes USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON policy_classes IS 'What is shared with the institution, and was.';

ALTER TABLE policy_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON policy_changes USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[]));
COMMENT ON POLICY analysts ON policy_changes IS 'What is shared with the institution, and was.';

-- Patients that an institution has to do with, and their records ------------------------------------------------------

ALTER TABLE patients ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON patients USING (
    (SELECT sees_all())
    OR steward = ANY ((SELECT own_institutions())::bytea[])
    OR id IN (SELECT own_patients()));
COMMENT ON POLICY analysts ON patients IS 'Patients whom the institution stewards, or of whom it has a policy, a grant or an emergency, or had. Asking a patient shows nothing of the patient.';

ALTER TABLE records ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON records USING (
    (SELECT sees_all())
    OR patient IN (SELECT known_patients())
    OR EXISTS (SELECT FROM record_versions v WHERE v.patient = records.patient AND v.record = records.id
               AND (v.institution = ANY ((SELECT own_institutions())::bytea[])
                    OR v.batch_institution = ANY ((SELECT own_institutions())::bytea[]))));
COMMENT ON POLICY analysts ON records IS 'Records of patients that the institution sees, and those that its members wrote. Class and size are all that it learns: the ledger tells them to everybody.';

ALTER TABLE record_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON record_versions USING (
    (SELECT sees_all())
    OR institution = ANY ((SELECT own_institutions())::bytea[])
    OR batch_institution = ANY ((SELECT own_institutions())::bytea[])
    OR patient IN (SELECT known_patients()));
COMMENT ON POLICY analysts ON record_versions IS 'What the institution''s own members wrote, and all versions of the records of patients that it sees: who wrote them, and not who read them.';

ALTER TABLE patient_wallets ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON patient_wallets USING ((SELECT sees_all()) OR patient IN (SELECT known_patients()));
COMMENT ON POLICY analysts ON patient_wallets IS 'Of patients that the institution sees.';

ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON erasures USING ((SELECT sees_all()) OR patient IN (SELECT known_patients()));
COMMENT ON POLICY analysts ON erasures IS 'Of patients that the institution sees.';

ALTER TABLE break_glass_holders ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON break_glass_holders USING ((SELECT sees_all()) OR holder IN (SELECT own_addresses()));
COMMENT ON POLICY analysts ON break_glass_holders IS 'Where the institution itself is a holder.';

-- What is a patient's alone, or has rows of many: whoever sees all ----------------------------------------------------

ALTER TABLE delegates ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON delegates USING ((SELECT sees_all()));
COMMENT ON POLICY analysts ON delegates IS 'Nobody but who sees all: families are no institution''s matter.';

ALTER TABLE safeguards ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON safeguards USING ((SELECT sees_all()));
COMMENT ON POLICY analysts ON safeguards IS 'Nobody but who sees all.';

ALTER TABLE guardians ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON guardians USING ((SELECT sees_all()));
COMMENT ON POLICY analysts ON guardians IS 'Nobody but who sees all: whoever knows them knows whom to press.';

ALTER TABLE recovery_steps ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON recovery_steps USING ((SELECT sees_all()));
COMMENT ON POLICY analysts ON recovery_steps IS 'Nobody but who sees all.';

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON events USING (
    (SELECT sees_all())
    OR (chain = 'institution' AND subject = ANY ((SELECT own_institutions())::bytea[]))
    OR (chain = 'registry' AND (SELECT own_institutions()) <> '{}'));
COMMENT ON POLICY analysts ON events IS 'The institution''s own chain, and the registry''s. A patient''s events say who else read the records: they are for whoever sees all, or proves the log.';

ALTER TABLE chains ENABLE ROW LEVEL SECURITY;
CREATE POLICY analysts ON chains USING (
    (SELECT sees_all())
    OR (chain = 'institution' AND subject = ANY ((SELECT own_institutions())::bytea[]))
    OR (chain = 'registry' AND (SELECT own_institutions()) <> '{}'));
COMMENT ON POLICY analysts ON chains IS 'As events.';
