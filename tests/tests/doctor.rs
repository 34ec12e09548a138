//! `chartseal doctor` on a real stack with one part broken at a time: it names that part, says how to mend it, and names
//! no other.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use chartseal_tests::{
    keyservice::KeyService,
    memory::one_patient,
    people::{Outcome, Person},
    programs::{Process, kept, kept_contract},
    stack::Stack,
    travel,
};
use serde_json::Value;
use solana_rpc_client::rpc_client::RpcClient;

/// Nobody listens there: the port is reserved.
const NOBODY: &str = "http://127.0.0.1:1";

/// A profile in which everything is as it is on the stack.
#[derive(Clone)]
struct Profile {
    rpc: Vec<String>,
    cluster: String,
    gateway: String,
    key_service: String,
    database: String,
    identity: PathBuf,
    key_store: PathBuf,
}

impl Profile {
    /// Types `chartseal doctor` with it.
    fn doctor(&self, stack: &Stack) -> Outcome {
        let config = stack.folder().join("config.toml");
        let text = format!(
            "default = \"stack\"\n[profiles.stack]\nrpc = {:?}\ncluster = {:?}\ngateway = {:?}\nkey_service = {:?}\n\
             database = {:?}\nidentity = {:?}\nkey_stores = [{:?}]\n",
            self.rpc, self.cluster, self.gateway, self.key_service, self.database, self.identity, self.key_store
        );
        fs::write(&config, text).unwrap();
        let mut command = kept(stack.folder(), "chartseal").unwrap();
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CHARTSEAL_")) {
            command.env_remove(key);
        }
        let output = command.arg("--config").arg(config).args(["--json", "doctor"]).output();
        Outcome::from(&output.unwrap())
    }

    /// Exactly this part is broken, in these words, and there is something to do about it.
    #[track_caller]
    fn breaks(&self, stack: &Stack, part: &str, says: &str) -> Outcome {
        let outcome = self.doctor(stack);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        let broken = in_state(&outcome, "broken");
        let [found] = broken[..] else {
            panic!("{part}: {outcome:?}")
        };
        assert_eq!(found["part"], part, "{outcome:?}");
        let words = format!("{} {}", found["what"], found["mend"]);
        assert!(words.contains(says) && found["mend"].is_string(), "{says}: {words}");
        outcome
    }

    #[track_caller]
    fn is_well(&self, stack: &Stack) {
        let outcome = self.doctor(stack);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(in_state(&outcome, "ok").len(), outcome.objects.len(), "{outcome:?}");
    }
}

fn in_state<'a>(outcome: &'a Outcome, state: &str) -> Vec<&'a Value> {
    outcome.objects.iter().filter(|part| part["state"] == state).collect()
}

fn parts<'a>(found: &[&'a Value]) -> Vec<&'a str> {
    found.iter().filter_map(|part| part["part"].as_str()).collect()
}

fn genesis(rpc: &str) -> String {
    RpcClient::new(rpc.to_owned()).get_genesis_hash().unwrap().to_string()
}

/// A key service with a folder of its own.
fn a_key_service(stack: &Stack) -> KeyService {
    let rpc = &stack.endpoints().rpc;
    KeyService::start(&stack.folder().join("service-keys"), &["--rpc", rpc]).unwrap()
}

fn profile_of(stack: &Stack, person: &Person, service: &KeyService) -> Profile {
    let endpoints = stack.endpoints();
    Profile {
        rpc: vec![endpoints.rpc.clone()],
        cluster: genesis(&endpoints.rpc),
        gateway: endpoints.gateway.clone(),
        key_service: service.url.clone(),
        database: endpoints.database.clone(),
        identity: person.identity(),
        key_store: person.key_store(),
    }
}

