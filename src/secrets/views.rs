//! A text as others may read it: without its escapes, and without what parts it. A peer,
//! or whoever is on the way, may have written a secret with any mixture of them, so they
//! are resolved in the text instead of written into the secret. Pure. All in lower case.

/// How often escapes are resolved: a query is encoded once, a canonical request that has
/// the query twice, and what quotes that once more.
const PASSES: usize = 4;

/// Bytes of a text, and where in the text each of them was written.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// The first byte in the text, and the one after the last.
    places: Vec<(usize, usize)>,
}

impl View {
    /// The text as it is.
    pub(super) fn of(text: &[u8]) -> Self {
        let places = (0..text.len()).map(|at| (at, at + 1)).collect();
        Self { bytes: text.to_vec(), places }
    }

    /// Without escapes: those of URLs, of JSON and of strings in programs, and HTML's.
    pub(super) fn decoded(&self) -> Self {
        let mut view = self.decoded_once();
        for _ in 1..PASSES {
            let next = view.decoded_once();
            let is_done = next.bytes.len() == view.bytes.len();
            view = next;
            if is_done {
                break;
            }
        }
        view
    }

    /// Without blanks, ends of lines and what is not ASCII: what is left when a text was
    /// broken into lines, or has characters in it that nobody sees.
    pub(super) fn packed(&self) -> Self {
        let both = self.bytes.iter().zip(&self.places);
        let kept = both.filter(|(byte, _)| byte.is_ascii_graphic());
        let (bytes, places) = kept.map(|(byte, place)| (*byte, *place)).unzip();
        Self { bytes, places }
    }

    /// Marks in `hidden`, which is of the text, what these bytes of the view were.
    pub(super) fn hide(&self, begin: usize, end: usize, hidden: &mut [bool]) {
        if let Some(places) = self.places.get(begin..end)
            && let (Some((first, _)), Some((_, last))) = (places.first(), places.last())
        {
            hidden[*first..*last].fill(true);
        }
    }

    fn decoded_once(&self) -> Self {
        let length = self.bytes.len();
        let mut view =
            Self { bytes: Vec::with_capacity(length), places: Vec::with_capacity(length) };
        let mut at = 0;
        while at < length {
            let (value, taken) = escape(&self.bytes[at..]).unwrap_or((None, 1));
            let place = (self.places[at].0, self.places[at + taken - 1].1);
            let mut buffer = [0; 4];
            let written = match value {
                Some(c) => c.to_ascii_lowercase().encode_utf8(&mut buffer).as_bytes(),
                None => &self.bytes[at..=at],
            };
            view.bytes.extend_from_slice(written);
            view.places.extend(written.iter().map(|_| place));
            at += taken;
        }
        view
    }
}

/// The character of the escape with which `text` begins, and how long the escape is.
fn escape(text: &[u8]) -> Option<(Option<char>, usize)> {
    let (value, taken) = match text {
        [b'%', rest @ ..] => (hex(rest.get(..2)?)?, 3),
        [b'\\', b'x', rest @ ..] => (hex(rest.get(..2)?)?, 4),
        [b'\\', b'u', b'{', rest @ ..] => {
            let length = rest.iter().take(7).position(|byte| *byte == b'}')?;
            (hex(&rest[..length])?, length + 4)
        }
        [b'\\', b'u', rest @ ..] => (hex(rest.get(..4)?)?, 6),
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f', ..] => (u32::from(b'\n'), 2),
        [b'\\', byte @ (b'/' | b'"' | b'\'' | b'\\'), ..] => (u32::from(*byte), 2),
        [b'&', rest @ ..] => {
            let length = rest.iter().take(9).position(|byte| *byte == b';')?;
            (entity(&rest[..length])?, length + 2)
        }
        _ => return None,
    };
    Some((Some(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER)), taken))
}

fn entity(name: &[u8]) -> Option<u32> {
    match name {
        [b'#', b'x', digits @ ..] => hex(digits),
        [b'#', digits @ ..] => number(digits, 10),
        b"amp" => Some(b'&'.into()),
        b"lt" => Some(b'<'.into()),
        b"gt" => Some(b'>'.into()),
        b"quot" => Some(b'"'.into()),
        b"apos" => Some(b'\''.into()),
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    number(digits, 16)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    // The longest has seven digits, which is no overflow.
    let add = |value, byte: &u8| Some(value * radix + char::from(*byte).to_digit(radix)?);
    (1..=7).contains(&digits.len()).then(|| digits.iter().try_fold(0, add))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        String::from_utf8(View::of(text.as_bytes()).decoded().bytes).unwrap()
    }

    #[test]
    fn escapes_are_resolved_and_what_is_none_stays() {
        for (text, expected) in [
            ("a%2fb%252fc%25252fd", "a/b/c/d"),
            (r"a\/b\u002fc\x2fd\u{2f}e", "a/b/c/d/e"),
            (r"a\\/b\\\\u002fc", r"a/b/c"),
            ("a&#x2f;b&#47;c&amp;d&amp;#47;e&quot;", "a/b/c&d/e\""),
            ("%41%e9", "aé"),
            (r"one\ntwo", "one\ntwo"),
            (
                "100 % of 1%, &c; &#; &#x110000000; %zz \\u00",
                "100 % of 1%, &c; &#; &#x110000000; %zz \\u00",
            ),
            ("%", "%"),
            ("\\", "\\"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_hidden_in_a_view_is_hidden_where_it_was_written() {
        let text = "so %73 e\\u0063\r\n ret end";
        let packed = View::of(text.as_bytes()).decoded().packed();
        assert_eq!(packed.bytes, b"sosecretend");
        let mut hidden = vec![false; text.len()];
        packed.hide(2, 8, &mut hidden);
        let left: String =
            text.char_indices().filter(|(at, _)| !hidden[*at]).map(|(_, c)| c).collect();
        assert_eq!(left, "so  end");
    }
}
