//! How fast this processor hashes: `cargo run --release -p chartseal-kernels --example throughput`. Prints, for every
//! way of computing SHA-256 and SHA-384 that it has, the median of GB/s on one core.

use std::hint::black_box;
use std::time::{Duration, Instant};

use chartseal_kernels::hash::sha256_backends;

/// What is hashed in one run: more than a core's own caches hold only where the inputs are large.
const SEGMENT: usize = 65_536;
const SHARD: usize = 4 << 20;

fn main() {
    let bytes: Vec<u8> = (0..8 * SHARD)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    println!(
        "{:8} {:12} {:>9} {:>6}  GB/s a core",
        "hash", "backend", "input", "group"
    );
    for (len, groups) in [
        (SEGMENT, &[1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 32, 64][..]),
        (SHARD, &[1, 2, 4, 8][..]),
    ] {
        for &group in groups {
            let inputs: Vec<&[u8]> = bytes.chunks(len).take(group).collect();
            for backend in sha256_backends() {
                let mut digests = vec![[0; 32]; group];
                let speed = median(len * group, || backend.each_into(black_box(&inputs), &mut digests));
                println!("{:8} {:12} {len:>9} {group:>6}  {speed:.2}", "SHA-256", backend.name());
                black_box(&digests);
            }
        }
    }
}

/// GB/s of the median run, of as many as fit into a fifth of a second, and at least five.
fn median(bytes: usize, mut run: impl FnMut()) -> f64 {
    run();
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < Duration::from_millis(200) || times.len() < 5 {
        let begin = Instant::now();
        run();
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    bytes as f64 / times[times.len() / 2].as_secs_f64() / 1e9
}
