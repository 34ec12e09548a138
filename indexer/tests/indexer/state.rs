//! What stands in the tables and views of the whole contract after the story, as its accounts would say.

use sqlx::PgConnection;

use crate::{
    cluster::{Database, lines},
    indexing::index,
    node::Node,
    story,
};

async fn told() -> (Database, PgConnection) {
    let node = Node::start(story::tell()).await;
    let database = Database::new().await;
    index(&node, &database).await;
    let connection = database.connect().await;
    (database, connection)
}

#[tokio::test]
async fn institutions_and_members_are_renewed_and_handed_over() {
    let (_database, mut c) = told().await;
    let institutions =
        "SELECT encode(substring(authority, 1, 1), 'hex') || ' ' || coalesce(encode(substring(proposed_authority, 1, 1), 'hex'), '-')
                || ' ' || (expires_at - registered_at > interval '700 days') FROM institutions ORDER BY id";
    assert_eq!(lines(&mut c, institutions).await, ["90 91 true", "a1 - false"]);
    let members =
        "SELECT role || ' ' || emergency_credential || ' ' || (expires_at - registered_at > interval '700 days')
                   FROM members ORDER BY address";
    assert_eq!(
        lines(&mut c, members).await,
        ["doctor true true", "insurer false false"]
    );
}

#[tokio::test]
async fn a_patient_is_handed_over_recovered_and_has_delegates() {
    let (_database, mut c) = told().await;
    let patient = "SELECT encode(substring(wallet, 1, 1), 'hex') || ' ' || encode(substring(proposed_wallet, 1, 1), 'hex') || ' '
                          || encode(substring(encryption_key, 1, 1), 'hex') || ' ' || (post_quantum_key_hash IS NULL) || ' '
                          || key_epoch || ' ' || encode(substring(steward, 1, 1), 'hex') || ' ' || changed_seq
                   FROM patients WHERE key_epoch > 1";
    assert_eq!(lines(&mut c, patient).await, ["a4 ed 86 true 4 11 26"]);
    let delegates =
        "SELECT standing || ' ' || rights::text || ' ' || (revoked_at IS NULL) FROM delegate_list ORDER BY delegate";
    assert_eq!(
        lines(&mut c, delegates).await,
        ["accepted {read,append} true", "revoked {read,append} false"]
    );
}

#[tokio::test]
async fn guardians_and_holders_are_kept_with_their_ends() {
    let (_database, mut c) = told().await;
    let guardians =
        "SELECT made_seq || '.' || place || ' ' || encode(substring(wallet, 1, 1), 'hex') || ' ' || (ended_at IS NULL) || ' '
                || changed_seq FROM guardians ORDER BY made_seq, place";
    assert_eq!(
        lines(&mut c, guardians).await,
        [
            "11.1 b0 false 12",
            "11.2 b2 false 12",
            "12.1 b0 true 12",
            "12.2 b2 true 12",
            "12.3 b4 true 12"
        ]
    );
    let holders =
        "SELECT h.made_seq || '.' || place || ' ' || i.kind || ' ' || (ended_at IS NULL) || ' ' || h.changed_seq
                   FROM break_glass_holders h JOIN institutions i ON i.address = h.holder ORDER BY h.made_seq, place";
    assert_eq!(
        lines(&mut c, holders).await,
        [
            "10.1 hospital false 13",
            "10.2 insurer false 13",
            "13.1 hospital true 13"
        ]
    );
    let safeguards =
        "SELECT guardian_threshold || ' ' || recovery_delay || ' ' || holder_threshold || ' '
                || (agreed_wallet IS NULL) || ' ' || (ready_at IS NULL) || ' ' || made_seq || ' ' || changed_seq FROM safeguards";
    assert_eq!(lines(&mut c, safeguards).await, ["2 86400 1 true true 10 25"]);
    let steps = "SELECT step || ' ' || coalesce(encode(substring(guardian, 1, 1), 'hex'), '-') || ' '
                        || coalesce(encode(substring(wallet, 1, 1), 'hex'), '-') || ' '
                        || coalesce(encode(substring(encryption_key, 1, 1), 'hex'), '-') || ' ' || coalesce(votes::text, '-') || ' '
                        || coalesce(encode(substring(agreed_wallet, 1, 1), 'hex') || ' ' || (ready_at > at), '-')
                 FROM recovery_steps ORDER BY seq";
    assert_eq!(
        lines(&mut c, steps).await,
        [
            "voted b0 ee 86 1 -",
            "voted b2 ee 86 2 ee true",
            "objected - ee - - -",
            "voted b0 a4 86 1 -",
            "voted b2 a4 86 2 a4 true",
            "withdrew b0 - - 0 -",
            "voted b4 a4 86 2 a4 true",
            "finished - a4 86 - -",
            "voted b2 ef 86 1 -",
            "voted b4 ef 86 2 ef true",
            "voted b0 ee 86 1 ef true",
            "withdrew b4 - - 0 -"
        ]
    );
}

