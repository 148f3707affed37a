//! Text of a peer as a terminal may show it: without secrets and without anything that a
//! terminal would obey, in ASCII, so that a character is a column in any terminal.

use crate::secrets;

/// A name: one word, so that the columns of a line stay where they are.
pub(super) fn name(text: &str) -> String {
    words(text).replace(' ', "_")
}

/// A text of several words.
pub(super) fn words(text: &str) -> String {
    let shown = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    secrets::peer_text(text).chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_none_of_it() {
        for (text, shown) in [
            ("log_router-2", "log_router-2"),
            ("a b\tc\n", "a_b_c"),
            ("\x1b]0;x\x07\u{9b}2J", r"\u001b]0;x\u0007\u009b2J"),
            ("gr\u{fc}n \u{202e}\u{1f600}", r"gr?n_\u202e?"),
        ] {
            assert_eq!(name(text), shown);
        }
        assert_eq!(words(" two  words "), "two words");
    }
}
