//! What is wrong with a configuration: each error names the variable or flag, the
//! value and what is expected, in one line. All of them are reported at once.

use std::fmt;

use super::variable;

/// One reason why ESP cannot run with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// A required variable that is missing or empty.
    Missing {
        /// Its name.
        name: &'static str,
        /// What a value looks like.
        expected: String,
    },
    /// No endpoint: not inside ECS.
    NoEndpoint,
    /// A value that cannot be used, by itself or together with another variable.
    Invalid {
        /// The variable or flag, as the user named it.
        name: String,
        /// The value, without passwords and cut to a length.
        value: String,
        /// What a value looks like, or what is wrong with this one.
        expected: String,
    },
    /// The same in a file of AWS's profiles.
    InvalidInFile {
        /// The key.
        key: String,
        /// As above.
        value: String,
        /// `in the profile NAME`.
        place: String,
        /// As above.
        expected: String,
    },
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, expected } => {
                write!(f, "{name} is not set: expected {expected}")
            }
            Self::NoEndpoint => write!(
                f,
                "{} is not set: run esp in an ECS task, where ECS sets it (EC2 agent 1.39 or \
                 later, Fargate platform 1.4 or later). To try esp elsewhere, run \
                 `cargo run --example demo` in its repository. To check only a configuration, run \
                 `esp check --offline`",
                variable::ENDPOINT.name
            ),
            Self::Invalid { name, value, expected } => {
                write!(f, "{name}={value:?} is not valid: expected {expected}")
            }
            Self::InvalidInFile { key, value, place, expected } => {
                write!(f, "{key}={value:?} {place} is not valid: expected {expected}")
            }
        }
    }
}

impl std::error::Error for SettingsError {}

/// All that is wrong with a configuration: at least one error, in the order of
/// `--help`. Its text has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsErrors(Vec<SettingsError>);

impl SettingsErrors {
    /// These errors, or `None` if there are none.
    #[must_use]
    pub fn of(errors: Vec<SettingsError>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The errors, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &SettingsError> {
        self.0.iter()
    }
}

impl From<SettingsError> for SettingsErrors {
    fn from(error: SettingsError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if position == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsErrors {}

/// Something that ESP can run with, but that does not do what it seems to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsWarning {
    /// What was found, in one line with the variable and its value.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

impl SettingsWarning {
    /// A warning with these words.
    #[must_use]
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into() }
    }
}
