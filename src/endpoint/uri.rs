//! The value of `ECS_CONTAINER_METADATA_URI_V4`, taken apart once at start.
//! Names are not resolved here.

use std::fmt;

/// `http://HOST[:PORT]/PATH`, opaque but for what a socket and a request line
/// need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUri {
    authority: String,
    host: String,
    port: u16,
    path: String,
}

/// What a value of the variable must look like; for the error's one line.
pub const EXPECTED: &str = "http://HOST[:PORT]/PATH, as ECS sets it";

impl EndpointUri {
    /// Takes `text` apart. A trailing slash is dropped: the agent answers 404
    /// to `…/task/` and redirects `//`.
    ///
    /// Returns `None` where it is not of the form [`EXPECTED`]. `https` is not:
    /// the endpoint speaks plain HTTP on a link-local address.
    ///
    /// ```
    /// use esp::endpoint::EndpointUri;
    ///
    /// let uri = EndpointUri::parse("http://169.254.170.2/v4/0af3/").unwrap();
    /// assert_eq!((uri.host(), uri.port()), ("169.254.170.2", 80));
    /// assert_eq!(uri.path(), "/v4/0af3");
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let rest = text.strip_prefix("http://").filter(|rest| is_plain(rest))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') || path.contains(['?', '#']) {
            return None;
        }
        let (host, port) = split_port(authority)?;
        Some(Self {
            authority: authority.to_owned(),
            host: host.to_owned(),
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// A name or an address, an IPv6 one without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// 80 unless the URI says otherwise.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path before `/task`, without a trailing slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path, which may be the Docker id of the container that asks. On
    /// today's Fargate it is; the agent of EC2, and Fargate of 2020, have a UUID of another
    /// kind there. So it is an id only if the task document has a container with it.
    #[must_use]
    pub fn own_id(&self) -> Option<&str> {
        self.path.rsplit('/').next().filter(|id| !id.is_empty())
    }

    /// Host and port as the URI has them: the `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for EndpointUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

fn split_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|&port| port != 0)?,
        None => 80,
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::EndpointUri;

    #[test]
    fn takes_what_ecs_and_its_stand_ins_set() {
        for (text, host, port, path) in [
            ("http://169.254.170.2/v4/0af3", "169.254.170.2", 80, "/v4/0af3"),
            ("http://169.254.170.2/v4/0af3/", "169.254.170.2", 80, "/v4/0af3"),
            ("http://127.0.0.1:51679/v4/a-b", "127.0.0.1", 51679, "/v4/a-b"),
            ("http://[fd00:ec2::2]/v4/x", "fd00:ec2::2", 80, "/v4/x"),
            ("http://[::1]:8080/v4/x", "::1", 8080, "/v4/x"),
            ("http://ecs-local-endpoints/v4", "ecs-local-endpoints", 80, "/v4"),
            ("http://host", "host", 80, ""),
        ] {
            let uri = EndpointUri::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((uri.host(), uri.port(), uri.path()), (host, port, path), "{text}");
            assert_eq!(uri.to_string(), text.trim_end_matches('/'));
            let own_id = path.strip_prefix('/').and_then(|path| path.split('/').next_back());
            assert_eq!(uri.own_id(), own_id, "{text}");
        }
    }

    #[test]
    fn rejects_everything_else() {
        for text in [
            "",
            "169.254.170.2/v4/0af3",
            "https://169.254.170.2/v4/0af3",
            "http://",
            "http:///v4",
            "http://:80/v4",
            "http://host:0/",
            "http://host:65536/",
            "http://host:/v4",
            "http://[::1/v4",
            "http://[nonsense]/v4",
            "http://user@host/v4",
            "http://host/v4 x",
            "http://host/v4\r\nX: y",
            "http://host/v4?x=y",
            "http://hóst/v4",
        ] {
            assert_eq!(EndpointUri::parse(text), None, "{text:?}");
        }
    }
}
