//! AWS as the SDK reaches it, without a socket: CloudWatch and the source of the
//! task role's keys, faults included. It stands where isahc stands in the
//! program, is handed real, signed requests, and fails as the real connector
//! does.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use esp::{
    cloudwatch::{ConnectionError, ConnectionErrorKind},
    publisher::Outcome,
};
use esp_endpoints::{
    clock::{ClockOffset, http_date},
    credentials,
    http::{Body, Delivery, Request, Response},
    limits::Refusal,
    service::{self, Datum, Fault},
};

use super::{
    clock::Clock,
    ledger::Ledger,
    script::{Episode, pick},
};

/// What the program's connector reads of an answer at most.
const RESPONSE_LIMIT: u64 = 64 * 1024;

/// What can go wrong with a request to CloudWatch.
#[derive(Clone, Debug)]
pub(crate) enum CloudWatchFault {
    /// What the test endpoint can do.
    Service(Fault),
    /// Silence, and nothing is accepted.
    SilentBeforeAcceptance,
    /// Accepted; the connection ends within the answer.
    CutInBody,
    /// An unknown name, a closed port, another's certificate.
    NotConnected(&'static str),
    /// Nobody answers the connection.
    NoConnection,
}

/// What can go wrong with a request for a key.
#[derive(Clone, Debug)]
pub(crate) enum KeyFault {
    Status(u16),
    Garbage,
    Silent,
    Refused,
}

/// All that is scripted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AwsScript {
    pub(crate) cloudwatch: Vec<Episode<CloudWatchFault>>,
    pub(crate) keys: Vec<Episode<KeyFault>>,
    /// How long a key is good.
    pub(crate) key_lifetime: Duration,
    /// Of the samples that keep all rules, CloudWatch refuses one in so many.
    pub(crate) refused_one_in: Option<u64>,
    /// The longest that connecting and an answer without a fault take, each.
    pub(crate) latency: Duration,
}

/// AWS; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Aws(Arc<Mutex<State>>);