fn migrate(stack: &Stack) {
    let mut command = kept(stack.folder(), "chartseal-indexer").unwrap();
    command
        .arg("migrate")
        .env("CHARTSEAL_DATABASE_URL", &stack.endpoints().database);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_broken_is_named_and_nothing_else() {
    let (stack, patient, _) = one_patient().unwrap();
    let service = a_key_service(&stack);
    let well = profile_of(&stack, &patient, &service);

    well.breaks(&stack, "migrations", "no Chartseal schema");
    migrate(&stack);
    well.is_well(&stack);

    let no_rpc = Profile {
        rpc: vec![NOBODY.into()],
        ..well.clone()
    };
    let outcome = no_rpc.breaks(&stack, "rpc", "--rpc");
    assert_eq!(
        parts(&in_state(&outcome, "unknown")),
        ["cluster", "program", "registry", "clock"],
        "what cannot be asked is not called broken"
    );
    let one_of_two = Profile {
        rpc: vec![NOBODY.into(), well.rpc[0].clone()],
        ..well.clone()
    };
    let outcome = one_of_two.breaks(&stack, "rpc", "no connection");
    assert_eq!(
        in_state(&outcome, "unknown").len(),
        0,
        "the other address tells the rest"
    );
    let other = "11111111111111111111111111111111";
    let wrong_cluster = Profile {
        cluster: other.into(),
        ..well.clone()
    };
    wrong_cluster.breaks(&stack, "cluster", other);
    let no_gateway = Profile {
        gateway: NOBODY.into(),
        ..well.clone()
    };
    no_gateway.breaks(&stack, "gateway", "--gateway");
    let no_key_service = Profile {
        key_service: NOBODY.into(),
        ..well.clone()
    };
    no_key_service.breaks(&stack, "key service", "does not answer");
    let folder = stack.folder().join("service-keys/record-keys");
    let unplugged = stack.folder().join("unplugged");
    fs::rename(&folder, &unplugged).unwrap();
    well.breaks(&stack, "key service", "status 503");
    fs::rename(&unplugged, &folder).unwrap();
    let not_a_key_service = Profile {
        key_service: well.gateway.clone(),
        ..well.clone()
    };
    not_a_key_service.breaks(&stack, "key service", "status 404");
    let no_database = Profile {
        database: "postgres://nobody@127.0.0.1:1/chartseal".into(),
        ..well.clone()
    };
    let outcome = no_database.breaks(&stack, "database", "PGPASSFILE");
    assert_eq!(parts(&in_state(&outcome, "unknown")), ["migrations"]);

    let nowhere = stack.folder().join("nowhere");
    let no_key = Profile {
        identity: nowhere.clone(),
        ..well.clone()
    };
    no_key.breaks(&stack, "identity", "chartseal keys restore");
    let no_key_store = Profile {
        key_store: nowhere.clone(),
        ..well.clone()
    };
    no_key_store.breaks(&stack, "key store", "no such folder");
    assert!(!nowhere.exists(), "it looks, and makes nothing");
    fs::set_permissions(&well.identity, Permissions::from_mode(0o644)).unwrap();
    well.breaks(&stack, "identity", "chmod 600");
    fs::set_permissions(&well.identity, Permissions::from_mode(0o600)).unwrap();

    let admin = stack.person("admin");
    admin.does(&["registry", "pause"]).unwrap();
    well.breaks(&stack, "registry", "registry resume");
    admin.does(&["registry", "resume"]).unwrap();

    well.is_well(&stack);
    let analyst = stack.analyst().await.unwrap();
    let newest = "UPDATE chartseal._sqlx_migrations SET success = $1 \
                  WHERE version = (SELECT max(version) FROM chartseal._sqlx_migrations)";
    sqlx::query(newest).bind(false).execute(&analyst).await.unwrap();
    well.breaks(&stack, "migrations", "behind");
    sqlx::query(newest).bind(true).execute(&analyst).await.unwrap();
    analyst.close().await;

    travel::let_pass(&stack, 3_600).await.unwrap();
    well.breaks(&stack, "clock", "behind the chain's");
    stack.stop().unwrap();
}

/// A ledger of its own, with or without a program.
fn a_ledger(stack: &Stack, name: &str, program: Option<(&Path, &str)>) -> (Process, String) {
    let (ready, data) = (stack.folder().join(format!("{name}.json")), stack.folder().join(name));
    let mut command = kept(stack.folder(), "chartseal-sandbox").unwrap();
    command
        .args(["--no-postgres", "--rpc-port", "0", "--gateway-port", "0", "--data"])
        .arg(data)
        .arg("--ready-file")
        .arg(&ready)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some((file, authority)) = program {
        command
            .arg("--program")
            .arg(format!("{}:{}", chartseal_program::ID, file.display()));
        command.args(["--upgrade-authority", authority]);
    }
    let process = Process::start("a ledger", &mut command).unwrap();
    let since = Instant::now();
    while !ready.exists() {
        assert!(since.elapsed() < Duration::from_secs(60), "it does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let object: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
    (process, object["rpc"].as_str().unwrap().to_owned())
}

#[test]
fn a_program_that_is_missing_or_another_than_this_releases_is_named() {
    let (stack, patient, _) = one_patient().unwrap();
    migrate(&stack);
    let service = a_key_service(&stack);
    let well = profile_of(&stack, &patient, &service);

    let (process, rpc) = a_ledger(&stack, "without", None);
    let missing = Profile {
        cluster: genesis(&rpc),
        rpc: vec![rpc],
        ..well.clone()
    };
    let outcome = missing.breaks(&stack, "program", "there is no program");
    assert_eq!(parts(&in_state(&outcome, "unknown")), ["registry"]);
    // On a cluster that is not meant, it is no wonder.
    let elsewhere = Profile {
        rpc: missing.rpc,
        ..well.clone()
    };
    let outcome = elsewhere.breaks(&stack, "cluster", &well.cluster);
    assert_eq!(parts(&in_state(&outcome, "unknown")), ["program", "registry"]);
    process.stop().unwrap();

    // A byte more than the artifact has: it runs all the same.
    let other = stack.folder().join("other.so");
    let mut bytes = fs::read(kept_contract(stack.folder())).unwrap();
    bytes.push(1);
    fs::write(&other, bytes).unwrap();
    let admin = stack.person("admin");
    let wallet = admin.does(&["keys", "show"]).unwrap().text("wallet").unwrap();
    let (process, rpc) = a_ledger(&stack, "other", Some((&other, &wallet)));
    let admin = admin.through_rpc(&rpc);
    admin.does(&["airdrop", "100"]).unwrap();
    admin.does(&["registry", "init"]).unwrap();
    let other = Profile {
        cluster: genesis(&rpc),
        rpc: vec![rpc],
        ..well.clone()
    };
    other.breaks(&stack, "program", "another program");
    process.stop().unwrap();

    well.is_well(&stack);
    stack.stop().unwrap();
}
