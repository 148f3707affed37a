//! The endpoint that gives a container its task role's credentials, as
//! `AWS_CONTAINER_CREDENTIALS_FULL_URI` points to it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::http::{Response, Server, Settings};

/// A running endpoint. Dropping it ends its threads.
#[derive(Debug)]
pub struct CredentialsEndpoint {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// `None`: it answers 500.
    key_id: Option<String>,
    lifetime: Duration,
    requests: u64,
    /// What is answered instead: a status and a body.
    refusal: Option<(u16, String)>,
}

impl CredentialsEndpoint {
    /// Issues the key of this id, good for six hours, on a free port.
    #[must_use]
    pub fn start(key_id: &str) -> Self {
        let lifetime = Duration::from_hours(6);
        let state = State { key_id: Some(key_id.to_owned()), lifetime, requests: 0, refusal: None };
        let state = Arc::new(Mutex::new(state));
        let settings = Settings { port: 0, idle: Duration::from_secs(5) };
        let server = Server::start(settings, {
            let state = Arc::clone(&state);
            move |_| state.lock().unwrap().answer()
        });
        Self { server: server.expect("a port of 127.0.0.1 can be bound"), state }
    }

    /// For `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("http://{}/credentials", self.server.address())
    }

    /// From now on the key of this id, or, without one, 500.
    pub fn issue(&self, key_id: Option<&str>) {
        let mut state = self.state.lock().unwrap();
        state.key_id = key_id.map(str::to_owned);
        state.refusal = None;
    }

    /// From now on this status with this body, until a key is issued.
    pub fn refuse(&self, status: u16, body: &str) {
        self.state.lock().unwrap().refusal = Some((status, body.to_owned()));
    }

    /// From now on how long a key is good.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.state.lock().unwrap().lifetime = lifetime;
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.server.connections()
    }

    /// Requests so far, refused ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.state.lock().unwrap().requests
    }
}

impl State {
    fn answer(&mut self) -> Response {
        self.requests += 1;
        if let Some((status, body)) = &self.refusal {
            return Response::new(*status, "application/json", body.as_str());
        }
        answer(self.key_id.as_deref(), SystemTime::now() + self.lifetime)
    }
}

/// A key that is good until then; without one it is an error.
#[must_use]
pub fn answer(key_id: Option<&str>, expiration: SystemTime) -> Response {
    let Some(key_id) = key_id else {
        return Response::new(500, "application/json", r#"{"code": "InternalError"}"#);
    };
    let document = serde_json::json!({
        "AccessKeyId": key_id,
        "SecretAccessKey": "secret-of-the-task-role",
        "Token": format!("token-of-{key_id}"),
        "Expiration": clock::rfc3339(expiration),
    });
    Response::new(200, "application/json", document.to_string())
}
