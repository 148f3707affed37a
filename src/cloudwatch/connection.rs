//! What goes wrong below HTTP, as every connector tells it: so that what becomes
//! of the samples depends on how far the request came, not on whose client it
//! went through.

use std::{error::Error, fmt, net::SocketAddr};

use aws_smithy_runtime_api::client::result::ConnectorError;
use isahc::error::ErrorKind;

use super::{names::LookupError, proxies::Server};
use crate::publisher::Outcome;

/// Where a request ended that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionErrorKind {
    /// The request or the TLS configuration is of no use: nothing was sent.
    Unusable,
    /// No connection, or none for long enough: the name is unknown, the port
    /// closed, the certificate another's. Nothing was sent, or not all of it.
    NotConnected,
    /// No connection in time: nothing was sent, or not all of it.
    ConnectTimedOut,
    /// The connection broke, and the request may have arrived.
    Broken,
    /// No whole answer in time, and the request may have arrived.
    TimedOut,
}

/// A request without an answer.
#[derive(Debug)]
pub struct ConnectionError {
    kind: ConnectionErrorKind,
    /// Through whom, and which of a name's addresses was tried.
    way: String,
    cause: Box<dyn Error + Send + Sync>,
}

impl ConnectionError {
    /// An error of this kind, in the words of its cause.
    pub fn new(kind: ConnectionErrorKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, way: String::new(), cause: cause.into() }
    }

    /// The same error, of a try at this address, which is that of the proxy if there is
    /// one.
    pub(super) fn at(self, address: Option<SocketAddr>, proxy: Option<&Server>) -> Self {
        let proxy = proxy.map(|proxy| format!("through the proxy {proxy:?}: "));
        let address = address.map(|address| format!("{address}: "));
        let way = [proxy, address].into_iter().flatten().collect();
        Self { way, ..self }
    }

    /// Whether the connection ended after the request was sent.
    pub(super) fn is_lost(&self) -> bool {
        self.kind == ConnectionErrorKind::Broken
    }

    /// Whether a name has no address, or it cannot be told.
    pub(super) fn is_of_name(&self) -> bool {
        self.cause.is::<LookupError>()
    }

    /// Whether the other side could not prove that it is whom it should be.
    pub(super) fn is_of_trust(&self) -> bool {
        let error = self.cause.downcast_ref::<isahc::Error>();
        error.is_some_and(|error| *error.kind() == ErrorKind::BadServerCertificate)
    }

    /// Whether the request was sent, and nothing came back.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.kind, ConnectionErrorKind::Broken | ConnectionErrorKind::TimedOut)
    }

    /// Whether the request cannot have arrived, so that it may be tried elsewhere.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(
            self.kind,
            ConnectionErrorKind::NotConnected | ConnectionErrorKind::ConnectTimedOut
        )
    }

    /// What it says of the request: whether CloudWatch may have it all the same.
    pub(super) fn outcome(&self) -> Outcome {
        match self.kind {
            ConnectionErrorKind::Unusable
            | ConnectionErrorKind::NotConnected
            | ConnectionErrorKind::ConnectTimedOut => Outcome::Unreachable,
            ConnectionErrorKind::Broken => Outcome::ConnectionLost,
            ConnectionErrorKind::TimedOut => Outcome::NoAnswer,
        }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.kind {
            ConnectionErrorKind::ConnectTimedOut => "no connection, TLS included, in time: ",
            ConnectionErrorKind::TimedOut => "connected, but no whole answer in time: ",
            _ => "",
        };
        write!(f, "{}{stage}{}", self.way, self.cause)
    }
}

impl Error for ConnectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// As the SDK sorts them.
impl From<ConnectionError> for ConnectorError {
    fn from(error: ConnectionError) -> Self {
        match error.kind {
            ConnectionErrorKind::Unusable => Self::user(error.into()),
            ConnectionErrorKind::NotConnected => Self::io(error.into()).never_connected(),
            ConnectionErrorKind::Broken => Self::io(error.into()),
            ConnectionErrorKind::ConnectTimedOut | ConnectionErrorKind::TimedOut => {
                Self::timeout(error.into())
            }
        }
    }
}
