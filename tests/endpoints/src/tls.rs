//! Certificates for a server on this machine, made anew for each one: a good
//! one, and those that a client has to refuse. The authority's own certificate
//! is what a client is given to trust.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A name that a server may have where a name server of the test's own gives it
/// an address.
pub const NAME: &str = "monitoring.example";

/// What kind of certificate a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// For `localhost` and for [`NAME`].
    Valid,
    /// For another name.
    WrongName,
    /// For the same, until the year 2020.
    Expired,
}

/// A server's side of TLS, and what vouches for it.
#[derive(Debug, Clone)]
pub struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    authority_pem: String,
}

impl Tls {
    /// A certificate of that kind under an authority of its own.
    #[must_use]
    pub fn new(certificate: Certificate) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);

        let names = match certificate {
            Certificate::Valid | Certificate::Expired => vec!["localhost".into(), NAME.into()],
            Certificate::WrongName => vec!["elsewhere.example".into()],
        };
        let mut params = CertificateParams::new(names).unwrap();
        if certificate == Certificate::Expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self { config: Arc::new(config), authority_pem }
    }

    /// The authority's certificate, for the file in `AWS_CA_BUNDLE`.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }
}
