//! Files that a variable or a profile names are read within bounds: a file that never
//! ends, or a pipe that nobody writes to, would hold up the whole program.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// The longest file that is read, bytes. A bundle of all public certificates has a quarter
/// of that, a file of profiles or a token far less.
const MAX_BYTES: u64 = 1 << 20;

/// What is in the file.
///
/// # Errors
///
/// It cannot be read, it is longer than 1 MiB, or it is a pipe without content.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = open(path)?.take(MAX_BYTES + 1);
    if file.read_to_end(&mut bytes)? as u64 > MAX_BYTES {
        return Err(too_long());
    }
    Ok(bytes)
}

/// Whether whoever reads the file without bounds comes to an end. The SDK reads the files
/// with tokens like that, and libcurl the bundle of certificates.
///
/// # Errors
///
/// It cannot be opened, it is no regular file, or it is longer than 1 MiB.
pub(super) fn check_end(path: &Path) -> io::Result<()> {
    let metadata = open(path)?.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > MAX_BYTES { Err(too_long()) } else { Ok(()) }
}

/// Without waiting for somebody who writes to a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn too_long() -> io::Error {
    io::Error::other("it is longer than 1 MiB")
}
