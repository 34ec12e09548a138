//! Writes the inputs that the corpora began with: `cargo run -p chartseal-fuzz --example seeds FOLDER`. What fuzzers made
//! of them since is in `corpus`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("name a folder to write into");
        return Ok(ExitCode::FAILURE);
    };
    let mut count = 0;
    for (target, input) in chartseal_fuzz::seeds()? {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder)?;
        count += 1;
        std::fs::write(folder.join(format!("seed-{count:03}")), input)?;
    }
    println!("{count} inputs");
    Ok(ExitCode::SUCCESS)
}
