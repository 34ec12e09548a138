//! How accounts lie in memory: fixed sizes, no padding (a hidden byte could differ between two equal accounts), and
//! discriminators that tell every type from every other.

use anchor_lang::{prelude::Address, Discriminator};
use bytemuck::Zeroable;
use chartseal_program::{
    log::{Chain, ChainKind},
    membership::{epoch, SKEW},
    state::*,
    vocabulary::ActorKind,
};

/// Takes a value apart, so that no field can be forgotten, and adds the sizes up.
macro_rules! sum_of_fields {
    ($name:ident { $($field:ident),+ }) => {{
        let $name { $($field),+ } = $name::zeroed();
        0 $(+ size_of_val(&$field))+
    }};
}

#[test]
fn accounts_have_the_documented_sizes_and_no_padding() {
    // Each stands on chain behind a discriminator of eight bytes.
    for (name, size, fields, documented) in [
        (
            "Registry",
            size_of::<Registry>(),
            sum_of_fields!(Registry {
                admin,
                proposed_admin,
                chain,
                paused,
                bump,
                reserved
            }),
            112,
        ),
        (
            "Institution",
            size_of::<Institution>(),
            sum_of_fields!(Institution {
                id,
                authority,
                proposed_authority,
                keys,
                chain,
                created_at,
                expires,
                emergencies,
                key_epoch,
                members,
                unreviewed_emergencies,
                kind,
                standing,
                bump,
                reserved
            }),
            232,
        ),
        (
            "Member",
            size_of::<Member>(),
            sum_of_fields!(Member {
                id,
                institution,
                wallet,
                keys,
                expires,
                created_at,
                refusals,
                requests,
                emergencies,
                key_epoch,
                unreviewed_emergencies,
                role,
                standing,
                emergency_credential,
                bump,
                reserved
            }),
            208,
        ),
        (
            "Patient",
            size_of::<Patient>(),
            sum_of_fields!(Patient {
                id,
                wallet,
                proposed_wallet,
                keys,
                steward,
                created_at,
                key_epoch,
                bump,
                reserved
            }),
            176,
        ),
        (
            "Delegate",
            size_of::<Delegate>(),
            sum_of_fields!(Delegate {
                id,
                patient,
                wallet,
                keys,
                expires,
                created_at,
                revoked_at,
                key_epoch,
                rights,
                revoked,
                reserved
            }),
            160,
        ),
        (
            "Safeguards",
            size_of::<Safeguards>(),
            sum_of_fields!(Safeguards {
                patient,
                guardians,
                holders,
                pending_wallet,
                pending_keys,
                ready_at,
                delay,
                guardian_count,
                guardian_threshold,
                holder_count,
                holder_threshold,
                bump,
                reserved
            }),
            856,
        ),
        (
            "Record",
            size_of::<Record>(),
            sum_of_fields!(Record {
                id,
                patient,
                author,
                origin,
                institution,
                manifest_hash,
                content_root,
                locator,
                previous,
                padded_size,
                created_at,
                updated_at,
                version,
                class,
                status,
                reserved
            }),
            272,
        ),
        (
            "Batch",
            size_of::<Batch>(),
            sum_of_fields!(Batch {
                id,
                institution,
                author,
                root,
                locator,
                created_at,
                count,
                reserved
            }),
            144,
        ),
        (
            "Grant",
            size_of::<Grant>(),
            sum_of_fields!(Grant {
                id,
                patient,
                record,
                parent,
                grantee,
                grantee_key,
                issuer,
                not_before,
                expires,
                created_at,
                revoked_at,
                classes,
                uses_left,
                grantee_kind,
                rights,
                purposes,
                revoked,
                depth,
                reserved
            }),
            208,
        ),
        (
            "Request",
            size_of::<Request>(),
            sum_of_fields!(Request {
                id,
                patient,
                record,
                member,
                institution,
                grant,
                until,
                created_at,
                decided_at,
                classes,
                rights,
                purposes,
                state,
                reserved
            }),
            144,
        ),
        (
            "Policy",
            size_of::<Policy>(),
            sum_of_fields!(Policy {
                patient,
                institution,
                since,
                expires,
                created_at,
                changed_at,
                classes,
                purposes,
                enrols,
                bump,
                reserved
            }),
            320,
        ),
        (
            "Emergency",
            size_of::<Emergency>(),
            sum_of_fields!(Emergency {
                id,
                patient,
                member,
                wallet,
                institution,
                reason_hash,
                opened_at,
                expires,
                patient_reviewed_at,
                institution_reviewed_at,
                patient_verdict,
                institution_verdict,
                reserved
            }),
            184,
        ),
        (
            "Agreement",
            size_of::<Agreement>(),
            sum_of_fields!(Agreement {
                id,
                provider,
                consumer,
                mint,
                token_program,
                escrow,
                payee,
                refund,
                price,
                deposited,
                paid,
                expires,
                created_at,
                settled,
                classes,
                purpose,
                state,
                reserved
            }),
            264,
        ),
        (
            "Settlement",
            size_of::<Settlement>(),
            sum_of_fields!(Settlement {
                agreement,
                record,
                request,
                amount,
                at,
                version,
                reserved
            }),
            104,
        ),
        (
            "AccessLog",
            size_of::<AccessLog>(),
            sum_of_fields!(AccessLog {
                patient,
                chain,
                ring,
                bump,
                reserved
            }),
            16 + 40 + 16 * 72 + 8,
        ),
        (
            "RefusalLog",
            size_of::<RefusalLog>(),
            sum_of_fields!(RefusalLog {
                patient,
                chain,
                ring,
                persons,
                own,
                bump,
                reserved
            }),
            16 + 40 + 16 * 72 + 40,
        ),
        (
            "GrantTree",
            size_of::<GrantTree>(),
            sum_of_fields!(GrantTree {
                id,
                chain,
                number,
                leaves,
                floor,
                pending_floor,
                pending_since,
                frontier,
                roots,
                changes,
                bump,
                reserved
            }),
            16 + 40 + 5 * 8 + 20 * 32 + 64 * 32 + 10 * 648 + 8,
        ),
        (
            "AnonymousSet",
            size_of::<AnonymousSet>(),
            sum_of_fields!(AnonymousSet {
                tree,
                patient,
                record,
                floor,
                made,
                revoked,
                bump,
                reserved
            }),
            72,
        ),
        (
            "Nullifier",
            size_of::<Nullifier>(),
            sum_of_fields!(Nullifier {
                nullifier,
                verifier,
                payer,
                tree,
                epoch,
                bump,
                reserved
            }),
            128,
        ),
        (
            "Change",
            size_of::<Change>(),
            sum_of_fields!(Change { index, nodes }),
            648,
        ),
        ("Chain", size_of::<Chain>(), sum_of_fields!(Chain { seq, head }), 40),
        (
            "Keys",
            size_of::<Keys>(),
            sum_of_fields!(Keys {
                encryption,
                post_quantum_hash
            }),
            64,
        ),
        (
            "Guardian",
            size_of::<Guardian>(),
            sum_of_fields!(Guardian {
                wallet,
                encryption,
                vote,
                votes
            }),
            112,
        ),
        (
            "Tally",
            size_of::<Tally>(),
            sum_of_fields!(Tally { since, count, reserved }),
            16,
        ),
        (
            "Entry",
            size_of::<Entry>(),
            sum_of_fields!(Entry {
                seq,
                at,
                id,
                wallet,
                event,
                outcome,
                reserved
            }),
            72,
        ),
    ] {
        assert_eq!(size, fields, "{name} has padding");
        assert_eq!(size, documented, "{name}");
    }
}

