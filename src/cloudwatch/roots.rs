//! The certificates that are trusted where no bundle is named: Mozilla's, which
//! are in the program.

use std::sync::LazyLock;

use isahc::tls::TrustStore;
use tracing::debug;

/// Mozilla's roots.
///
/// As a file, if the system has one that is in memory alone. Of a bundle that it
/// is handed as bytes, libcurl keeps a copy for each connection, and compares all
/// of it with that copy for each request; a file it reads at the handshake.
pub(super) fn built_in() -> TrustStore {
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::cloudwatch::check_ca_bundle;

    #[test]
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
