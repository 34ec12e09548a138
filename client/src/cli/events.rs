//! Events in words, for `chartseal log`.

use chartseal_program::events::{Actor, AnyEvent, Terms};

use super::patients::{classes, subject};

/// What an event of a patient's is about, and who did it.
pub(super) fn describe(event: &AnyEvent) -> (String, String) {
    let what = about(event);
    (what, who(event))
}

fn about(event: &AnyEvent) -> String {
    let id = |id: &[u8; 16]| hex::encode(id);
    match event {
        AnyEvent::RecordCreated(e) => format!("record {} ({})", id(&e.record), e.basis.word()),
        AnyEvent::RecordAmended(e) => format!("record {} to version {} ({})", id(&e.record), e.version, e.basis.word()),
        AnyEvent::RecordPromoted(e) => format!(
            "record {} of batch {} ({})",
            id(&e.record),
            id(&e.batch),
            e.basis.word()
        ),
        AnyEvent::RecordErased(e) => format!("record {} in version {}", id(&e.record), e.version),
        AnyEvent::ErasureAttested(e) => format!("record {}, receipt {}", id(&e.record), hex::encode(e.receipt)),
        AnyEvent::GrantCreated(e) => format!("grant {} {}", id(&e.grant), given(&e.terms)),
        AnyEvent::GrantPassedOn(e) => {
            format!("grant {} from {} {}", id(&e.grant), id(&e.parent), given(&e.terms))
        }
        AnyEvent::GrantRevoked(e) => format!("grant {}", id(&e.grant)),
        AnyEvent::AnonymousGrantCreated(e) => format!(
            "record {} without a name, place {} of tree {}",
            id(&e.record),
            e.index,
            id(&e.tree)
        ),
        AnyEvent::AnonymousGrantRevoked(e) => {
            format!("record {}, place {} of tree {}", id(&e.record), e.index, id(&e.tree))
        }
        AnyEvent::PolicySet(e) => format!("institution {}, classes {}", id(&e.institution), classes(e.classes)),
        AnyEvent::AccessRequested(e) => format!("request {} on {}", id(&e.request), subject(&e.record, e.classes)),
        AnyEvent::RequestDecided(e) if e.approved => {
            format!("request {} approved, grant {}", id(&e.request), id(&e.grant))
        }
        AnyEvent::RequestDecided(e) => format!("request {} denied", id(&e.request)),
        AnyEvent::EmergencyOpened(e) => format!("emergency {} until {}", id(&e.emergency), e.expires),
        AnyEvent::EmergencyReviewed(e) => {
            format!(
                "emergency {}: {}, says the {}",
                id(&e.emergency),
                e.verdict.word(),
                e.reviewer.word()
            )
        }
        AnyEvent::AccessAllowed(e) => {
            format!(
                "record {} version {} for {} ({})",
                id(&e.record),
                e.version,
                e.purpose.word(),
                e.basis.word()
            )
        }
        AnyEvent::AccessSettled(e) => {
            format!(
                "record {} version {}, {} units by agreement {}",
                id(&e.record),
                e.version,
                e.amount,
                id(&e.agreement)
            )
        }
        AnyEvent::ActionRefused(e) => {
            let (action, purpose) = (e.action.word(), e.purpose.word());
            format!("{action} record {} for {purpose}: {}", id(&e.record), e.reason.word())
        }
        AnyEvent::WalletProposed(e) => format!("next wallet {}", e.proposed),
        AnyEvent::WalletAccepted(e) => format!("key epoch {}", e.key_epoch),
        AnyEvent::PatientKeyRotated(e) => format!("key epoch {}", e.key_epoch),
        AnyEvent::DelegateNamed(e) => format!("delegate {}, wallet {}", id(&e.delegate), e.wallet),
        AnyEvent::DelegationAccepted(e) => format!("delegate {}", id(&e.delegate)),
        AnyEvent::DelegateRevoked(e) => format!("delegate {}", id(&e.delegate)),
        AnyEvent::GuardiansSet(e) => format!("{} of {} guardians", e.threshold, e.guardians.len()),
        AnyEvent::BreakGlassSet(e) => format!("{} of {} institutions", e.threshold, e.holders.len()),
        AnyEvent::RecoveryVoted(e) => format!("wallet {}, {} votes", e.wallet, e.votes),
        AnyEvent::RecoveryObjected(e) => format!("wallet {}", e.wallet),
        AnyEvent::RecoveryFinished(e) => format!("key epoch {}", e.key_epoch),
        _ => String::new(),
    }
}

fn who(event: &AnyEvent) -> String {
    let acting = |actor: &Actor| format!("{} {}", actor.kind.word(), actor.wallet);
    match event {
        AnyEvent::RecordCreated(e) => acting(&e.author),
        AnyEvent::RecordAmended(e) => acting(&e.author),
        AnyEvent::RecordPromoted(e) => acting(&e.actor),
        AnyEvent::RecordErased(e) => e.by.to_string(),
        AnyEvent::ErasureAttested(e) => acting(&e.actor),
        AnyEvent::GrantCreated(e) => e.issuer.to_string(),
        AnyEvent::GrantPassedOn(e) => acting(&e.actor),
        AnyEvent::GrantRevoked(e) => e.by.to_string(),
        AnyEvent::AnonymousGrantCreated(e) => e.issuer.to_string(),
        AnyEvent::AnonymousGrantRevoked(e) => e.by.to_string(),
        AnyEvent::PolicySet(e) => e.by.to_string(),
        AnyEvent::AccessRequested(e) => acting(&e.actor),
        AnyEvent::RequestDecided(e) => e.by.to_string(),
        AnyEvent::EmergencyOpened(e) => acting(&e.actor),
        AnyEvent::EmergencyReviewed(e) => e.by.to_string(),
        AnyEvent::AccessAllowed(e) => acting(&e.actor),
        AnyEvent::AccessSettled(e) => e.wallet.to_string(),
        AnyEvent::ActionRefused(e) => acting(&e.actor),
        AnyEvent::PatientOpened(e) => e.wallet.to_string(),
        AnyEvent::WalletProposed(e) => e.by.to_string(),
        AnyEvent::WalletAccepted(e) => e.wallet.to_string(),
        AnyEvent::DelegateRevoked(e) => e.by.to_string(),
        AnyEvent::RecoveryVoted(e) => e.guardian.to_string(),
        AnyEvent::RecoveryFinished(e) => e.wallet.to_string(),
        _ => String::new(),
    }
}

fn given(terms: &Terms) -> String {
    format!("to {} {}", terms.grantee_kind.word(), terms.grantee)
}
