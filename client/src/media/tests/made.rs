//! Files made for tests.

/// Bytes without any pattern.
pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(len)
    .collect()
}

/// Samples of 16 bits of a picture of so many columns, each of its own brightness, with some grain.
pub(super) fn picture(columns: usize, rows: usize, big_endian: bool) -> Vec<u8> {
    let (columns, grain) = (noise(columns), noise(columns * rows));
    let values = columns.iter().cycle().zip(grain);
    values
        .map(|(column, grain)| u16::from(*column) * 16 + u16::from(grain & 7))
        .flat_map(|value| {
            if big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        })
        .collect()
}

/// Samples of 16 bits that rise and fall, with some grain.
pub(super) fn curve(len: usize) -> Vec<u8> {
    let values = (0_u16..1_000).chain((0..1_000).rev()).cycle().zip(noise(len));
    values
        .flat_map(|(height, grain)| (height * 21 + u16::from(grain & 7)).to_le_bytes())
        .collect()
}

/// Writes DICOM data sets in any of the ways they are written.
#[derive(Clone)]
pub(super) struct DataSet {
    pub(super) bytes: Vec<u8>,
    explicit: bool,
    big_endian: bool,
}

/// The preamble, the magic, and meta information that names a transfer syntax.
pub(super) fn meta(transfer_syntax: &str) -> Vec<u8> {
    let mut uid = transfer_syntax.to_owned();
    if uid.len() % 2 == 1 {
        uid.push('\0');
    }
    let mut set = DataSet::new(true, false);
    set.element((2, 1), b"OB", &[0, 1]);
    set.element((2, 0x10), b"UI", uid.as_bytes());
    [&[0; 128][..], b"DICM", &set.bytes].concat()
}

impl DataSet {
    pub(super) fn new(explicit: bool, big_endian: bool) -> Self {
        Self {
            bytes: Vec::new(),
            explicit,
            big_endian,
        }
    }

    /// One with the beginning that all stored objects have.
    pub(super) fn object(explicit: bool, big_endian: bool) -> Self {
        let mut set = Self::new(explicit, big_endian);
        set.element((8, 5), b"CS", b"ISO_IR 100");
        set.element((8, 0x16), b"UI", b"1.2.840.10008.5.1.4.1.1.2\0");
        set
    }

    pub(super) fn short(&self, value: u16) -> [u8; 2] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn long(&self, value: u32) -> [u8; 4] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    /// The header of an element that says it is so long.
    pub(super) fn header(&mut self, tag: (u16, u16), representation: &[u8; 2], len: u32) {
        let mut header = [self.short(tag.0), self.short(tag.1)].concat();
        if !self.explicit || tag.0 == 0xfffe {
            header.extend(self.long(len));
        } else if [b"OB", b"OW", b"SQ", b"UN", b"UT"].contains(&representation) {
            header.extend([representation[0], representation[1], 0, 0]);
            header.extend(self.long(len));
        } else {
            header.extend(representation);
            header.extend(self.short(u16::try_from(len).unwrap()));
        }
        self.bytes.extend(header);
    }

    pub(super) fn element(&mut self, tag: (u16, u16), representation: &[u8; 2], value: &[u8]) {
        self.header(tag, representation, u32::try_from(value.len()).unwrap());
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn number(&mut self, tag: (u16, u16), value: u16) {
        let value = self.short(value);
        self.element(tag, b"US", &value);
    }

    pub(super) fn item(&mut self) {
        self.header((0xfffe, 0xe000), b"  ", u32::MAX);
    }

    pub(super) fn end_item(&mut self) {
        self.header((0xfffe, 0xe00d), b"  ", 0);
    }

    pub(super) fn end_sequence(&mut self) {
        self.header((0xfffe, 0xe0dd), b"  ", 0);
    }

    /// The attributes of an image of one sample of 16 bits.
    pub(super) fn image(&mut self, columns: u16, rows: u16) {
        for (element, value) in [
            (0x02, 1),
            (0x10, rows),
            (0x11, columns),
            (0x100, 16),
            (0x101, 12),
            (0x102, 11),
            (0x103, 0),
        ] {
            self.number((0x28, element), value);
        }
    }
}

/// The meta information and pixels of a picture, explicit little endian, with something before and behind the pixels.
pub(super) fn dicom(columns: u16, rows: u16, pixels: &[u8]) -> Vec<u8> {
    let mut set = DataSet::object(true, false);
    set.image(columns, rows);
    set.element((0x7fe0, 0x10), b"OW", pixels);
    set.element((0xfffc, 0xfffc), b"OB", &[0; 100]);
    [meta("1.2.840.10008.1.2.1"), set.bytes].concat()
}

/// A NIfTI file of one volume of 16-bit voxels.
pub(super) fn nifti(second: bool, big_endian: bool, [x, y, z]: [u16; 3], voxels: &[u8]) -> Vec<u8> {
    let put = |to: &mut [u8], value: u64| {
        let len = to.len();
        to.copy_from_slice(&value.to_le_bytes()[..len]);
        if big_endian {
            to.reverse();
        }
    };
    let mut header = vec![0; if second { 544 } else { 352 }];
    put(&mut header[..4], if second { 540 } else { 348 });
    let (datatype, width, dimensions) = if second { (12, 8, 16) } else { (70, 2, 40) };
    put(&mut header[datatype..datatype + 2], 512);
    for (axis, extent) in [3, x, y, z, 1, 1, 1, 1].into_iter().enumerate() {
        let at = dimensions + axis * width;
        put(&mut header[at..at + width], extent.into());
    }
    if second {
        header[4..12].copy_from_slice(b"n+2\0\r\n\x1a\n");
        put(&mut header[168..176], 544);
    } else {
        header[344..348].copy_from_slice(b"n+1\0");
        put(&mut header[108..112], 352_f32.to_bits().into());
    }
    header.extend_from_slice(voxels);
    header
}

/// A WAV file of 16-bit samples, with a chunk of an odd length before them.
pub(super) fn wav(channels: u16, samples: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0".to_vec();
    file.extend(channels.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend((32_000 * u32::from(channels)).to_le_bytes());
    file.extend((2 * channels).to_le_bytes());
    file.extend([16, 0]);
    file.extend(b"data");
    file.extend(u32::try_from(samples.len()).unwrap().to_le_bytes());
    file.extend_from_slice(samples);
    file
}
