//! How the bytes of a secret may be written as others: in Base64 and in hexadecimal.
//! Escapes of single characters are resolved in the text: see `views`. Pure. All in
//! lower case.

/// Calls `on_form` with each form of `secret`, as bytes.
pub(super) fn each_form(secret: &str, mut on_form: impl FnMut(&[u8])) {
    let mut form = Vec::with_capacity(3 * secret.len());
    let mut give = |write: &dyn Fn(&mut Vec<u8>)| {
        form.clear();
        write(&mut form);
        form.make_ascii_lowercase();
        on_form(&form);
    };
    let bytes = secret.as_bytes();
    give(&|form| bytes.iter().for_each(|byte| push_hex(*byte, form)));
    // In Base64 three bytes are four letters, so the form depends on where among
    // them the secret begins. Letters that are not of the secret alone are left out.
    for skipped in 0..3 {
        for alphabet in [STANDARD, URL_SAFE] {
            give(&|form| base64(bytes, skipped, alphabet, form));
        }
    }
}

fn push_hex(byte: u8, form: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    form.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters for `bytes` after `skipped` other bytes, without the first ones and
/// the last ones if those are of other bytes as well.
fn base64(bytes: &[u8], skipped: usize, alphabet: &[u8; 64], form: &mut Vec<u8>) {
    // With 1 or 2 bytes before it, the first 2 or 1 of its own complete a group.
    let begin = (3 - skipped) % 3;
    let Some(bytes) = bytes.get(begin..) else { return };
    for group in bytes.chunks_exact(3) {
        let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        form.extend([18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize]));
    }
}
