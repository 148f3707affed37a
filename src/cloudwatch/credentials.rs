//! Whose credentials requests are signed with, and why there are none, for a person.
//! The key itself is not looked at.

use std::{error::Error, fmt, io, iter, time::SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudwatch::config::{Credentials, ProvideCredentials as _, SharedCredentialsProvider};

use super::{
    advice::cause_advice,
    failure::one_line_chain,
    sources::{Heard, SourceAnswer, Sources},
};
use crate::secrets::peer_text;

/// The SDK's words for a name that was not found. It keeps the resolver's error to itself.
const NO_LOOK_UP: &str = "failed to perform DNS lookup";

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

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCredentials {
    /// What kind of trouble, and so what to do.
    pub cause: Cause,
    /// What happened, in one line: what the source said, if it said something.
    pub what: String,
}

/// What kind of trouble a source of credentials has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No source is set up.
    NoSource,
    /// A source is set up in a way that cannot work.
    Misconfigured,
    /// STS refused the role.
    RoleRefused,
    /// The key or the token that STS was asked with is too old.
    KeyExpired,
    /// The key or the token that STS was asked with is not valid.
    KeyRefused,
    /// STS cannot make sense of the role's name, or of what comes with it.
    RoleInvalid,
    /// The container credentials endpoint has none for this task, or refused to
    /// give them.
    NotIssued,
    /// The source asks for fewer requests.
    Throttled,
    /// The source has an error of its own.
    ServerError,
    /// The source answered with what is no credentials.
    Unusable,
    /// There is no connection to the source.
    Unreachable,
    /// There was no answer in time.
    NoAnswer,
    /// Another one, which the SDK describes.
    Other,
}

impl NoCredentials {
    /// What the operator can do about it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        cause_advice(self.cause)
    }
}

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl NoCredentials {
    /// From the SDK's error, and what came of the last request to a source.
    pub(super) fn new(error: &CredentialsError, heard: Option<Heard>) -> Self {
        let line = one_line_chain(error);
        let heard = heard.filter(|heard| !heard.is_of_instance());
        match (error, heard) {
            // A name server that is away is no wrong configuration.
            _ if line.contains(NO_LOOK_UP) => Self {
                cause: Cause::Unreachable,
                what: format!(
                    "cannot look up the host in AWS_CONTAINER_CREDENTIALS_FULL_URI: {line}"
                ),
            },
            _ if is_of_configuration(error) => Self { cause: Cause::Misconfigured, what: line },
            (_, None) if let Some(error) = cause_in::<io::Error>(error) => Self {
                cause: Cause::Misconfigured,
                what: format!(
                    "a file that a source of credentials needs cannot be read: {error}; it is the one \
                     in AWS_WEB_IDENTITY_TOKEN_FILE, in web_identity_token_file of a profile, or in \
                     AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
                ),
            },
            // The instance is asked last, if the task has none of its own.
            (CredentialsError::CredentialsNotLoaded(_), _) => {
                Self { cause: Cause::NoSource, what: line }
            }
            (_, None) if line.contains("IMDS") => Self { cause: Cause::NoSource, what: line },
            (_, None) => Self { cause: Cause::Other, what: line },
            (_, Some(heard)) => Self { cause: cause_of(&heard), what: describe_answer(&heard) },
        }
    }
}

/// Whether it is one, or what another source that a profile names says is one.
fn is_of_configuration(error: &CredentialsError) -> bool {
    matches!(error, CredentialsError::InvalidConfiguration(_))
        || error.source().is_some_and(|source| {
            causes(source)
                .filter_map(<dyn Error>::downcast_ref)
                .any(|cause| matches!(cause, CredentialsError::InvalidConfiguration(_)))
        })
}

/// The first of this type among the causes of an error.
fn cause_in<'error, T: Error + 'static>(error: &'error (dyn Error + 'static)) -> Option<&'error T> {
    causes(error).find_map(<dyn Error>::downcast_ref)
}

/// The error, what it comes from, and so on.
fn causes<'error>(
    error: &'error (dyn Error + 'static),
) -> impl Iterator<Item = &'error (dyn Error + 'static)> {
    iter::successors(Some(error), |error| (*error).source())
}

fn cause_of(Heard { is_for_role, answer, .. }: &Heard) -> Cause {
    match answer {
        SourceAnswer::None { is_timeout: true, .. } => Cause::NoAnswer,
        SourceAnswer::None { .. } => Cause::Unreachable,
        SourceAnswer::Status { status, code, .. } => match status {
            200..=399 => Cause::Unusable,
            429 => Cause::Throttled,
            400..=499 if *is_for_role => code.as_deref().map_or(Cause::Unusable, cause_of_code),
            400..=499 => Cause::NotIssued,
            _ => Cause::ServerError,
        },
    }
}

