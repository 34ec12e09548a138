//! Codecs. Any bytes, as a frame of any codec: they are refused, or decode to exactly the length that was asked for. Any
//! bytes, as a file: its plan cuts it into frames that a decoder accepts, wherever it is asked, and each of them comes
//! back bit by bit. The pixels' own codec is tried on its own, too.

use std::cell::RefCell;

use chartseal::fuzzing::{Coder, FilePlan};
use chartseal::media::{Codec, Frame, MAX_CODED_LEN};
use chartseal_kernels::pixels::jpegls::{self, Parameters};

use crate::bytes::Bytes;

/// A frame of so many bytes is asked for at most: more only takes longer.
const LONGEST: u32 = 1 << 20;

thread_local! {
    // As in the pipeline one coder sees many frames: what one leaves behind must not change the next.
    static CODER: RefCell<Coder> = RefCell::new(Coder::new().expect("there is memory for a codec"));
}

pub(super) fn run(input: &[u8]) {
    let mut input = Bytes(input);
    let choice = input.byte();
    CODER.with_borrow_mut(|coder| match choice % 6 {
        0 => frame(coder, &mut input),
        1 => positions(&mut input),
        2 => stream(&mut input),
        3 => image(&mut input),
        compress => file(coder, input.rest(), compress == 5),
    });
}

/// A frame as somebody else encoded it.
fn frame(coder: &mut Coder, input: &mut Bytes<'_>) {
    let (number, original) = (input.byte(), input.u32() % (LONGEST + 1));
    let Some(codec) = codec(number) else { return };
    let encoded = input.rest();
    if let Ok(decoded) = coder.decode(codec, encoded, original) {
        assert_eq!(decoded.len(), original as usize);
        assert!(codec != Codec::Raw || decoded == encoded);
    }
}

/// A JPEG-LS stream as somebody else wrote it.
fn stream(input: &mut Bytes<'_>) {
    let (width, rows) = (usize::from(input.u16()) % 600, usize::from(input.u16()) % 600);
    let (stream, mut samples) = (input.rest(), Vec::new());
    if let Ok(len) = jpegls::decode(stream, width, rows, &mut samples) {
        assert!(len <= stream.len());
        assert_eq!(samples.len(), width * rows);
    }
}

/// Samples of any width, coded with any parameters that can be.
fn image(input: &mut Bytes<'_>) {
    let mut parameters = Parameters::of_max(input.u16());
    if input.byte() % 2 == 1 {
        parameters.thresholds = [input.u16(), input.u16(), input.u16()];
        parameters.reset = u16::from(input.byte());
    }
    let width = usize::from(input.u16()) % 300;
    let samples: Vec<u16> = input
        .rest()
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let rows = samples.len().checked_div(width).unwrap_or_default();
    let samples = &samples[..width * rows];
    let (mut stream, mut decoded) = (Vec::new(), Vec::new());
    if jpegls::Encoder::default().encode(&parameters, width, samples, &mut stream) {
        assert_eq!(jpegls::decode(&stream, width, rows, &mut decoded), Ok(stream.len()));
        assert!(decoded == samples, "an image comes back otherwise");
    } else {
        let fits = samples.iter().all(|sample| *sample <= parameters.max);
        assert!(
            width == 0 || rows == 0 || !parameters.are_valid() || !fits,
            "an image that can be coded was not"
        );
        assert!(stream.is_empty());
    }
}

/// The codec with this number in an index.
fn codec(number: u8) -> Option<Codec> {
    borsh::from_slice::<Frame>(&[number, 0, 0, 0, 0, 0, 0, 0, 0])
        .expect("nine bytes are a frame")
        .codec()
}

/// A plan may be asked about any position, whatever file it is for.
fn positions(input: &mut Bytes<'_>) {
    let positions: [u64; 4] = [
        input.u64(),
        u64::from(input.u32()),
        u64::MAX,
        u64::MAX - input.u64() % (1 << 26),
    ];
    let plan = FilePlan::of(input.rest(), true);
    for position in positions {
        let len = plan.next(position).original_len();
        assert!((1..=MAX_CODED_LEN as usize).contains(&len), "{len} bytes at {position}");
    }
}

fn file(coder: &mut Coder, file: &[u8], compress: bool) {
    let plan = FilePlan::of(file, compress);
    let (mut position, mut frames, mut encoded) = (0, 0, Vec::new());
    while position < file.len() {
        let planned = plan.next(position as u64);
        let len = planned.original_len();
        assert!((1..=MAX_CODED_LEN as usize).contains(&len), "{len} bytes at {position}");
        let frame = &file[position..file.len().min(position + len)];
        let codec = coder.encode(&planned, frame, &mut encoded);
        assert!(
            if codec == Codec::Raw {
                encoded == frame
            } else {
                encoded.len() < frame.len()
            },
            "{codec:?} at {position}"
        );
        assert!(compress || codec == Codec::Raw);
        let original = u32::try_from(frame.len()).expect("a frame is short");
        let decoded = coder.decode(codec, &encoded, original).expect("what we encode decodes");
        assert!(decoded == frame, "{codec:?} at {position} comes back otherwise");
        position += frame.len();
        frames += 1;
    }
    // As many as an index may have.
    assert!(
        frames <= file.len() / 4096 + 64,
        "{frames} frames of {} bytes",
        file.len()
    );
}
