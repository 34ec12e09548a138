//! Who writes, looks around and destroys by way of the service, and who does not.

use chartseal::{
    keys::Identity,
    store::{
        KeyStore as _, KeyStoreError,
        keystore::{EnvelopeKind, EnvelopeSlot, ShareSlot, remote::wire::Acting},
    },
};
use chartseal_program::seeds::address;

use super::scene::{NOTE, Scene, id, keys_of, member, own_slot};

#[tokio::test(flavor = "multi_thread")]
async fn strangers_neither_write_nor_look_around_nor_destroy() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let slot = own_slot(&scene, &scene.session(&scene.clinic.patient, None), record).await;
    let envelope = scene
        .releases(scene.doctors().keys(), &scene.opens(&scene.doctors(), record).await.0)
        .await
        .unwrap();
    let stranger = Identity::generate().unwrap();
    let (laboratory, laboratory_id) = scene.clinic.institution("laboratory", "laboratory").unwrap();
    let elsewhere = Acting::Authority {
        institution: id(&laboratory_id),
    };
    let not_allowed = |outcome: Result<(), KeyStoreError>| match outcome {
        Err(KeyStoreError::NotAllowed { .. }) => {}
        other => panic!("{other:?}"),
    };
    let laboratory = keys_of(&laboratory);
    for keys in [
        scene.keys(&stranger, None),
        // Not what it claims to be.
        scene.keys(&stranger, Some(member(&scene.doctor))),
        scene.keys(&stranger, Some(Acting::Patient { patient: scene.patient })),
        scene.keys(&laboratory, Some(elsewhere)),
    ] {
        not_allowed(keys.put(slot, &envelope).await);
        not_allowed(keys.discard(slot).await.map(|_| ()));
        not_allowed(keys.destroy(scene.patient, record).await.map(|_| ()));
        not_allowed(keys.copies(scene.patient, record).await.map(|_| ()));
        not_allowed(keys.patients().await.map(|_| ()));
    }
    not_allowed(
        scene
            .keys(&stranger, None)
            .slots(scene.patient, record)
            .await
            .map(|_| ()),
    );
    // A holder that the patient never named, in an emergency that never was.
    let released = EnvelopeSlot {
        kind: EnvelopeKind::Released {
            holder: address::institution(&id(&laboratory_id)).to_bytes(),
            emergency: [3; 16],
        },
        ..slot
    };
    not_allowed(scene.keys(&laboratory, Some(elsewhere)).put(released, &envelope).await);
    // A guardian that the patient never named.
    let share = ShareSlot {
        patient: scene.patient,
        key_epoch: 1,
        dealing: [1; 16],
        guardian: stranger.wallet.address(),
        sealed_to: [2; 32],
    };
    not_allowed(scene.keys(&stranger, None).put_share(share, b"junk").await);
    // Staff stores envelopes, and nothing else in their place.
    not_allowed(scene.doctors().keys().put(slot, b"no envelope").await);
    // Not even the patient destroys keys of what is not erased.
    let patient = scene.session(&scene.clinic.patient, None);
    not_allowed(patient.keys().destroy(scene.patient, record).await.map(|_| ()));
    let (_, bytes) = scene.opens(&scene.doctors(), record).await;
    assert_eq!(bytes, NOTE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_does_what_the_patient_allowed_it_and_no_more() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let patient = scene.session(&scene.clinic.patient, None);
    let own = own_slot(&scene, &patient, record).await;
    let envelope = scene
        .releases(scene.doctors().keys(), &scene.opens(&scene.doctors(), record).await.0)
        .await
        .unwrap();
    let doctors = EnvelopeSlot {
        recipient: scene.recipient(),
        ..own
    };
    for (name, rights, may_write, may_share) in [("reader", "read", false, false), ("carer", "read,share", true, true)]
    {
        let person = scene.clinic.stack.person(name);
        let wallet = person.arrives().unwrap();
        let words = [
            "delegate",
            "name",
            &scene.clinic.patient_id,
            "--wallet",
            &wallet,
            "--rights",
            rights,
        ];
        let delegate = scene.clinic.patient.does(&words).unwrap().text("delegate").unwrap();
        person
            .does(&["delegate", "accept", &scene.clinic.patient_id, &delegate])
            .unwrap();
        let acting = Acting::Delegate {
            patient: scene.patient,
            delegate: id(&delegate),
        };
        let keys = scene.keys(&keys_of(&person), Some(acting));
        assert_eq!(keys.put(doctors, &envelope).await.is_ok(), may_write, "{name}");
        assert_eq!(keys.discard(doctors).await.is_ok(), may_share, "{name}");
        // Never the patient's own, nor all of them.
        assert!(
            keys.put(own, &envelope).await.is_err() && keys.discard(own).await.is_err(),
            "{name}"
        );
        assert!(keys.copies(scene.patient, record).await.is_err(), "{name}");
        assert!(keys.destroy(scene.patient, record).await.is_err(), "{name}");
    }
    assert_eq!(scene.opens(&patient, record).await.1, NOTE);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_that_was_suspended_a_moment_ago_is_a_stranger() {
    let scene = Scene::new();
    let record = scene.puts(0).await;
    let doctors = scene.doctors();
    assert!(!doctors.keys().slots(scene.patient, record).await.unwrap().is_empty());
    scene
        .clinic
        .hospital
        .does(&["member", "suspend", &scene.doctor.member])
        .unwrap();
    let outcome = doctors.keys().slots(scene.patient, record).await;
    assert!(matches!(outcome, Err(KeyStoreError::NotAllowed { .. })), "{outcome:?}");
}
