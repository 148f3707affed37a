//! An error and its causes in one line.

use std::error::Error;

use crate::secrets::peer_text;

/// An error and its causes in one line, fit to be shown.
pub(super) fn one_line_chain(error: &dyn Error) -> String {
    peer_text(&chain(error))
}

/// The error and its causes, without those that only repeat one another.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
