//! Notifications to patients and institutions, queued in the transaction that stores the events which they tell of.
//!
//! So none is lost and none tells of what was not stored. A notification has ids and nothing else. There is one writer at
//! a time, so its numbers become visible in their order: who asks for what comes after one of them misses none.
//!
//! What happened more than [`RECENT`] days before it is stored is not queued: filling a database from an old ledger must
//! not tell people of years at once, and an indexer that was away for days still tells of all of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use chartseal_program::{
    events::{ActionRefused, AnyEvent},
    seeds::{Id, NO_ID},
    vocabulary::{ActorKind, Reason},
};
use sqlx::PgConnection;

use super::{Instant, SinkError, tables::each};
use crate::{decode::Located, metrics, source::Signature};

/// Days for which an event is news.
pub const RECENT: i32 = 7;

/// Wakes whoever waits for notifications. They look every now and then all the same.
pub(crate) const CHANNEL: &str = "chartseal_outbox";

/// Who is notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    Patient,
    Institution,
}

impl Audience {
    fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Institution => "institution",
        }
    }
}

/// One notification.
struct Notice<'a> {
    audience: Audience,
    subject: Id,
    kind: &'static str,
    about: &'a Located,
    ids: BTreeMap<&'static str, String>,
}

impl<'a> Notice<'a> {
    fn new(audience: Audience, subject: Id, kind: &'static str, about: &'a Located) -> Self {
        Self {
            audience,
            subject,
            kind,
            about,
            ids: BTreeMap::new(),
        }
    }

    /// Adds a place that with an id names something.
    fn at(mut self, name: &'static str, place: u32) -> Self {
        self.ids.insert(name, place.to_string());
        self
    }

    /// Adds an id, unless zeros stand for none.
    fn with(mut self, name: &'static str, id: &Id) -> Self {
        if *id != NO_ID {
            self.ids.insert(name, hex::encode(id));
        }
        self
    }
}

