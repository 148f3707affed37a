//! What a profile in AWS's shared files says besides credentials: addresses, and whether
//! they are those of FIPS and dual-stack endpoints. It is read once, at the start,
//! completes the settings, and a wrong value is a wrong configuration.
//!
//! The SDK reads the same files again for credentials, and its client for STS takes the
//! addresses in them as they are: it panics on an empty one. So it is given their text
//! with nothing in it that was not checked.

use std::{
    env, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use aws_config::profile::{Profile, ProfileSet, load};
use aws_runtime::env_config::{
    file::{EnvConfigFileKind, EnvConfigFiles},
    property::PropertiesKey,
};
use aws_types::os_shim_internal::{Env, Fs};

use crate::{
    secrets,
    settings::{
        Settings, SettingsError, SettingsErrors, SettingsWarning, Variable,
        sdk::SDK_VARIABLES,
        url::{EndpointUrl, is_endpoint_url},
        variable::{
            AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS_USE_DUALSTACK_ENDPOINT,
            AWS_USE_FIPS_ENDPOINT,
        },
    },
};

/// The keys of a profile that are read here.
const ENDPOINT_URL: &str = "endpoint_url";
const FIPS: &str = "use_fips_endpoint";
const DUAL_STACK: &str = "use_dualstack_endpoint";
const IGNORE: &str = "ignore_configured_endpoint_urls";

/// Parts of a key, and the variables that hold the same.
const KEYS: [(&str, &str); 3] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
];

/// What the SDK does not know, before a key that it shall not see.
const HIDDEN: &str = "esp_hidden_";

/// The longest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The variables that name files with tokens. What is in them may change.
const TOKEN_FILES: [&str; 2] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];

/// How many profiles may name one another as their source.
const MAX_SOURCES: usize = 16;

/// The settings with what the profile says where the environment says nothing.
///
/// # Errors
///
/// What in the files cannot be used.
pub fn complete(mut settings: Settings) -> Result<Settings, SettingsErrors> {
    let files = [File::config(), File::credentials()];
    settings.warnings.extend(files.iter().filter_map(File::warning));
    settings.warnings.extend(TOKEN_FILES.into_iter().filter_map(unreadable));
    let text = files.each_ref().map(|file| hiding(&file.text, |_, value| !value.is_empty()));
    let loaded = smol::block_on(load(&Fs::real(), &Env::real(), &sources(&text), None));
    let profiles = match loaded {
        Ok(profiles) => profiles,
        Err(error) => {
            let file = files.into_iter().find(|file| !is_readable(file)).unwrap_or_default();
            return Err(file.error(&error.to_string()).into());
        }
    };
    let name = env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty());
    if let Some(name) = name.filter(|name| profiles.get_profile(name).is_none()) {
        settings.warnings.push(SettingsWarning::new(
            format!("AWS_PROFILE={name:?} is ignored: there is no profile of this name"),
            "correct AWS_PROFILE, AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE",
        ));
    }
    complete_from(settings, &profiles)
}

/// The files as the SDK may read them. `ignores_addresses`: without those in them.
pub(super) fn checked_files(ignores_addresses: bool) -> EnvConfigFiles {
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
struct File {
    /// `AWS_CONFIG_FILE` or `AWS_SHARED_CREDENTIALS_FILE`.
    variable: &'static str,
    path: PathBuf,
    /// The variable names it, and it is not there by default.
    is_named: bool,
    text: String,
    /// Why it cannot be read.
    problem: Option<String>,
}

impl File {
    fn config() -> Self {
        Self::read("AWS_CONFIG_FILE", "config")
    }

    fn credentials() -> Self {
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
        let (text, problem) = match read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => (text, None),
            Ok(Err(_)) => (String::new(), Some("it is not UTF-8 text".to_owned())),
            Err(error) => (String::new(), Some(error.to_string())),
        };
        Self { variable, path, is_named, text, problem }
    }

    /// That a file is not read which somebody named.
    fn warning(&self) -> Option<SettingsWarning> {
        let problem = self.problem.as_ref().filter(|_| self.is_named)?;
        let (variable, path) = (self.variable, self.path.display().to_string());
        let next = format!("correct {variable}, or leave it out");
        Some(SettingsWarning::new(format!("{variable}={path:?} is ignored: {problem}"), next))
    }

    /// That what it says is no profile.
    fn error(&self, problem: &str) -> SettingsError {
        // In two lines.
        let problem = problem.split_whitespace().collect::<Vec<_>>().join(" ");
        SettingsError::Invalid {
            name: self.variable.to_owned(),
            value: self.path.display().to_string(),
            expected: format!("a file of AWS's profiles, but: {problem}"),
        }
    }
}

