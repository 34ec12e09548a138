//! How much smaller native pixels get, and how fast. Takes a file, where in it the pixels begin, and their geometry; each
//! image to the file's end is one stripe:
//!
//! `cargo run --release --example pixels -- FILE OFFSET WIDTH ROWS SAMPLES BITS_ALLOCATED BITS_STORED [signed] [planar]`

use chartseal_kernels::pixels::{self, PixelFormat};
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let [file, numbers @ ..] = &arguments[..] else {
        return Err("say which file, and how its pixels are laid out".into());
    };
    let number = |at: usize, name: &str| -> Result<u32, Box<dyn Error>> {
        Ok(numbers
            .get(at)
            .ok_or_else(|| format!("{name} is missing"))?
            .parse::<u32>()?)
    };
    let offset = number(0, "OFFSET")?;
    let stored_bits = u8::try_from(number(5, "BITS_STORED")?)?;
    let format = PixelFormat {
        width: number(1, "WIDTH")?,
        rows: number(2, "ROWS")?,
        samples: u8::try_from(number(3, "SAMPLES")?)?,
        planar: numbers.iter().any(|word| word == "planar"),
        bytes: u8::try_from(number(4, "BITS_ALLOCATED")? / 8)?,
        big_endian: false,
        stored_bits,
        high_bit: stored_bits.saturating_sub(1),
        signed: numbers.iter().any(|word| word == "signed"),
    };
    let contents = std::fs::read(file)?;
    let image_len = usize::try_from(format.width * format.rows)? * usize::from(format.samples * format.bytes);
    let pixels = contents
        .get(usize::try_from(offset)?..)
        .ok_or("OFFSET is behind the end")?;
    let images = pixels.chunks_exact(image_len).collect::<Vec<_>>();
    if images.is_empty() {
        return Err("there is no whole image".into());
    }

    let mut coded = vec![Vec::new(); images.len()];
    let encoding = repeat(|| {
        for (image, coded) in images.iter().zip(&mut coded) {
            coded.clear();
            pixels::encode(&format, image, coded);
        }
    });
    if coded.iter().any(Vec::is_empty) {
        return Err("an image does not get smaller".into());
    }
    let decoded = coded
        .iter()
        .map(|coded| pixels::decode(coded, image_len))
        .collect::<Result<Vec<_>, _>>()?;
    if decoded != images {
        return Err("an image did not come back".into());
    }
    let decoding = repeat(|| {
        for coded in &coded {
            let _ = std::hint::black_box(pixels::decode(coded, image_len));
        }
    });

    let (before, after) = (images.len() * image_len, coded.iter().map(Vec::len).sum::<usize>());
    let speed = |time: Duration| before as f64 / 1e6 / time.as_secs_f64();
    println!(
        "{before} bytes become {after}: {:.2} times smaller",
        before as f64 / after as f64
    );
    println!("encode {:.0} MB/s, decode {:.0} MB/s", speed(encoding), speed(decoding));
    Ok(())
}

/// The shortest time that `work` took in half a second of doing it again.
fn repeat(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut shortest = Duration::MAX;
    while start.elapsed() < Duration::from_millis(500) || shortest == Duration::MAX {
        let once = Instant::now();
        work();
        shortest = shortest.min(once.elapsed());
    }
    shortest
}
