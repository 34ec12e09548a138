//! Writes the verifying key for tests, which stands in the contract: after the circuit has changed, run
//! `cargo run --package chartseal-zk --example test_key -- programs/chartseal/zk/verifying.key` and build the contract.

use std::{env, error::Error, fs};

use chartseal_zk::keys::ProvingKey;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("name the file to write")?;
    let key = ProvingKey::test_only()?;
    fs::write(path, key.verifying_key().to_bytes())?;
    let relation = key.relation();
    println!(
        "{} constraints, {} secret values, proving key of {} bytes",
        relation.constraints(),
        relation.witness(),
        key.size()
    );
    Ok(())
}