struct State {
    clock: Clock,
    ledger: Arc<Mutex<Ledger>>,
    script: AwsScript,
    random: fastrand::Rng,
    keys_issued: u64,
    /// Since the last request to CloudWatch.
    is_key_asked: bool,
    /// Keys up to this number are not good any more.
    keys_revoked: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Aws {
    pub(crate) fn new(
        script: AwsScript,
        seed: u64,
        clock: Clock,
        ledger: Arc<Mutex<Ledger>>,
    ) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let state = State {
            clock,
            ledger,
            script,
            random,
            keys_issued: 0,
            is_key_asked: false,
            keys_revoked: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// No key that was issued so far is good any more.
    pub(crate) fn revoke_keys(&self) {
        let mut state = self.state();
        state.keys_revoked = state.keys_issued;
    }

    /// A request for a key.
    async fn key(self, timeouts: Timeouts) -> Result<Response, ConnectionError> {
        let (clock, fault) = {
            let state = &mut *self.state();
            let now = state.clock.elapsed();
            let fault = pick(&state.script.keys, now, &mut state.random).cloned();
            state.is_key_asked = true;
            (state.clock.clone(), fault)
        };
        match fault {
            Some(KeyFault::Refused) => {
                let kind = ConnectionErrorKind::NotConnected;
                Err(ConnectionError::new(kind, "connection refused"))
            }
            Some(KeyFault::Silent) => {
                clock.pause(timeouts.whole).await;
                Err(ConnectionError::new(ConnectionErrorKind::TimedOut, "no answer in time"))
            }
            Some(KeyFault::Status(status)) => Ok(Response::new(status, "application/json", "{}")),
            Some(KeyFault::Garbage) => Ok(Response::new(200, "application/json", "<html>")),
            None => {
                let mut state = self.state();
                state.keys_issued += 1;
                let lifetime = state.script.key_lifetime;
                let end = (clock.elapsed() + lifetime).as_secs();
                let key_id = format!("KEY-{}-{end}", state.keys_issued);
                Ok(credentials::answer(Some(&key_id), clock.true_time() + lifetime))
            }
        }
    }

    /// A request to CloudWatch.
    async fn put(self, request: Request, timeouts: Timeouts) -> Result<Response, ConnectionError> {
        let (clock, ledger, fault, latencies, waited) = {
            let state = &mut *self.state();
            let now = state.clock.elapsed();
            let fault = pick(&state.script.cloudwatch, now, &mut state.random).cloned();
            let max = u64::try_from(state.script.latency.as_micros()).unwrap();
            let latencies = [0; 2].map(|_| Duration::from_micros(state.random.u64(0..=max)));
            let waited = std::mem::take(&mut state.is_key_asked);
            (state.clock.clone(), Arc::clone(&state.ledger), fault, latencies, waited)
        };
        let started = clock.elapsed();
        let judged = service::judge(&request).expect("ESP asks for nothing else");
        {
            let mut ledger = ledger.lock().unwrap();
            match &judged.datums {
                Ok(datums) => ledger.on_request(started, datums, waited),
                Err(refusal) => {
                    ledger.complain(started, format_args!("a rule is broken: {refusal:?}"));
                }
            }
        }
        let told = |outcome| ledger.lock().unwrap().on_told(clock.elapsed(), outcome);
        let fails = |kind, cause: &str| {
            let outcome = match kind {
                ConnectionErrorKind::Broken => Outcome::ConnectionLost,
                ConnectionErrorKind::TimedOut => Outcome::NoAnswer,
                _ => Outcome::Unreachable,
            };
            told(outcome);
            Err(ConnectionError::new(kind, cause))
        };

        match &fault {
            Some(CloudWatchFault::NotConnected(why)) => {
                clock.pause(latencies[0]).await;
                return fails(ConnectionErrorKind::NotConnected, why);
            }
            Some(CloudWatchFault::NoConnection) => {
                clock.pause(timeouts.connect).await;
                return fails(ConnectionErrorKind::ConnectTimedOut, "no connection in time");
            }
            Some(CloudWatchFault::SilentBeforeAcceptance) => {
                clock.pause(timeouts.whole).await;
                return fails(ConnectionErrorKind::TimedOut, "no answer in time");
            }
            _ => clock.pause(latencies[0]).await,
        }

        let (response, outcome) = self.state().answer(&request, &judged, fault.as_ref());
        let wait = match response.delivery {
            Delivery::After(time) | Delivery::PauseInBody(time) => time,
            _ => latencies[1],
        };
        let over = started + timeouts.whole;
        if clock.elapsed() + wait >= over {
            clock.until(over).await;
            return fails(ConnectionErrorKind::TimedOut, "no answer in time");
        }
        clock.pause(wait).await;
        if matches!(response.delivery, Delivery::Cut | Delivery::CutInBody) {
            return fails(ConnectionErrorKind::Broken, "the connection broke");
        }
        told(outcome);
        Ok(response)
    }
}

impl State {
    /// What CloudWatch says, and what ESP must make of it.
    fn answer(
        &mut self,
        request: &Request,
        judged: &service::Judged,
        fault: Option<&CloudWatchFault>,
    ) -> (Response, Outcome) {
        let now = self.clock.elapsed();
        if !service::is_signed_in_time(request, ClockOffset::Right) {
            return (service::refused_signature(), Outcome::ClockSkew);
        }
        if !self.is_good_key(request.header("x-amz-security-token").unwrap_or_default(), now) {
            let (name, code) = ("ExpiredTokenException", "ExpiredToken");
            let expired = service::error(403, name, code, "The security token is expired");
            return (expired, Outcome::Credentials);
        }
        let honest = judged.answer();
        if let Ok(datums) = &judged.datums
            && datums.iter().any(|datum| self.refuses(datum))
        {
            let refusal = Refusal::Value("One of the datums is not to our taste.".into());
            return (service::refused(&refusal), Outcome::Invalid);
        }
        let is_accepted = match fault {
            Some(CloudWatchFault::Service(fault)) => fault.accepts(),
            _ => true,
        };
        if is_accepted {
            self.ledger.lock().unwrap().on_accepted(now);
        }
        match fault {
            Some(CloudWatchFault::Service(fault)) => {
                let outcome = match fault {
                    Fault::Throttle => Outcome::Throttled,
                    Fault::Error { .. } => Outcome::Denied,
                    fault if fault.accepts() => Outcome::Accepted,
                    _ => Outcome::ServerError,
                };
                (fault.clone().spoil(honest), outcome)
            }
            Some(_) => (honest.delivered(Delivery::CutInBody), Outcome::ConnectionLost),
            None => (honest, Outcome::Accepted),
        }
    }

    /// The token names the key's number and the second at which it ends.
    fn is_good_key(&self, token: &str, now: Duration) -> bool {
        let mut parts = token.split('-').rev().map(|part| part.parse().unwrap_or(0));
        let (end, number) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        number > self.keys_revoked && now.as_secs() < end
    }

    fn refuses(&self, datum: &Datum) -> bool {
        let Some(one_in) = self.script.refused_one_in else { return false };
        let time = u64::try_from(datum.timestamp_ms).unwrap_or(0);
        let name = datum.metric_name.len() as u64;
        (time / 7 + name * 31).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33 & 0xffff < 0x10000 / one_in
    }
}

/// How long one of the SDK's clients waits.
#[derive(Clone, Copy, Debug)]
struct Timeouts {
    connect: Duration,
    whole: Duration,
}

impl HttpClient for Aws {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let timeout = Duration::from_secs(10);
        SharedHttpConnector::new(Connector {
            aws: self.clone(),
            timeouts: Timeouts {
                connect: settings.connect_timeout().unwrap_or(timeout),
                whole: settings.read_timeout().unwrap_or(timeout),
            },
        })
    }
}

#[derive(Debug)]
struct Connector {
    aws: Aws,
    timeouts: Timeouts,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (aws, timeouts) = (self.aws.clone(), self.timeouts);
        HttpConnectorFuture::new(async move {
            let clock = aws.state().clock.clone();
            let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
            let request = read(&request, &clock);
            let answer = if host == "169.254.170.2" {
                aws.key(timeouts).await?
            } else if host.starts_with("monitoring.") {
                aws.put(request, timeouts).await?
            } else {
                let kind = ConnectionErrorKind::NotConnected;
                return Err(ConnectionError::new(kind, "no route to host").into());
            };
            Ok(write(answer, &clock))
        })
    }
}

/// A request as a server has it.
fn read(request: &HttpRequest, clock: &Clock) -> Request {
    let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let path = request.uri().splitn(4, '/').nth(3).unwrap_or_default();
    Request {
        method: request.method().to_owned(),
        path: format!("/{path}"),
        headers: request.headers().iter().map(header).collect(),
        body: request.body().bytes().expect("the body is in memory").to_vec(),
        connection: 1,
        received: clock.true_time(),
    }
}

/// An answer as the SDK gets it.
fn write(response: Response, clock: &Clock) -> HttpResponse {
    let body = match response.body {
        Body::Bytes(bytes) => bytes,
        Body::Zeros(count) => vec![0; usize::try_from(count.min(RESPONSE_LIMIT)).unwrap()],
        Body::Endless(..) => unreachable!("only the metadata endpoint floods"),
    };
    let status = response.status.try_into().unwrap();
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    let headers = answer.headers_mut();
    for (name, value) in response.headers {
        headers.insert(name, value);
    }
    headers.insert("date", http_date(clock.true_time()));
    answer
}
