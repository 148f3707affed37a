//! What went wrong with a request: the kind of trouble, and the words for it. What
//! to do about it is in `advice`.

use std::{error::Error as _, fmt, time::Duration};

use aws_sdk_cloudwatch::{
    error::{ProvideErrorMetadata as _, SdkError},
    operation::put_metric_data::PutMetricDataError,
};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::DispatchFailure};

use super::{
    advice::{REQUEST_NOT_MADE, advice, cause_advice, clock_advice, name_advice, trust_advice},
    clock::ClockOffset,
    connection::ConnectionError,
    errors,
    exchange::Answer,
    no_credentials::NoCredentials,
    subject::Subject,
};
use crate::{publisher::Outcome, secrets::peer_text};

/// A request that was not accepted, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutError {
    /// What kind of trouble, and so what to do about the samples.
    pub outcome: Outcome,
    /// What went wrong, in one line.
    pub message: String,
    /// What the operator can do about it.
    pub advice: String,
}

impl PutError {
    /// An answer that is none of CloudWatch's, which the SDK took for one.
    pub(super) fn strange(subject: &Subject<'_>, answer: &str) -> Self {
        let message = format!(
            "{subject} answered {answer}, which is not CloudWatch's answer: a proxy, a login page or \
             another server may be in between"
        );
        let outcome = Outcome::ServerError;
        Self { outcome, message: peer_text(&message), advice: advice(outcome, subject) }
    }

    /// There is no answer, and nobody waits for one any longer.
    pub(super) fn unanswered(subject: &Subject<'_>, patience: Duration) -> Self {
        let outcome = Outcome::NoAnswer;
        let message = format!("{subject}: no answer within {} s", patience.as_secs());
        Self { outcome, message: peer_text(&message), advice: advice(outcome, subject) }
    }

    /// `answer`: what was noted of the answer before the SDK read it.
    pub(super) fn new(
        error: &SdkError<PutMetricDataError>,
        subject: &Subject<'_>,
        answer: Option<&Answer>,
        clock: Option<ClockOffset>,
    ) -> Self {
        let (outcome, message, its_advice) = match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                // The header is there also where the body cannot be read.
                let code = service.err().code().or_else(|| code_in_header(service.raw()));
                if let (None, Some(Answer::Strange(what))) = (code, answer) {
                    let outcome = without_protocol(by_code("unknown", status));
                    return Self { outcome, ..Self::strange(subject, what) };
                }
                let nothing_said =
                    format!("{subject} answered {status} without a readable message");
                let said = service.err().message().unwrap_or(&nothing_said);
                let code = code.unwrap_or("unknown");
                let outcome = match answer {
                    Some(Answer::Strange(_)) => without_protocol(by_code(code, status)),
                    _ => by_code(code, status),
                };
                let is_of_signature = matches!(outcome, Outcome::Credentials | Outcome::Denied);
                match clock.filter(|clock| is_of_signature && clock.spoilt_signature()) {
                    Some(clock) => {
                        let advice = clock_advice(clock.ahead);
                        (Outcome::ClockSkew, format!("{code}: {said}"), Some(advice))
                    }
                    None => (outcome, format!("{code}: {said}"), None),
                }
            }
            SdkError::ConstructionFailure(_) => return Self::not_made(error),
            SdkError::DispatchFailure(failure) => match connection_error(failure) {
                // In its own words, without what the SDK says before them.
                Some(said) => {
                    let advice = match () {
                        () if said.is_of_name() => Some(name_advice(subject)),
                        () if said.is_of_trust() => Some(trust_advice(subject)),
                        () => None,
                    };
                    (said.outcome(), format!("{subject}: {}", errors::chain(said)), advice)
                }
                None => match by_connector(failure) {
                    Outcome::Unreachable => return Self::not_made(error),
                    outcome => (outcome, format!("{subject}: {}", errors::chain(error)), None),
                },
            },
            SdkError::TimeoutError(_) => {
                (Outcome::NoAnswer, format!("{subject}: {}", errors::chain(error)), None)
            }
            // An answer that is no error of CloudWatch's: a proxy's, a cut one.
            _ => match answer {
                Some(Answer::Strange(what)) => return Self::strange(subject, what),
                _ => (Outcome::ServerError, format!("{subject}: {}", errors::chain(error)), None),
            },
        };
        let advice = its_advice.unwrap_or_else(|| advice(outcome, subject));
        Self { outcome, message: peer_text(&message), advice }
    }

    /// The SDK could not even make the request, and not because credentials are missing: its
    /// address cannot be made of what the environment says.
    fn not_made(error: &SdkError<PutMetricDataError>) -> Self {
        Self {
            outcome: Outcome::Unreachable,
            message: peer_text(&format!("the request cannot be made: {}", errors::chain(error))),
            advice: REQUEST_NOT_MADE.to_owned(),
        }
    }
}

