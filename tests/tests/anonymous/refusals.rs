//! What a key service refuses, shown proofs that the reader's own programs would not make.

use chartseal::{keys::WalletKey, store::keystore::Shown};

use super::scene::{Scene, not_proven};

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_good_for_its_store_its_wallet_its_exchange_its_record_and_its_time_and_for_nothing_else() {
    let scene = Scene::new();
    let reader = scene.reader("reader");
    scene.grants(&reader, &[]);
    let grown = scene.grown().await;

    let mut forged = scene.honest(1).await;
    let asking = scene.proof(&reader, &grown, &forged).await;
    let given = scene.shows(&forged.caller, &asking).await.unwrap();
    assert_eq!(given.envelopes.len(), 1);

    // The same again, also signed anew: the doorman would let it in.
    not_proven(scene.shows(&forged.caller, &asking).await, "taken before");

    // Somebody else's wallet, who listened.
    let next = scene.honest(2).await;
    let asking = scene.proof(&reader, &grown, &next).await;
    let thief = WalletKey::generate().unwrap();
    not_proven(scene.shows(&thief, &asking).await, "another store, wallet or exchange");
    // Another exchange than it was made for.
    let mut other = asking.clone();
    other.exchange = [3; 16];
    not_proven(
        scene.shows(&next.caller, &other).await,
        "another store, wallet or exchange",
    );
    // Altered anywhere.
    for at in [0, 100, 255] {
        let mut other = asking.clone();
        if let Shown::Proof(shown) = &mut other.shown {
            shown.proof[at] ^= 1;
        }
        not_proven(scene.shows(&next.caller, &other).await, "altered");
    }
    let mut other = asking.clone();
    if let Shown::Proof(shown) = &mut other.shown {
        shown.nullifier[31] ^= 1;
    }
    not_proven(scene.shows(&next.caller, &other).await, "altered");

    // Another store's.
    forged = scene.honest(4).await;
    forged.verifier = [9; 32];
    let asking = scene.proof(&reader, &grown, &forged).await;
    not_proven(
        scene.shows(&forged.caller, &asking).await,
        "another store, wallet or exchange",
    );

    // Another record's, of the same patient.
    forged = scene.honest(5).await;
    forged.asked = scene.stores(b"something else");
    let asking = scene.proof(&reader, &grown, &forged).await;
    not_proven(scene.shows(&forged.caller, &asking).await, "another record");

    // Another time's.
    for off_by in [-70, 100] {
        forged = scene.honest(6).await;
        forged.off_by = off_by;
        let asking = scene.proof(&reader, &grown, &forged).await;
        not_proven(scene.shows(&forged.caller, &asking).await, "clock");
    }
    scene.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_counts_at_once_for_proofs_by_the_roots_before_it() {
    let scene = Scene::new();
    let [first, second] = ["first", "second"].map(|name| scene.reader(name));
    let index = scene.grants(&first, &[]);
    scene.grants(&second, &[]);
    let before = scene.grown().await;
    scene.revokes(&index);
    for reader in [&first, &second] {
        let forged = scene.honest(1).await;
        let asking = scene.proof(reader, &before, &forged).await;
        not_proven(scene.shows(&forged.caller, &asking).await, "before a revocation");
    }
    let forged = scene.honest(2).await;
    let asking = scene.proof(&second, &scene.grown().await, &forged).await;
    assert_eq!(scene.shows(&forged.caller, &asking).await.unwrap().envelopes.len(), 1);
    scene.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_has_a_records_keys_so_often_in_an_hour_and_no_more() {
    let scene = Scene::with(&["--releases-per-epoch", "2"]);
    let [reader, other] = ["reader", "other"].map(|name| scene.reader(name));
    scene.grants(&reader, &[]);
    scene.grants(&other, &[]);
    let grown = scene.grown().await;
    for exchange in [1, 2] {
        let forged = scene.honest(exchange).await;
        let asking = scene.proof(&reader, &grown, &forged).await;
        scene.shows(&forged.caller, &asking).await.unwrap();
    }
    let forged = scene.honest(3).await;
    let asking = scene.proof(&reader, &grown, &forged).await;
    not_proven(scene.shows(&forged.caller, &asking).await, "2 times");
    let asking = scene.proof(&other, &grown, &forged).await;
    assert!(
        scene.shows(&forged.caller, &asking).await.is_ok(),
        "others have their own"
    );
    scene.stack.stop().unwrap();
}
