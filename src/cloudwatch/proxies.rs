//! Which proxy a request goes through, and how libcurl is told. Pure. libcurl would read
//! the same variables and decide by itself, but it looks up the name of a proxy within
//! the time to connect: see `names`. So it is told a proxy for each request, by its
//! address if that can be, or that there is none.

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, SocketAddr},
};

use crate::settings::{Settings, url::Proxy};

/// The proxies that the settings name.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    https: Option<Server>,
    http: Option<Server>,
    /// What is reached without one.
    exempt: String,
}

/// A proxy. `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// What named it.
    pub(super) variable: String,
    scheme: String,
    /// `USER:PASSWORD@`, fit for a URL, or nothing.
    user_info: String,
    host: String,
    port: u16,
}

impl Proxies {
    /// Those of the settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let server = |proxy: &Option<Proxy>| proxy.as_ref().map(Server::of);
        Self {
            https: server(&settings.https_proxy),
            http: server(&settings.http_proxy),
            exempt: settings.no_proxy.clone().unwrap_or_default(),
        }
    }

    /// The one for a request to `host`, a name or an address, if it is to take one.
    pub(super) fn of_host(&self, is_https: bool, host: &str) -> Option<&Server> {
        let server = if is_https { &self.https } else { &self.http };
        server.as_ref().filter(|_| !self.exempts(host))
    }

    fn exempts(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches([']', '.']).to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        self.exempt.split([',', ' ', '\t']).any(|entry| match address {
            _ if entry == "*" => true,
            Some(address) => is_in_network(address, entry),
            None => is_in_domain(&host, entry),
        })
    }
}

