-- What is stored and can still be dropped: transactions that are confirmed and not final.
--
-- The checkpoint stays the end of what was read; up to which of it the ledger cannot change any more stands beside it.

SET search_path TO chartseal;

ALTER TABLE checkpoint
    ADD COLUMN settled_signature signature,
    ADD COLUMN settled_slot bigint CHECK (settled_slot >= 0),
    ADD CHECK ((settled_signature IS NULL) = (settled_slot IS NULL));
-- Until now nothing was read that was not final.
UPDATE checkpoint SET settled_signature = signature, settled_slot = slot;
COMMENT ON COLUMN checkpoint.settled_signature IS 'The last transaction that was read and is final: its block stays. Null as long as none is.';
COMMENT ON COLUMN checkpoint.settled_slot IS 'Its slot on the ledger.';

CREATE TABLE tail (
    place bigint PRIMARY KEY,
    signature signature NOT NULL UNIQUE,
    slot bigint NOT NULL CHECK (slot >= 0),
    blockhash hash
);
COMMENT ON TABLE tail IS 'Transactions that were read and are not final, in the ledger''s order: those between the two ends of checkpoint. Where a block of theirs is dropped, their events go, and all that followed from them.';
COMMENT ON COLUMN tail.place IS 'Their order; it counts on.';
COMMENT ON COLUMN tail.signature IS 'The transaction.';
COMMENT ON COLUMN tail.slot IS 'Its slot on the ledger.';
COMMENT ON COLUMN tail.blockhash IS 'Hash of its block; null for a transaction that failed, of which nothing is stored.';
