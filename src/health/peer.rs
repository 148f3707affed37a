//! Who is at the other end of the health socket, and whether they belong there:
//! a process of the same user in the same container. The kernel says so, for both
//! ends (`SO_PEERCRED`), and a process cannot pretend to be another one.
//!
//! The user alone is not enough: in the network mode `host` the containers of
//! several tasks can see the socket, and 65532 is the user of many images. A
//! process of another container has no process id here, unless the task has
//! `pidMode: task`: there only the user tells them apart.

use std::fmt;

/// A process at the other end, as the kernel describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user id when it connected, or when it began to listen.
    pub uid: u32,
    /// Whether it is in this process's PID namespace, or one below it.
    pub is_in_this_container: bool,
}

/// Why a peer is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// It is of another user.
    OtherUser {
        /// The peer's.
        uid: u32,
        /// This process's.
        own_uid: u32,
    },
    /// It is of the same user, and in another container.
    OtherContainer,
}

impl Peer {
    /// Whether a process of the user `own_uid` may trust this peer.
    ///
    /// # Errors
    ///
    /// What is wrong with the peer.
    pub const fn check(self, own_uid: u32) -> Result<(), Stranger> {
        if self.uid != own_uid {
            return Err(Stranger::OtherUser { uid: self.uid, own_uid });
        }
        if self.is_in_this_container { Ok(()) } else { Err(Stranger::OtherContainer) }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherUser { uid, own_uid } => write!(
                f,
                "a process of uid {uid} holds the health socket, and esp health runs as uid \
                 {own_uid}: if esp runs as uid {uid}, run esp health as the user of the sidecar; \
                 otherwise esp is not running, and another process has taken its place"
            ),
            Self::OtherContainer => f.write_str(
                "a process of another container holds the health socket: run esp health in the \
                 container that runs esp",
            ),
        }
    }
}

/// The peer of a connected socket.
///
/// # Errors
///
/// If the kernel does not say who it is.
#[cfg(target_os = "linux")]
pub fn peer(stream: &std::os::unix::net::UnixStream) -> std::io::Result<Peer> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

    let credentials = getsockopt(stream, PeerCredentials)?;
    // The kernel gives 0 for a process that has no id in this PID namespace.
    Ok(Peer { uid: credentials.uid(), is_in_this_container: credentials.pid() != 0 })
}

/// The effective user id of this process.
#[cfg(target_os = "linux")]
#[must_use]
pub fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_is_trusted_if_user_and_container_are_the_same() {
        let peer = |uid, is_in_this_container| Peer { uid, is_in_this_container };
        assert_eq!(peer(65_532, true).check(65_532), Ok(()));
        assert_eq!(peer(65_532, false).check(65_532), Err(Stranger::OtherContainer));
        // Root is no exception, on neither side.
        for (uid, own_uid) in [(0, 65_532), (65_532, 0), (1000, 65_532)] {
            for is_in_this_container in [true, false] {
                let refused = peer(uid, is_in_this_container).check(own_uid);
                assert_eq!(refused, Err(Stranger::OtherUser { uid, own_uid }));
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn both_ends_of_a_socket_pair_are_this_process() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        for end in [one, other] {
            assert_eq!(peer(&end).unwrap().check(own_uid()), Ok(()));
        }
    }
}
