//! What a row of the table of variables has: name, flag, default, which values are
//! accepted, what it does. The rows are in `own` (ESP's) and `foreign` (of ECS, AWS
//! and proxies). The command line, `--help`, the errors and docs/configuration.md are
//! made from them.

mod foreign;
mod own;

use std::time::Duration;

pub use foreign::*;
pub use own::*;

use super::{
    duration::format_duration,
    kind::{Kind, Shown},
    url::without_password,
};
use crate::{
    publisher::{SAMPLE_BYTES, STORE_BYTES_MAX},
    sample::own_figures::OwnMetric,
};

/// One variable of the environment, and the flag that overrides it.
#[derive(Debug)]
pub struct Variable {
    /// In the environment: `SAMPLE_INTERVAL`.
    pub name: &'static str,
    /// On the command line: `sample-interval`. `None` for a variable that is
    /// not ESP's own.
    pub flag: Option<&'static str>,
    /// What stands for the value in `--help`.
    pub placeholder: &'static str,
    /// What holds if nothing is given.
    pub default: Default,
    /// Which values are accepted.
    pub kind: Kind,
    /// One of them, or nothing if there is nothing to show.
    pub example: &'static str,
    /// What it does. A figure of `FIGURES` stands there by its name.
    pub help: &'static str,
}

/// What holds if a variable is not given.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// Nothing: it has to be given.
    Required,
    /// This value, written as a user would.
    Value(&'static str),
    /// This value, unless what the words say is the case.
    ValueOr(&'static str, &'static str),
    /// So many times `PUBLISH_INTERVAL`, plus some time.
    PublishIntervals {
        /// How many times.
        times: u32,
        /// What is added.
        plus: Duration,
    },
    /// No value of its own: these words say where one comes from.
    From(&'static str),
}

impl Default {
    /// The value, if it does not depend on anything else.
    #[must_use]
    pub const fn value(self) -> Option<&'static str> {
        match self {
            Self::Value(text) | Self::ValueOr(text, _) => Some(text),
            Self::Required | Self::PublishIntervals { .. } | Self::From(_) => None,
        }
    }

    /// In words, each value between two `quote`s.
    #[must_use]
    pub fn words(self, quote: &str) -> String {
        match self {
            Self::Required => "none (required)".to_owned(),
            Self::Value(text) => format!("{quote}{text}{quote}"),
            Self::ValueOr(text, or) => format!("{quote}{text}{quote}, {or}"),
            Self::PublishIntervals { times, plus } => {
                let plus = format_duration(plus);
                format!("{times} times {} plus {plus}", PUBLISH_INTERVAL.name)
            }
            Self::From(words) => words.to_owned(),
        }
    }
}

/// A figure that help texts name, and where it comes from.
type Figure = (&'static str, fn() -> usize);

const FIGURES: [Figure; 5] = [
    ("{sample_bytes}", || SAMPLE_BYTES),
    ("{store_mib}", || STORE_BYTES_MAX >> 20),
    ("{own_cloudwatch}", || OwnMetric::of_run(true, false).count()),
    ("{own_emf}", || OwnMetric::of_run(false, true).count()),
    ("{own_both}", || OwnMetric::of_run(true, true).count()),
];

/// Characters of a value that an error shows.
const SHOWN_CHARACTERS_MAX: usize = 200;

impl Variable {
    /// What it does, in words.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = self.help.to_owned();
        for (token, figure) in FIGURES {
            text = text.replace(token, &figure().to_string());
        }
        text
    }

    /// Whether `text` is a value that it accepts. Whether it goes together with the
    /// values of others is not asked here.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        self.kind.accepts(text)
    }

    /// Which values are accepted, with an example if there is one; to follow "expected".
    #[must_use]
    pub fn expected(&self) -> String {
        let expected = self.kind.expected();
        if self.example.is_empty() {
            expected
        } else {
            format!("{expected}, e.g. {}", self.example)
        }
    }

    /// A value as an error may show it: without secrets, and cut to a length.
    #[must_use]
    pub fn shown(&self, text: &str) -> String {
        let text = match self.kind.shown() {
            Shown::Whole => text.to_owned(),
            Shown::WithoutPassword => without_password(text),
            Shown::Nothing => return "***".to_owned(),
        };
        match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}
