//! What went wrong with a request, in words that say what to do next.

use std::{error::Error, fmt};

use aws_sdk_cloudwatch::{
    error::{ProvideErrorMetadata as _, SdkError},
    operation::put_metric_data::PutMetricDataError,
};

/// A request that was not accepted, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutError {
    /// CloudWatch's code, where it answered: `AccessDenied`, `Throttling`, ….
    pub code: Option<String>,
    /// One line.
    pub message: String,
}

impl PutError {
    pub(super) fn new<R: fmt::Debug + 'static>(
        error: &SdkError<PutMetricDataError, R>,
        region: &str,
    ) -> Self {
        let Some(answer) = error.as_service_error() else {
            return Self { code: None, message: one_line(&chain(error)) };
        };
        let code = answer.code().unwrap_or("unknown").to_owned();
        let said = answer.message().unwrap_or("no message");
        let advice = match code.as_str() {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                format!("; the task role needs the action cloudwatch:PutMetricData in {region}")
            }
            _ => String::new(),
        };
        let message = one_line(&format!("{code}: {said}{advice}"));
        Self { code: Some(code), message }
    }
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PutError {}

/// The error and its causes, without those that only repeat one another.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