#[tokio::test]
async fn a_class_that_stays_in_a_policy_keeps_its_time() {
    let (_database, mut c) = told().await;
    let policies =
        "SELECT p.kind || ' ' || coalesce(p.classes::text, 'withdrawn') || ' ' || p.purposes::text || ' ' || p.enrols
                           || ' ' || coalesce(array_length(p.since, 1), 0) FROM policy_list p ORDER BY institution";
    assert_eq!(
        lines(&mut c, policies).await,
        ["hospital {1,3,5} {treatment} true 3", "insurer withdrawn {} false 0"]
    );
    let classes =
        "SELECT i.kind || ' ' || class || ' ' || c.made_seq || ' ' || (ended_at IS NULL) || ' ' || c.changed_seq
                          || ' ' || (since = e.at)
                   FROM policy_classes c JOIN institutions i ON i.id = c.institution
                   JOIN events e ON e.chain = 'log' AND e.subject = c.patient AND e.seq = c.made_seq
                   ORDER BY i.id, class, c.made_seq";
    assert_eq!(
        lines(&mut c, classes).await,
        [
            "hospital 1 27 false 29 true",
            "hospital 1 30 true 30 true",
            "hospital 3 27 true 27 true",
            "hospital 5 29 true 29 true",
            "insurer 3 28 false 31 true",
            "insurer 3 31 false 32 true"
        ]
    );
    let changes = "SELECT seq || ' ' || coalesce(classes::text, 'withdrawn') FROM policy_changes ORDER BY seq";
    assert_eq!(
        lines(&mut c, changes).await,
        ["27 {1,3}", "28 {3}", "29 {3,5}", "30 {1,3,5}", "31 {3}", "32 withdrawn"]
    );
}

#[tokio::test]
async fn a_use_counts_against_every_grant_above() {
    let (_database, mut c) = told().await;
    let grants = "SELECT left(grant_id, 2) || ' ' || coalesce(left(parent, 2), '-') || ' ' || depth || ' '
                         || coalesce(left(request, 2), '-') || ' ' || coalesce(uses_left::text, 'unlimited')
                  FROM grant_list WHERE patient = repeat('23', 16) ORDER BY grant_id";
    assert_eq!(
        lines(&mut c, grants).await,
        ["43 - 0 - 6", "44 43 1 - 1", "45 44 2 - 2", "47 - 0 56 unlimited"]
    );
    let changed = "SELECT made_seq || ' ' || changed_seq FROM grants WHERE depth > 0 OR uses = 10 ORDER BY id";
    assert_eq!(lines(&mut c, changed).await, ["38 42", "39 42", "40 41"]);
    let passed = "SELECT seq || ' ' || encode(substring(parent, 1, 1), 'hex') || ' ' || actor_kind FROM grants_passed_on ORDER BY seq";
    assert_eq!(lines(&mut c, passed).await, ["39 43 member", "40 44 member"]);
}

#[tokio::test]
async fn requests_are_answered_once() {
    let (_database, mut c) = told().await;
    let requests =
        "SELECT left(request, 2) || ' ' || state || ' ' || role || ' ' || coalesce(left(record, 2), classes::text)
                           || ' ' || coalesce(left(grant_id, 2), '-') || ' ' || (decided_at IS NULL)
                    FROM request_list ORDER BY request";
    assert_eq!(
        lines(&mut c, requests).await,
        [
            "56 approved insurer 34 47 false",
            "57 denied insurer {0,1} - false",
            "58 open insurer {0} - true"
        ]
    );
}

