//! Whether bytes are CBOR (RFC 8949), as far as that tells CloudWatch's answer from
//! anything else. minicbor, which the SDK brings, reads it.

use minicbor::{Decoder, data::Type, decode::Error};

/// Keys of an error. CloudWatch's have the first; those of other servers that speak the
/// protocol, and of what is between, may have another. An acceptance has no key at all.
const ERROR_KEYS: [&str; 8] =
    ["__type", "code", "Code", "error", "Error", "errors", "message", "Message"];

/// What some bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// There are none.
    Nothing,
    /// One map and nothing after it.
    Map {
        /// It has a key as errors have.
        is_error: bool,
    },
    /// The beginning of a map.
    Short,
    /// Anything else.
    Other,
}

/// Looks at `bytes`. Takes time in proportion to their number, whatever lengths they
/// claim.
pub(super) fn check(bytes: &[u8]) -> Checked {
    if bytes.is_empty() {
        return Checked::Nothing;
    }
    let mut decoder = Decoder::new(bytes);
    if !matches!(decoder.datatype(), Ok(Type::Map | Type::MapIndef)) {
        return Checked::Other;
    }
    match is_error(&mut decoder) {
        Ok(is_error) if decoder.position() == bytes.len() => Checked::Map { is_error },
        Err(error) if error.is_end_of_input() => Checked::Short,
        Ok(_) | Err(_) => Checked::Other,
    }
}

/// Reads the map, and says whether the outermost has a key of an error.
fn is_error(decoder: &mut Decoder<'_>) -> Result<bool, Error> {
    let mut is_error = false;
    let mut left = decoder.map()?;
    loop {
        match &mut left {
            Some(0) => return Ok(is_error),
            Some(left) => *left -= 1,
            None if decoder.datatype()? == Type::Break => {
                decoder.skip()?;
                return Ok(is_error);
            }
            None => {}
        }
        is_error |= is_error_key(decoder)?;
        decoder.skip()?;
        decoder.skip()?;
    }
}

/// Whether the next item is such a key, in one piece or in several.
fn is_error_key(decoder: &mut Decoder<'_>) -> Result<bool, Error> {
    let is_text = matches!(decoder.datatype()?, Type::String | Type::StringIndef);
    if !is_text {
        return Ok(false);
    }
    let mut probe = decoder.probe();
    let mut key = String::new();
    for part in probe.str_iter()? {
        key.push_str(part?);
    }
    Ok(ERROR_KEYS.contains(&key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_told_from_everything_else() {
        let map = Checked::Map { is_error: false };
        for (bytes, expected) in [
            (&b""[..], Checked::Nothing),
            (b"\xa0", map),
            (b"\xbf\xff", map),
            (b"\xa1\x61a\x82\x01\xf6", map),
            (b"\xa1\x61a\xfb\x40\x09\x21\xfb\x54\x44\x2d\x18", map),
            (b"\xbf\x61a\x7f\x61b\x61c\xff\x61d\xc1\x1a\0\0\0\0\xff", map),
            (b"\xa1\x66__type\x61x", Checked::Map { is_error: true }),
            (b"\xbf\x61a\x01\x66__type\x61x\xff", Checked::Map { is_error: true }),
            // Only the outermost map is an error's.
            (b"\xa1\x61a\xa1\x66__type\x61x", map),
            (b"\xa1\x61a\x66__type", map),
            (b"\xa1", Checked::Short),
            (b"\xbf\x61", Checked::Short),
            // Lengths that nobody believes.
            (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", Checked::Short),
            (b"\xa1\x7b\xff\xff\xff\xff\xff\xff\xff\xffx", Checked::Short),
            (b"\xa0\x00", Checked::Other),
            (b"\xbc", Checked::Other),
            (b"\x00", Checked::Other),
            (b"\x80", Checked::Other),
            (b"<html>", Checked::Other),
            (b"{}", Checked::Other),
        ] {
            assert_eq!(check(bytes), expected, "{bytes:x?}");
        }
        let deep = [&b"\xa1\x01"[..]].repeat(100_000).concat();
        assert_eq!(check(&deep), Checked::Short, "it does not end, and the stack does not either");
    }
}
