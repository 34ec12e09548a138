//! How the form of samples that were coded as differences is written in a frame.

use chartseal_kernels::pixels::delta::Delta;

/// Bytes of a form: those of a sample (1), from one to the next of its channel (2), and from one to that below it (4),
/// which is 0 where there are no rows.
pub(super) const FORM_LEN: usize = 7;

/// Writes a form; `None` where its channels are further apart than is of use.
pub(super) fn form_to_bytes(form: Delta) -> Option<[u8; FORM_LEN]> {
    let [a, b] = u16::try_from(form.frame()).ok()?.to_le_bytes();
    let [c, d, e, f] = form.row().unwrap_or(0).to_le_bytes();
    Some([form.sample(), a, b, c, d, e, f])
}

/// Reads a form; `None` where it is none.
pub(super) fn form_from_bytes([sample, a, b, c, d, e, f]: [u8; FORM_LEN]) -> Option<Delta> {
    let row = u32::from_le_bytes([c, d, e, f]);
    Delta::new(sample, u16::from_le_bytes([a, b]).into(), (row > 0).then_some(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_they_were_written_and_what_is_none_is_not() {
        for (sample, frame, row) in [(1, 1, None), (2, 4, Some(1_000_000)), (3, 3, None), (4, 65_532, None)] {
            let form = Delta::new(sample, frame, row);
            assert!(form.is_some());
            assert_eq!(form.and_then(form_to_bytes).and_then(form_from_bytes), form);
        }
        for bytes in [
            [0; 7],
            [5, 5, 0, 0, 0, 0, 0],
            [2, 0, 0, 0, 0, 0, 0],
            [2, 3, 0, 0, 0, 0, 0],
            [0xff; 7],
        ] {
            assert_eq!(form_from_bytes(bytes), None);
        }
        assert_eq!(Delta::new(4, 65_536, None).and_then(form_to_bytes), None);
    }
}
