//! What was found for a container, and if nothing better was, why not: for the log
//! and for `esp check --source`. A reason says what is missing.

use std::{fmt, io};

use crate::reading::Tier;

/// What was found for one container.
#[derive(Debug)]
pub struct Finding<'a> {
    /// The container, by its Docker id.
    pub docker_id: &'a str,
    /// This program runs in it.
    pub is_own: bool,
    /// Its processes that are visible and followed.
    pub processes: usize,
    /// Whether its cgroup file is open, or why not.
    pub file: Result<(), &'a NoFile>,
    /// Whether its processes can be summed, or why not.
    pub sum: Result<(), NoProcesses>,
}

impl Finding<'_> {
    /// Why nothing of it can be read; `None` if something can.
    #[must_use]
    pub fn why_not(&self) -> Option<String> {
        let (no_file, no_processes) = (self.file.err()?, self.sum.err()?);
        Some(match no_file {
            NoFile::NoProcess => no_processes.to_string(),
            no_file => format!("{no_file}; {no_processes}"),
        })
    }

    /// What of it is read, if something can be.
    #[must_use]
    pub const fn tier(&self) -> Option<Tier> {
        match (self.file, self.sum) {
            (Ok(()), _) => Some(Tier::CgroupFile),
            (Err(_), Ok(())) => Some(Tier::Processes),
            (Err(_), Err(_)) => None,
        }
    }
}

/// Why a container's cgroup file is not read.
#[derive(Debug)]
pub enum NoFile {
    /// No process of it is visible.
    NoProcess,
    /// The root of its process, or a file below it, could not be opened.
    Open {
        /// What was opened, below the process's root; empty for the root itself.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// What lies there is not on a cgroup file system.
    NotCgroup {
        /// Where, below the process's root.
        path: String,
    },
    /// What lies there is another cgroup than that of the container's processes.
    OtherCgroup,
    /// Its content is not the counter.
    NotACounter,
    /// It was open, and reading it began to fail.
    Lost(io::Error),
}

/// Why a container's processes are not summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoProcesses {
    /// `/proc` cannot be read.
    NoProc,
    /// Only processes of ESP's own container are visible.
    NotShared,
    /// Processes of other containers are visible, none of this one.
    NotVisible,
    /// So many processes are more than are followed.
    TooMany {
        /// The limit.
        limit: usize,
    },
}

/// Why no network interface is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoInterface {
    /// The task document gives neither MAC nor IPv4 address.
    NothingGiven,
    /// No interface here has such an address.
    NoMatch,
    /// Several interfaces have it.
    Ambiguous,
    /// `/sys/class/net` and the list of addresses cannot be read.
    NoList,
}

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess => f.write_str("none of its processes is visible"),
            Self::Open { path, error } => {
                match path.as_str() {
                    "" => f.write_str("the root of its process cannot be opened: ")?,
                    path => write!(f, "its cgroup file {path} cannot be opened: ")?,
                }
                error.fmt(f)?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    f.write_str(" (needs the same uid and gid, or uid 0 and SYS_PTRACE)")?;
                }
                Ok(())
            }
            Self::NotCgroup { path } => write!(f, "its {path} is not on a cgroup file system"),
            Self::OtherCgroup => {
                f.write_str("the cgroup in its file system is not the one of its processes")
            }
            Self::NotACounter => f.write_str("its cgroup file has no counter"),
            Self::Lost(error) => write!(f, "its cgroup file can no longer be read: {error}"),
        }
    }
}

impl fmt::Display for NoProcesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProc => f.write_str("/proc cannot be read"),
            Self::NotShared => f.write_str(
                "its processes are not visible, because there is no shared PID namespace (set \
                 pidMode to task in the task definition)",
            ),
            Self::NotVisible => f.write_str(
                "none of its processes is visible, or none has the container's id in the path of \
                 its cgroup",
            ),
            Self::TooMany { limit } => {
                write!(f, "there are more than {limit} processes, which is the limit")
            }
        }
    }
}

impl fmt::Display for NoInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingGiven => "the task document has neither a MAC nor an IPv4 address",
            Self::NoMatch => "no network interface here has the task's MAC or IPv4 address",
            Self::Ambiguous => "several network interfaces have the task's address",
            Self::NoList => "the network interfaces cannot be listed",
        })
    }
}
