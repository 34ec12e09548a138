//! Grants without a name: two are made, one is revoked, and the other is used twice, of which one use is closed.

use chartseal::{
    keys::{Identity, Passphrase},
    ledger::Ledger,
};
use chartseal_program::{
    builders,
    membership::{EPOCH, Field},
    seeds::Id,
};
use chartseal_tests::{people::Person, travel};
use solana_address::Address;

use crate::Scene;

pub(crate) async fn granted_and_used(scene: &Scene) {
    let stack = &scene.clinic.stack;
    let [reader, postman] = ["reader", "postman"].map(|name| stack.person(name));
    reader.makes_keys().unwrap();
    postman.arrives().unwrap();
    let opened = stack.person("admin").does(&["tree", "open"]).unwrap();
    let tree = opened.text("tree").unwrap();
    let granted = ["stays", "goes"].map(|name| grants(scene, &reader, name));
    let of_record = [scene.clinic.patient_id.as_str(), &scene.record];
    let revoke = [&["anonymous", "revoke"][..], &of_record, &[&granted[1]]].concat();
    scene.patient(&revoke);

    let nullifier = uses(scene, &reader, &postman);
    // The next epoch, and as long again as clocks may differ.
    let hours = i64::try_from(2 * EPOCH).unwrap();
    travel::let_pass(stack, hours).await.unwrap();
    let passphrase = Passphrase::new("the passphrase of postman").unwrap();
    let wallet = Identity::load(&postman.identity(), &passphrase).unwrap().wallet;
    let payer = Address::new_from_array(wallet.address());
    let (mut id, mut spent): (Id, Field) = Default::default();
    hex::decode_to_slice(&tree, &mut id).unwrap();
    hex::decode_to_slice(&nullifier, &mut spent).unwrap();
    let close = builders::close_nullifier(&id, &spent, payer);
    let ledger = Ledger::new(&stack.endpoints().rpc);
    ledger.submit(close, &[&wallet]).await.unwrap();
    uses(scene, &reader, &postman);
}

/// The patient grants to whoever holds this invitation; the grant's place.
fn grants(scene: &Scene, reader: &Person, name: &str) -> String {
    let file = scene.clinic.stack.folder().join(name);
    let invited = reader
        .does(&["anonymous", "invite", "--out", file.to_str().unwrap()])
        .unwrap();
    let invitation = invited.text("invitation").unwrap();
    let (id, record) = (&scene.clinic.patient_id, &scene.record);
    let granted = scene.patient(&["anonymous", "grant", id, record, &invitation]);
    granted.objects[0]["index"].to_string()
}

/// The invitation that stays is used, somebody else pays, and the chain counts it; the nullifier.
fn uses(scene: &Scene, reader: &Person, postman: &Person) -> String {
    let folder = scene.clinic.stack.folder();
    let [invitation, out, key] = ["stays", "opened", "proving.key"].map(|name| folder.join(name));
    let paths =
        [&invitation, &out, &key, &postman.identity(), &postman.passphrase()].map(|path| path.display().to_string());
    let [invitation, out, key, identity, passphrase] = paths.each_ref();
    let words = [
        "--fee-payer",
        identity,
        "--fee-payer-passphrase-file",
        passphrase,
        "anonymous",
        "read",
        &scene.clinic.patient_id,
        &scene.record,
        "--invitation",
        invitation,
        "--out",
        out,
        "--force",
        "--count",
        "--proving-key",
        key,
    ];
    reader.does(&words).unwrap().text("nullifier").unwrap()
}