#[tokio::test]
async fn an_unjustified_emergency_ends_at_its_review() {
    let (_database, mut c) = told().await;
    let emergencies =
        "SELECT left(emergency, 2) || ' ' || coalesce(awaits, '-') || ' ' || readings || ' ' || additions || ' '
                              || coalesce(patient_verdict, '-') || ' ' || coalesce(institution_verdict, '-') || ' '
                              || coalesce((expires_at = patient_reviewed_at)::text, '-') FROM emergency_list";
    assert_eq!(
        lines(&mut c, emergencies).await,
        ["62 both 0 0 - - -", "61 - 1 1 unjustified justified true"]
    );
}

#[tokio::test]
async fn records_of_a_batch_are_their_authors_and_erased_ones_stay() {
    let (_database, mut c) = told().await;
    let records = "SELECT left(record, 2) || ' ' || status || ' ' || author_kind || ' ' || coalesce(author_role, '-') || ' '
                          || coalesce(left(institution, 2), '-') || ' ' || coalesce(left(batch, 2) || ' ' || batch_index, '-')
                   FROM record_list WHERE patient = repeat('23', 16) ORDER BY record";
    assert_eq!(
        lines(&mut c, records).await,
        [
            "33 active delegate - - -",
            "34 active member doctor 11 -",
            "35 erased member doctor 11 91 77",
            "36 active member doctor 11 -"
        ]
    );
    let batches = "SELECT author_role || ' ' || count || ' ' || promoted FROM batch_list";
    assert_eq!(lines(&mut c, batches).await, ["doctor 10000 1"]);
    let erasures = "SELECT left(record, 2) || ' ' || class || ' ' || version || ' ' || attestations || ' '
                           || (last_attested_at > erased_at) FROM erasure_list";
    assert_eq!(lines(&mut c, erasures).await, ["35 5 1 2 true"]);
}

#[tokio::test]
async fn decisions_say_under_what_they_were_made() {
    let (_database, mut c) = told().await;
    let decisions =
        "SELECT chain || ' ' || seq || ' ' || action || ' ' || why || ' ' || coalesce(left(grant_id, 2), '-') || ' '
                            || coalesce(left(delegate, 2), '-') || ' ' || coalesce(left(policy, 2), '-') || ' '
                            || coalesce(left(emergency, 2), '-') || ' ' || coalesce(left(record, 2), '-')
                     FROM decisions WHERE patient = repeat('23', 16) ORDER BY chain, seq";
    assert_eq!(
        lines(&mut c, decisions).await,
        [
            "log 33 append policy - - 11 - 34",
            "log 34 append delegate - 71 - - 33",
            "log 35 append patient - - - - 35",
            "log 36 read policy - - 11 - 34",
            "log 37 read delegate - 71 - - 34",
            "log 39 share grant 43 - - - -",
            "log 40 share grant 44 - - - -",
            "log 41 read grant 45 - - - 34",
            "log 42 read grant 44 - - - 34",
            "log 49 read emergency - - - 61 34",
            "log 50 append emergency - - - 61 36",
            "refusals 1 read emergency-over - - - 61 34",
            "refusals 2 read policy-for-other-records - - 12 - 34",
            "refusals 3 amend right-not-granted - 71 - - 34",
            "refusals 4 share grant-beyond-its-parent 43 - - - -",
            "refusals 5 read emergency-awaits-review - - - - -"
        ]
    );
    let foreign =
        "SELECT why || ' ' || coalesce(left(grant_id, 2), '-') || ' ' || coalesce(left(delegate, 2), '-') || ' '
                          || coalesce(left(emergency, 2), '-')
                   FROM decisions WHERE patient = repeat('22', 16) AND outcome = 'refused' ORDER BY seq";
    assert_eq!(
        lines(&mut c, foreign).await,
        [
            "delegation-for-another-patient - 71 -",
            "emergency-of-another-patient - - 61"
        ]
    );
    let claims = "SELECT claim || ' ' || coalesce(encode(substring(claimed, 1, 1), 'hex'), '-') FROM refusals
                  ORDER BY patient, seq";
    assert_eq!(
        lines(&mut c, claims).await,
        [
            "nothing -",
            "grant 41",
            "delegation 71",
            "emergency 61",
            "emergency 61",
            "policy 12",
            "delegation 71",
            "grant 43",
            "nothing -"
        ]
    );
}

