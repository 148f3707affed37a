//! Secrets that are told by what is written before them: `x-amz-security-token:`,
//! `Signature=`, `"SecretAccessKey": "`, the user and the password of a URL; and
//! the ids of AWS's keys and JSON web tokens, which begin in a known way. Pure.

/// Before a value, with `=`, `:` or their percent-encoded forms after it. In lower
/// case, and with `_` and `-` left out.
const NAMES: [&str; 15] = [
    "xamzsecuritytoken",
    "xamzsignature",
    "xamzcredential",
    "xawsec2metadatatoken",
    "secretaccesskey",
    "awssecretkey",
    "accesskeyid",
    "sessiontoken",
    "securitytoken",
    "authorizationtoken",
    "webidentitytoken",
    "proxyauthorization",
    "signature",
    "credential",
    "password",
];

/// The id of a key, and how long it is.
const KEY_ID_BEGINNINGS: [&[u8]; 2] = [b"akia", b"asia"];
const KEY_ID_LENGTH: usize = 20;

/// Marks in `hidden` what is a secret in `text`, which is in lower case.
pub(super) fn mark(text: &[u8], hidden: &mut [bool]) {
    mark_named(text, hidden);
    mark_user_info(text, hidden);
    mark_key_ids(text, hidden);
    mark_web_tokens(text, hidden);
}

fn mark_named(text: &[u8], hidden: &mut [bool]) {
    let mut position = 0;
    while position < text.len() {
        if !is_of_name(text[position]) {
            position += 1;
            continue;
        }
        let begin = position;
        while position < text.len() && is_of_name(text[position]) {
            position += 1;
        }
        let name = &text[begin..position];
        let Some(value) = value_after(text, position, name) else { continue };
        let mut end = value;
        while end < text.len() && !is_end_of_value(&text[end..]) {
            end += 1;
        }
        hidden[value..end].fill(true);
        position = end.max(position);
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_end_of_value(rest: &[u8]) -> bool {
    let byte = rest[0];
    let is_quote = |byte| matches!(byte, b'"' | b'\'');
    byte.is_ascii_whitespace()
        || is_quote(byte)
        || matches!(byte, b'&' | b',' | b';' | b'<' | b'>' | b')')
        // JSON within JSON.
        || byte == b'\\' && rest.get(1).copied().is_some_and(is_quote)
}

/// Where the value begins, if what ends at `position` is the name of a secret.
fn value_after(text: &[u8], position: usize, name: &[u8]) -> Option<usize> {
    let letters: Vec<u8> =
        name.iter().copied().filter(|byte| !matches!(byte, b'-' | b'_')).collect();
    let ends_as_known = NAMES.iter().any(|known| letters.ends_with(known.as_bytes()));
    let is_token = letters == b"token";
    let is_authorization = letters == b"authorization";
    if !(ends_as_known || is_token || is_authorization) {
        return None;
    }
    let rest = |from: usize| text.get(from..).unwrap_or_default();
    let skip = |mut at: usize, wanted: &[u8]| {
        while rest(at).first().is_some_and(|byte| wanted.contains(byte)) {
            at += 1;
        }
        at
    };
    let quoted = skip(position, b"\\\"'");
    let is_quoted = quoted > position;
    // An ordinary word, as a name of JSON's only.
    if is_token && !is_quoted {
        return None;
    }
    let at = skip(quoted, b" ");
    let separators: [&[u8]; 6] = [b":", b"=", b"%3a", b"%3d", b"%253a", b"%253d"];
    let separator = separators.into_iter().find(|it| rest(at).starts_with(it))?;
    // In a form it has `=` after it. The SDK names a source of credentials so, too.
    if letters.ends_with(b"webidentitytoken") && separator == b":" && !is_quoted {
        return None;
    }
    let value = skip(at + separator.len(), b" \\\"'");
    if is_authorization {
        // Names what follows; signed requests have names of their own for the rest.
        let schemes: [&[u8]; 3] = [b"aws4-hmac-sha256", b"basic ", b"bearer "];
        return match schemes.into_iter().find(|scheme| rest(value).starts_with(scheme)) {
            Some(b"aws4-hmac-sha256") => None,
            Some(scheme) => Some(value + scheme.len()),
            None => Some(value),
        };
    }
    if letters.ends_with(b"proxyauthorization") {
        let scheme: &[u8] = b"basic ";
        return Some(if rest(value).starts_with(scheme) { value + scheme.len() } else { value });
    }
    Some(value)
}

/// What the help says in the place of a user and a password, in the lower case in which
/// texts are searched.
const FORM: &[u8] = b"user:password";

/// What is between `://` and `@`.
fn mark_user_info(text: &[u8], hidden: &mut [bool]) {
    let mut position = 0;
    while let Some(found) = find(&text[position..], b"://") {
        let begin = position + found + 3;
        let is_end =
            |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'/' | b'?' | b'#');
        let end = text[begin..].iter().position(is_end).map_or(text.len(), |end| begin + end);
        if let Some(at) = text[begin..end].iter().rposition(|byte| *byte == b'@')
            && !text[begin..begin + at].ends_with(FORM)
        {
            hidden[begin..begin + at].fill(true);
        }
        position = begin;
    }
}

fn mark_key_ids(text: &[u8], hidden: &mut [bool]) {
    for beginning in KEY_ID_BEGINNINGS {
        let mut position = 0;
        while let Some(found) = find(&text[position..], beginning) {
            let begin = position + found;
            let length =
                text[begin..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if length >= KEY_ID_LENGTH {
                hidden[begin..begin + KEY_ID_LENGTH].fill(true);
            }
            position = begin + beginning.len();
        }
    }
}

/// A JSON web token is three parts in Base64 with points between them, of which the
/// first begins with `{"`.
fn mark_web_tokens(text: &[u8], hidden: &mut [bool]) {
    let mut position = 0;
    while let Some(found) = find(&text[position..], b"eyj") {
        let begin = position + found;
        let is_of_token = |byte: &&u8| is_of_name(**byte) || **byte == b'.';
        let length = text[begin..].iter().take_while(is_of_token).count();
        if length >= KEY_ID_LENGTH {
            hidden[begin..begin + length].fill(true);
        }
        position = begin + length;
    }
}

pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
