//! Whose credentials requests are signed with, for a person. The key itself is not
//! looked at.

use std::time::SystemTime;

use aws_sdk_cloudwatch::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};

use super::{credential_sources::Sources, no_credentials::NoCredentials};

/// Where the credentials come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsSource {
    /// In words, or the SDK's own name for it.
    pub source: String,
    /// When they end; others are had before that.
    pub expire: Option<SystemTime>,
    /// They are those of the instance on which the task runs, which is rarely
    /// meant: the task has none of its own.
    pub is_of_instance: bool,
}

/// Asks the chain of `provider`, as the first request would; `sources` are notes of
/// what it meets.
pub(super) async fn ask(
    provider: &SharedCredentialsProvider,
    sources: &Sources,
) -> Result<CredentialsSource, NoCredentials> {
    match provider.provide_credentials().await {
        Ok(credentials) => Ok(describe(&credentials)),
        Err(error) => Err(sources.failure().unwrap_or_else(|| NoCredentials::new(&error, None))),
    }
}

fn describe(credentials: &Credentials) -> CredentialsSource {
    // The name is in no field that can be read; in this text the secret is not.
    let text = format!("{credentials:?}");
    let name = text.split_once("provider_name: \"").and_then(|(_, rest)| rest.split_once('"'));
    let name = name.map_or("unknown", |(name, _)| name);
    let source = match name {
        "EnvironmentVariable" => "the environment (AWS_ACCESS_KEY_ID)",
        "ProfileFile" => "a profile in AWS's configuration files",
        "WebIdentityToken" => "a web identity (AWS_WEB_IDENTITY_TOKEN_FILE)",
        "EcsContainer" => "the container credentials endpoint (the task role)",
        "IMDSv2" => "instance metadata (the role of the EC2 instance)",
        "AssumeRoleProvider" => "a role that a profile assumes",
        other => other,
    };
    CredentialsSource {
        source: source.to_owned(),
        expire: credentials.expiry(),
        is_of_instance: name == "IMDSv2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_told_and_the_secret_is_not() {
        for (name, expected) in [
            ("EnvironmentVariable", "the environment (AWS_ACCESS_KEY_ID)"),
            ("IMDSv2", "instance metadata (the role of the EC2 instance)"),
            ("Something new", "Something new"),
        ] {
            let key = Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, name);
            let described = describe(&key);
            assert_eq!(described.source, expected);
            assert_eq!(described.is_of_instance, name == "IMDSv2");
            let text = format!("{described:?}");
            assert!(!text.contains("secret") && !text.contains("token"), "{text}");
        }
    }
}
