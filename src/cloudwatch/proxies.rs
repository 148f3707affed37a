//! Whether a request goes through a proxy, as far as the environment says. libcurl
//! reads the same variables, and decides what is not decided here.

use std::env;

/// The variables that name proxies.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    /// There is one for `https`.
    https: bool,
    /// There is one for `http`.
    http: bool,
    /// What is reached without it.
    exempt: String,
}

impl Proxies {
    /// As libcurl reads them: it has no `HTTP_PROXY`, and the lower-case name counts
    /// before the other.
    pub(super) fn from_environment() -> Self {
        let is_set = |names: &[&str]| {
            names.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
        };
        let exempt = env::var("no_proxy").or_else(|_| env::var("NO_PROXY"));
        Self {
            https: is_set(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            http: is_set(&["http_proxy", "all_proxy", "ALL_PROXY"]),
            exempt: exempt.unwrap_or_default(),
        }
    }

    /// Whether a request to `host`, which is a name, may go through one.
    pub(super) fn may_take(&self, is_https: bool, host: &str) -> bool {
        (if is_https { self.https } else { self.http }) && !self.exempts(host)
    }

    fn exempts(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.exempt.split([',', ' ', '\t']).any(|entry| {
            let domain = entry.trim_matches('.').to_ascii_lowercase();
            let is_within = || {
                host.strip_suffix(&domain)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            entry == "*" || (!domain.is_empty() && is_within())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_for_its_scheme_and_not_for_exempt_hosts() {
        let proxies = |exempt: &str| Proxies { https: true, http: false, exempt: exempt.into() };
        let host = "monitoring.eu-west-1.amazonaws.com";
        assert!(!Proxies::default().may_take(true, host));
        assert!(proxies("").may_take(true, host));
        assert!(!proxies("").may_take(false, host));
        for exempt in ["*", "amazonaws.com", ".amazonaws.com", "x, AmazonAWS.com.", host] {
            assert!(!proxies(exempt).may_take(true, host), "{exempt}");
        }
        for exempt in ["aws.com", "example.com", "169.254.170.2,10.0.0.0/8", ",", "eu-west-1"] {
            assert!(proxies(exempt).may_take(true, host), "{exempt}");
        }
    }
}
