//! People whose wallets hold nothing: a relayer pays fee and rent, and who acts is who signed. It pays for nothing else, and
//! one that lies is noticed before anything is sent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod denial;
mod liar;
mod patience;
mod paying;
mod scene;
mod trial;

use chartseal_tests::{
    clinic::Clinic,
    memory::one_patient,
    people::Person,
    proxy::{Fault, Proxy},
};
use scene::{Look, Relayer, address_of, does, poor, types, wallet_of};
use std::process::Stdio;

/// The last words of a command that did not work.
fn failed(who: &Person, relayer: &str, words: &[&str]) -> String {
    let outcome = types(who, relayer, words);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    outcome.error
}

#[tokio::test(flavor = "multi_thread")]
async fn people_without_a_lamport_work_at_a_relayers_cost_and_stand_in_the_log_themselves() {
    let mut clinic = Clinic::open().unwrap();
    clinic.stack.start_indexer().unwrap();
    let (stack, look) = (&clinic.stack, Look::at(&clinic.stack));
    let payer = stack.person("payer");
    payer.arrives().unwrap();
    let relayer = Relayer::of(stack, &payer, &[]);
    let mean = Relayer::of(stack, &payer, &["--max-lamports", "1000000"]);
    let url = relayer.url.as_str();
    let payer = address_of(&wallet_of(&payer));
    let [patient, doctor] = ["ada", "ben"].map(|name| poor(stack, name));
    let [ada, ben] = [&patient, &doctor].map(|who| address_of(&wallet_of(who)));
    let member = clinic.invites(&ben.to_string(), "doctor").unwrap();

    let before = (look.lamports(&payer).await, look.lamports_of_the_contract().await);
    let (transactions_before, fees_before) = look.fees(&payer).await;

    does(&doctor, url, &["member", "accept", &member]);
    let chart = does(&patient, url, &["patient", "open"]).text("patient").unwrap();
    let file = stack.folder().join("note.txt");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "the first version").unwrap();
    // A refusal is logged at a relayer's cost too. It makes no record, and could have: so that is what is counted.
    let put = ["put", &chart, path, "--class", "1"];
    let error = failed(&doctor, &mean.url, &put);
    assert!(
        error.contains("more than the 1000000 that this relayer pays"),
        "{error}"
    );
    let refused = types(&doctor, url, &put);
    assert_eq!(refused.code, 2, "{refused:?}");
    let hospital = format!("institution:{}", clinic.id);
    let words = [
        "grant",
        &chart,
        "--to",
        &hospital,
        "--classes",
        "1",
        "--rights",
        "read,append,amend",
        "--purposes",
        "treatment",
    ];
    does(&patient, url, &words);
    let record = does(&doctor, url, &put).text("record").unwrap();
    std::fs::write(&file, "the second version").unwrap();
    does(&doctor, url, &["amend", &chart, &record, path]);
    for (who, out) in [(&doctor, "of-doctor"), (&patient, "of-patient")] {
        let out = stack.folder().join(out);
        does(who, url, &["get", &chart, &record, "--out", out.to_str().unwrap()]);
        assert_eq!(std::fs::read_to_string(out).unwrap(), "the second version");
    }

    assert_eq!([look.lamports(&ada).await, look.lamports(&ben).await], [0, 0]);
    let after = (look.lamports(&payer).await, look.lamports_of_the_contract().await);
    let (transactions, fees) = look.fees(&payer).await;
    assert_eq!(transactions - transactions_before, 8, "one for each command");
    assert_eq!(
        before.0 - after.0,
        (fees - fees_before) + (after.1 - before.1),
        "the relayer paid the fees and the rent, and nothing else"
    );

    let report = clinic.stack.verified().unwrap();
    assert_eq!(report["whole"], true, "{report}");
    let analyst = clinic.stack.analyst().await.unwrap();
    let query = "SELECT action || ' ' || wallet FROM chartseal.decisions WHERE record = $1 ORDER BY seq";
    let logged: Vec<String> = sqlx::query_scalar(query)
        .bind(&record)
        .fetch_all(&analyst)
        .await
        .unwrap();
    let expected = [("append", ben), ("amend", ben), ("read", ben), ("read", ada)];
    assert_eq!(logged, expected.map(|(action, wallet)| format!("{action} {wallet}")));
    analyst.close().await;
    drop((relayer, mean));
    clinic.stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_nothing_and_has_nobody_who_pays_is_told_so() {
    let (stack, rich, _) = one_patient().unwrap();
    let look = Look::at(&stack);
    let ada = poor(&stack, "ada");
    let wallet = address_of(&wallet_of(&ada));
    let outcome = ada.types(&["patient", "open"]).unwrap();
    let words = format!("{wallet} has not the SOL that this costs");
    assert!(outcome.code == 1 && outcome.error.contains(&words), "{outcome:?}");

    // Another's keys on the same machine pay as well: an identity, or a file of the Solana CLI.
    let (identity, passphrase) = (rich.identity(), rich.passphrase());
    let before = look.lamports(&address_of(&wallet_of(&rich))).await;
    let paid = [
        "--fee-payer",
        identity.to_str().unwrap(),
        "--fee-payer-passphrase-file",
        passphrase.to_str().unwrap(),
    ];
    ada.does(&[&paid[..], &["patient", "open"]].concat()).unwrap();
    let between = look.lamports(&address_of(&wallet_of(&rich))).await;
    let keypair = stack.folder().join("payer.json");
    wallet_of(&rich).export_solana_file(&keypair).unwrap();
    ada.does(&["--fee-payer", keypair.to_str().unwrap(), "patient", "open"])
        .unwrap();
    let after = look.lamports(&address_of(&wallet_of(&rich))).await;
    assert!(before > between && between > after);
    assert_eq!(look.lamports(&wallet).await, 0);

    let both = ada
        .types(&["--relayer", "http://127.0.0.1:1", "--fee-payer", "x", "patient", "open"])
        .unwrap();
    assert!(both.code == 1 && both.error.contains("cannot be used with"), "{both:?}");
    stack.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayer_that_is_restarted_in_the_middle_costs_nothing_but_time() {
    let (stack, payer, _) = one_patient().unwrap();
    let look = Look::at(&stack);
    let ada = poor(&stack, "ada");
    let relayer = Relayer::of(&stack, &payer, &[]);
    // It has a runtime of its own, which cannot be started inside of another.
    let upstream = relayer.url.clone();
    let line = tokio::task::spawn_blocking(move || Proxy::before(&upstream).unwrap())
        .await
        .unwrap();
    let payer = address_of(&wallet_of(&payer));
    let (transactions, _) = look.fees(&payer).await;

    line.spoil("signTransaction", Fault::Break, 1_000);
    let mut command = ada.command(&["--relayer", &line.url, "patient", "open"]).unwrap();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while line.asked("signTransaction") < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let relayer = relayer.restarts();
    line.mend();
    // Now it signs, but the answer is lost.
    line.spoil("signTransaction", Fault::LostAnswer, 2);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(line.left(), 0);
    assert_eq!(
        look.fees(&payer).await.0,
        transactions + 1,
        "one transaction, whatever was asked for"
    );
    drop(relayer);
    stack.stop().unwrap();
}

#[test]
fn a_relayer_that_is_gone_is_named() {
    let (stack, rich, _) = one_patient().unwrap();
    let ada = poor(&stack, "ada");
    let nobody = "http://127.0.0.1:1";
    let named = "the relayer at http://127.0.0.1:1 does not answer";
    let config = stack.folder().join("config.toml");
    std::fs::write(&config, format!("[profiles.clinic]\nrelayer = \"{nobody}\"\n")).unwrap();
    let of_profile = ["--config", config.to_str().unwrap(), "--profile", "clinic"];
    let words = ["patient", "open"];
    let outcome = ada.types(&[&of_profile[..], &words].concat()).unwrap();
    assert!(outcome.code == 1 && outcome.error.contains(named), "{outcome:?}");
    // Another payer that is typed takes its place.
    let (rich, passphrase) = (rich.identity(), rich.passphrase());
    let typed = [
        "--fee-payer",
        rich.to_str().unwrap(),
        "--fee-payer-passphrase-file",
        passphrase.to_str().unwrap(),
    ];
    ada.does(&[&of_profile[..], &typed, &words].concat()).unwrap();
    let error = failed(&ada, nobody, &words);
    assert!(error.contains(named) && error.contains("--relayer"), "{error}");
    stack.stop().unwrap();
}
