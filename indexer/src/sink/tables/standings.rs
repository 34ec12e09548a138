//! What held when: where institutions and members stood, and which wallet was a patient's.
//!
//! Each change ends a row and begins another, in the order of the chain. So the tables answer for any moment of the past
//! what the contract's accounts answered then.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_program::{events::AnyEvent, log::Link, seeds::Id, vocabulary::Standing};
use sqlx::PgConnection;

use super::{address, each, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

/// A time in which something was as it was.
struct Stretch<K, V> {
    key: K,
    value: V,
    /// Place and time of the event that began it.
    made: i64,
    since: Instant,
    /// Place and time of the event that ended it.
    ended: Option<(i64, Instant)>,
}

impl<K, V> Stretch<K, V> {
    fn ended_at(&self) -> Option<Instant> {
        self.ended.map(|(_, at)| at)
    }

    fn changed(&self) -> i64 {
        self.ended.map_or(self.made, |(seq, _)| seq)
    }
}

/// What a batch makes of the stretches that are open.
struct History<K, V> {
    /// The last stretch of each key.
    open: BTreeMap<K, Stretch<K, V>>,
    /// Stretches that the tables have, and that ended.
    ended: Vec<Stretch<K, V>>,
    /// Stretches that began and ended within the batch.
    passed: Vec<Stretch<K, V>>,
    /// Keys of which the last stretch began within the batch.
    begun: BTreeSet<K>,
}

/// What to write.
struct Rows<K, V> {
    /// What the tables have, and what ended.
    ended: Vec<Stretch<K, V>>,
    /// What they have not yet.
    new: Vec<Stretch<K, V>>,
}

impl<K: Ord + Copy, V: Copy> History<K, V> {
    /// Follows the stretches that the tables have open.
    fn new(open: impl IntoIterator<Item = Stretch<K, V>>) -> Self {
        Self {
            open: open.into_iter().map(|stretch| (stretch.key, stretch)).collect(),
            ended: Vec::new(),
            passed: Vec::new(),
            begun: BTreeSet::new(),
        }
    }

    /// The event of this link says what holds from here on, given what held before.
    fn turn(&mut self, key: K, link: &Link, value: impl FnOnce(Option<V>) -> Option<V>) {
        let before = self.open.get(&key).map(|stretch| stretch.value);
        let Some(value) = value(before) else { return };
        let (made, since) = (number(link.seq), Instant(link.at));
        let next = Stretch {
            key,
            value,
            made,
            since,
            ended: None,
        };
        if let Some(mut last) = self.open.insert(key, next) {
            last.ended = Some((made, since));
            match self.begun.contains(&key) {
                true => self.passed.push(last),
                false => self.ended.push(last),
            }
        }
        self.begun.insert(key);
    }

    fn into_rows(self) -> Rows<K, V> {
        let begun = self.begun;
        let mut new = self.passed;
        new.extend(self.open.into_values().filter(|stretch| begun.contains(&stretch.key)));
        Rows { ended: self.ended, new }
    }
}

/// Where an institution stands.
#[derive(Clone, Copy)]
struct InstitutionTerms {
    standing: Standing,
    expires: Instant,
}

pub(super) async fn keep_institutions(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let events: Vec<&AnyEvent> = events
        .iter()
        .map(|located| &located.event)
        .filter(|event| {
            matches!(
                event,
                AnyEvent::InstitutionRegistered(_)
                    | AnyEvent::InstitutionAccepted(_)
                    | AnyEvent::InstitutionStandingSet(_)
                    | AnyEvent::InstitutionRenewed(_)
            )
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    let open = sqlx::query!(
        r#"SELECT institution, made_seq, standing AS "standing!: String", expires_at AS "expires_at: Instant",
                  since AS "since: Instant"
           FROM institution_standings WHERE institution = ANY($1::bytea[]) AND ended_at IS NULL"#,
        each(&events, |event| event.link().subject) as _
    )
    .fetch_all(&mut *connection)
    .await?
    .into_iter()
    .map(|row| {
        Ok(Stretch {
            key: row
                .institution
                .try_into()
                .map_err(|_| SinkError::Damaged("institution_standings.institution"))?,
            value: InstitutionTerms {
                standing: Standing::from_word(&row.standing)
                    .ok_or(SinkError::Damaged("institution_standings.standing"))?,
                expires: row.expires_at,
            },
            made: row.made_seq,
            since: row.since,
            ended: None,
        })
    })
    .collect::<Result<Vec<Stretch<Id, _>>, SinkError>>()?;
    let mut history = History::new(open);
    for event in events {
        let link = event.link();
        history.turn(link.subject, link, |before| match event {
            AnyEvent::InstitutionRegistered(e) => Some(InstitutionTerms {
                standing: Standing::Invited,
                expires: Instant(e.expires),
            }),
            AnyEvent::InstitutionAccepted(_) => before.map(|terms| InstitutionTerms {
                standing: Standing::Active,
                ..terms
            }),
            AnyEvent::InstitutionStandingSet(e) => before.map(|terms| InstitutionTerms {
                standing: e.standing,
                ..terms
            }),
            AnyEvent::InstitutionRenewed(e) => before.map(|terms| InstitutionTerms {
                expires: Instant(e.expires),
                ..terms
            }),
            _ => None,
        });
    }
    let Rows { ended, new } = history.into_rows();
    sqlx::query!(
        "UPDATE institution_standings s SET ended_at = turn.at, changed_seq = turn.seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bigint[]) AS turn (institution, made, at, seq)
         WHERE s.institution = turn.institution AND s.made_seq = turn.made",
        each(&ended, |s| s.key) as _,
        &each(&ended, |s| s.made),
        each(&ended, Stretch::ended_at) as _,
        &each(&ended, Stretch::changed),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO institution_standings (institution, made_seq, standing, expires_at, since, ended_at, changed_seq)
         SELECT * FROM UNNEST($1::bytea[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                              $6::timestamptz[], $7::bigint[])",
        each(&new, |s| s.key) as _,
        &each(&new, |s| s.made),
        each(&new, |s| s.value.standing.word()) as _,
        each(&new, |s| s.value.expires) as _,
        each(&new, |s| s.since) as _,
        each(&new, Stretch::ended_at) as _,
        &each(&new, Stretch::changed),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Where a member stands.
#[derive(Clone, Copy)]
struct MemberTerms {
    institution: Id,
    standing: Standing,
    expires: Instant,
    emergency_credential: bool,
}

/// The membership that an event is about, where it changes what is kept here.
fn member(event: &AnyEvent) -> Option<[u8; 32]> {
    Some(match event {
        AnyEvent::MemberRegistered(e) => e.member.to_bytes(),
        AnyEvent::MembershipAccepted(e) => e.member.to_bytes(),
        AnyEvent::MemberStandingSet(e) => e.member.to_bytes(),
        AnyEvent::MemberRenewed(e) => e.member.to_bytes(),
        AnyEvent::EmergencyCredentialSet(e) => e.member.to_bytes(),
        _ => return None,
    })
}

pub(super) async fn keep_members(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let events: Vec<([u8; 32], &AnyEvent)> = events
        .iter()
        .filter_map(|located| Some((member(&located.event)?, &located.event)))
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    let open = sqlx::query!(
        r#"SELECT member, institution, made_seq, standing AS "standing!: String", expires_at AS "expires_at: Instant",
                  emergency_credential, since AS "since: Instant"
           FROM member_standings WHERE member = ANY($1::bytea[]) AND ended_at IS NULL"#,
        each(&events, |(member, _)| *member) as _
    )
    .fetch_all(&mut *connection)
    .await?
    .into_iter()
    .map(|row| {
        let institution = row.institution.try_into();
        Ok(Stretch {
            key: row
                .member
                .try_into()
                .map_err(|_| SinkError::Damaged("member_standings.member"))?,
            value: MemberTerms {
                institution: institution.map_err(|_| SinkError::Damaged("member_standings.institution"))?,
                standing: Standing::from_word(&row.standing).ok_or(SinkError::Damaged("member_standings.standing"))?,
                expires: row.expires_at,
                emergency_credential: row.emergency_credential,
            },
            made: row.made_seq,
            since: row.since,
            ended: None,
        })
    })
    .collect::<Result<Vec<Stretch<[u8; 32], _>>, SinkError>>()?;
    let mut history = History::new(open);
    for (member, event) in events {
        let link = event.link();
        history.turn(member, link, |before| match event {
            AnyEvent::MemberRegistered(e) => Some(MemberTerms {
                institution: link.subject,
                standing: Standing::Invited,
                expires: Instant(e.expires),
                emergency_credential: false,
            }),
            AnyEvent::MembershipAccepted(_) => before.map(|terms| MemberTerms {
                standing: Standing::Active,
                ..terms
            }),
            AnyEvent::MemberStandingSet(e) => before.map(|terms| MemberTerms {
                standing: e.standing,
                ..terms
            }),
            AnyEvent::MemberRenewed(e) => before.map(|terms| MemberTerms {
                expires: Instant(e.expires),
                ..terms
            }),
            AnyEvent::EmergencyCredentialSet(e) => before.map(|terms| MemberTerms {
                emergency_credential: e.holds,
                ..terms
            }),
            _ => None,
        });
    }
    let Rows { ended, new } = history.into_rows();
    sqlx::query!(
        "UPDATE member_standings s SET ended_at = turn.at, changed_seq = turn.seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bigint[]) AS turn (member, made, at, seq)
         WHERE s.member = turn.member AND s.made_seq = turn.made",
        each(&ended, |s| s.key) as _,
        &each(&ended, |s| s.made),
        each(&ended, Stretch::ended_at) as _,
        &each(&ended, Stretch::changed),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO member_standings (member, institution, made_seq, standing, expires_at, emergency_credential, since,
                                       ended_at, changed_seq)
         SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bigint[], $4::text[], $5::timestamptz[], $6::boolean[],
                              $7::timestamptz[], $8::timestamptz[], $9::bigint[])",
        each(&new, |s| s.key) as _,
        each(&new, |s| s.value.institution) as _,
        &each(&new, |s| s.made),
        each(&new, |s| s.value.standing.word()) as _,
        each(&new, |s| s.value.expires) as _,
        &each(&new, |s| s.value.emergency_credential),
        each(&new, |s| s.since) as _,
        each(&new, Stretch::ended_at) as _,
        &each(&new, Stretch::changed),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The wallet that an event makes the patient's.
fn wallet(event: &AnyEvent) -> Option<[u8; 32]> {
    match event {
        AnyEvent::PatientOpened(e) => address(&e.wallet),
        AnyEvent::WalletAccepted(e) => address(&e.wallet),
        AnyEvent::RecoveryFinished(e) => address(&e.wallet),
        _ => None,
    }
}

pub(super) async fn keep_wallets(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    let wallets: Vec<(&Link, [u8; 32])> = events
        .iter()
        .filter_map(|located| Some((located.event.link(), wallet(&located.event)?)))
        .collect();
    if wallets.is_empty() {
        return Ok(());
    }
    let open = sqlx::query!(
        r#"SELECT patient, made_seq, wallet, since AS "since: Instant"
           FROM patient_wallets WHERE patient = ANY($1::bytea[]) AND ended_at IS NULL"#,
        each(&wallets, |(link, _)| link.subject) as _
    )
    .fetch_all(&mut *connection)
    .await?
    .into_iter()
    .map(|row| {
        Ok(Stretch {
            key: row
                .patient
                .try_into()
                .map_err(|_| SinkError::Damaged("patient_wallets.patient"))?,
            value: row
                .wallet
                .try_into()
                .map_err(|_| SinkError::Damaged("patient_wallets.wallet"))?,
            made: row.made_seq,
            since: row.since,
            ended: None,
        })
    })
    .collect::<Result<Vec<Stretch<Id, [u8; 32]>>, SinkError>>()?;
    let mut history = History::new(open);
    for (link, wallet) in wallets {
        history.turn(link.subject, link, |_| Some(wallet));
    }
    let Rows { ended, new } = history.into_rows();
    sqlx::query!(
        "UPDATE patient_wallets w SET ended_at = turn.at, changed_seq = turn.seq
         FROM UNNEST($1::bytea[], $2::bigint[], $3::timestamptz[], $4::bigint[]) AS turn (patient, made, at, seq)
         WHERE w.patient = turn.patient AND w.made_seq = turn.made",
        each(&ended, |s| s.key) as _,
        &each(&ended, |s| s.made),
        each(&ended, Stretch::ended_at) as _,
        &each(&ended, Stretch::changed),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO patient_wallets (patient, made_seq, wallet, since, ended_at, changed_seq)
         SELECT * FROM UNNEST($1::bytea[], $2::bigint[], $3::bytea[], $4::timestamptz[], $5::timestamptz[],
                              $6::bigint[])",
        each(&new, |s| s.key) as _,
        &each(&new, |s| s.made),
        each(&new, |s| s.value) as _,
        each(&new, |s| s.since) as _,
        each(&new, Stretch::ended_at) as _,
        &each(&new, Stretch::changed),
    )
    .execute(connection)
    .await?;
    Ok(())
}
