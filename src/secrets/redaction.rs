//! Where a text has secrets, and the text without them. Pure.
//!
//! A secret is found by any eight characters of it, in any of its forms. So it does
//! not matter where a peer, or somebody on the way, has cut it or broken the line.

use std::borrow::Cow;

use super::{forms::each_form, names, views::View};

/// What is shown in the place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// How many characters of a secret give it away. Fewer would also be found in
/// ordinary text.
const WINDOW: usize = 8;
/// The same where blanks are left out: words that run into one another look like many
/// a secret.
const PACKED_WINDOW: usize = 16;
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
    let written = View::of(text.to_ascii_lowercase().as_bytes());
    let decoded = written.decoded();
    let packed = decoded.packed();
    let mut hidden = vec![false; text.len()];
    mark_names(&written, &mut hidden);
    if decoded.bytes != written.bytes {
        mark_names(&decoded, &mut hidden);
    }
    let [written, decoded, packed] =
        [(written, WINDOW), (decoded, WINDOW), (packed, PACKED_WINDOW)]
            .map(|(view, window)| Searched::new(view, window));
    for secret in secrets {
        let as_written = View::of(secret.to_ascii_lowercase().as_bytes());
        let as_decoded = as_written.decoded();
        written.mark(&as_written.bytes, &mut hidden);
        decoded.mark(&as_decoded.bytes, &mut hidden);
        packed.mark(&as_decoded.packed().bytes, &mut hidden);
        each_form(secret, |form| {
            decoded.mark(form, &mut hidden);
            packed.mark(form, &mut hidden);
        });
    }
    close_gaps(text.as_bytes(), &mut hidden);
    hidden
}

fn mark_names(view: &View, hidden: &mut [bool]) {
    let mut of_view = vec![false; view.bytes.len()];
    names::mark(&view.bytes, &mut of_view);
    let mut position = 0;
    while let Some(begin) = of_view[position..].iter().position(|it| *it) {
        let begin = position + begin;
        let length = of_view[begin..].iter().take_while(|it| **it).count();
        view.hide(begin, begin + length, hidden);
        position = begin + length;
    }
}

/// A view in which secrets are looked for.
struct Searched {
    view: View,
    /// How many characters give a secret away.
    window: usize,
    seen: Windows,
}

impl Searched {
    fn new(view: View, window: usize) -> Self {
        let seen = Windows::of(&view.bytes);
        Self { view, window, seen }
    }

    /// Marks each part of `form`, which is in lower case.
    fn mark(&self, form: &[u8], hidden: &mut [bool]) {
        let is_packed = self.window > WINDOW;
        if form.len() < if is_packed { WINDOW } else { MIN_LENGTH } {
            return;
        }
        if form.len() < WINDOW {
            self.mark_all(form, hidden);
            return;
        }
        let windows = form.windows(self.window.min(form.len()));
        for window in windows.filter(|window| self.seen.may_have(&window[..WINDOW])) {
            self.mark_all(window, hidden);
        }
        // What is left of it where the text was cut.
        let text = &self.view.bytes;
        let is_cut = |length: &usize| !is_packed && text.ends_with(&form[..*length]);
        if let Some(length) = (MIN_LENGTH..WINDOW).rev().find(is_cut) {
            self.view.hide(text.len() - length, text.len(), hidden);
        }
    }

    fn mark_all(&self, wanted: &[u8], hidden: &mut [bool]) {
        let text = &self.view.bytes;
        let mut position = 0;
        while let Some(found) = names::find(&text[position..], wanted) {
            let begin = position + found;
            self.view.hide(begin, begin + wanted.len(), hidden);
            position = begin + 1;
        }
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