/// Whether `entry` is the name, or a domain that it is in, with or without points around.
fn is_in_domain(host: &str, entry: &str) -> bool {
    let domain = entry.trim_matches('.').to_ascii_lowercase();
    let rest = host.strip_suffix(&domain).filter(|_| !domain.is_empty());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether `entry` is the address, or a network that it is in.
fn is_in_network(address: IpAddr, entry: &str) -> bool {
    let (network, bits) =
        entry.split_once('/').map_or((entry, None), |(host, bits)| (host, Some(bits)));
    let network: Option<IpAddr> = network.parse().ok();
    let is_within = |of_address: u128, of_network: u128, all: u32| {
        let bits = bits.map_or(Some(all), |bits| bits.parse().ok()).filter(|bits| *bits <= all);
        // A shift by all the bits is none that there is.
        bits.is_some_and(|bits| (of_address ^ of_network).checked_shr(all - bits).unwrap_or(0) == 0)
    };
    match (address, network) {
        (IpAddr::V4(address), Some(IpAddr::V4(network))) => {
            is_within(address.to_bits().into(), network.to_bits().into(), 32)
        }
        (IpAddr::V6(address), Some(IpAddr::V6(network))) => {
            is_within(address.to_bits(), network.to_bits(), 128)
        }
        _ => false,
    }
}

impl Server {
    /// Of a URL that was checked; without a scheme it is `http`, as libcurl has it.
    fn of(proxy: &Proxy) -> Self {
        let (scheme, rest) = proxy.url.split_once("://").unwrap_or(("http", &proxy.url));
        let (rest, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user_info, authority) =
            rest.rsplit_once('@').map_or((None, rest), |(u, a)| (Some(u), a));
        let scheme = scheme.to_ascii_lowercase();
        // The point after an address in brackets, if there is one.
        let after_host = authority.rfind(']').unwrap_or(0);
        let colon = authority[after_host..].find(':').map(|at| after_host + at);
        let (host, port) =
            colon.map_or((authority, ""), |at| (&authority[..at], &authority[at + 1..]));
        let usual_port = if scheme == "https" { 443 } else { 1080 };
        Self {
            variable: proxy.variable.clone(),
            user_info: user_info.map(|it| encoded(it) + "@").unwrap_or_default(),
            host: host.to_owned(),
            port: port.parse().unwrap_or(usual_port),
            scheme,
        }
    }

    /// Its name and port, if it has to be looked up. An `https` proxy is not: libcurl
    /// checks the name in its certificate, and so has to be told the name.
    pub(super) fn name(&self) -> Option<(&str, u16)> {
        let is_address = self.host.starts_with('[') || self.host.parse::<IpAddr>().is_ok();
        (self.scheme != "https" && !is_address).then_some((self.host.as_str(), self.port))
    }

    /// The URL for libcurl: by its address, or as it is.
    pub(super) fn url(&self, address: Option<SocketAddr>) -> String {
        let Self { scheme, user_info, host, port, .. } = self;
        match address {
            Some(address) => format!("{scheme}://{user_info}{address}"),
            None => format!("{scheme}://{user_info}{host}:{port}"),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, scheme, host, port, .. } = self;
        write!(f, "{scheme}://{host}:{port} ({variable})")
    }
}

/// A user and a password with codes for what a URL may not hold there. libcurl decodes
/// them; codes that are there already stay.
fn encoded(user_info: &str) -> String {
    let mut encoded = String::with_capacity(user_info.len());
    for c in user_info.chars() {
        if c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:%".contains(c) {
            encoded.push(c);
        } else {
            // Only ASCII is a proxy.
            let _ = write!(encoded, "%{:02X}", u32::from(c));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Server {
        Server::of(&Proxy { variable: "HTTPS_PROXY".to_owned(), url: url.to_owned() })
    }

    fn proxies(exempt: &str) -> Proxies {
        Proxies { https: Some(server("http://proxy:1")), http: None, exempt: exempt.into() }
    }

    #[test]
    fn a_proxy_is_for_its_scheme_and_not_for_exempt_hosts() {
        let host = "monitoring.eu-west-1.amazonaws.com";
        let takes = |exempt: &str, host: &str| proxies(exempt).of_host(true, host).is_some();
        assert!(Proxies::default().of_host(true, host).is_none());
        assert!(proxies("").of_host(false, host).is_none());
        for exempt in
            ["*", "amazonaws.com", ".amazonaws.com", "x, AmazonAWS.com.", "x amazonaws.com", host]
        {
            assert!(!takes(exempt, host), "{exempt}");
        }
        for exempt in ["", "aws.com", "example.com", "169.254.170.2,10.0.0.0/8", ",", "eu-west-1"] {
            assert!(takes(exempt, host), "{exempt}");
        }
    }

    #[test]
    fn addresses_are_exempt_by_themselves_and_by_their_networks() {
        for (exempt, host, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("x, 10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.4", false),
            ("0.0.0.0/0", "10.1.2.4", true),
            ("0.0.0.0/0", "[fd00::1]", false),
            ("fd00::/8", "[fd12::1]", true),
            ("fd00::/8", "[fe12::1]", false),
            ("::/0", "[fe12::1]", true),
            ("::1", "[::1]", true),
            // Not a domain.
            ("2.3", "10.1.2.3", false),
            ("*", "10.1.2.3", true),
        ] {
            let is_exempt = proxies(exempt).of_host(true, host).is_none();
            assert_eq!(is_exempt, expected, "{exempt} {host}");
        }
    }

    #[test]
    fn libcurl_is_told_the_address_of_a_proxy_with_a_name() {
        let address = SocketAddr::from(([10, 0, 0, 1], 3128));
        let six = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 1080));
        for (url, name, told, by_address) in [
            (
                "proxy.internal:3128",
                Some(("proxy.internal", 3128)),
                "http://proxy.internal:3128",
                address,
            ),
            ("http://proxy/x", Some(("proxy", 1080)), "http://proxy:1080", address),
            ("SOCKS5H://proxy", Some(("proxy", 1080)), "socks5h://proxy:1080", six),
            (
                "http://u:p%40^w@x@proxy:1",
                Some(("proxy", 1)),
                "http://u:p%40%5Ew%40x@proxy:1",
                address,
            ),
            ("user@proxy:2", Some(("proxy", 2)), "http://user@proxy:2", address),
            ("http://10.0.0.9:3128", None, "http://10.0.0.9:3128", address),
            ("[fd00::9]:3", None, "http://[fd00::9]:3", address),
            ("[fd00::9]", None, "http://[fd00::9]:1080", address),
            ("https://proxy.internal", None, "https://proxy.internal:443", address),
        ] {
            let server = server(url);
            assert_eq!(server.name(), name, "{url}");
            assert_eq!(server.url(None), told, "{url}");
            let expected = match told.rsplit_once('@') {
                Some((before, _)) => format!("{before}@{by_address}"),
                None => format!("{}://{by_address}", told.split_once("://").unwrap().0),
            };
            assert_eq!(server.url(Some(by_address)), expected, "{url}");
            for url in [server.url(None), expected] {
                assert!(url.parse::<isahc::http::Uri>().is_ok(), "{url}");
            }
            assert!(!format!("{server:?}").contains('@'), "{server:?}");
        }
    }

    #[test]
    fn whatever_a_password_is_made_of_the_url_is_one() {
        for byte in b'!'..=b'~' {
            let url = format!("http://user:a{0}b{0}{0}c@proxy:1", char::from(byte));
            if crate::settings::url::is_proxy(&url) {
                let told = server(&url).url(None);
                assert!(told.parse::<isahc::http::Uri>().is_ok(), "{told}");
            }
        }
    }
}
