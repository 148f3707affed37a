//! The terminal: whether there is one that can be drawn on, its size and its modes. The
//! modes it had are given back however the process ends, but by SIGKILL.

use std::{
    io::{self, IsTerminal as _, Write as _},
    panic,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

use super::frame::Size;
use crate::output::stdio::Stream;

/// The other screen, without a cursor: what was there before comes back at the end.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// A terminal that takes nothing is waited for so long at the end.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(200);

/// If a terminal does not say its size.
const USUAL: Size = Size { columns: 80, rows: 24 };
/// Larger than any: a size is what somebody has set.
const LARGEST: Size = Size { columns: 1000, rows: 500 };

/// What is to be given back.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    /// `None` if the keys come from elsewhere.
    modes: Option<Termios>,
}

/// The terminal, for as long as it is drawn on.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    /// Takes the terminal, or gives `None` if lines are to be written: stdout is none, or
    /// `TERM` says that it can do nothing, or does not say what it is.
    pub(super) fn take(term: Option<&str>) -> Option<Self> {
        let is_dumb = term.is_none_or(|term| matches!(term, "" | "dumb" | "unknown"));
        if is_dumb || !io::stdout().is_terminal() {
            return None;
        }
        let modes = tcgetattr(io::stdin()).ok();
        // Before anything is changed: a panic gives back what there was.
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            usual(panic);
        }));
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Before { modes: modes.clone() });
        if let Some(modes) = modes {
            // Without it, keys come after a line feed and are seen. That is no reason to end.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &key_by_key(modes));
        }
        write_in_time(ENTER);
        Some(Self(()))
    }

    /// Its size now: it may change at any time.
    #[expect(clippy::unused_self, reason = "only who has the terminal asks")]
    pub(super) fn size(&self) -> Size {
        let said = tcgetwinsize(io::stdout()).map(|size| (size.ws_col.into(), size.ws_row.into()));
        match said {
            Ok((columns, rows)) if columns > 0 && rows > 0 => {
                Size { columns: LARGEST.columns.min(columns), rows: LARGEST.rows.min(rows) }
            }
            _ => USUAL,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Keys as they are pressed, unseen. Ctrl-C is a key too, and Ctrl-Z and Ctrl-S are none.
fn key_by_key(mut modes: Termios) -> Termios {
    modes.local_modes -=
        LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    modes.input_modes -= rustix::termios::InputModes::IXON;
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes
}

/// Once, whoever is first.
fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(before) = before else { return };
    write_in_time(LEAVE);
    if let Some(modes) = before.modes {
        // Not after what is still to be written: that may be never.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
}

/// Writes a few bytes, unless the terminal takes none.
fn write_in_time(text: &str) {
    let mut stream = Stream::new(io::stdout());
    if stream.wait(LEAVE_TIMEOUT) {
        let _ = stream.write(text.as_bytes());
    }
}

/// A frame as the terminal is told it. Each line is emptied before it is written: after the
/// last column, that would take the column with it.
pub(super) fn drawing(lines: &[String]) -> String {
    let mut text = "\x1b[H".to_owned();
    for (place, line) in lines.iter().enumerate() {
        text += if place == 0 { "\x1b[K" } else { "\r\n\x1b[K" };
        text += line;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_drawn_over_the_one_before_it() {
        let lines = ["a".to_owned(), String::new(), "b".to_owned()];
        assert_eq!(drawing(&lines), "\x1b[H\x1b[Ka\r\n\x1b[K\r\n\x1b[Kb");
    }

    #[test]
    fn without_a_terminal_that_can_draw_lines_are_written() {
        for term in [None, Some(""), Some("dumb"), Some("unknown")] {
            assert!(Terminal::take(term).is_none());
        }
    }
}