/// There were no credentials to sign the request with.
impl From<NoCredentials> for PutError {
    fn from(NoCredentials { cause, what }: NoCredentials) -> Self {
        Self {
            outcome: Outcome::Credentials,
            message: format!("no credentials: {what}"),
            advice: cause_advice(cause).to_owned(),
        }
    }
}

/// `InvalidParameterValue` of `x-amzn-query-error: InvalidParameterValue;Sender`.
fn code_in_header(response: &HttpResponse) -> Option<&str> {
    response.headers().get("x-amzn-query-error")?.split(';').next()
}

/// The codes as CloudWatch and the signature check write them.
fn by_code(code: &str, status: u16) -> Outcome {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "OptInRequired"
        | "NotAuthorized" => Outcome::Denied,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown"
        | "LimitExceeded" => Outcome::Throttled,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "AuthFailure"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "InvalidSignatureException"
        | "RequestTimeTooSkewed"
        | "InvalidSecurity"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Outcome::Credentials,
        _ if status == 429 => Outcome::Throttled,
        _ if status == 413 || is_of_datum(code) => Outcome::Invalid,
        _ => Outcome::ServerError,
    }
}

/// What follows from an answer that does not carry CloudWatch's protocol: a proxy's own,
/// or that of another server. No samples are dropped for it.
fn without_protocol(outcome: Outcome) -> Outcome {
    if outcome == Outcome::Invalid { Outcome::ServerError } else { outcome }
}

/// Whether the code says that a datum breaks a rule. Samples are dropped for it, so
/// it has to be one of these and not one that only looks like them.
fn is_of_datum(code: &str) -> bool {
    matches!(
        code.strip_suffix("Exception").unwrap_or(code),
        "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "MissingParameter"
            | "MissingRequiredParameter"
            | "InvalidFormat"
            | "ValidationError"
    )
}

fn connection_error(failure: &DispatchFailure) -> Option<&ConnectionError> {
    failure.as_connector_error()?.source()?.downcast_ref()
}

