-- What the HTTP service and those who are notified need: tokens of callers, the outbox, and webhooks.
--
-- None of these tables is for analysts, and none but `outbox` has to do with events: `chartseal-indexer verify` leaves them out.

SET search_path TO chartseal;

CREATE TABLE api_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash hash NOT NULL UNIQUE,
    label text NOT NULL,
    role name NOT NULL,
    institution id,
    patient id,
    made_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CHECK (institution IS NULL OR patient IS NULL)
);
COMMENT ON TABLE api_tokens IS 'Tokens of the HTTP service, written by `chartseal-indexer tokens`. A token itself is stored nowhere.';
COMMENT ON COLUMN api_tokens.id IS 'Number of the token; `chartseal-indexer tokens revoke` takes it.';
COMMENT ON COLUMN api_tokens.hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN api_tokens.label IS 'What whoever made it wrote about it: no secret, and nothing about a patient.';
COMMENT ON COLUMN api_tokens.role IS 'The database role that its holder acts as; it is in analysts.';
COMMENT ON COLUMN api_tokens.institution IS 'The institution whose rows and notifications it sees; null where it sees all, or is a patient''s.';
COMMENT ON COLUMN api_tokens.patient IS 'The one patient that it asks about and whose notifications it sees; null where it is no patient''s.';
COMMENT ON COLUMN api_tokens.made_at IS 'When it was made.';
COMMENT ON COLUMN api_tokens.revoked_at IS 'When it was revoked; null as long as it was not.';
