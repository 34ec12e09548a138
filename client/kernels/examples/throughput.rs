//! How fast this processor hashes: `cargo run --release -p chartseal-kernels --example throughput`. Prints, for every
//! way of computing SHA-256 and SHA-384 that it has, the median of GB/s on one core; `group` inputs are hashed in one
//! call.

use std::hint::black_box;
use std::time::{Duration, Instant};

use chartseal_kernels::hash::{sha256_backends, sha384_backends};

/// The length of a leaf, and of a shard.
const SEGMENT: usize = 65_536;
const SHARD: usize = 64 * SEGMENT;

fn main() {
    let bytes: Vec<u8> = (0..8 * SHARD)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    println!("hash     backend      input    group  GB/s a core");
    for (len, groups) in [
        (SEGMENT, &[1, 2, 3, 4, 6, 7, 8, 12, 15, 16, 32, 64][..]),
        (SHARD, &[1, 2, 4, 7, 8][..]),
    ] {
        for &group in groups {
            let inputs: Vec<&[u8]> = bytes.chunks(len).take(group).collect();
            let show = |hash: &str, backend: &str, speed: f64| {
                println!("{hash:8} {backend:12} {len:7}  {group:5}  {speed:.2}");
            };
            for backend in sha256_backends() {
                let mut digests = vec![[0; 32]; group];
                let speed = median(len * group, || backend.each_into(black_box(&inputs), &mut digests));
                black_box(&digests);
                show("SHA-256", backend.name(), speed);
            }
            for backend in sha384_backends() {
                let mut digests = vec![[0; 48]; group];
                let speed = median(len * group, || backend.each_into(black_box(&inputs), &mut digests));
                black_box(&digests);
                show("SHA-384", backend.name(), speed);
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