/// The codes of STS, and those of the signature check before it.
fn cause_of_code(code: &str) -> Cause {
    match code.strip_suffix("Exception").unwrap_or(code) {
        "AccessDenied" => Cause::RoleRefused,
        "ExpiredToken" | "RequestExpired" => Cause::KeyExpired,
        "AuthFailure"
        | "IDPRejectedClaim"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidIdentityToken"
        | "InvalidSecurity"
        | "InvalidSignature"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClient" => Cause::KeyRefused,
        "InvalidParameterCombination"
        | "InvalidParameterValue"
        | "MalformedPolicyDocument"
        | "MissingParameter"
        | "PackedPolicyTooLarge"
        | "RegionDisabled"
        | "Validation"
        | "ValidationError" => Cause::RoleInvalid,
        "IDPCommunicationError" => Cause::ServerError,
        "RequestLimitExceeded" | "SlowDown" | "TooManyRequests" => Cause::Throttled,
        code if code.starts_with("Throttl") => Cause::Throttled,
        _ => Cause::Other,
    }
}

fn describe_answer(Heard { address, answer, .. }: &Heard) -> String {
    match answer {
        SourceAnswer::Status { status, text, .. } => {
            peer_text(&format!("{address} answered {status}: {text}"))
        }
        SourceAnswer::None { error, .. } => peer_text(&format!("{address}: {error}")),
    }
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

    #[test]
    fn each_answer_of_a_source_has_a_cause_of_its_own() {
        let heard = |is_for_role, answer| Heard {
            address: "http://169.254.170.2/v2/credentials/x".to_owned(),
            is_for_role,
            answer,
        };
        let status = |status, text: &str| {
            let code = text.split_once(": ").map(|(code, _)| code.to_owned());
            SourceAnswer::Status { status, code, text: text.to_owned() }
        };
        let none = |is_timeout| SourceAnswer::None { error: "why".to_owned(), is_timeout };
        for (is_for_role, answer, cause) in [
            (false, status(400, "Credentials not found"), Cause::NotIssued),
            (false, status(403, "no"), Cause::NotIssued),
            (false, status(404, "404 page not found"), Cause::NotIssued),
            (false, status(429, "slow down"), Cause::Throttled),
            (false, status(500, "oh"), Cause::ServerError),
            (false, status(503, ""), Cause::ServerError),
            (false, status(200, "nothing"), Cause::Unusable),
            (false, status(302, "elsewhere"), Cause::Unusable),
            (false, none(false), Cause::Unreachable),
            (false, none(true), Cause::NoAnswer),
            (true, status(403, "AccessDenied: no"), Cause::RoleRefused),
            (true, status(403, "AccessDeniedException: no"), Cause::RoleRefused),
            (true, status(400, "ValidationError: no"), Cause::RoleInvalid),
            (true, status(400, "ValidationException: no"), Cause::RoleInvalid),
            (true, status(403, "ExpiredToken: no"), Cause::KeyExpired),
            (true, status(400, "ExpiredTokenException: no"), Cause::KeyExpired),
            (true, status(403, "InvalidClientTokenId: no"), Cause::KeyRefused),
            (true, status(403, "SignatureDoesNotMatch: no"), Cause::KeyRefused),
            (true, status(400, "InvalidIdentityToken: no"), Cause::KeyRefused),
            (true, status(400, "SomethingNew: no"), Cause::Other),
            (true, status(404, "404 page not found"), Cause::Unusable),
            (true, status(403, "<html>"), Cause::Unusable),
            (true, status(400, "Throttling: Rate exceeded"), Cause::Throttled),
            (true, status(400, "ThrottlingException: Rate exceeded"), Cause::Throttled),
            (true, status(503, "oh"), Cause::ServerError),
        ] {
            let heard = heard(is_for_role, answer);
            let error = CredentialsError::provider_error("the SDK's words");
            let no_credentials = NoCredentials::new(&error, Some(heard.clone()));
            assert_eq!(no_credentials.cause, cause, "{heard:?}");
            assert!(no_credentials.what.starts_with("http://169.254.170.2/"), "{no_credentials}");
        }
    }

    #[test]
    fn no_source_is_told_from_a_wrong_one() {
        let of_instance = Heard {
            address: "http://127.0.0.1:1338/latest/api/token".to_owned(),
            is_for_role: false,
            answer: SourceAnswer::None { error: "why".to_owned(), is_timeout: true },
        };
        let cause = |error, heard| NoCredentials::new(&error, heard).cause;
        let not_loaded = CredentialsError::not_loaded("none of them");
        assert_eq!(cause(not_loaded, Some(of_instance.clone())), Cause::NoSource);
        let imds = CredentialsError::provider_error("failed to load IMDS session token");
        assert_eq!(cause(imds, Some(of_instance)), Cause::NoSource);
        let invalid = CredentialsError::invalid_configuration("no profile of that name");
        assert_eq!(cause(invalid, None), Cause::Misconfigured);
        assert_eq!(cause(CredentialsError::unhandled("other"), None), Cause::Other);
    }
}
