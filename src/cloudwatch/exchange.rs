//! What is noted of one request while the SDK has it: when it left (it may have
//! waited for a key before), whom it asked, and what the answer looked like before
//! the SDK read it. The SDK takes any 2xx for an acceptance.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
            },
            dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use super::{answer, clock::CorrectedClock};

/// The notes; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    clock: CorrectedClock,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug, Default)]
struct Notes {
    left: Option<SystemTime>,
    address: String,
    answer: Option<Answer>,
}

/// What an answer looked like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// CloudWatch accepted the request.
    Accepted,
    /// An error in CloudWatch's protocol.
    Error,
    /// None of CloudWatch's: what it was, for a person.
    Strange(String),
}

impl Exchange {
    pub(super) fn new(clock: CorrectedClock) -> Self {
        Self { clock, notes: Arc::default() }
    }

    /// There is a new request, which has not left yet.
    pub(super) fn reset(&self) {
        let mut notes = self.notes();
        notes.left = None;
        notes.answer = None;
    }

    /// How long ago it left; `None` if it did not, or if the host's clock was set
    /// back since.
    pub(super) fn since_departure(&self) -> Option<Duration> {
        let left = self.notes().left?;
        self.clock.host_time().duration_since(left).ok()
    }

    /// Whom the last request asked: `https://HOST[:PORT]`. Empty before the first.
    pub(super) fn address(&self) -> String {
        self.notes().address.clone()
    }

    /// What answered it; `None` if nothing did.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.notes().answer.clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of a URI that names the server.
fn address(uri: &str) -> &str {
    let host = uri.find("://").map_or(0, |at| at + 3);
    let end = uri[host..].find('/').map_or(uri.len(), |at| host + at);
    &uri[..end]
}

#[dyn_dispatch_hint]
impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let address = address(context.request().uri());
        let mut notes = self.notes();
        notes.left = Some(self.clock.host_time());
        if notes.address != address {
            address.clone_into(&mut notes.address);
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let is_error = !response.status().is_success();
        self.notes().answer = Some(if answer::is_acceptance(response) {
            Answer::Accepted
        } else if is_error && answer::speaks_protocol(response) {
            Answer::Error
        } else {
            Answer::Strange(answer::describe(response))
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_uri_up_to_its_path() {
        for (uri, expected) in [
            (
                "https://monitoring.eu-west-1.amazonaws.com/",
                "https://monitoring.eu-west-1.amazonaws.com",
            ),
            ("http://127.0.0.1:4566/service/X/operation/Y", "http://127.0.0.1:4566"),
            ("http://[::1]:80", "http://[::1]:80"),
            ("", ""),
        ] {
            assert_eq!(address(uri), expected);
        }
    }
}
