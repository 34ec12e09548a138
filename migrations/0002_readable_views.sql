-- The same facts as text, for eyes and spreadsheets: ids in hex, addresses and signatures in base58.

SET search_path TO chartseal;

CREATE FUNCTION base58(bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    alphabet constant text := '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
    number numeric := 0;
    answer text := '';
BEGIN
    FOR place IN 0 .. octet_length(bytes) - 1 LOOP
        number := number * 256 + get_byte(bytes, place);
    END LOOP;
    WHILE number > 0 LOOP
        answer := substr(alphabet, (number % 58)::integer + 1, 1) || answer;
        number := div(number, 58);
    END LOOP;
    FOR place IN 0 .. octet_length(bytes) - 1 LOOP
        EXIT WHEN get_byte(bytes, place) <> 0;
        answer := '1' || answer;
    END LOOP;
    RETURN answer;
END $$;
COMMENT ON FUNCTION base58(bytea) IS 'Bytes as Solana writes addresses and signatures.';

CREATE VIEW decisions AS
SELECT d.at, encode(d.patient, 'hex') AS patient, d.chain, d.seq, d.action, d.outcome, d.why, d.purpose, d.actor_kind,
       m.role, encode(d.institution, 'hex') AS institution, base58(d.wallet) AS wallet, encode(d.record, 'hex') AS record,
       d.version, encode(d.grant_id, 'hex') AS grant_id, encode(d.request, 'hex') AS request
FROM (
    SELECT at, patient, 'log' AS chain, seq, 'read' AS action, 'allowed' AS outcome, basis::text AS why, purpose,
           actor_kind, wallet, member, institution, record, version, grant_id, request
    FROM accesses
    UNION ALL
    SELECT at, patient, 'log', seq, CASE version WHEN 1 THEN 'append' ELSE 'amend' END, 'allowed', basis, purpose,
           actor_kind, wallet, member, institution, record, version, grant_id, request
    FROM record_versions
    UNION ALL
    SELECT at, patient, 'refusals', seq, action, 'refused', reason, purpose,
           actor_kind, wallet, member, institution, record, NULL, grant_id, request
    FROM refusals
) d
LEFT JOIN members m ON m.address = d.member;
COMMENT ON VIEW decisions IS 'Everything that was decided about records, allowed or refused, with its basis or reason.';
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
COMMENT ON COLUMN decisions.record IS 'The record''s id, hex.';
COMMENT ON COLUMN decisions.version IS 'The version that was read or written; null where it was refused.';
COMMENT ON COLUMN decisions.grant_id IS 'Of an allowed action, the grant by which it was allowed; of a refused one, the grant that was claimed. Hex; null where there was none.';
COMMENT ON COLUMN decisions.request IS 'Id that the actor chose, hex.';

CREATE VIEW record_list AS
SELECT encode(r.patient, 'hex') AS patient, encode(r.id, 'hex') AS record, r.class, r.status, r.version, v.padded_size,
       v.actor_kind AS author_kind, m.role AS author_role, encode(v.institution, 'hex') AS institution,
       base58(v.locator) AS locator, encode(v.manifest_hash, 'hex') AS manifest_hash, r.created_at, r.changed_at
FROM records r
JOIN record_versions v ON (v.patient, v.record, v.version) = (r.patient, r.id, r.version)
LEFT JOIN members m ON m.address = v.member;
COMMENT ON VIEW record_list IS 'Every record in its newest version.';
COMMENT ON COLUMN record_list.patient IS 'The patient''s id, hex.';
COMMENT ON COLUMN record_list.record IS 'The record''s id, hex.';
COMMENT ON COLUMN record_list.class IS 'Sharing class, 0 to 31.';
COMMENT ON COLUMN record_list.status IS 'Active or erased.';
COMMENT ON COLUMN record_list.version IS 'Number of the newest version.';
COMMENT ON COLUMN record_list.padded_size IS 'Sealed bytes of that version, after padding.';
COMMENT ON COLUMN record_list.author_kind IS 'In what capacity its author acted.';
COMMENT ON COLUMN record_list.author_role IS 'The author''s role, where it is a member.';
COMMENT ON COLUMN record_list.institution IS 'The author''s institution, hex; null where there was none.';
COMMENT ON COLUMN record_list.locator IS 'Id of the manifest''s data item, base58.';
COMMENT ON COLUMN record_list.manifest_hash IS 'SHA-256 of the manifest, hex.';
COMMENT ON COLUMN record_list.created_at IS 'When the first version was added.';
COMMENT ON COLUMN record_list.changed_at IS 'When the record last changed.';

CREATE VIEW grant_list AS
SELECT encode(g.patient, 'hex') AS patient, encode(g.id, 'hex') AS grant_id, g.grantee_kind,
       base58(g.grantee) AS grantee, encode(coalesce(i.id, m.institution), 'hex') AS institution,
       encode(g.record, 'hex') AS record, g.classes, g.rights, g.purposes, g.not_before, g.expires_at, g.uses_left,
       g.created_at, g.revoked_at
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