#[test]
fn discriminators_tell_accounts_apart() {
    let mut all = [
        Registry::DISCRIMINATOR,
        Institution::DISCRIMINATOR,
        Member::DISCRIMINATOR,
        Patient::DISCRIMINATOR,
        Delegate::DISCRIMINATOR,
        Safeguards::DISCRIMINATOR,
        Record::DISCRIMINATOR,
        Batch::DISCRIMINATOR,
        Grant::DISCRIMINATOR,
        Request::DISCRIMINATOR,
        Policy::DISCRIMINATOR,
        Emergency::DISCRIMINATOR,
        Agreement::DISCRIMINATOR,
        Settlement::DISCRIMINATOR,
        AccessLog::DISCRIMINATOR,
        RefusalLog::DISCRIMINATOR,
        GrantTree::DISCRIMINATOR,
        AnonymousSet::DISCRIMINATOR,
        Nullifier::DISCRIMINATOR,
    ];
    all.sort_unstable();
    assert!(all.iter().all(|discriminator| discriminator.len() == 8));
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn entry_of_each_link_takes_the_place_of_the_one_sixteen_before() {
    let mut ring = Ring::zeroed();
    for seq in 1..=40u64 {
        let chain = Chain { seq, head: [0; 32] };
        let before = ring;
        ring.keep(&chain, Entry::new(&[7], 9, &[1; 16], &Address::default(), NO_OUTCOME));
        let place = usize::try_from(seq).unwrap() % RING;
        assert_eq!(ring.entries[place].seq, seq);
        let others = (0..RING).filter(|&other| other != place);
        others.for_each(|other| assert_eq!(ring.entries[other], before.entries[other]));
    }
    let mut kept: Vec<_> = ring.entries.iter().map(|entry| entry.seq).collect();
    kept.sort_unstable();
    assert_eq!(kept, (25..=40).collect::<Vec<_>>());
}

#[test]
fn refusals_are_counted_within_an_hour_that_begins_with_the_first() {
    let mut member = Member::zeroed();
    let mut log = RefusalLog::zeroed();
    for start in [1_000_000, 1_000_000 + HOUR, i64::MAX - 10] {
        for _ in 0..MEMBER_REFUSALS_PER_HOUR {
            assert!(member.count_refusal(start));
            assert!(log.count_refusal(ActorKind::Person, start));
            assert!(log.count_refusal(ActorKind::Delegate, start));
        }
        for later in [0, 1, 9] {
            assert!(!member.count_refusal(start + later));
            assert!(!log.count_refusal(ActorKind::Person, start + later));
            assert!(!log.count_refusal(ActorKind::Patient, start + later));
        }
    }
    // A clock at the other end of time neither overflows nor opens an hour.
    assert!(!member.count_refusal(i64::MIN));
    assert!(!log.count_refusal(ActorKind::Person, i64::MIN));
}

#[test]
fn patient_without_a_wallet_is_nobodys_but_its_stewards() {
    let mut patient = Patient::zeroed();
    assert!(!patient.has_wallet());
    assert!(!patient.is_wallet(&Address::default()), "zeros are no wallet");
    assert!(!patient.is_steward(&[0; 16]), "zeros are no steward");
    patient.steward = [5; 16];
    assert!(patient.is_steward(&[5; 16]) && !patient.is_steward(&[6; 16]));
    patient.wallet = Address::new_from_array([1; 32]);
    assert!(patient.has_wallet() && !patient.is_steward(&[5; 16]));
}

#[test]
fn grant_covers_its_record_or_its_classes() {
    let mut grant = Grant::zeroed();
    grant.record = [1; 16];
    assert!(grant.covers(&[1; 16], 0) && grant.covers(&[1; 16], 31) && !grant.covers(&[2; 16], 0));
    grant.record = [0; 16];
    grant.classes = 1 << 31 | 1;
    for class in 0..=u8::MAX {
        assert_eq!(
            grant.covers(&[2; 16], class),
            class == 0 || class == 31,
            "class {class}"
        );
    }
}

/// The slowest clock that is accepted is a minute late, and a clock that is set back another one.
#[test]
fn nullifier_is_over_two_minutes_after_its_epoch() {
    let mut nullifier = Nullifier::zeroed();
    nullifier.epoch = 500_000;
    let end = 500_001 * 3_600;
    for (now, over) in [
        (i64::MIN, false),
        (0, false),
        (end - 3_600, false),
        (end, false),
        (end + 119, false),
        (end + 120, true),
        (end + DAY, true),
        (i64::MAX, true),
    ] {
        assert_eq!(nullifier.is_over(now), over, "at {now}");
    }
    // While it can be closed, no time that is accepted is of its epoch.
    for now in end..end + 300 {
        let named = (now - SKEW..=now + SKEW).any(|named| epoch(named) == nullifier.epoch);
        assert!(!(named && nullifier.is_over(now)), "at {now}");
    }
    nullifier.epoch = u64::MAX;
    assert!(!nullifier.is_over(i64::MAX));
}

#[test]
fn chains_begin_differently_for_each_kind_and_subject() {
    let mut heads = Vec::new();
    for kind in ChainKind::ALL {
        for subject in [[0; 16], [1; 16], [2; 16]] {
            let chain = Chain::begin(kind, &subject);
            assert_eq!(chain.seq, 0);
            heads.push(chain.head);
        }
    }
    heads.sort_unstable();
    assert!(heads.windows(2).all(|pair| pair[0] != pair[1]));
}
