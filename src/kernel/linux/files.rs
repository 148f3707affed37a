//! Files of the kernel, opened and read without waiting and without more than fits
//! into a given buffer.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, ErrorKind, Read as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::FileExt as _,
    },
};

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, openat},
    io::Errno,
    path::Arg,
};

/// Longer than any path below a process's folder that is read.
const PATH_LONGEST: usize = 48;

/// A path below a process's folder in `/proc`, without an allocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProcessPath {
    bytes: [u8; PATH_LONGEST],
    length: usize,
}

impl ProcessPath {
    pub(super) fn new(pid: i32, file: &str) -> Self {
        let mut path = Self { bytes: [0; PATH_LONGEST], length: 0 };
        // It fits: a process id has ten digits, and the names are this program's.
        let _ = write!(path, "{pid}/{file}");
        path
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl std::fmt::Write for ProcessPath {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// A folder, only to look below it.
pub(super) fn open_folder(
    below: impl AsFd,
    path: impl Arg,
    more: OFlags,
) -> Result<OwnedFd, Errno> {
    openat(below, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | more, Mode::empty())
}

/// A regular file, to read. Nothing else is opened for longer than it takes to see
/// what it is, and a FIFO is not waited for.
pub(super) fn open_file(below: impl AsFd, path: impl Arg) -> Result<File, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(below, path, flags, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        _ => Err(Errno::INVAL),
    }
}

/// The beginning of a file that is opened for this once.
pub(super) fn read_once(below: impl AsFd, path: impl Arg, buffer: &mut [u8]) -> io::Result<&[u8]> {
    let mut file = open_file(below, path)?;
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&buffer[..length])
}

/// The beginning of a file that stays open, read anew. One call: the kernel writes
/// what is read like this in one piece.
pub(super) fn read_again<'a>(file: &File, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let length = file.read_at(buffer, 0)?;
    Ok(&buffer[..length])
}

/// The same for a file that the kernel may give in several pieces.
pub(super) fn read_all_again<'a>(file: &File, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    Ok(&buffer[..length])
}
