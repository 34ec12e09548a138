//! Admins and pauses. There are a handful in a program's life, and each builds on the one before: they go one by one.

use chartseal_program::events::AnyEvent;
use sqlx::PgConnection;

use super::{address, number};
use crate::{
    decode::Located,
    sink::{Instant, SinkError},
};

/// What an event of the registry's chain changes.
struct Change {
    word: &'static str,
    /// The wallet it is about.
    about: Option<[u8; 32]>,
    admin: Option<[u8; 32]>,
    /// Which proposal stands afterwards; nothing where it stays as it is.
    proposed: Option<Option<[u8; 32]>>,
    paused: Option<bool>,
}

impl Change {
    fn of(event: &AnyEvent) -> Option<Self> {
        let none = Self {
            word: "",
            about: None,
            admin: None,
            proposed: None,
            paused: None,
        };
        Some(match event {
            AnyEvent::RegistryCreated(event) => {
                let admin = Some(event.admin.to_bytes());
                Self {
                    word: "created",
                    about: admin,
                    admin,
                    proposed: Some(None),
                    paused: Some(false),
                }
            }
            AnyEvent::AdminProposed(event) => {
                let proposed = address(&event.proposed);
                Self {
                    word: "admin-proposed",
                    about: proposed,
                    proposed: Some(proposed),
                    ..none
                }
            }
            AnyEvent::AdminAccepted(event) => {
                let admin = Some(event.admin.to_bytes());
                Self {
                    word: "admin-accepted",
                    about: admin,
                    admin,
                    proposed: Some(None),
                    ..none
                }
            }
            AnyEvent::PauseSet(event) => Self {
                word: if event.paused { "paused" } else { "resumed" },
                paused: Some(event.paused),
                ..none
            },
            _ => return None,
        })
    }
}

pub(super) async fn write(connection: &mut PgConnection, events: &[&Located]) -> Result<(), SinkError> {
    for event in events.iter().map(|located| &located.event) {
        let Some(change) = Change::of(event) else { continue };
        let (seq, at) = (number(event.link().seq), Instant(event.link().at));
        sqlx::query!(
            "INSERT INTO registry_changes (seq, at, change, admin) VALUES ($1, $2, $3, $4)",
            seq,
            at as _,
            change.word,
            change.about as _
        )
        .execute(&mut *connection)
        .await?;
        match event {
            AnyEvent::RegistryCreated(_) => create(connection, &change, seq, at).await?,
            _ => update(connection, &change, seq, at).await?,
        }
    }
    Ok(())
}

async fn create(connection: &mut PgConnection, change: &Change, seq: i64, at: Instant) -> Result<(), SinkError> {
    sqlx::query!(
        "INSERT INTO registry (admin, paused, created_at, changed_at, made_seq, changed_seq)
         VALUES ($1, false, $2, $2, $3, $3)",
        change.admin as _,
        at as _,
        seq
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, change: &Change, seq: i64, at: Instant) -> Result<(), SinkError> {
    sqlx::query!(
        "UPDATE registry SET admin = coalesce($1, admin),
                proposed_admin = CASE WHEN $2 THEN $3 ELSE proposed_admin END,
                paused = coalesce($4, paused), changed_at = $5, changed_seq = $6",
        change.admin as _,
        change.proposed.is_some(),
        change.proposed.flatten() as _,
        change.paused,
        at as _,
        seq
    )
    .execute(connection)
    .await?;
    Ok(())
}
