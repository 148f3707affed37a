//! URLs in variables that ESP does not define: CloudWatch's address and proxies.
//! They are checked as the libraries that use them would read them, so that a wrong
//! one is found at the start. Names are not resolved here.

use std::{fmt, net::Ipv6Addr};

/// The address of an AWS service, as a variable named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUrl {
    /// `AWS_ENDPOINT_URL` or the like, or which key of which profile.
    pub variable: String,
    /// `http://HOST[:PORT][/PATH]` or `https://…`: what [`is_endpoint_url`] accepts.
    pub url: String,
}

impl EndpointUrl {
    /// Whether requests to it are encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }

    /// What is expected of a switch for FIPS or dual-stack endpoints beside it: the SDK
    /// refuses both with each request.
    pub(crate) fn instead_of_switch(&self) -> String {
        let Self { variable, .. } = self;
        format!(
            "false, because {variable} is set: put the FIPS or dual-stack address there, or remove \
             {variable}"
        )
    }
}

/// A proxy, as a variable named it. `Debug` and `Display` show no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `https_proxy`, `HTTPS_PROXY` and so on.
    pub variable: String,
    /// What [`is_proxy`] accepts. It may hold a password: not for a log.
    pub url: String,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.url))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy {{ variable: {:?}, url: \"{self}\" }}", self.variable)
    }
}

/// Schemes of a proxy that libcurl knows; without one it assumes `http`.
pub const PROXY_SCHEMES: [&str; 7] =
    ["http", "https", "socks5h", "socks5", "socks4a", "socks4", "socks"];

/// Whether `text` is an absolute `http` or `https` URL with a host, and without a
/// user, a query or a fragment: the SDK appends a path to it.
///
/// ```
/// assert!(esp::settings::url::is_endpoint_url("https://monitoring.internal:8443/aws"));
/// assert!(!esp::settings::url::is_endpoint_url("monitoring.internal"));
/// ```
#[must_use]
pub fn is_endpoint_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_scheme = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let is_path =
        path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte));
    is_scheme && is_path && is_authority(authority)
}

/// Whether libcurl takes `text` for a proxy: `[SCHEME://][USER[:PASSWORD]@]HOST[:PORT]`
/// with one of [`PROXY_SCHEMES`]. Like libcurl, it ignores a path.
#[must_use]
pub fn is_proxy(text: &str) -> bool {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let (rest, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = rest.rsplit_once('@').map_or(rest, |(_, authority)| authority);
    PROXY_SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) && is_authority(authority)
}

/// Whether `text` is what libcurl expects in `NO_PROXY`: names, addresses and
/// networks, with commas or blanks between them, or a lone `*`.
#[must_use]
pub fn is_no_proxy(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let is_entry = |entry: &str| {
        let (host, bits) = entry.split_once('/').map_or((entry, None), |(h, b)| (h, Some(b)));
        let is_network = bits.is_none_or(|bits| {
            host.parse::<std::net::IpAddr>().is_ok_and(|address| {
                let most = if address.is_ipv4() { 32 } else { 128 };
                bits.parse::<u8>().is_ok_and(|bits| bits <= most)
            })
        });
        let host = host.strip_prefix('.').unwrap_or(host);
        is_network && (is_host_name(host) || host.parse::<Ipv6Addr>().is_ok())
    };
    text.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()).all(is_entry)
        && text.contains(|c: char| c.is_ascii_alphanumeric())
}

/// `text` with `***` for what stands before an `@`, which may be a password.
#[must_use]
pub fn without_password(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else { return text.to_owned() };
    match before.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://***@{host}"),
        None => format!("***@{host}"),
    }
}

/// `HOST[:PORT]`, an IPv6 address in brackets.
fn is_authority(text: &str) -> bool {
    let (is_host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let Some((host, rest)) = bracketed.split_once(']') else { return false };
        let port = if rest.is_empty() { None } else { rest.strip_prefix(':').or(Some("")) };
        (host.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
        (is_host_name(host), port)
    };
    let is_port = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    is_host && is_port
}

/// A name or an IPv4 address: labels of letters, digits, `-` and `_`, with dots
/// between them and perhaps one at the end.
fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_url_is_absolute_http_with_a_host() {
        for good in [
            "http://127.0.0.1:4566",
            "https://monitoring.internal",
            "HTTPS://Monitoring.internal.",
            "https://vpce-1_a.monitoring.eu-west-1.vpce.amazonaws.com/",
            "http://[::1]:4566/cloudwatch",
        ] {
            assert!(is_endpoint_url(good), "{good}");
        }
        for bad in [
            "",
            "monitoring.internal",
            "//monitoring.internal",
            "/path",
            "https://",
            "https:///path",
            "https://:443",
            "https:monitoring.internal",
            "ftp://monitoring.internal",
            "https://a b",
            " https://a",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a:+1",
            "https://a:http",
            "https://[::1",
            "https://[::1]4566",
            "https://[nonsense]",
            "https://a..b",
            "https://user:password@a",
            "https://a/?x=y",
            "https://a#b",
            "https://mönitoring",
            "https://a/b\nc",
            "true",
        ] {
            assert!(!is_endpoint_url(bad), "{bad:?}");
        }
    }

    #[test]
    fn proxy_is_what_libcurl_takes() {
        for good in [
            "http://proxy.internal:3128",
            "http://proxy.internal:3128/ignored",
            "https://proxy.internal",
            "proxy.internal:3128",
            "10.0.0.1:3128",
            "http://user:pass%40word@proxy:3128",
            "http://user:p@ss@proxy:3128",
            "user@proxy",
            "socks5h://[fd00::1]:1080",
            "SOCKS5://proxy",
        ] {
            assert!(is_proxy(good), "{good}");
        }
        for bad in [
            "",
            "ftp://x y",
            "ftp://proxy:21",
            "x y",
            "http://",
            "http://:3128",
            "http://proxy:port",
            "http://proxy:99999",
            "http://user:a b@proxy",
            "http://user:pass/word@proxy",
            "socks6://proxy",
            "http:/proxy",
            "http://proxy\u{fffd}",
        ] {
            assert!(!is_proxy(bad), "{bad:?}");
        }
    }

    #[test]
    fn no_proxy_is_a_list_of_hosts() {
        for good in [
            "*",
            ".api.aws",
            "169.254.170.2,169.254.169.254,.shop.internal",
            "a b,, c",
            "10.0.0.0/8,fd00::/8,::1",
        ] {
            assert!(is_no_proxy(good), "{good}");
        }
        for bad in ["", ",", "*.internal", "http://a", "a:80", "10.0.0.0/33", "a/8", "a;b", "ü"] {
            assert!(!is_no_proxy(bad), "{bad:?}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        for (text, shown) in [
            ("http://user:secret@proxy:3128", "http://***@proxy:3128"),
            ("user:se@cret@proxy", "***@proxy"),
            ("ftp://x y", "ftp://x y"),
            ("http://proxy", "http://proxy"),
        ] {
            assert_eq!(without_password(text), shown);
            let proxy = Proxy { variable: "HTTPS_PROXY".into(), url: text.into() };
            assert!(!format!("{proxy:?} {proxy}").contains("cret"), "{proxy:?}");
        }
    }
}
