//! The Security Token Service, as far as roles are assumed there: `AssumeRole` and
//! `AssumeRoleWithWebIdentity`, in AWS's query protocol.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::http::{Request, Response, Server, Settings};

/// A running endpoint. Dropping it ends its threads.
#[derive(Debug)]
pub struct Sts {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    key_id: String,
    token: String,
    /// What is answered instead: a status, a code and a message.
    refusal: Option<(u16, String, String)>,
    asked: Vec<Asked>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `AssumeRole` or `AssumeRoleWithWebIdentity`.
    pub action: String,
    /// The form as it was sent, percent-encoded.
    pub form: String,
    /// The id of the key that signed it. Empty: it was not signed.
    pub key_id: String,
}

impl Sts {
    /// Gives the key of this id for every role, on a free port.
    #[must_use]
    pub fn start(key_id: &str) -> Self {
        let state = State {
            key_id: key_id.to_owned(),
            token: format!("token-of-{key_id}"),
            refusal: None,
            asked: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let settings = Settings { port: 0, idle: Duration::from_secs(5) };
        let server = Server::start(settings, {
            let state = Arc::clone(&state);
            move |request| state.lock().unwrap().answer(&request)
        });
        Self { server: server.expect("a port of 127.0.0.1 can be bound"), state }
    }

    /// For `AWS_ENDPOINT_URL_STS`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// From now on this error.
    pub fn refuse(&self, status: u16, code: &str, message: &str) {
        self.state.lock().unwrap().refusal = Some((status, code.to_owned(), message.to_owned()));
    }

    /// From now on keys again.
    pub fn accept(&self) {
        self.state.lock().unwrap().refusal = None;
    }

    /// From now on this session token, written as it is into the XML.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.state.lock().unwrap().token);
    }

    /// The requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Response {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let action = form.strip_prefix("Action=").and_then(|rest| rest.split('&').next());
        let action = action.unwrap_or_default().to_owned();
        let signed = request.header("authorization").unwrap_or_default();
        let key_id = signed.split_once("Credential=").map_or("", |(_, rest)| rest);
        let key_id = key_id.split('/').next().unwrap_or_default().to_owned();
        self.asked.push(Asked { action: action.clone(), form, key_id });
        if let Some((status, code, message)) = &self.refusal {
            return Response::new(*status, "text/xml", error(code, message));
        }
        Response::new(200, "text/xml", self.credentials(&action))
    }

    fn credentials(&self, action: &str) -> String {
        let Self { key_id, token, .. } = self;
        let expiration = clock::rfc3339(SystemTime::now() + Duration::from_hours(1));
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
             <AssumedRoleUser><AssumedRoleId>AROA:esp</AssumedRoleId>\
             <Arn>arn:aws:sts::111122223333:assumed-role/publisher/esp</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>{key_id}</AccessKeyId>\
             <SecretAccessKey>secret-of-{key_id}</SecretAccessKey>\
             <SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
             </{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>\
             </{action}Response>"
        )
    }
}

/// An error as STS writes it.
#[must_use]
pub fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    )
}
