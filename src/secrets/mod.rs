//! What no log line and no report may show: the secrets in use, and how they are
//! taken out of a text. Peers quote what was sent to them: AWS's answer to a wrong
//! signature has the whole request in it, session token included.
//!
//! Two things find a secret: its value, in whatever encoding (`views`, `forms`,
//! `redaction`), and the name before it (`names`), which also finds those that nobody told us of.
//!
//! [`clean`] is for the way out: every line of the log and all that `esp check`
//! prints goes through it. [`peer_text`] is for a message that is made of what a
//! peer sent.

mod forms;
mod names;
mod redaction;
mod views;

use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

use self::redaction::{is_hidden_in, shown};

/// How much of what a peer sent is shown, characters.
const MAX_PEER_CHARACTERS: usize = 600;

/// How much of it is looked at, bytes: [`MAX_PEER_CHARACTERS`] of it and the rest of
/// a secret that is cut there.
const MAX_PEER_BYTES: usize = 16 * 1024;

/// Secrets of which there may be one more every few hours: the last ones.
const MAX_ROTATING: usize = 12;
/// Those of single requests.
const MAX_PASSING: usize = 4;

static SECRETS: Mutex<Secrets> =
    Mutex::new(Secrets { fixed: Vec::new(), rotating: VecDeque::new(), passing: VecDeque::new() });

/// The environment variables that hold a secret.
pub const SECRET_VARIABLES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    // As the SDK reads the same.
    "SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// Those that hold a URL, in which there may be a user and a password.
pub const URL_VARIABLES: [&str; 11] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_CLOUDWATCH",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

/// The secrets in use.
#[derive(Debug)]
struct Secrets {
    /// Those of the environment: for as long as the process lives.
    fixed: Vec<String>,
    rotating: VecDeque<String>,
    passing: VecDeque<String>,
}

/// All of them, copied: a panic while they are locked could not be logged.
fn all() -> Vec<String> {
    let secrets = secrets();
    secrets.fixed.iter().chain(&secrets.rotating).chain(&secrets.passing).cloned().collect()
}

fn secrets() -> MutexGuard<'static, Secrets> {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the environment's secrets, where `get` gives a variable's value.
pub fn keep_environment(get: impl Fn(&str) -> Option<String>) {
    let in_urls = URL_VARIABLES.into_iter().filter_map(&get).flat_map(|url| user_info(&url));
    let all: Vec<_> = SECRET_VARIABLES.into_iter().filter_map(&get).chain(in_urls).collect();
    for secret in &all {
        keep_always(secret);
    }
}

/// Keeps a secret for as long as the process lives.
pub fn keep_always(secret: &str) {
    let mut secrets = secrets();
    if !secret.is_empty() && !secrets.fixed.iter().any(|kept| kept == secret) {
        secrets.fixed.push(secret.to_owned());
    }
}

/// Keeps a secret that others follow: part of a key, or a token.
pub fn keep(secret: &str) {
    keep_in(&mut secrets().rotating, secret, MAX_ROTATING);
}

/// Keeps a secret of one request: its signature.
pub fn keep_passing(secret: &str) {
    keep_in(&mut secrets().passing, secret, MAX_PASSING);
}

fn keep_in(kept: &mut VecDeque<String>, secret: &str, most: usize) {
    if secret.is_empty() || kept.iter().any(|kept| kept == secret) {
        return;
    }
    if kept.len() == most {
        kept.pop_front();
    }
    kept.push_back(secret.to_owned());
}

/// What the header of a request says that is a secret.
pub fn keep_header(name: &str, value: &str) {
    match name {
        "authorization" => {
            let parts = value.split([' ', ',']).filter_map(|part| part.split_once('='));
            let mut is_signed = false;
            for (name, value) in parts {
                match name {
                    "Credential" => keep(value.split('/').next().unwrap_or(value)),
                    "Signature" => keep_passing(value),
                    _ => continue,
                }
                is_signed = true;
            }
            if !is_signed {
                keep(value);
            }
        }
        "x-amz-security-token" | "x-aws-ec2-metadata-token" => keep(value),
        _ => {}
    }
}

/// What the form of a request says that is a secret: the token of a web identity.
pub fn keep_form(form: &str) {
    let token = form.split('&').find_map(|field| field.strip_prefix("WebIdentityToken="));
    keep(&percent_decoded(token.unwrap_or_default()));
}

/// The password of a URL, and the user with it: as they are written, and as they are
/// sent, without percent-encoding.
fn user_info(url: &str) -> Vec<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let Some((info, _)) = rest.rsplit_once('@') else { return Vec::new() };
    // The user's name is not a secret, and may be an ordinary word.
    let password = info.split_once(':').map(|(_, password)| password);
    let written = [Some(info), password].into_iter().flatten();
    written.flat_map(|text| [text.to_owned(), percent_decoded(text)]).collect()
}

/// The text with its escapes resolved. One that is none stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        });
        bytes.push(byte.unwrap_or(*first));
        rest = &after[if byte.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `text`, without the secrets in it, and without control characters but the ends
/// of lines. For a whole line or report on its way out: names of fields stay, even
/// if a secret is one of them.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let mut hidden = is_hidden_in(text, all().iter().map(String::as_str));
    redaction::show_field_names(text, &mut hidden);
    match shown(text, &hidden) {
        Cow::Borrowed(text) => escaped(text),
        Cow::Owned(text) => Cow::Owned(escaped(&text).into_owned()),
    }
}

/// What a peer sent, for a message: one line, without secrets and control
/// characters, and not longer than 600 characters.
#[must_use]
pub fn peer_text(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_PEER_BYTES)];
    // Ends of lines and tabs are of no use in one line; other control characters
    // are escaped.
    let line = without_secrets(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = escaped(&line);
    match line.char_indices().nth(MAX_PEER_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into_owned(),
    }
}

/// What a peer sent, without secrets, and at most 16 kB of it. To be called before it is
/// cut or escaped: a secret that is cut could not be told any more.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MAX_PEER_BYTES)];
    let hidden = is_hidden_in(text, all().iter().map(String::as_str));
    shown(text, &hidden).into_owned()
}

/// The text with control characters, but the ends of lines, with those that change the
/// direction of writing and those that nobody sees as `\u001b`. Inside a JSON string that
/// means the same.
fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_plain(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(escaped)
}

fn is_plain(c: char) -> bool {
    let is_of_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2066}'..='\u{2069}');
    let is_unseen = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}')
        || matches!(c, '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}');
    c == '\n' || !(c.is_control() || is_of_direction || is_unseen)
}

#[cfg(test)]
mod tests;