/// Of a failure that is not one of the connector's own.
fn by_connector(failure: &DispatchFailure) -> Outcome {
    let Some(error) = failure.as_connector_error() else { return Outcome::ServerError };
    if error.is_other() {
        // Not the connector's at all, but that of a step before it.
        Outcome::Unreachable
    } else if error.is_timeout() {
        Outcome::NoAnswer
    } else {
        Outcome::ConnectionLost
    }
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

impl std::error::Error for PutError {}

#[cfg(test)]
mod tests {
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;
    use crate::cloudwatch::ConnectionErrorKind;

    fn subject() -> Subject<'static> {
        let address = "https://cloudwatch.example".to_owned();
        let variable = Some("AWS_ENDPOINT_URL");
        let (region, region_from) = ("eu-west-1", "AWS_REGION");
        Subject { address, variable, region, region_from, namespace: "Shop" }
    }

    #[test]
    fn a_wrong_key_under_a_wrong_clock_is_a_wrong_key() {
        let refused = |code: &str, clock| {
            let meta = ErrorMetadata::builder().code(code).build();
            let raw = HttpResponse::new(403.try_into().unwrap(), SdkBody::empty());
            let error = SdkError::service_error(PutMetricDataError::generic(meta), raw);
            PutError::new(&error, &subject(), Some(&Answer::Error), clock).outcome
        };
        let clock = |ahead, signed_ahead| Some(ClockOffset { ahead, signed_ahead });
        for (code, clock, outcome) in [
            ("SignatureDoesNotMatch", clock(7200, 0), Outcome::ClockSkew),
            // Signed with CloudWatch's time by now, and still refused.
            ("ExpiredToken", clock(7200, 7199), Outcome::Credentials),
            ("AccessDenied", clock(-7200, -7200), Outcome::Denied),
            // The clock has been set right since.
            ("SignatureDoesNotMatch", clock(0, 7200), Outcome::ClockSkew),
            ("SignatureDoesNotMatch", clock(100, 0), Outcome::Credentials),
            ("SignatureDoesNotMatch", None, Outcome::Credentials),
            ("Throttling", clock(7200, 0), Outcome::Throttled),
        ] {
            assert_eq!(refused(code, clock), outcome, "{code} {clock:?}");
        }
    }

    #[test]
    fn how_the_connection_failed_says_whether_the_request_may_have_arrived() {
        let (connecting, waiting) =
            ("no connection, TLS included, in time: ", "connected, but no whole answer in time: ");
        for (kind, outcome, stage) in [
            (ConnectionErrorKind::Unusable, Outcome::Unreachable, ""),
            (ConnectionErrorKind::NotConnected, Outcome::Unreachable, ""),
            (ConnectionErrorKind::ConnectTimedOut, Outcome::Unreachable, connecting),
            (ConnectionErrorKind::Broken, Outcome::ConnectionLost, ""),
            (ConnectionErrorKind::TimedOut, Outcome::NoAnswer, waiting),
        ] {
            let error = ConnectionError::new(kind, "the cause");
            let error = SdkError::dispatch_failure(error.into());
            let error = PutError::new(&error, &subject(), None, None);
            assert_eq!(error.outcome, outcome, "{kind:?}");
            assert_eq!(
                error.message,
                format!("https://cloudwatch.example (from AWS_ENDPOINT_URL): {stage}the cause")
            );
        }
    }

    #[test]
    fn codes_say_what_to_do() {
        for (code, status, outcome) in [
            ("Throttling", 400, Outcome::Throttled),
            ("unknown", 429, Outcome::Throttled),
            ("AccessDenied", 403, Outcome::Denied),
            ("ExpiredToken", 403, Outcome::Credentials),
            ("InvalidClientTokenId", 403, Outcome::Credentials),
            ("MissingAuthenticationToken", 403, Outcome::Credentials),
            ("MissingAuthenticationTokenException", 403, Outcome::Credentials),
            ("InvalidSecurity", 403, Outcome::Credentials),
            ("InternalServiceFault", 500, Outcome::ServerError),
            ("unknown", 503, Outcome::ServerError),
        ] {
            assert_eq!(by_code(code, status), outcome, "{code}");
        }
    }

    #[test]
    fn samples_are_dropped_for_listed_codes_only() {
        for code in [
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "MissingParameter",
            "MissingRequiredParameter",
            "InvalidFormat",
            "ValidationError",
        ] {
            assert_eq!(by_code(code, 400), Outcome::Invalid, "{code}");
            assert_eq!(by_code(&format!("{code}Exception"), 400), Outcome::Invalid, "{code}");
        }
        assert_eq!(by_code("unknown", 413), Outcome::Invalid);
        // A proxy's own 413, or a code in an answer that is none of CloudWatch's.
        for (code, status) in [(None, 413), (Some("InvalidParameterValue"), 400), (None, 400)] {
            let meta = code
                .map_or_else(ErrorMetadata::builder, |code| ErrorMetadata::builder().code(code));
            let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            let error = SdkError::service_error(PutMetricDataError::generic(meta.build()), raw);
            let outcome = |answer| PutError::new(&error, &subject(), Some(&answer), None).outcome;
            assert_eq!(outcome(Answer::Strange("a page".to_owned())), Outcome::ServerError);
            let is_of_datum = code.is_some() || status == 413;
            assert_eq!(
                outcome(Answer::Error) == Outcome::Invalid,
                is_of_datum,
                "{code:?} {status}"
            );
        }
        for code in [
            "InvalidAction",
            "InvalidSecurity",
            "InvalidQueryParameter",
            "InvalidHttpRequest",
            "InvalidURI",
            "InvalidParameter",
            "InvalidParameterValues",
            "MissingAction",
            "MissingAuthenticationTokenException",
            "MissingRequiredParameterss",
            "ValidationException",
            "Validation",
            "SerializationException",
            "MalformedQueryString",
            "invalidparametervalue",
            "Exception",
            "",
        ] {
            for status in [400, 403, 404, 500] {
                assert_ne!(by_code(code, status), Outcome::Invalid, "{code} {status}");
            }
        }
    }
}
