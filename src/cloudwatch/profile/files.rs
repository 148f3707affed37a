//! The shared files with profiles: where they are, and their text as the SDK may read it.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use aws_config::profile::load;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};

use crate::{
    cloudwatch::files,
    settings::{
        SettingsError, SettingsWarning, Variable, sdk::SDK_VARIABLES, url::is_endpoint_url,
    },
};

/// The key of an address, which the SDK's own clients read as well.
pub(super) const ENDPOINT_URL: &str = "endpoint_url";

/// Parts of a key, and the variables that hold the same.
pub(super) const KEYS: [(&str, &str); 3] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
];

/// What the SDK does not know, before a key that it shall not see.
const HIDDEN: &str = "esp_hidden_";

/// The variables that name files with tokens. What is in them may change.
pub(super) const TOKEN_FILES: [&str; 2] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];

/// The files as the SDK may read them. `ignores_addresses`: without those in them.
pub(in crate::cloudwatch) fn checked_files(ignores_addresses: bool) -> EnvConfigFiles {
    let text = [File::config(), File::credentials()].map(|file| {
        hiding(&file.text, |key, value| match key {
            ENDPOINT_URL => !ignores_addresses && is_endpoint_url(value),
            _ => variable_of(key).is_none_or(|variable| variable.accepts(value)),
        })
    });
    sources(&text)
}

/// One of the two shared files.
#[derive(Default)]
pub(super) struct File {
    /// `AWS_CONFIG_FILE` or `AWS_SHARED_CREDENTIALS_FILE`.
    variable: &'static str,
    path: PathBuf,
    /// The variable names it, and it is not there by default.
    is_named: bool,
    pub(super) text: String,
    /// Why it cannot be read.
    problem: Option<String>,
}

impl File {
    pub(super) fn config() -> Self {
        Self::read("AWS_CONFIG_FILE", "config")
    }

    pub(super) fn credentials() -> Self {
        Self::read("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    }

    fn read(variable: &'static str, default: &str) -> Self {
        let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "~".into()));
        let given = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        let is_named = given.is_some();
        let path = match given {
            Some(path) => path.strip_prefix("~").map_or(path.clone(), |rest| home().join(rest)),
            None => home().join(".aws").join(default),
        };
        let (text, problem) = match files::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => (text, None),
            Ok(Err(_)) => (String::new(), Some("it is not UTF-8 text".to_owned())),
            Err(error) => (String::new(), Some(error.to_string())),
        };
        Self { variable, path, is_named, text, problem }
    }

    /// That a file is not read which somebody named.
    pub(super) fn warning(&self) -> Option<SettingsWarning> {
        let problem = self.problem.as_ref().filter(|_| self.is_named)?;
        let (variable, path) = (self.variable, self.path.display().to_string());
        let next = format!("correct {variable}, or leave it out");
        Some(SettingsWarning::new(format!("{variable}={path:?} is ignored: {problem}"), next))
    }

    /// That what it says is no profile.
    pub(super) fn error(&self, problem: &str) -> SettingsError {
        // In two lines.
        let problem = problem.split_whitespace().collect::<Vec<_>>().join(" ");
        SettingsError::Invalid {
            name: self.variable.to_owned(),
            value: self.path.display().to_string(),
            expected: format!("a file of AWS's profiles, but: {problem}"),
        }
    }
}

pub(super) fn is_readable(file: &File) -> bool {
    let files = sources(&[file.text.clone(), String::new()]);
    smol::block_on(load(&Fs::real(), &Env::real(), &files, None)).is_ok()
}

/// Why the SDK would not come to an end with this file, which is there.
pub(super) fn without_end(path: &Path) -> Option<io::Error> {
    files::check_end(path).err().filter(|error| error.raw_os_error().is_none())
}

/// That the file in this variable cannot be read, if that is so. It may come later, so
/// that is a warning.
///
/// # Errors
///
/// It is there, and it is a directory, a pipe, a device or a very long file: the SDK would
/// read it without an end.
pub(super) fn unreadable(variable: &str) -> Result<Option<SettingsWarning>, SettingsError> {
    let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    if let Some(error) = without_end(Path::new(&path)) {
        return Err(SettingsError::Invalid {
            name: variable.to_owned(),
            value: path.to_string_lossy().into_owned(),
            expected: format!("a file with a token, but {error}"),
        });
    }
    let Err(error) = files::check_end(Path::new(&path)) else { return Ok(None) };
    let path = path.to_string_lossy();
    Ok(Some(SettingsWarning::new(
        format!("the file in {variable}={path:?} cannot be read: {error}"),
        format!("correct {variable}, or leave it out"),
    )))
}

/// What the SDK reads instead of the files: the text of each.
pub(super) fn sources([config, credentials]: &[String; 2]) -> EnvConfigFiles {
    EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, config)
        .with_contents(EnvConfigFileKind::Credentials, credentials)
        .build()
}

/// The text with another key wherever `keeps` says no to a key, in lower case, and its
/// value. A line stays a line: the next ones may go on with it.
pub(super) fn hiding(text: &str, keeps: impl Fn(&str, &str) -> bool) -> String {
    let mut hidden = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let parts = line.split_once('=').filter(|_| !line.starts_with(['#', ';']));
        let is_kept = parts.is_none_or(|(key, value)| {
            let key = key.trim().to_ascii_lowercase();
            let is_ours = key == ENDPOINT_URL || variable_of(&key).is_some();
            !is_ours || keeps(&key, without_comment(value))
        });
        let (blank, rest) = line.split_at(line.len() - line.trim_start().len());
        hidden.push_str(blank);
        if !is_kept {
            hidden.push_str(HIDDEN);
        }
        hidden.push_str(rest);
    }
    hidden
}

/// A value as the SDK takes it from its line: a comment begins after a blank.
pub(super) fn without_comment(value: &str) -> &str {
    let is_comment = |(at, c): &(usize, char)| {
        matches!(c, '#' | ';') && value[..*at].ends_with(char::is_whitespace)
    };
    let end = value.char_indices().find(is_comment).map_or(value.len(), |(at, _)| at);
    value[..end].trim()
}

/// What a part of a key has to be.
pub(super) fn variable_of(key: &str) -> Option<Variable> {
    let (_, name) = KEYS.iter().find(|(known, _)| *known == key)?;
    SDK_VARIABLES.iter().find(|row| row.name == *name)?.checked()
}
