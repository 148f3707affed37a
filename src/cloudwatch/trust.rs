//! The certificates that are trusted towards AWS: those of a bundle that was
//! named, or Mozilla's, which are in the program.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use isahc::tls::TrustStore;
use tracing::debug;

use super::files;

/// What is in `ca_bundle`, or else Mozilla's roots.
pub(super) fn store(ca_bundle: Option<PathBuf>) -> TrustStore {
    ca_bundle.map_or_else(built_in, TrustStore::from_file)
}

/// Mozilla's roots, the same for the whole process.
///
/// As a file, if the system has one that is in memory alone. Of a bundle that it
/// is handed as bytes, libcurl keeps a copy for each connection, and compares all
/// of it with that copy for each request; a file it reads at the handshake.
fn built_in() -> TrustStore {
    static BUILT_IN: LazyLock<TrustStore> =
        LazyLock::new(|| match file::of(webpki_root_certs::TLS_SERVER_ROOT_CERTS) {
            Ok(path) => TrustStore::from_file(path),
            Err(error) => {
                debug!(%error, "no file in memory for the roots");
                TrustStore::webpki_roots()
            }
        });
    BUILT_IN.clone()
}

/// Whether `path` holds at least one certificate; for the configuration.
///
/// # Errors
///
/// One line that says why not.
pub fn check_ca_bundle(path: &Path) -> Result<(), String> {
    // libcurl reads it as well, and without an end if it has none.
    let text = files::check_end(path)
        .and_then(|()| files::read(path))
        .map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8_lossy(&text);
    let mut certificates = text.split("-----BEGIN CERTIFICATE-----").skip(1).peekable();
    if certificates.peek().is_none() {
        return Err("holds no certificate in PEM form".to_owned());
    }
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    for (certificate, number) in certificates.zip(1..) {
        let body = certificate.split_once("-----END CERTIFICATE-----").map(|(body, _)| body.trim());
        // The shortest there are have some hundred bytes, and begin like this.
        let is_whole = body.is_some_and(|body| {
            body.starts_with("MI")
                && body.len() > 100
                && body.chars().all(|c| is_base64(c) || c.is_ascii_whitespace())
        });
        if !is_whole {
            return Err(format!("holds something other than a certificate in PEM block {number}"));
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod file {
    use std::{
        fs::File,
        io::{self, BufWriter, Write as _},
        os::fd::{AsRawFd as _, IntoRawFd as _},
        path::PathBuf,
    };

    use pem_rfc7468::{LineEnding, encode_string};
    use rustix::fs::{MemfdFlags, memfd_create};

    /// These certificates in PEM form, for as long as the process lives.
    pub(super) fn of(certificates: &[impl AsRef<[u8]>]) -> io::Result<PathBuf> {
        let file = memfd_create("roots", MemfdFlags::CLOEXEC)?;
        let mut writer = BufWriter::new(File::from(file));
        for certificate in certificates {
            let pem = encode_string("CERTIFICATE", LineEnding::LF, certificate.as_ref())
                .map_err(io::Error::other)?;
            writer.write_all(pem.as_bytes())?;
        }
        let file = writer.into_inner()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // Not where /proc is missing, or kept from the process itself.
        File::open(&path)?;
        // Left open, since this is the only way to it.
        let _ = file.into_raw_fd();
        Ok(path)
    }
}

#[cfg(not(target_os = "linux"))]
mod file {
    use std::{io, path::PathBuf};

    pub(super) fn of(_: &[impl AsRef<[u8]>]) -> io::Result<PathBuf> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_certificates_or_an_error() {
        let whole = format!("MII{}", "A".repeat(200));
        let block = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let file = std::env::temp_dir().join(format!("esp-bundle-{}", std::process::id()));
        for (text, expected) in [
            (block(&whole), Ok(())),
            (format!("# roots\n{}{}", block(&whole), block(&whole)), Ok(())),
            ("nothing".to_owned(), Err("holds no certificate in PEM form")),
            (block("garbage"), Err("holds something other than a certificate in PEM block 1")),
            (
                block(&whole) + &block("MII!")[..30],
                Err("holds something other than a certificate in PEM block 2"),
            ),
        ] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(check_ca_bundle(&file), expected.map_err(str::to_owned), "{text}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(check_ca_bundle(&file).unwrap_err().starts_with("cannot be read: "));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_file_has_every_root_whole() {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        let path = file::of(roots).unwrap();
        assert_eq!(check_ca_bundle(&path), Ok(()));
        let pem = std::fs::read_to_string(&path).unwrap();
        let end = "-----END CERTIFICATE-----\n";
        let read: Vec<_> = pem
            .split_inclusive(end)
            .map(|block| pem_rfc7468::decode_vec(block.as_bytes()).unwrap())
            .collect();
        assert_eq!(read.len(), roots.len());
        for ((label, read), root) in read.iter().zip(roots) {
            assert_eq!((*label, &read[..]), ("CERTIFICATE", root.as_ref()));
        }
    }
}
