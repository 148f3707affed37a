//! Whether bytes are CBOR (RFC 8949), as far as that tells CloudWatch's answer from
//! anything else. Values are skipped, not read.

/// Deeper than any answer nests.
const MAX_DEPTH: usize = 16;

/// What some bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// There are none.
    Nothing,
    /// One map and nothing after it.
    Map {
        /// It has a key `__type`, as errors have.
        has_type: bool,
    },
    /// The beginning of a map.
    Short,
    /// Anything else.
    Other,
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Short,
    Bad,
}

/// Looks at `bytes`. Takes time in proportion to their number, whatever lengths they
/// claim.
pub(super) fn check(bytes: &[u8]) -> Checked {
    if bytes.is_empty() {
        return Checked::Nothing;
    }
    if bytes[0] >> 5 != 5 {
        return Checked::Other;
    }
    let mut reader = Reader { rest: bytes, has_type: false };
    match reader.item(0) {
        Ok(()) if reader.rest.is_empty() => Checked::Map { has_type: reader.has_type },
        Ok(()) | Err(End::Bad) => Checked::Other,
        Err(End::Short) => Checked::Short,
    }
}

struct Reader<'bytes> {
    rest: &'bytes [u8],
    has_type: bool,
}

impl<'bytes> Reader<'bytes> {
    /// Skips one item; notes the keys of the outermost.
    fn item(&mut self, depth: usize) -> Result<(), End> {
        if depth > MAX_DEPTH {
            return Err(End::Bad);
        }
        let (major, length) = self.head()?;
        match (major, length) {
            (0 | 1 | 7, Some(_)) => Ok(()),
            (2 | 3, Some(length)) => self.take(length).map(|_| ()),
            (2 | 3, None) => self.until_break(|reader| reader.item(depth + 1)),
            (4, length) => self.repeat(length, |reader| reader.item(depth + 1)),
            (5, length) => self.repeat(length, |reader| {
                let before = reader.rest;
                reader.item(depth + 1)?;
                // A text of six bytes.
                reader.has_type |= depth == 0 && before.starts_with(b"\x66__type");
                reader.item(depth + 1)
            }),
            (6, Some(_)) => self.item(depth + 1),
            _ => Err(End::Bad),
        }
    }

    fn repeat(
        &mut self,
        count: Option<u64>,
        mut step: impl FnMut(&mut Self) -> Result<(), End>,
    ) -> Result<(), End> {
        let Some(count) = count else { return self.until_break(step) };
        // Each item takes a byte, so a count that is too high ends with the bytes.
        (0..count).try_for_each(|_| step(self))
    }

    fn until_break(
        &mut self,
        mut step: impl FnMut(&mut Self) -> Result<(), End>,
    ) -> Result<(), End> {
        while *self.rest.first().ok_or(End::Short)? != 0xff {
            step(self)?;
        }
        self.take(1).map(|_| ())
    }

    /// The major type, and the length or value; `None` for one that is open.
    fn head(&mut self) -> Result<(u8, Option<u64>), End> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        let length = match info {
            0..24 => Some(u64::from(info)),
            24..28 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
            }
            31 => None,
            _ => return Err(End::Bad),
        };
        Ok((major, length))
    }

    fn take(&mut self, count: u64) -> Result<&'bytes [u8], End> {
        let count = usize::try_from(count).map_err(|_| End::Short)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(End::Short)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_told_from_everything_else() {
        let map = Checked::Map { has_type: false };
        for (bytes, expected) in [
            (&b""[..], Checked::Nothing),
            (b"\xa0", map),
            (b"\xbf\xff", map),
            (b"\xa1\x61a\x82\x01\xf6", map),
            (b"\xa1\x61a\xfb\x40\x09\x21\xfb\x54\x44\x2d\x18", map),
            (b"\xbf\x61a\x7f\x61b\x61c\xff\x61d\xc1\x1a\0\0\0\0\xff", map),
            (b"\xa1\x66__type\x61x", Checked::Map { has_type: true }),
            (b"\xbf\x61a\x01\x66__type\x61x\xff", Checked::Map { has_type: true }),
            // Only the outermost map is an error's.
            (b"\xa1\x61a\xa1\x66__type\x61x", map),
            (b"\xa1\x61a\x66__type", map),
            (b"\xa1", Checked::Short),
            (b"\xbf\x61", Checked::Short),
            // Lengths that nobody believes.
            (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", Checked::Short),
            (b"\xa1\x7b\xff\xff\xff\xff\xff\xff\xff\xffx", Checked::Short),
            (b"\xa0\x00", Checked::Other),
            (b"\xa1\x01\xff", Checked::Other),
            (b"\xbc", Checked::Other),
            (b"\x00", Checked::Other),
            (b"\x80", Checked::Other),
            (b"<html>", Checked::Other),
            (b"{}", Checked::Other),
        ] {
            assert_eq!(check(bytes), expected, "{bytes:x?}");
        }
        let deep = [&b"\xa1\x01"[..]].repeat(100_000).concat();
        assert_eq!(check(&deep), Checked::Other);
    }
}
