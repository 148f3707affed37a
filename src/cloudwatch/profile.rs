//! What a profile in AWS's shared files says besides credentials: addresses, and whether
//! they are those of FIPS and dual-stack endpoints. It is read once, at the start,
//! completes the settings, and a wrong value is a wrong configuration.
//!
//! The SDK reads the same files again for credentials, and its client for STS takes the
//! addresses in them as they are: it panics on an empty one. So it is given their text
//! with nothing in it that was not checked.

mod files;

use std::{env, path::Path};

use aws_config::profile::{Profile, ProfileSet, load};
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::os_shim_internal::{Env, Fs};

pub(super) use self::files::checked_files;
use self::files::{
    ENDPOINT_URL, File, KEYS, TOKEN_FILES, hiding, is_readable, sources, unreadable, variable_of,
    without_end,
};
use crate::{
    secrets,
    settings::{
        Settings, SettingsError, SettingsErrors, SettingsWarning, Variable,
        url::EndpointUrl,
        variable::{
            AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS_USE_DUALSTACK_ENDPOINT,
            AWS_USE_FIPS_ENDPOINT,
        },
    },
};

/// The keys of a profile that are read here.
const FIPS: &str = "use_fips_endpoint";
const DUAL_STACK: &str = "use_dualstack_endpoint";
const IGNORE: &str = "ignore_configured_endpoint_urls";
const METADATA: &str = "ec2_metadata_service_endpoint";

/// What `credential_source` may say.
const CREDENTIAL_SOURCES: [&str; 3] = ["Environment", "EcsContainer", "Ec2InstanceMetadata"];

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
    for variable in TOKEN_FILES {
        settings.warnings.extend(unreadable(variable)?);
    }
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
    let has_key = is_given("AWS_ACCESS_KEY_ID")
        && (is_given("AWS_SECRET_ACCESS_KEY") || is_given("SECRET_ACCESS_KEY"));
    complete_from(settings, &profiles, has_key)
}

fn is_given(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// `has_key`: that of the environment is used, and the profile's sources are not.
fn complete_from(
    mut settings: Settings,
    profiles: &ProfileSet,
    has_key: bool,
) -> Result<Settings, SettingsErrors> {
    let Some(profile) = profiles.get_profile(profiles.selected_profile()) else {
        return Ok(settings);
    };
    let mut reading = ProfileReading { profiles, profile, errors: Vec::new() };
    reading.keys();
    if !has_key {
        reading.sources();
    }
    reading.instance_metadata();
    let (fips, dual_stack) = (
        reading.switch(FIPS, &AWS_USE_FIPS_ENDPOINT),
        reading.switch(DUAL_STACK, &AWS_USE_DUALSTACK_ENDPOINT),
    );
    let ignores = reading.switch(IGNORE, &AWS_IGNORE_CONFIGURED_ENDPOINT_URLS);
    let (of_cloudwatch, of_sts) = (reading.address("cloudwatch"), reading.address("sts"));
    let ignores_in_profile = settings.ignores_endpoint_urls.is_none() && ignores == Some(true);
    let given = [&settings.endpoint_url, &settings.sts_endpoint_url];
    if let Some(url) = given.into_iter().flatten().next().filter(|_| ignores_in_profile) {
        let expected = format!("false, because {} is set: remove one of them", url.variable);
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
struct ProfileReading<'files> {
    profiles: &'files ProfileSet,
    profile: &'files Profile,
    errors: Vec<SettingsError>,
}

impl<'files> ProfileReading<'files> {
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

    /// Where the metadata of the EC2 instance are, which the SDK asks for credentials.
    fn instance_metadata(&mut self) {
        let Some(text) = self.profile.get(METADATA).map(str::trim) else { return };
        if !text.is_empty() && !AWS_ENDPOINT_URL.accepts(text) {
            let (shown, expected) = (AWS_ENDPOINT_URL.shown(text), AWS_ENDPOINT_URL.expected());
            self.invalid(METADATA, shown, None, expected);
        }
    }

    /// The profile, and those that it and they name as their source.
    fn chain(&self) -> Vec<&'files Profile> {
        let mut chain = vec![self.profile];
        for _ in 0..MAX_SOURCES {
            let profile = chain[chain.len() - 1];
            let source = profile.get("source_profile").filter(|name| *name != profile.name());
            chain.extend(source.and_then(|name| self.profiles.get_profile(name)));
        }
        chain
    }

    /// Who signs for the role, if the profile assumes one.
    fn sources(&mut self) {
        for profile in self.chain() {
            let Some(role) = profile.get("role_arn") else { break };
            let (key, value, expected) = match [
                profile.get("source_profile"),
                profile.get("credential_source"),
                profile.get("web_identity_token_file"),
            ] {
                [Some(name), ..] if self.profiles.get_profile(name).is_none() => {
                    ("source_profile", name, "the name of a profile in the shared files")
                }
                [_, Some(source), _]
                    if !CREDENTIAL_SOURCES
                        .iter()
                        .any(|known| known.eq_ignore_ascii_case(source)) =>
                {
                    (
                        "credential_source",
                        source,
                        "Environment, EcsContainer or Ec2InstanceMetadata",
                    )
                }
                [_, _, Some(path)] if without_end(Path::new(path)).is_some() => (
                    "web_identity_token_file",
                    path,
                    "a regular file of at most 1 MiB, with a token",
                ),
                [None, None, None] => {
                    let expected = "source_profile, credential_source or web_identity_token_file in the same \
                         profile";
                    ("role_arn", role, expected)
                }
                _ => continue,
            };
            self.errors.push(SettingsError::InvalidInFile {
                key: key.to_owned(),
                value: AWS_ENDPOINT_URL.shown(value),
                place: place(profile.name(), None),
                expected: expected.to_owned(),
            });
        }
    }

    /// The keys of the profile and of those that it names as its source.
    fn keys(&mut self) {
        for profile in self.chain() {
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
