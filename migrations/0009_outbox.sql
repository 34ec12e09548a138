-- What the HTTP service and those who are notified need: tokens of callers, the outbox, and webhooks.
--
-- None of these tables is for analysts, and none but `outbox` has to do with events: `chartseal-indexer verify` leaves their rows
-- out. Row security keeps them from whoever may read the whole schema; `chartseal-indexer services` lets a role of the service's own
-- see them.

SET search_path TO chartseal;

CREATE FUNCTION is_service() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path TO pg_catalog, pg_temp AS $$
    SELECT has_table_privilege('chartseal.deliveries', 'INSERT') OR has_table_privilege('chartseal.events', 'INSERT')
$$;
COMMENT ON FUNCTION is_service() IS 'Whether whoever asks answers and notifies others, and may note what was delivered; or writes what they are told.';

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
ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON api_tokens USING ((SELECT is_service()));
COMMENT ON POLICY service ON api_tokens IS 'The HTTP service, and whoever writes tokens. No analysts, whatever they see of the rest.';

-- Notifications ---------------------------------------------------------------------------------------------------

CREATE DOMAIN audience AS text CHECK (VALUE IN ('patient', 'institution'));
COMMENT ON DOMAIN audience IS 'Who is notified: a patient, or an institution.';

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audience audience NOT NULL,
    subject id NOT NULL,
    kind text NOT NULL,
    signature signature NOT NULL,
    outer_index integer NOT NULL,
    inner_index integer NOT NULL,
    at timestamptz NOT NULL,
    payload jsonb NOT NULL,
    queued_at timestamptz NOT NULL
);
CREATE INDEX outbox_by_subject ON outbox (audience, subject, id);
CREATE INDEX outbox_by_signature ON outbox (signature);
COMMENT ON TABLE outbox IS 'Notifications to patients and institutions, written with the events that they tell of. Kept for 30 days, whoever has not taken them yet: what was decided stands in the other tables.';
COMMENT ON COLUMN outbox.id IS 'Place in the order in which they are sent; only grows, with gaps.';
COMMENT ON COLUMN outbox.audience IS 'Who is notified.';
COMMENT ON COLUMN outbox.subject IS 'The patient''s or institution''s id.';
COMMENT ON COLUMN outbox.kind IS 'What happened, such as access or grant-revoked; withdrawn says that what an earlier notification told of was taken back by the ledger.';
COMMENT ON COLUMN outbox.signature IS 'The transaction of the event, with the two indices its key.';
COMMENT ON COLUMN outbox.outer_index IS 'Which instruction of the transaction, from 0.';
COMMENT ON COLUMN outbox.inner_index IS 'Which inner instruction of that instruction, from 0.';
COMMENT ON COLUMN outbox.at IS 'When it happened, by the chain''s clock.';
COMMENT ON COLUMN outbox.payload IS 'Ids of what it is about, and nothing else.';
COMMENT ON COLUMN outbox.queued_at IS 'When it was written here.';
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON outbox USING ((SELECT is_service()));
COMMENT ON POLICY service ON outbox IS 'The HTTP service, and the indexer. No analysts, whatever they see of the rest.';

CREATE TABLE webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin text NOT NULL,
    audience audience,
    subject id,
    url_file text NOT NULL,
    secret_file text NOT NULL,
    private boolean NOT NULL,
    after_id bigint NOT NULL,
    made_at timestamptz NOT NULL,
    CHECK ((audience IS NULL) = (subject IS NULL))
);
COMMENT ON TABLE webhooks IS 'Where notifications are posted to, written by `chartseal-indexer webhooks`.';
COMMENT ON COLUMN webhooks.id IS 'Number of the webhook.';
COMMENT ON COLUMN webhooks.origin IS 'Where it is: scheme, host and port. The whole address is not in this database.';
COMMENT ON COLUMN webhooks.audience IS 'Whose notifications; null is everybody''s.';
COMMENT ON COLUMN webhooks.subject IS 'The patient''s or institution''s id; null is everybody''s.';
COMMENT ON COLUMN webhooks.url_file IS 'The file on the indexer''s machine that has the whole address, in which there may be a secret of the receiver''s.';
COMMENT ON COLUMN webhooks.secret_file IS 'The file on the indexer''s machine that has the secret which deliveries are signed with. The secret itself is not in this database.';
COMMENT ON COLUMN webhooks.private IS 'Whether it may be at an address that is not public, or at http:// on the indexer''s machine.';
COMMENT ON COLUMN webhooks.after_id IS 'All notifications up to this one were delivered or given up. Those after it that are older than the outbox keeps are not delivered any more.';
COMMENT ON COLUMN webhooks.made_at IS 'When it was added; it gets what came after.';
ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON webhooks USING ((SELECT is_service()));
COMMENT ON POLICY service ON webhooks IS 'The service that delivers, and the indexer.';

CREATE TABLE deliveries (
    webhook bigint NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    notification bigint NOT NULL REFERENCES outbox ON DELETE CASCADE,
    state text NOT NULL CHECK (state IN ('waiting', 'dead')),
    attempts integer NOT NULL CHECK (attempts >= 0),
    next_try timestamptz NOT NULL,
    problem text NOT NULL,
    PRIMARY KEY (webhook, notification)
);
CREATE INDEX deliveries_by_notification ON deliveries (notification);
COMMENT ON TABLE deliveries IS 'Notifications that a webhook did not take: it is tried again, or was given up. What was delivered has no row, and a row goes with its notification.';
COMMENT ON COLUMN deliveries.webhook IS 'The webhook.';
COMMENT ON COLUMN deliveries.notification IS 'The notification.';
COMMENT ON COLUMN deliveries.state IS 'Waiting for the next try, or dead: given up until `chartseal-indexer webhooks retry`.';
COMMENT ON COLUMN deliveries.attempts IS 'How often it was tried.';
COMMENT ON COLUMN deliveries.next_try IS 'When it is tried next.';
COMMENT ON COLUMN deliveries.problem IS 'Why the last try failed.';
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
CREATE POLICY service ON deliveries USING ((SELECT is_service()));
COMMENT ON POLICY service ON deliveries IS 'The service that delivers, and the indexer.';
