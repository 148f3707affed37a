//! What a profile in AWS's configuration files says of the client. Its credentials are
//! the SDK's business.

#[expect(deprecated, reason = "see below")]
use aws_config::profile::profile_file::ProfileFiles;
use aws_config::profile::{Profile, load};
use aws_types::os_shim_internal::{Env, Fs};

use super::setup::Service;
use crate::settings::url::{EndpointUrl, is_endpoint_url};

/// Fills in what the environment left open. A file that cannot be read says nothing
/// here: the chain of credentials, which needs it, says why.
///
/// # Errors
///
/// One line about a value that would change where the samples go, and cannot be used.
pub(super) async fn complete(service: &mut Service) -> Result<(), String> {
    #[expect(deprecated, reason = "the name; what it means has another in a crate below")]
    let files = ProfileFiles::default();
    let Ok(profiles) = load(&Fs::real(), &Env::real(), &files, None).await else { return Ok(()) };
    let name = profiles.selected_profile();
    match profiles.get_profile(name) {
        Some(profile) => complete_from(service, profile),
        None => Ok(()),
    }
}

fn complete_from(service: &mut Service, profile: &Profile) -> Result<(), String> {
    // Empty counts as not set, as in the environment.
    let get = |key: &str| profile.get(key).map(str::trim).filter(|value| !value.is_empty());
    let invalid = |key: &str, value: &str, expected: &str| {
        let name = profile.name();
        format!("{key}={value:?} in the profile {name} is not valid: expected {expected}")
    };
    let switch = |key: &str| match get(key).map(str::to_ascii_lowercase).as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(invalid(key, other, "true or false")),
    };
    if service.use_fips.is_none() {
        service.use_fips = switch("use_fips_endpoint")?;
    }
    if service.use_dual_stack.is_none() {
        service.use_dual_stack = switch("use_dualstack_endpoint")?;
    }
    if service.endpoint_url.is_none()
        && !service.ignores_profile_endpoint
        && switch("ignore_configured_endpoint_urls")? != Some(true)
        && let Some(url) = get("endpoint_url")
    {
        if !is_endpoint_url(url) {
            return Err(invalid("endpoint_url", url, "http://HOST[:PORT] or https://HOST[:PORT]"));
        }
        let variable = format!("endpoint_url in the profile {}", profile.name());
        service.endpoint_url = Some(EndpointUrl { variable, url: url.to_owned() });
    }
    Ok(())
}