fn is_readable(file: &File) -> bool {
    let files = sources(&[file.text.clone(), String::new()]);
    smol::block_on(load(&Fs::real(), &Env::real(), &files, None)).is_ok()
}

/// That the file in this variable cannot be read, if that is so.
fn unreadable(variable: &str) -> Option<SettingsWarning> {
    let path = env::var_os(variable).filter(|path| !path.is_empty())?;
    let error = fs::File::open(&path).err()?;
    let path = path.to_string_lossy();
    Some(SettingsWarning::new(
        format!("the file in {variable}={path:?} cannot be read: {error}"),
        format!("correct {variable}, or leave it out"),
    ))
}

/// The bytes of a file of a sensible length.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = fs::File::open(path)?.take(MAX_BYTES + 1);
    if file.read_to_end(&mut bytes)? as u64 > MAX_BYTES {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    Ok(bytes)
}

/// What the SDK reads instead of the files: the text of each.
fn sources([config, credentials]: &[String; 2]) -> EnvConfigFiles {
    EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, config)
        .with_contents(EnvConfigFileKind::Credentials, credentials)
        .build()
}

/// The text with another key wherever `keeps` says no to a key, in lower case, and its
/// value. A line stays a line: the next ones may go on with it.
fn hiding(text: &str, keeps: impl Fn(&str, &str) -> bool) -> String {
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
fn without_comment(value: &str) -> &str {
    let is_comment = |(at, c): &(usize, char)| {
        matches!(c, '#' | ';') && value[..*at].ends_with(char::is_whitespace)
    };
    let end = value.char_indices().find(is_comment).map_or(value.len(), |(at, _)| at);
    value[..end].trim()
}

/// What a part of a key has to be.
fn variable_of(key: &str) -> Option<Variable> {
    let (_, name) = KEYS.iter().find(|(known, _)| *known == key)?;
    SDK_VARIABLES.iter().find(|row| row.name == *name)?.checked()
}

fn complete_from(
    mut settings: Settings,
    profiles: &ProfileSet,
) -> Result<Settings, SettingsErrors> {
    let Some(profile) = profiles.get_profile(profiles.selected_profile()) else {
        return Ok(settings);
    };
    let mut reading = Reading { profiles, profile, errors: Vec::new() };
    reading.keys();
    let (fips, dual_stack) = (
        reading.switch(FIPS, &AWS_USE_FIPS_ENDPOINT),
        reading.switch(DUAL_STACK, &AWS_USE_DUALSTACK_ENDPOINT),
    );
    let ignores = reading.switch(IGNORE, &AWS_IGNORE_CONFIGURED_ENDPOINT_URLS);
    let (of_cloudwatch, of_sts) = (reading.address("cloudwatch"), reading.address("sts"));
    let ignores_in_profile = settings.ignores_endpoint_urls.is_none() && ignores == Some(true);
    let given = [&settings.endpoint_url, &settings.sts_endpoint_url];
    if let Some(url) = given.into_iter().flatten().next().filter(|_| ignores_in_profile) {
        let expected = format!("false together with {}: remove one of them", url.variable);
        reading.invalid(IGNORE, "true".to_owned(), None, expected);
    }
    let ignores = settings.ignores_endpoint_urls.or(ignores);
    settings.ignores_endpoint_urls = ignores;
    if ignores != Some(true) {
        settings.endpoint_url = settings.endpoint_url.or(of_cloudwatch);
        settings.sts_endpoint_url = settings.sts_endpoint_url.or(of_sts);
    }
    let has_role = profile.get("role_arn").is_some();
    let sts = settings.sts_endpoint_url.as_ref().filter(|_| has_role);
    if let Some(url) = settings.endpoint_url.as_ref().or(sts) {
        for (key, variable, in_environment, in_profile) in [
            (FIPS, &AWS_USE_FIPS_ENDPOINT, settings.use_fips, fips),
            (DUAL_STACK, &AWS_USE_DUALSTACK_ENDPOINT, settings.use_dual_stack, dual_stack),
        ] {
            let expected = url.instead_of_switch();
            match (in_environment, in_profile) {
                (Some(true), _) => reading.errors.push(SettingsError::Invalid {
                    name: variable.name.to_owned(),
                    value: "true".to_owned(),
                    expected,
                }),
                (None, Some(true)) => reading.invalid(key, "true".to_owned(), None, expected),
                _ => {}
            }
        }
    }
    settings.use_fips = settings.use_fips.or(fips);
    settings.use_dual_stack = settings.use_dual_stack.or(dual_stack);
    SettingsErrors::of(reading.errors).map_or(Ok(settings), Err)
}

/// The selected profile, and what is wrong with it so far.
struct Reading<'files> {
    profiles: &'files ProfileSet,
    profile: &'files Profile,
    errors: Vec<SettingsError>,
}

