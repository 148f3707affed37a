//! How a request gets to its server: directly, through a proxy, or by a name that has
//! to be looked up. Pure.

use std::net::IpAddr;

use isahc::http::Uri;

use super::proxies::{Proxies, Server};

/// How a request gets to its server.
pub(super) enum Way<'proxies> {
    /// The host is an address, or this machine.
    Given,
    /// To one of the addresses of a name.
    Named { name: String, port: u16 },
    /// Through a proxy, which looks up the name of the host. A tunnel is kept for as
    /// long as it works.
    Proxy(&'proxies Server),
}

impl<'proxies> Way<'proxies> {
    /// The way to `uri`.
    pub(super) fn to(uri: &Uri, is_https: bool, proxies: &'proxies Proxies) -> Self {
        let host = uri.host().unwrap_or_default();
        if is_near(host) {
            return Self::Given;
        }
        if let Some(server) = proxies.of_host(is_https, host) {
            return Self::Proxy(server);
        }
        let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
        if is_address {
            return Self::Given;
        }
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        Self::Named { name: host.to_owned(), port }
    }
}

/// Whether a host is only on this machine or its link, and so never
/// through a proxy: the sources of credentials (169.254.170.2, 169.254.170.23,
/// 169.254.169.254 and their IPv6 kin) and the loopback.
fn is_near(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            let is_ec2_metadata = address.segments()[..2] == [0xfd00, 0x0ec2];
            address.is_unicast_link_local() || address.is_loopback() || is_ec2_metadata
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_its_link_are_spared_the_proxy() {
        for host in [
            "169.254.170.2",
            "169.254.170.23",
            "169.254.169.254",
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[fd00:ec2::254]",
            "[fd00:ec2::23]",
            "[fe80::1]",
        ] {
            assert!(is_near(host), "{host}");
        }
        for host in [
            "monitoring.eu-west-1.amazonaws.com",
            "10.0.0.1",
            "192.168.1.1",
            "[2600:1f18::1]",
            "localhost.example.com",
        ] {
            assert!(!is_near(host), "{host}");
        }
    }
}
