//! The fuzzer: libFuzzer on one of the targets, which is named by an environment variable because libFuzzer starts
//! itself again with arguments of its own. Build and start it with `cargo xtask soak media`, which also says where
//! coverage is counted.
#![no_main]

use std::sync::OnceLock;

use chartseal_fuzz::{TARGETS, Target, target};
use libfuzzer_sys::fuzz_target;
use rustix::process::{Resource, Rlimit, setrlimit};

/// Names the target.
const VARIABLE: &str = "CHARTSEAL_FUZZ_TARGET";
/// Memory that a process may ask for, in bytes, zeroed or not: what asks for more is a finding. libFuzzer's own limits
/// see only what was touched.
const MEMORY: u64 = 640 << 20;

static CHOSEN: OnceLock<Target> = OnceLock::new();

fuzz_target!(init: choose(), |input: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        (target.run)(input);
    }
});

fn choose() {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    let Some(chosen) = target(&name) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("{VARIABLE} is `{name}`; it names one of {}", names.join(", "));
        std::process::exit(2)
    };
    let limit = Rlimit {
        current: Some(MEMORY),
        maximum: Some(MEMORY),
    };
    if let Err(error) = setrlimit(Resource::Data, limit) {
        eprintln!("cannot limit memory: {error}");
        std::process::exit(2)
    }
    let _ = CHOSEN.set(chosen);
}