impl Reading<'_> {
    /// Notes that a value cannot be used. `service`: it is that of its services.
    fn invalid(&mut self, key: &str, value: String, service: Option<&str>, expected: String) {
        let place = place(self.profile.name(), service);
        let key = key.to_owned();
        self.errors.push(SettingsError::InvalidInFile { key, value, place, expected });
    }

    fn switch(&mut self, key: &str, variable: &Variable) -> Option<bool> {
        let text = self.profile.get(key).map(str::trim).filter(|text| !text.is_empty())?;
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.invalid(key, variable.shown(text), None, variable.expected());
                None
            }
        }
    }

    /// Where this service is: as the profile's services say, or else the profile.
    fn address(&mut self, service: &str) -> Option<EndpointUrl> {
        let of_service = self.in_services(service).map(|text| (text, Some(service)));
        let of_all = || Some((self.profile.get(ENDPOINT_URL)?.trim().to_owned(), None));
        let (url, service) = of_service.or_else(of_all)?;
        if !AWS_ENDPOINT_URL.accepts(&url) {
            let (shown, expected) = (AWS_ENDPOINT_URL.shown(&url), AWS_ENDPOINT_URL.expected());
            let error = SettingsError::InvalidInFile {
                key: ENDPOINT_URL.to_owned(),
                value: shown,
                place: place(self.profile.name(), service),
                expected,
            };
            if !self.errors.contains(&error) {
                self.errors.push(error);
            }
            return None;
        }
        let variable = format!("{ENDPOINT_URL} {}", place(self.profile.name(), service));
        Some(EndpointUrl { variable, url })
    }

    /// `endpoint_url` of a service in the section that the profile's `services` names.
    fn in_services(&self, service: &str) -> Option<String> {
        let section = self.profile.get("services")?;
        let key = PropertiesKey::builder()
            .section_key("services")
            .section_name(section)
            .property_name(service)
            .sub_property_name(ENDPOINT_URL)
            .build();
        Some(self.profiles.other_sections().get(&key.ok()?)?.trim().to_owned())
    }

    /// The keys of the profile and of those that it names as its source.
    fn keys(&mut self) {
        let mut next = Some(self.profile);
        for _ in 0..MAX_SOURCES {
            let Some(profile) = next else { break };
            for (key, _) in KEYS {
                let Some((text, variable)) = profile.get(key).zip(variable_of(key)) else {
                    continue;
                };
                secrets::keep_always(text);
                // An empty one is none: the source of credentials says so.
                if !text.is_empty() && !variable.accepts(text) {
                    self.errors.push(SettingsError::InvalidInFile {
                        key: key.to_owned(),
                        value: variable.shown(text),
                        place: place(profile.name(), None),
                        expected: variable.expected(),
                    });
                }
            }
            let source = profile.get("source_profile").filter(|name| *name != profile.name());
            next = source.and_then(|name| self.profiles.get_profile(name));
        }
    }
}

fn place(profile: &str, service: Option<&str>) -> String {
    match service {
        Some(service) => format!("of {service} in the services of the profile {profile}"),
        None => format!("in the profile {profile}"),
    }
}

#[cfg(test)]
mod tests;
