//! Files go through a plan and the codecs and come back, whole or damaged; and what is in them is found where it is.

mod codecs;
mod dicom;
mod files;
mod made;

use super::plan::Cut;
use super::{Codec, Frame, FrameDecoder, FrameEncoder, FrameIndex, HEAD_LEN, MAX_CODED_LEN, Plan};

/// A file as it is kept.
struct Kept {
    index: FrameIndex,
    stream: Vec<u8>,
}

impl Kept {
    fn codecs(&self) -> Vec<Codec> {
        self.index.frames().iter().map(|frame| frame.codec().unwrap()).collect()
    }
}

fn plan(file: &[u8]) -> Plan {
    Plan::of(&file[..file.len().min(HEAD_LEN)], true)
}

/// The frames of a file, as the pipeline cuts them: the last one ends where the file does.
fn cuts<'a>(plan: &Plan, file: &'a [u8]) -> Vec<(Cut, &'a [u8])> {
    let mut cuts = Vec::new();
    let mut position = 0;
    while position < file.len() {
        let cut = plan.next(position as u64);
        assert!(
            cut.len > 0 && cut.len <= MAX_CODED_LEN as usize,
            "{cut:?} at {position}"
        );
        let end = (position + cut.len).min(file.len());
        cuts.push((cut, &file[position..end]));
        position = end;
    }
    cuts
}

fn keep(encoder: &mut FrameEncoder, file: &[u8]) -> Kept {
    let mut kept = Kept {
        index: FrameIndex::default(),
        stream: Vec::new(),
    };
    let mut encoded = Vec::new();
    for (cut, frame) in cuts(&plan(file), file) {
        let codec = encoder.encode(&cut.method, frame, &mut encoded);
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        kept.index.push(Frame::new(codec, len(frame), len(&encoded)));
        kept.stream.extend_from_slice(&encoded);
    }
    kept.index.check().unwrap();
    kept
}

fn open(kept: &Kept) -> Vec<u8> {
    let mut decoder = FrameDecoder::new().unwrap();
    let (mut file, mut stream) = (Vec::new(), kept.stream.as_slice());
    for frame in kept.index.frames() {
        let (encoded, rest) = stream.split_at(frame.encoded as usize);
        stream = rest;
        file.extend(decoder.decode(frame.codec().unwrap(), encoded, frame.original).unwrap());
    }
    assert!(stream.is_empty());
    file
}

/// Keeps a file, opens it again, and answers how it was kept.
fn comes_back(encoder: &mut FrameEncoder, file: &[u8]) -> Kept {
    let kept = keep(encoder, file);
    assert!(kept.stream.len() <= file.len());
    assert!(open(&kept) == file, "another file of {} bytes came back", file.len());
    kept
}
