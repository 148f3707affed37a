//! The bodies of a request and of its answer, between the SDK and libcurl.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_io::Timer;
use isahc::AsyncBody;
use smol::{
    future::FutureExt as _,
    io::{AsyncRead, AsyncReadExt as _, Cursor},
};
use tracing::debug;

/// The longest response that is read. CloudWatch's are a few hundred bytes,
/// credentials a few thousand.
const RESPONSE_LIMIT: u64 = 64 * 1024;

/// For the body of an answer that is read byte by byte, one a second. See `care`.
const CAREFUL_BODY_TIMEOUT: Duration = Duration::from_millis(2500);

/// In the extensions of a response whose body is not all there.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutBody;

/// Reads a body up to [`RESPONSE_LIMIT`]. `false`: there is more of it, or it broke
/// off.
pub(super) async fn read(body: AsyncBody, bytes: &mut Vec<u8>, is_careful: bool) -> bool {
    let mut limited = body.take(RESPONSE_LIMIT);
    let reading = async {
        match limited.read_to_end(bytes).await {
            Ok(_) => true,
            Err(error) => {
                debug!(%error, "an answer broke off");
                false
            }
        }
    };
    let over = async {
        if !is_careful {
            return std::future::pending().await;
        }
        Timer::after(CAREFUL_BODY_TIMEOUT).await;
        false
    };
    reading.or(over).await && limited.limit() > 0
}

/// A body that libcurl cannot send a second time. It would, unasked and unseen,
/// when a kept connection dies before the answer's first byte, although the
/// datums may have been accepted. And whether libcurl has taken all of it:
/// before that the request cannot have arrived.
pub(super) fn unrewindable(bytes: Arc<[u8]>) -> (AsyncBody, Arc<AtomicBool>) {
    let is_taken = Arc::new(AtomicBool::new(false));
    if bytes.is_empty() {
        return (AsyncBody::empty(), is_taken);
    }
    let length = bytes.len() as u64;
    let body = OnceBody { bytes: Cursor::new(bytes), is_taken: Arc::clone(&is_taken) };
    (AsyncBody::from_reader_sized(body, length), is_taken)
}

/// The bytes on their way into libcurl.
struct OnceBody {
    bytes: Cursor<Arc<[u8]>>,
    is_taken: Arc<AtomicBool>,
}

impl AsyncRead for OnceBody {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.bytes).poll_read(context, buffer);
        if self.bytes.position() >= self.bytes.get_ref().len() as u64 {
            self.is_taken.store(true, Ordering::Relaxed);
        }
        read
    }
}
