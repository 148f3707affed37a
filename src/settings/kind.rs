//! Which values a variable takes, as data. The parser, `--help`, the errors and the table
//! in docs/configuration.md are all made from it, so a limit is written once.

use std::time::Duration;

use super::duration::{format_duration, parse_duration};

/// Which values a variable takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A duration.
    Duration {
        /// The shortest that is accepted.
        min: Duration,
        /// The longest that is accepted.
        max: Duration,
        /// What other variables ask of it, in words; empty if they ask nothing.
        also: &'static str,
    },
    /// One of these durations, however it is written.
    DurationOf(&'static [Duration]),
    /// One of these words, in upper or lower case.
    Choice(&'static [&'static str]),
    /// Text with a rule of its own.
    Text {
        /// The rule in words, to follow "expected".
        expected: fn() -> String,
        /// The rule.
        accepts: fn(&str) -> bool,
        /// How much of the value an error may show.
        shown: Shown,
    },
}

/// How much of a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All of it.
    Whole,
    /// All but what stands before an `@`.
    WithoutPassword,
    /// Nothing: it is a secret.
    Nothing,
}

impl Kind {
    /// Whether `text` is one of the values.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Duration { .. } | Self::DurationOf(_) => self.duration(text).is_some(),
            Self::Choice(words) => words.iter().any(|word| word.eq_ignore_ascii_case(text)),
            Self::Text { accepts, .. } => accepts(text),
        }
    }

    /// The duration that `text` stands for; `None` if it is not one of the values.
    #[must_use]
    pub fn duration(&self, text: &str) -> Option<Duration> {
        parse_duration(text).filter(|duration| match self {
            Self::Duration { min, max, .. } => (min..=max).contains(&duration),
            Self::DurationOf(durations) => durations.contains(duration),
            Self::Choice(_) | Self::Text { .. } => false,
        })
    }

    /// The values in words, to follow "expected".
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Duration { min, max, also } => {
                let (min, max) = (format_duration(*min), format_duration(*max));
                let also = if also.is_empty() { String::new() } else { format!(", {also}") };
                format!("a whole number with ms, s, m or h, from {min} to {max}{also}")
            }
            Self::DurationOf(durations) => {
                let words: Vec<_> = durations.iter().copied().map(format_duration).collect();
                one_of(words.iter().map(String::as_str))
            }
            Self::Choice(words) => one_of(words.iter().copied()),
            Self::Text { expected, .. } => expected(),
        }
    }

    /// How much of a value an error may show.
    #[must_use]
    pub const fn shown(&self) -> Shown {
        match self {
            Self::Text { shown, .. } => *shown,
            _ => Shown::Whole,
        }
    }
}

/// The words of a table of words and what they stand for.
#[must_use]
pub(super) const fn words<T: Copy, const N: usize>(
    table: &[(&'static str, T); N],
) -> [&'static str; N] {
    let mut words = [""; N];
    let mut at = 0;
    while at < N {
        words[at] = table[at].0;
        at += 1;
    }
    words
}

/// What `text` stands for in such a table.
#[must_use]
pub(super) fn meaning<T: Copy>(table: &[(&'static str, T)], text: &str) -> Option<T> {
    table.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

/// `a, b or c`.
pub(super) fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.collect();
    match words.as_slice() {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const FIFTH: Duration = Duration::from_millis(200);
    const SIZES: [(&str, u8); 3] = [("small", 1), ("large", 2), ("huge", 3)];

    #[test]
    fn values_and_their_words_come_from_the_same_data() {
        let range = Kind::Duration { min: FIFTH, max: MINUTE, also: "" };
        assert_eq!(range.expected(), "a whole number with ms, s, m or h, from 200ms to 1m");
        for (text, expected) in
            [("200ms", true), ("60s", true), ("1m", true), ("199ms", false), ("61s", false)]
        {
            assert_eq!(range.accepts(text), expected, "{text}");
        }
        let two = const { Kind::DurationOf(&[MINUTE, FIFTH]) };
        assert_eq!(two.expected(), "1m or 200ms");
        assert!(two.accepts("60000ms") && !two.accepts("2m"));
        let choice = const { Kind::Choice(&words(&SIZES)) };
        assert_eq!(choice.expected(), "small, large or huge");
        assert!(choice.accepts("Large") && !choice.accepts("medium"));
        assert_eq!(meaning(&SIZES, "HUGE"), Some(3));
        assert_eq!(one_of(["a"].into_iter()), "a");
    }
}
