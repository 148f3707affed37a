//! When a request really left: it may have waited for a key before, which only
//! the SDK knows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use super::clock::CorrectedClock;

/// Notes it; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Departure {
    clock: CorrectedClock,
    left: Arc<Mutex<Option<SystemTime>>>,
}

impl Departure {
    pub(super) fn new(clock: CorrectedClock) -> Self {
        Self { clock, left: Arc::default() }
    }

    fn set(&self, left: Option<SystemTime>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }

    /// There is a new request, which has not left yet.
    pub(super) fn reset(&self) {
        self.set(None);
    }

    /// How long ago it left; `None` where it did not, or the host's clock was set
    /// back since.
    pub(super) fn ago(&self) -> Option<Duration> {
        let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        self.clock.host_time().duration_since(left?).ok()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Departure {
    fn name(&self) -> &'static str {
        "Departure"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.set(Some(self.clock.host_time()));
        Ok(())
    }
}
