//! A frame's head as bytes.

/// Length of a head, in bytes.
pub(super) const HEAD: usize = 9;
/// Most bytes in one Data frame: with its head it fills four records of TLS exactly.
pub(super) const MAX_DATA: usize = 4 * 16_384 - HEAD;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Fin,
    Reset,
    Stop,
    Credit,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) stream: u32,
    pub(super) value: u32,
}

impl Head {
    pub(super) fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[0] = match self.kind {
            Kind::Data => 0,
            Kind::Fin => 1,
            Kind::Reset => 2,
            Kind::Stop => 3,
            Kind::Credit => 4,
            Kind::Close => 5,
        };
        bytes[1..5].copy_from_slice(&self.stream.to_be_bytes());
        bytes[5..].copy_from_slice(&self.value.to_be_bytes());
        bytes
    }

    /// `None` for a kind that does not exist, and for data of a length that is not allowed.
    pub(super) fn from_bytes(bytes: [u8; HEAD]) -> Option<Self> {
        let [kind, s0, s1, s2, s3, v0, v1, v2, v3] = bytes;
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Fin,
            2 => Kind::Reset,
            3 => Kind::Stop,
            4 => Kind::Credit,
            5 => Kind::Close,
            _ => return None,
        };
        let (stream, value) = (u32::from_be_bytes([s0, s1, s2, s3]), u32::from_be_bytes([v0, v1, v2, v3]));
        let fits = kind != Kind::Data || (1..=MAX_DATA).contains(&(value as usize));
        fits.then_some(Self { kind, stream, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_as_it_was_written_and_lengths_are_bounded() {
        for kind in [Kind::Data, Kind::Fin, Kind::Reset, Kind::Stop, Kind::Credit, Kind::Close] {
            let head = Head { kind, stream: 0xA1B2_C3D4, value: 65_000 };
            assert_eq!(Head::from_bytes(head.to_bytes()), Some(head));
        }
        let data = |value| Head { kind: Kind::Data, stream: 0, value }.to_bytes();
        let max = u32::try_from(MAX_DATA).unwrap();
        assert!(Head::from_bytes(data(max)).is_some());
        assert!(Head::from_bytes(data(max + 1)).is_none());
        assert!(Head::from_bytes(data(0)).is_none());
        assert!(Head::from_bytes([6; HEAD]).is_none());
    }
}