/// Queues what these events, which were just stored with all that follows from them, give to tell. Returns how much.
pub(super) async fn queue(connection: &mut PgConnection, events: &[&Located]) -> Result<u64, SinkError> {
    let since = sqlx::query_scalar!(
        r#"SELECT now() - make_interval(days => $1) AS "since!: Instant""#,
        RECENT
    )
    .fetch_one(&mut *connection)
    .await?;
    let news: Vec<&Located> = events.iter().filter(|e| e.event.link().at > since.0).copied().collect();
    let parties = Parties::of(connection, &news).await?;
    let notices: Vec<Notice<'_>> = news.iter().flat_map(|located| tell(located, &parties)).collect();
    if notices.is_empty() {
        return Ok(0);
    }
    let queued = sqlx::query!(
        "INSERT INTO outbox (audience, subject, kind, signature, outer_index, inner_index, at, payload, queued_at)
         SELECT audience, subject, kind, signature, outer_index, inner_index, at, payload::jsonb, now()
         FROM UNNEST($1::text[], $2::bytea[], $3::text[], $4::bytea[], $5::integer[], $6::integer[], $7::timestamptz[],
                     $8::text[]) WITH ORDINALITY
              AS n (audience, subject, kind, signature, outer_index, inner_index, at, payload, place)
         ORDER BY place",
        each(&notices, |n| n.audience.word()) as _,
        each(&notices, |n| n.subject) as _,
        each(&notices, |n| n.kind) as _,
        each(&notices, |n| n.about.place.signature) as _,
        &each(&notices, |n| i32::from(n.about.place.outer)),
        &each(&notices, |n| i32::from(n.about.place.inner)),
        each(&notices, |n| Instant(n.about.event.link().at)) as _,
        &each(&notices, |n| serde_json::json!(n.ids).to_string()),
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    wake(connection, queued).await?;
    Ok(queued)
}

/// Takes back what was queued about transactions that the ledger dropped. Whoever was told is told that too: nobody writes
/// down what a stream has sent, so each gets a notification of the kind `withdrawn`, and those who never saw the first one
/// ignore the second. Returns how much that is.
///
/// # Errors
/// Where the database fails.
pub async fn withdraw(connection: &mut PgConnection, signatures: &[Signature]) -> Result<u64, SinkError> {
    let withdrawn = sqlx::query!(
        "WITH gone AS (DELETE FROM outbox WHERE signature = ANY($1::bytea[]) AND kind <> 'withdrawn' RETURNING *)
         INSERT INTO outbox (audience, subject, kind, signature, outer_index, inner_index, at, payload, queued_at)
         SELECT audience, subject, 'withdrawn', signature, outer_index, inner_index, at,
                jsonb_build_object('withdraws', id::text, 'kind', kind), now()
         FROM gone ORDER BY id",
        signatures.to_vec() as _
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    wake(connection, withdrawn).await?;
    Ok(withdrawn)
}

async fn wake(connection: &mut PgConnection, queued: u64) -> Result<(), SinkError> {
    if queued > 0 {
        metrics::queued(queued);
        sqlx::query("SELECT pg_notify($1, '')")
            .bind(CHANNEL)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Institutions that events are about without naming them.
#[derive(Default)]
struct Parties {
    /// Provider of an agreement, by consumer and id.
    providers: HashMap<(Id, Id), Id>,
    /// Institution of a request, by patient and id.
    asked_by: HashMap<(Id, Id), Id>,
    /// Institution of an emergency, by patient and id.
    opened_by: HashMap<(Id, Id), Id>,
}

impl Parties {
    async fn of(connection: &mut PgConnection, events: &[&Located]) -> Result<Self, SinkError> {
        let keys = |key: fn(&AnyEvent) -> Option<Id>| -> Vec<(Id, Id)> {
            let keyed = |located: &&Located| key(&located.event).map(|id| (located.event.link().subject, id));
            let unique: HashSet<_> = events.iter().filter_map(keyed).collect();
            unique.into_iter().collect()
        };
        let mut parties = Self::default();
        let agreements = keys(|event| match event {
            AnyEvent::AgreementAccepted(e) => Some(e.agreement),
            AnyEvent::AgreementFunded(e) => Some(e.agreement),
            AnyEvent::AgreementClosed(e) => Some(e.agreement),
            _ => None,
        });
        if !agreements.is_empty() {
            let rows = sqlx::query!(
                "SELECT consumer, id, provider AS institution FROM agreements
                 WHERE (consumer, id) IN (SELECT * FROM UNNEST($1::bytea[], $2::bytea[]))",
                each(&agreements, |key| key.0) as _,
                each(&agreements, |key| key.1) as _,
            )
            .fetch_all(&mut *connection)
            .await?;
            parties.providers = map(rows.into_iter().map(|row| (row.consumer, row.id, row.institution)));
        }
        let requests = keys(|event| match event {
            AnyEvent::RequestDecided(e) => Some(e.request),
            _ => None,
        });
        if !requests.is_empty() {
            let rows = sqlx::query!(
                "SELECT patient, id, institution FROM requests
                 WHERE (patient, id) IN (SELECT * FROM UNNEST($1::bytea[], $2::bytea[]))",
                each(&requests, |key| key.0) as _,
                each(&requests, |key| key.1) as _,
            )
            .fetch_all(&mut *connection)
            .await?;
            parties.asked_by = map(rows.into_iter().map(|row| (row.patient, row.id, row.institution)));
        }
        let emergencies = keys(|event| match event {
            AnyEvent::EmergencyReviewed(e) => Some(e.emergency),
            _ => None,
        });
        if !emergencies.is_empty() {
            let rows = sqlx::query!(
                "SELECT patient, id, institution FROM emergencies
                 WHERE (patient, id) IN (SELECT * FROM UNNEST($1::bytea[], $2::bytea[]))",
                each(&emergencies, |key| key.0) as _,
                each(&emergencies, |key| key.1) as _,
            )
            .fetch_all(&mut *connection)
            .await?;
            parties.opened_by = map(rows.into_iter().map(|row| (row.patient, row.id, row.institution)));
        }
        Ok(parties)
    }
}

fn map(rows: impl Iterator<Item = (Vec<u8>, Vec<u8>, Vec<u8>)>) -> HashMap<(Id, Id), Id> {
    rows.filter_map(|(subject, id, institution)| {
        Some((
            (subject.try_into().ok()?, id.try_into().ok()?),
            institution.try_into().ok()?,
        ))
    })
    .collect()
}

/// Who hears what of an event.
fn tell<'a>(located: &'a Located, parties: &Parties) -> Vec<Notice<'a>> {
    let subject = located.event.link().subject;
    let patient = |kind| Notice::new(Audience::Patient, subject, kind, located);
    let institution = |id: &Id, kind| Notice::new(Audience::Institution, *id, kind, located);
    let key = |id: &Id| (subject, *id);
    match &located.event {
        AnyEvent::AccessAllowed(e) => vec![
            patient("access")
                .with("record", &e.record)
                .with("request", &e.request)
                .with("institution", &e.actor.institution),
        ],
        AnyEvent::ActionRefused(e) if has_weight(e) => vec![
            patient("refusal")
                .with("record", &e.record)
                .with("request", &e.request)
                .with("institution", &e.actor.institution),
        ],
        AnyEvent::EmergencyOpened(e) => vec![
            patient("emergency-opened")
                .with("emergency", &e.emergency)
                .with("institution", &e.actor.institution),
            institution(&e.actor.institution, "emergency-awaits-review")
                .with("emergency", &e.emergency)
                .with("patient", &subject),
        ],
        AnyEvent::EmergencyReviewed(e) => {
            let mut told = vec![patient("emergency-reviewed").with("emergency", &e.emergency)];
            told.extend(parties.opened_by.get(&key(&e.emergency)).map(|id| {
                institution(id, "emergency-reviewed")
                    .with("emergency", &e.emergency)
                    .with("patient", &subject)
            }));
            told
        }
        AnyEvent::GrantCreated(e) => vec![
            patient("grant-given")
                .with("grant", &e.grant)
                .with("record", &e.terms.record),
        ],
        AnyEvent::GrantPassedOn(e) => vec![
            patient("grant-passed-on")
                .with("grant", &e.grant)
                .with("parent", &e.parent)
                .with("institution", &e.actor.institution),
        ],
        AnyEvent::GrantRevoked(e) => vec![patient("grant-revoked").with("grant", &e.grant)],
        // Of a proof there is nobody to tell: neither whose record it is about is known nor who the reader is.
        AnyEvent::AnonymousGrantCreated(e) => vec![
            patient("anonymous-grant-given")
                .with("record", &e.record)
                .with("tree", &e.tree)
                .at("leaf_index", e.index),
        ],
        AnyEvent::AnonymousGrantRevoked(e) => vec![
            patient("anonymous-grant-revoked")
                .with("record", &e.record)
                .with("tree", &e.tree)
                .at("leaf_index", e.index),
        ],
        AnyEvent::AccessRequested(e) => vec![
            patient("request-asked")
                .with("request", &e.request)
                .with("record", &e.record)
                .with("institution", &e.actor.institution),
        ],
        AnyEvent::RequestDecided(e) => {
            let mut told = Vec::new();
            if e.approved {
                told.push(
                    patient("grant-given")
                        .with("grant", &e.grant)
                        .with("request", &e.request),
                );
            }
            told.extend(parties.asked_by.get(&key(&e.request)).map(|id| {
                institution(id, "request-decided")
                    .with("request", &e.request)
                    .with("grant", &e.grant)
                    .with("patient", &subject)
            }));
            told
        }
        // Who decides in the patient's place: a delay to object in is worth as much as the patient knows of it.
        AnyEvent::RecoveryVoted(_) => vec![patient("recovery-voted")],
        AnyEvent::RecoveryObjected(_) => vec![patient("recovery-objected")],
        AnyEvent::RecoveryFinished(_) => vec![patient("recovery-finished")],
        AnyEvent::WalletProposed(_) => vec![patient("wallet-proposed")],
        AnyEvent::WalletAccepted(_) => vec![patient("wallet-accepted")],
        AnyEvent::PatientKeyRotated(_) => vec![patient("keys-changed")],
        AnyEvent::GuardiansSet(_) => vec![patient("guardians-set")],
        AnyEvent::BreakGlassSet(_) => vec![patient("break-glass-set")],
        AnyEvent::DelegateNamed(e) => vec![patient("delegate-named").with("delegate", &e.delegate)],
        AnyEvent::DelegationAccepted(e) => vec![patient("delegation-accepted").with("delegate", &e.delegate)],
        AnyEvent::DelegateRevoked(e) => vec![patient("delegate-revoked").with("delegate", &e.delegate)],
        AnyEvent::RecordErased(e) => vec![patient("record-erased").with("record", &e.record)],
        AnyEvent::PolicySet(e) => vec![institution(&e.institution, "policy-set").with("patient", &subject)],
        AnyEvent::AgreementProposed(e) => both(
            |id| {
                institution(id, "agreement-proposed")
                    .with("agreement", &e.agreement)
                    .with("consumer", &subject)
            },
            &[subject, e.provider],
        ),
        AnyEvent::AgreementAccepted(e) => both(
            |id| {
                institution(id, "agreement-accepted")
                    .with("agreement", &e.agreement)
                    .with("consumer", &subject)
            },
            &parties.of_agreement(key(&e.agreement)),
        ),
        AnyEvent::AgreementFunded(e) => both(
            |id| {
                institution(id, "agreement-funded")
                    .with("agreement", &e.agreement)
                    .with("consumer", &subject)
            },
            &parties.of_agreement(key(&e.agreement)),
        ),
        AnyEvent::AgreementClosed(e) => both(
            |id| {
                institution(id, "agreement-closed")
                    .with("agreement", &e.agreement)
                    .with("consumer", &subject)
            },
            &parties.of_agreement(key(&e.agreement)),
        ),
        AnyEvent::InstitutionAccepted(_) | AnyEvent::InstitutionStandingSet(_) | AnyEvent::InstitutionRenewed(_) => {
            vec![institution(&subject, "standing-changed")]
        }
        AnyEvent::MembershipAccepted(_) | AnyEvent::MemberStandingSet(_) | AnyEvent::MemberRenewed(_) => {
            vec![institution(&subject, "member-standing-changed")]
        }
        _ => Vec::new(),
    }
}

impl Parties {
    fn of_agreement(&self, key: (Id, Id)) -> Vec<Id> {
        [Some(key.0), self.providers.get(&key).copied()]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn both<'a>(notice: impl Fn(&Id) -> Notice<'a>, institutions: &[Id]) -> Vec<Notice<'a>> {
    institutions.iter().map(notice).collect()
}

/// A refusal that the patient ought to hear of: somebody else tried, and never had the right or lost it. One whose grant
/// ran out, or that was about an erased record, tells the patient nothing.
fn has_weight(event: &ActionRefused) -> bool {
    let by_the_patient = matches!(event.actor.kind, ActorKind::Patient | ActorKind::Delegate);
    let ran_out = matches!(
        event.reason,
        Reason::RecordErased | Reason::GrantNotYetValid | Reason::GrantExpired | Reason::GrantExhausted
    );
    !by_the_patient && !ran_out
}
