//! Why there are no credentials: from the SDK's error, and from what came of the last
//! request to a source.

use std::{error::Error, fmt, io, iter};

use aws_credential_types::provider::error::CredentialsError;

use super::{
    advice::cause_advice,
    cause::{Cause, cause_of},
    errors::one_line_chain,
    heard::{Heard, SourceAnswer},
};
use crate::secrets::peer_text;

/// The SDK's words for a name that was not found. It keeps the resolver's error to itself.
const NO_LOOK_UP: &str = "failed to perform DNS lookup";

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoCredentials {
    /// What kind of trouble, and so what to do.
    pub cause: Cause,
    /// What happened, in one line: what the source said, if it said something.
    pub what: String,
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
            (_, Some(heard)) => Self::of_answer(&heard),
        }
    }

    /// From what came of a request to a source.
    pub(super) fn of_answer(heard: &Heard) -> Self {
        Self { cause: cause_of(heard), what: describe_answer(heard) }
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

fn describe_answer(Heard { address, answer, .. }: &Heard) -> String {
    match answer {
        SourceAnswer::Status { status, text, .. } => {
            peer_text(&format!("{address} answered {status}: {text}"))
        }
        SourceAnswer::None { error, .. } => peer_text(&format!("{address}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
