//! `/proc/<pid>/cgroup`: which container a process belongs to. The path of its cgroup
//! has the container's id in one of its parts, in a form that depends on what made
//! the cgroup:
//!
//! - `/docker/<id>`, `/ecs/<task>/<id>`: the id itself;
//! - `docker-<id>.scope`, `cri-containerd-<id>.scope`: with systemd;
//! - `/../<id>`: seen from another cgroup namespace.
//!
//! Only ids that are asked for are looked for, and only one can be right.

use super::lines;

/// Shorter ids than this name nothing reliably. Docker's short ids have 12 digits.
const SHORTEST_ID: usize = 12;

/// A line of `/proc/<pid>/cgroup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hierarchy<'a> {
    /// The controllers of version 1, with commas; empty for version 2.
    pub controllers: &'a [u8],
    /// The process's cgroup in it, from the root of this process's cgroup namespace.
    pub path: &'a [u8],
}

impl Hierarchy<'_> {
    /// Whether it has this controller of version 1.
    #[must_use]
    pub fn has(&self, controller: &[u8]) -> bool {
        self.controllers.split(|byte| *byte == b',').any(|one| one == controller)
    }

    /// Whether it is the one of version 2.
    #[must_use]
    pub const fn is_unified(&self) -> bool {
        self.controllers.is_empty()
    }
}

/// The lines of `/proc/<pid>/cgroup`.
pub fn hierarchies(bytes: &[u8]) -> impl Iterator<Item = Hierarchy<'_>> {
    lines(bytes).filter_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (_number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        path.starts_with(b"/").then_some(Hierarchy { controllers, path })
    })
}

/// Where in the path of a process's cgroup its container's own cgroup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupPath<'a> {
    /// Up to and with the part that has the container's id.
    pub container: &'a [u8],
    /// What follows: empty, or a cgroup that the container has made inside its own.
    pub below: &'a [u8],
}

/// Which of the containers `ids` the process of this `/proc/<pid>/cgroup` belongs
/// to, by its place among them, and where that container's cgroup is. The hierarchy
/// that counts CPU time decides. `None` if none of them is named, or more than one.
#[must_use]
pub fn container_of<'a, 'b>(
    bytes: &'a [u8],
    ids: &(impl Iterator<Item = &'b str> + Clone),
) -> Option<(usize, CgroupPath<'a>)> {
    let counts = hierarchies(bytes)
        .find(|hierarchy| hierarchy.has(b"cpuacct"))
        .or_else(|| hierarchies(bytes).find(Hierarchy::is_unified))?;
    container_in(counts.path, ids)
}

/// The same for one path.
#[must_use]
pub fn container_in<'a, 'b>(
    path: &'a [u8],
    ids: &(impl Iterator<Item = &'b str> + Clone),
) -> Option<(usize, CgroupPath<'a>)> {
    let mut found: Option<(usize, CgroupPath<'a>)> = None;
    let mut end = 0;
    for part in path.split(|byte| *byte == b'/') {
        let start = end;
        end = start + part.len();
        let place = named(part, ids).ok()?;
        if let Some(place) = place {
            match found {
                // The container has made a cgroup that has its own id in its name.
                Some((known, _)) if known == place => {}
                Some(_) => return None,
                None => {
                    let path = CgroupPath { container: &path[..end], below: &path[end..] };
                    found = Some((place, path));
                }
            }
        }
        // The slash.
        end += 1;
    }
    found
}

/// More than one container is named.
struct Ambiguous;

/// Which of `ids` a part of a path names.
fn named<'b>(
    part: &[u8],
    ids: &(impl Iterator<Item = &'b str> + Clone),
) -> Result<Option<usize>, Ambiguous> {
    let part = part.strip_suffix(b".scope").unwrap_or(part);
    if part.len() < SHORTEST_ID {
        return Ok(None);
    }
    let usable = |id: &&str| id.len() >= SHORTEST_ID;
    let one = |place: Option<usize>, more: Option<usize>| match more {
        Some(_) => Err(Ambiguous),
        None => Ok(place),
    };
    let mut whole = places(ids.clone(), |id| usable(id) && part == id.as_bytes());
    let (first, second) = (whole.next(), whole.next());
    if first.is_some() {
        return one(first, second);
    }
    let ends_in = |id: &&str| {
        let rest = part.strip_suffix(id.as_bytes());
        rest.is_some_and(|rest| matches!(rest.last(), Some(b'-' | b':' | b'_' | b'.')))
    };
    let mut ending = places(ids.clone(), |id| usable(id) && ends_in(id));
    one(ending.next(), ending.next())
}

fn places<'b>(
    ids: impl Iterator<Item = &'b str>,
    is_named: impl Fn(&&str) -> bool,
) -> impl Iterator<Item = usize> {
    ids.enumerate().filter(move |(_, id)| is_named(id)).map(|(place, _)| place)
}
