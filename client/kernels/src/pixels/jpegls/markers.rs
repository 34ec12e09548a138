//! The marker segments around a scan (T.87, Annex C): frame header, preset parameters, scan header.

use super::{Parameters, StreamError};

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
/// Start of a JPEG-LS frame.
const SOF55: u8 = 0xF7;
/// JPEG-LS preset parameters.
const LSE: u8 = 0xF8;
const COMMENT: u8 = 0xFE;
const APPLICATION: std::ops::RangeInclusive<u8> = 0xE0..=0xEF;

/// What stands before a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: u16,
    pub(super) rows: u16,
    precision: u8,
    pub(super) parameters: Parameters,
}

impl Header {
    /// The header of these samples, if they can be coded.
    pub(super) fn of(parameters: Parameters, width: usize, samples: &[u16]) -> Option<Self> {
        let rows = samples.len().checked_div(width)?;
        let whole = rows > 0 && rows * width == samples.len();
        let largest = samples.iter().fold(0, |largest, sample| (*sample).max(largest));
        if !whole || !parameters.are_valid() || largest > parameters.max {
            return None;
        }
        let (width, rows) = (u16::try_from(width).ok()?, u16::try_from(rows).ok()?);
        Some(Self {
            width,
            rows,
            precision: parameters.precision(),
            parameters,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let [rows, width] = [self.rows, self.width].map(u16::to_be_bytes);
        out.extend_from_slice(&[0xFF, SOI, 0xFF, SOF55, 0, 11, self.precision]);
        out.extend_from_slice(&[rows[0], rows[1], width[0], width[1], 1, 1, 0x11, 0]);
        let Parameters {
            max,
            thresholds: [t1, t2, t3],
            reset,
        } = self.parameters;
        if self.parameters != Parameters::of_max(largest_of(self.precision)) {
            out.extend_from_slice(&[0xFF, LSE, 0, 13, 1]);
            for value in [max, t1, t2, t3, reset] {
                out.extend_from_slice(&value.to_be_bytes());
            }
        }
        out.extend_from_slice(&[0xFF, SOS, 0, 8, 1, 1, 0, 0, 0, 0]);
    }

    /// What `stream` begins with, and where its scan does.
    pub(super) fn read(stream: &[u8]) -> Result<(Self, usize), StreamError> {
        if !stream.starts_with(&[0xFF, SOI]) {
            return Err(StreamError::Marker);
        }
        let mut at = 2;
        let (mut frame, mut preset) = (None, None);
        loop {
            let (marker, body, next) = segment(stream, at)?;
            match marker {
                SOF55 if frame.is_none() => frame = Some(read_frame(body)?),
                LSE => match body {
                    [1, values @ ..] if preset.is_none() => {
                        preset = Some(<&[u8; 10]>::try_from(values).map_err(|_| StreamError::Marker)?);
                    }
                    _ => return Err(StreamError::Unsupported),
                },
                SOS => {
                    let (precision, rows, width) = frame.ok_or(StreamError::Marker)?;
                    // One component, no mapping table, NEAR 0, no interleaving, no point transform.
                    if !matches!(body, [1, _, 0, 0, 0, 0]) {
                        return Err(StreamError::Unsupported);
                    }
                    let parameters = read_parameters(precision, preset)?;
                    return Ok((
                        Self {
                            width,
                            rows,
                            precision,
                            parameters,
                        },
                        next,
                    ));
                }
                COMMENT => {}
                marker if APPLICATION.contains(&marker) => {}
                _ => return Err(StreamError::Unsupported),
            }
            at = next;
        }
    }
}

/// The largest sample of so many bits.
fn largest_of(precision: u8) -> u16 {
    u16::MAX >> (16 - precision.clamp(2, 16))
}

/// The marker at `at`, what its segment holds, and where the next one is.
fn segment(stream: &[u8], at: usize) -> Result<(u8, &[u8], usize), StreamError> {
    let Some([0xFF, marker, length @ ..]) = stream.get(at..).and_then(<[u8]>::first_chunk::<4>) else {
        return Err(StreamError::Marker);
    };
    let next = at + 2 + usize::from(u16::from_be_bytes(*length));
    let body = stream.get(at + 4..next).ok_or(StreamError::Marker)?;
    Ok((*marker, body, next))
}

fn read_frame(body: &[u8]) -> Result<(u8, u16, u16), StreamError> {
    let [precision @ 2..=16, y0, y1, x0, x1, components, parts @ ..] = body else {
        return Err(StreamError::Marker);
    };
    if (*components, parts.len()) != (1, 3) {
        return Err(StreamError::Unsupported);
    }
    Ok((
        *precision,
        u16::from_be_bytes([*y0, *y1]),
        u16::from_be_bytes([*x0, *x1]),
    ))
}

/// The parameters of a preset segment; 0 stands for the default.
fn read_parameters(precision: u8, preset: Option<&[u8; 10]>) -> Result<Parameters, StreamError> {
    let mut values = [0_u16; 5];
    if let Some(preset) = preset {
        for (value, bytes) in values.iter_mut().zip(preset.as_chunks::<2>().0) {
            *value = u16::from_be_bytes(*bytes);
        }
    }
    let or = |value, default| if value == 0 { default } else { value };
    let [max, t1, t2, t3, reset] = values;
    let largest = largest_of(precision);
    let default = Parameters::of_max(or(max, largest));
    let [d1, d2, d3] = default.thresholds;
    let parameters = Parameters {
        thresholds: [or(t1, d1), or(t2, d2), or(t3, d3)],
        reset: or(reset, default.reset),
        ..default
    };
    if max > largest || !parameters.are_valid() {
        return Err(StreamError::Unsupported);
    }
    Ok(parameters)
}

pub(super) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xFF, EOI]);
}

/// Where the stream ends whose last marker is at `at`.
pub(super) fn read_end(stream: &[u8], at: usize) -> Result<usize, StreamError> {
    if stream.get(at..at + 2) == Some(&[0xFF, EOI]) {
        Ok(at + 2)
    } else {
        Err(StreamError::Marker)
    }
}
