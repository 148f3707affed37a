//! What kind of trouble a source of credentials has, by what it answered: its status, and
//! the codes of STS. What to do about each kind is in `advice`.

use super::heard::{Heard, SourceAnswer};

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

pub(super) fn cause_of(Heard { is_for_role, answer, .. }: &Heard) -> Cause {
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
