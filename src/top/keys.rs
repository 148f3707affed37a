//! The keys: what each means, and waiting for them.

use std::io;

use async_io::Async;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// To end.
    Quit,
    /// Another plot.
    NextPlot,
}

/// What bytes from a terminal ask for. A key such as an arrow sends several, of which an
/// escape is the first: those ask for nothing.
fn meaning(bytes: &[u8]) -> impl Iterator<Item = Key> {
    let typed = bytes.split(|byte| *byte == ESCAPE).next().unwrap_or_default();
    typed.iter().filter_map(|byte| match *byte {
        b'q' | b'Q' | CTRL_C | CTRL_D => Some(Key::Quit),
        b'p' | b'P' => Some(Key::NextPlot),
        _ => None,
    })
}

const ESCAPE: u8 = 0x1b;
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;

/// Hands on each key until one asks to end, or the terminal is gone. Where keys cannot be
/// waited for, that is for ever: a signal still ends it.
pub(super) async fn listen(mut on_key: impl FnMut(Key)) {
    // Its flags are those of the shell that started this, so they stay as they are.
    let Ok(stdin) = Async::new_nonblocking(io::stdin()) else {
        return std::future::pending().await;
    };
    loop {
        let mut bytes = [0; 64];
        let read = match stdin.readable().await {
            Ok(()) => rustix::io::read(stdin.get_ref(), &mut bytes),
            Err(_) => return,
        };
        match read {
            Ok(count @ 1..) => {
                for key in meaning(&bytes[..count]) {
                    if key == Key::Quit {
                        return;
                    }
                    on_key(key);
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            // Nobody is there any more.
            Ok(_) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_mean_something_do() {
        for (bytes, keys) in [
            (&b"q"[..], &[Key::Quit][..]),
            (b"xpQ", &[Key::NextPlot, Key::Quit]),
            (b"\x03", &[Key::Quit]),
            (b"\x04", &[Key::Quit]),
            // An arrow, F1, and a mouse.
            (b"\x1b[A", &[]),
            (b"\x1bOP", &[]),
            (b"p\x1b[M qp", &[Key::NextPlot]),
            (b"\r\n\0", &[]),
        ] {
            assert_eq!(meaning(bytes).collect::<Vec<_>>(), keys, "{bytes:?}");
        }
    }
}
