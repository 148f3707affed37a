//! The way to CloudWatch, for the publishing task and for `esp check`: one HTTP
//! client and one corrected clock for the process, and the SDK's client for the
//! present destination. When that client has to be replaced is decided here.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::{destination::Destination, world::World};
use crate::{
    cloudwatch::{CloudWatch, CorrectedClock, Means, PutError, Service},
    publisher::Outcome,
    sample::metric::Sample,
    settings::Settings,
};

/// What is kept from one request to the next.
pub(crate) struct Connecting {
    http_client: Option<SharedHttpClient>,
    clock: CorrectedClock,
    connected: Option<(Destination, CloudWatch)>,
}

/// What became of a request.
pub(crate) struct Sent {
    pub(crate) result: Result<(), PutError>,
    /// How long ago the request left; `None` if it did not.
    pub(crate) left_ago: Option<Duration>,
}

impl Connecting {
    pub(crate) fn new(world: &impl World) -> Self {
        let clock = CorrectedClock::new(world.time_source());
        Self { http_client: None, clock, connected: None }
    }

    /// Makes the HTTP client, unless there is one. It takes the thread a while.
    ///
    /// # Errors
    ///
    /// One line that says why there is none.
    pub(crate) fn make_http_client(
        &mut self,
        world: &impl World,
        settings: &Settings,
    ) -> Result<SharedHttpClient, String> {
        if let Some(http_client) = &self.http_client {
            return Ok(http_client.clone());
        }
        let http_client = world.http_client(settings)?;
        self.http_client = Some(http_client.clone());
        Ok(http_client)
    }

    /// Whether there is a client for `destination`.
    pub(crate) fn is_connected_to(&self, destination: &Destination) -> bool {
        self.connected.as_ref().is_some_and(|(connected, _)| connected == destination)
    }

    /// Makes a client for `destination`. It asks for new credentials.
    ///
    /// # Errors
    ///
    /// As of [`make_http_client`](Self::make_http_client).
    pub(crate) fn connect(
        &mut self,
        world: &impl World,
        settings: &Settings,
        destination: Destination,
    ) -> Result<&CloudWatch, String> {
        let means = Means {
            http_client: self.make_http_client(world, settings)?,
            sleep: world.sleep(),
            clock: self.clock.clone(),
        };
        let service = Service {
            region: destination.region.name.clone(),
            region_from: destination.region.from.clone(),
            endpoint_url: settings.endpoint_url.clone(),
            ignores_endpoint_urls: settings.ignores_endpoint_urls.unwrap_or(false),
            use_fips: settings.use_fips.unwrap_or(false),
            use_dual_stack: settings.use_dual_stack.unwrap_or(false),
        };
        let namespace = settings.namespace.clone();
        let dimensions = destination.dimensions.clone();
        let cloudwatch = CloudWatch::connect(&means, &service, namespace, dimensions);
        let (_, cloudwatch) = self.connected.insert((destination, cloudwatch));
        Ok(cloudwatch)
    }

    /// The client, if there is one.
    pub(crate) fn client(&self) -> Option<&CloudWatch> {
        self.connected.as_ref().map(|(_, cloudwatch)| cloudwatch)
    }

    /// One request, or `None` if there is no client.
    pub(crate) async fn put(&mut self, samples: &[Sample]) -> Option<Sent> {
        let (_, cloudwatch) = self.connected.as_ref()?;
        let result = cloudwatch.put(samples).await;
        let left_ago = cloudwatch.since_departure();
        let outcome = result.as_ref().err().map(|error| error.outcome);
        if matches!(outcome, Some(Outcome::Credentials | Outcome::ClockSkew)) {
            // A new client asks for new credentials; this one would keep its own until
            // they say that they have expired. And a new one does not have the SDK's
            // own correction of the clock, which would come on top of ours.
            self.connected = None;
        }
        Some(Sent { result, left_ago })
    }
}
