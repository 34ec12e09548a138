//! Rehearses a ceremony of three parties for the circuit itself, in memory, and proves access with its keys:
//! `cargo run --package chartseal-zk --example rehearsal`. It says how long each step took.

use std::{error::Error, time::Instant};

use chartseal_program::membership;
use chartseal_zk::{
    AnonymousTerms, Relation,
    ceremony::{Ceremony, Progress},
    prove,
    tree::Tree,
    witness::{Blind, GrantSecret, Request, build},
};

fn main() -> Result<(), Box<dyn Error>> {
    let relation = Relation::membership()?;
    let begun = Instant::now();
    let mut listener = |progress: Progress<'_>| println!("{:>6} ms  {progress:?}", begun.elapsed().as_millis());
    let mut transcript = Vec::new();
    let mut ceremony = Ceremony::begin(relation.clone(), &mut transcript)?;
    for name in ["one", "two", "three"] {
        ceremony.contribute(name, b"", &mut transcript, &mut listener)?;
    }
    ceremony.enter_phase_two(&mut transcript, &mut listener)?;
    for name in ["one", "two", "three"] {
        ceremony.contribute(name, b"", &mut transcript, &mut listener)?;
    }
    let report = Ceremony::verify(relation, &mut &transcript[..], &mut listener)?;
    if let Some(fault) = report.fault {
        return Err(fault.into());
    }
    let key = report.keys.ok_or("the transcript gives no keys")?;

    let secret = GrantSecret::random()?;
    let record = membership::record(&[1; 16], &[2; 16])?;
    let terms = AnonymousTerms {
        rights: 1,
        expires: 2_000,
        key: [3; 32],
        commitment: secret.commitment()?,
    };
    let mut tree = Tree::new();
    tree.append(&terms.leaf(&record)?)?;
    let request = Request {
        scope: membership::small(5),
        message: membership::small(6),
        now: 1_000,
        rights: 1,
    };
    let (statement, witness) = build(&secret, &record, &terms, &tree.path(0)?, &request, &Blind::random()?)?;
    let proof = prove(&key, &statement, &witness)?;
    key.verifying_key().verify(&statement, &proof)?;
    println!("{:>6} ms  proved and verified", begun.elapsed().as_millis());
    println!(
        "the transcript has {} bytes, the proving key {}",
        transcript.len(),
        key.size()
    );
    Ok(())
}
