//! What `esp check` prints, on its way to stdout: part by part, without secrets.

use std::io::{self, Write as _};

use super::{
    findings::{Findings, Step},
    text,
};
use crate::secrets;

/// Where the parts go as they are done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) is_text: bool,
}

impl Output {
    pub(super) fn part(self, findings: &Findings, step: Step) {
        if self.is_text {
            write(&text::part(findings, step));
        }
    }

    pub(super) fn say(self, text: &str) {
        if self.is_text {
            write(text);
        }
    }
}

/// Without secrets. A reader who has gone is no error: the exit code says it as well.
pub(super) fn write(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(secrets::clean(text).as_bytes()).and_then(|()| stdout.flush());
}
