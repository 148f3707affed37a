//! Where a text has secrets, and the text without them. Pure.
//!
//! A secret is found by any eight characters of it, in any of its forms. So it does
//! not matter where a peer, or somebody on the way, has cut it or broken the line.

use std::borrow::Cow;

use super::{forms::each_form, names};

/// What is shown in the place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// How many characters of a secret give it away. Fewer would also be found in
/// ordinary text.
const WINDOW: usize = 8;
/// A secret that is shorter than this is only found by the name before it: it could
/// be anywhere.
const MIN_LENGTH: usize = 4;
/// Two hidden parts with at most this much between them are one.
const MAX_GAP: usize = 4;

/// For each byte of `text`, whether it is part of a secret.
pub(super) fn is_hidden_in<'secret>(
    text: &str,
    secrets: impl Iterator<Item = &'secret str>,
) -> Vec<bool> {
    let text = text.to_ascii_lowercase().into_bytes();
    let mut hidden = vec![false; text.len()];
    names::mark(&text, &mut hidden);
    let seen = Windows::of(&text);
    for secret in secrets {
        each_form(secret, |form| mark_form(&text, &seen, form, &mut hidden));
    }
    close_gaps(&text, &mut hidden);
    hidden
}

fn mark_form(text: &[u8], seen: &Windows, form: &[u8], hidden: &mut [bool]) {
    if form.len() < MIN_LENGTH {
        return;
    }
    if form.len() < WINDOW {
        mark_all(text, form, hidden);
        return;
    }
    for window in form.windows(WINDOW).filter(|window| seen.may_have(window)) {
        mark_all(text, window, hidden);
    }
    // What is left of it where the text was cut.
    let cut = (MIN_LENGTH..WINDOW).rev().find(|length| text.ends_with(&form[..*length]));
    if let Some(length) = cut {
        hidden[text.len() - length..].fill(true);
    }
}

fn mark_all(text: &[u8], wanted: &[u8], hidden: &mut [bool]) {
    let mut position = 0;
    while let Some(found) = names::find(&text[position..], wanted) {
        let begin = position + found;
        hidden[begin..begin + wanted.len()].fill(true);
        position = begin + 1;
    }
}

/// Which windows a text may have: a set that is sure of those that it does not have.
struct Windows(Vec<u64>);

impl Windows {
    const BITS: u64 = 1 << 16;

    fn of(text: &[u8]) -> Self {
        let mut windows = Self(vec![0; 1 << 10]);
        for window in text.windows(WINDOW) {
            let (word, bit) = Self::place(window);
            windows.0[word] |= bit;
        }
        windows
    }

    fn may_have(&self, window: &[u8]) -> bool {
        let (word, bit) = Self::place(window);
        self.0[word] & bit != 0
    }

    fn place(window: &[u8]) -> (usize, u64) {
        let value = window.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let hash = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        ((hash % Self::BITS / 64) as usize, 1 << (hash % 64))
    }
}

fn close_gaps(text: &[u8], hidden: &mut [bool]) {
    let mut last: Option<usize> = None;
    for position in 0..hidden.len() {
        if !hidden[position] {
            continue;
        }
        if let Some(last) = last {
            let gap = last + 1..position;
            let is_of_secret =
                |byte: &u8| !byte.is_ascii_whitespace() && !b"\"':,{}".contains(byte);
            if !gap.is_empty() && gap.len() <= MAX_GAP && text[gap.clone()].iter().all(is_of_secret)
            {
                hidden[gap].fill(true);
            }
        }
        last = Some(position);
    }
}

/// Shows again what is the name of a field, of JSON's or as in `name=value`.
pub(super) fn show_field_names(text: &str, hidden: &mut [bool]) {
    let bytes = text.as_bytes();
    let mut position = 0;
    while position < hidden.len() {
        if !hidden[position] {
            position += 1;
            continue;
        }
        let begin = position;
        while position < hidden.len() && hidden[position] {
            position += 1;
        }
        let before = begin.checked_sub(1).map(|before| bytes[before]);
        let after = &bytes[position..];
        let is_word =
            bytes[begin..position].iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
        let is_name = before == Some(b'"') && after.starts_with(b"\":")
            || before == Some(b' ') && after.starts_with(b"=");
        if is_word && is_name {
            hidden[begin..position].fill(false);
        }
    }
}

/// The text with [`REDACTED`] in the place of what is hidden.
pub(super) fn shown<'text>(text: &'text str, hidden: &[bool]) -> Cow<'text, str> {
    if !hidden.contains(&true) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut was_hidden = false;
    for (begin, c) in text.char_indices() {
        let is_hidden = hidden[begin..begin + c.len_utf8()].contains(&true);
        if !is_hidden {
            shown.push(c);
        } else if !was_hidden {
            shown.push_str(REDACTED);
        }
        was_hidden = is_hidden;
    }
    Cow::Owned(shown)
}
