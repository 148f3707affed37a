//! Whether a running sidecar is well, for the health check of its container:
//! what counts as well ([`judge`]), how `esp health` asks ([`ask`]), and who may
//! ask and answer ([`peer`]). The sidecar's side of the conversation is in
//! `sidecar`.
//!
//! They meet at an abstract Unix socket, which is neither a port nor a file. Its
//! name is made of the endpoint's URI, which is each container's own: tasks in
//! the network mode `host` share the names. A caller is told one line and nothing
//! else, and says nothing. Everybody in the network namespace can connect to the
//! name, or take it while no sidecar has it, so each side looks who the other one
//! is.

mod ask;
mod judgement;
pub mod peer;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

pub use self::{
    ask::{NoAnswer, TIMEOUT, ask},
    judgement::{Record, Rules, Verdict, judge},
};
use crate::endpoint::EndpointUri;

/// The name of the abstract socket of the sidecar with this endpoint. A hash, so
/// that those who may list the names do not learn the URI; the same in each
/// process of the same build.
#[must_use]
pub fn socket_name(uri: &EndpointUri) -> String {
    let mut hasher = DefaultHasher::new();
    uri.to_string().hash(&mut hasher);
    format!("esp-health-{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_container_has_a_name_of_its_own() {
        let name = |uri| socket_name(&EndpointUri::parse(uri).unwrap());
        let one = name("http://169.254.170.2/v4/0af3");
        assert_eq!(one, name("http://169.254.170.2/v4/0af3/"));
        assert_ne!(one, name("http://169.254.170.2/v4/0af4"));
        assert!(!one.contains("0af3") && one.len() < 100, "{one}");
    }
}