#[tokio::test]
async fn agreements_add_up_beyond_a_bigint() {
    let (_database, mut c) = told().await;
    let agreements =
        "SELECT left(agreement, 2) || ' ' || state || ' ' || classes::text || ' ' || price || ' ' || deposited || ' '
                             || paid || ' ' || settled || ' ' || coalesce(returned::text, '-')
                      FROM agreement_list ORDER BY agreement";
    assert_eq!(
        lines(&mut c, agreements).await,
        [
            "c1 active {3} 18446744073709551610 18446744073709552610 18446744073709551610 1 -",
            "c2 closed {3} 3 7 0 0 7"
        ]
    );
    let closing =
        "SELECT encode(substring(returned_to, 1, 1), 'hex') || ' ' || encode(substring(refund, 1, 1), 'hex') || ' '
                          || encode(substring(payee, 1, 1), 'hex') || ' ' || (accepted_at < closed_at)
                   FROM agreements WHERE state = 'closed'";
    assert_eq!(lines(&mut c, closing).await, ["cb c9 ca true"]);
}

#[tokio::test]
async fn grants_without_a_name_stand_by_their_leaves() {
    let (_database, mut c) = told().await;
    let trees = "SELECT left(encode(id, 'hex'), 2) || ' ' || base58(address) FROM grant_trees ORDER BY id";
    let address = |id| chartseal_program::seeds::address::tree(id).to_string();
    assert_eq!(
        lines(&mut c, trees).await,
        [
            format!("71 {}", address(&story::anonymous::TREE)),
            format!("72 {}", address(&story::anonymous::EMPTY_TREE))
        ]
    );
    let grants = "SELECT leaf_index || ' ' || left(patient, 2) || ' ' || left(record, 2) || ' ' || rights::text || ' '
                         || expires_at::date || ' ' || number || ' ' || coalesce(revoked_number::text, '-')
                  FROM anonymous_grant_list ORDER BY leaf_index";
    assert_eq!(
        lines(&mut c, grants).await,
        [
            "0 22 31 {read} 2025-06-16 1 4",
            "1 23 34 {read,aggregate} infinity 2 -",
            "2 22 31 {aggregate} infinity 3 -",
            "3 22 31 {read} infinity 5 -"
        ]
    );
    let sets = "SELECT left(patient, 2) || ' ' || live || ' ' || expired || ' ' || revoked || ' ' || coalesce(floor::text, '-')
                FROM anonymity_sets ORDER BY patient";
    assert_eq!(lines(&mut c, sets).await, ["22 2 0 1 4", "23 1 0 0 -"]);
}

#[tokio::test]
async fn a_proof_says_to_whom_and_never_of_what_or_by_whom() {
    let (_database, mut c) = told().await;
    let proofs = "SELECT seq || ' ' || right(nullifier, 2) || ' ' || rights::text || ' ' || number || ' '
                         || (rent_returned_at IS NOT NULL) FROM access_proof_list ORDER BY seq";
    assert_eq!(
        lines(&mut c, proofs).await,
        [
            "2 65 {read} 5 false",
            "3 66 {read,aggregate} 5 true",
            "4 67 {read} 5 false"
        ]
    );
    let sums = "SELECT verifier || ' ' || readings || ' ' || aggregations || ' ' || relayers || ' ' || rents_out || ' '
                       || (hour <= (SELECT min(named_at) FROM access_proofs)
                           AND hour + interval '1 hour' > (SELECT max(named_at) FROM access_proofs))
                FROM accesses_by_proof";
    let verifier = story::wallet(0xf1).to_string();
    assert_eq!(lines(&mut c, sums).await, [format!("{verifier} 3 1 1 2 true")]);
    let columns = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'access_proofs'::regclass AND attnum > 0
                   AND attname IN ('patient', 'record', 'member', 'institution', 'wallet')";
    assert_eq!(lines(&mut c, columns).await, [""; 0]);
}
