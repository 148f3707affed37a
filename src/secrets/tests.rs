//! Secrets planted in every way that a peer could quote them.

use super::{
    redaction::{REDACTED, is_hidden_in},
    *,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEDoaCXVzLWVhc3QtMSJH/+MEUCIQDx3p2b7VZx8k9+sQ==";

/// As [`peer_text`] and [`clean`] do, with secrets of the test's own.
fn redacted(text: &str, secrets: &[&str]) -> String {
    let hidden = is_hidden_in(text, secrets.iter().copied());
    shown(text, &hidden).into_owned()
}

/// No eight characters of the secret are left.
fn assert_nothing_left(shown: &str, secret: &str) {
    for window in secret.as_bytes().windows(8) {
        let part = std::str::from_utf8(window).unwrap();
        assert!(!shown.contains(part), "{part:?} is left in {shown}");
    }
}

#[test]
fn a_secret_is_redacted_in_each_encoding_and_the_text_around_it_stays() {
    let base64 = |text: &str| {
        let mut form = Vec::new();
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for group in text.as_bytes().chunks(3) {
            let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            form.extend([18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize]));
        }
        String::from_utf8(form).unwrap()
    };
    for secret in [SECRET, TOKEN] {
        let forms = [
            secret.to_owned(),
            secret.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D"),
            secret.replace('/', "%2f").replace('+', "%2b").replace('=', "%3d"),
            secret.replace('/', "%252F").replace('+', "%252B").replace('=', "%253D"),
            secret.replace('/', "\\/"),
            secret.replace('/', "\\u002F").replace('+', "\\u002B").replace('=', "\\u003D"),
            secret.to_uppercase(),
        ];
        for form in forms {
            let shown = redacted(&format!("it said: {form} and more"), &[secret]);
            assert_eq!(shown, "it said: [redacted] and more", "{form}");
        }
        for before in ["", "x", "xy", "user:"] {
            let encoded = base64(&format!("{before}{secret}"));
            let shown = redacted(&format!("it said {encoded} and more"), &[secret]);
            assert!(shown.starts_with("it said ") && shown.ends_with(" and more"), "{shown}");
            // What is left: letters that are not of the secret alone.
            let left = shown.len() - "it said  and more".len() - REDACTED.len();
            assert!(left <= before.len() + 8, "{left} letters are left: {shown}");
        }
    }
}

fn hexadecimal(secret: &str, between: &str) -> String {
    let bytes: Vec<_> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(between)
}

#[test]
fn words_that_only_together_are_like_a_part_of_a_secret_stay() {
    for (text, secret) in [
        ("the endpoint (the task role)", "token-of-AKIDTASKROLE"),
        ("failed to load IMDS session token", "ContainerAuthorizationToken0123"),
    ] {
        assert_eq!(redacted(text, &[secret]), text);
    }
}

/// Characters that others escape, as a password may have them.
const PASSWORD: &str = "pl4n&ted\"pr<0>xy'pa55/word";

#[test]
fn escapes_of_any_kind_and_mixture_do_not_hide_a_secret() {
    let each = |secret: &str, is_kept: fn(&char) -> bool, form: fn(u32) -> String| {
        let one = |c: char| if is_kept(&c) { c.to_string() } else { form(c.into()) };
        secret.chars().map(one).collect::<String>()
    };
    let some = |c: &char| c.is_ascii_alphanumeric();
    let none = |_: &char| false;
    let written: [fn(u32) -> String; 10] = [
        |c| format!("%{c:02x}"),
        |c| format!("%{c:02X}"),
        |c| format!("%25{c:02X}"),
        |c| format!("\\u{c:04x}"),
        |c| format!("\\u{c:04X}"),
        |c| format!("\\\\u{c:04x}"),
        |c| format!("\\x{c:02x}"),
        |c| format!("&#{c};"),
        |c| format!("&#x{c:X};"),
        |c| format!("\\u{{{c:x}}}"),
    ];
    for secret in [SECRET, TOKEN, PASSWORD] {
        let mut forms = vec![
            secret.replace('"', "\\\"").replace('/', "\\/"),
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
            format!("{secret:?}").trim_matches('"').to_owned(),
            hexadecimal(secret, " "),
            hexadecimal(secret, "").to_uppercase(),
        ];
        for written in written {
            forms.extend([each(secret, some, written), each(secret, none, written)]);
        }
        // Broken after every few characters, visibly or not.
        for between in ["\n", "\\r\\n", " ", "\u{200b}", "&#10;"] {
            let parts: Vec<_> = secret.as_bytes().chunks(3).map(String::from_utf8_lossy).collect();
            forms.push(parts.join(between));
        }
        for form in forms {
            let shown = redacted(&format!("it said: {form} <and> more"), &[secret]);
            let left = shown.strip_prefix("it said: ").unwrap().strip_suffix("<and> more").unwrap();
            assert_eq!(left.trim_end(), REDACTED, "{form}");
        }
    }
}

#[test]
fn a_secret_that_was_cut_or_broken_is_found_by_its_parts() {
    for secret in [SECRET, TOKEN] {
        for length in 4..secret.len() {
            let (begin, end) = secret.split_at(length);
            let shown = redacted(&format!("the answer began with {begin}"), &[secret]);
            assert_eq!(shown, "the answer began with [redacted]", "{begin}");
            if end.len() >= 8 {
                assert_eq!(redacted(&format!("…{end} was it"), &[secret]), "…[redacted] was it");
            }
            assert_nothing_left(&redacted(&format!("{begin}\n{end}"), &[secret]), secret);
        }
    }
}

#[test]
fn names_give_away_what_nobody_told_us_of() {
    for (text, expected) in [
        ("x-amz-security-token:IQoJb3JpZ2 host:a", "x-amz-security-token:[redacted] host:a"),
        (
            "X-Amz-Security-Token=abc%2Fdef&X-Amz-Date=1",
            "X-Amz-Security-Token=[redacted]&X-Amz-Date=1",
        ),
        (
            r#"{"AccessKeyId":"AKI","SecretAccessKey" : "s3","Token":"t","Expiration":"2026"}"#,
            r#"{"AccessKeyId":"[redacted]","SecretAccessKey" : "[redacted]","Token":"[redacted]","Expiration":"2026"}"#,
        ),
        (r#"{\"SecretAccessKey\":\"s3\"}"#, r#"{\"SecretAccessKey\":\"[redacted]\"}"#),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=AKX/20261127/eu-west-1, SignedHeaders=host, Signature=0a1b",
            "Authorization: AWS4-HMAC-SHA256 Credential=[redacted], SignedHeaders=host, Signature=[redacted]",
        ),
        ("authorization: Bearer abc.def", "authorization: Bearer [redacted]"),
        ("Proxy-Authorization: Basic dTpw", "Proxy-Authorization: Basic [redacted]"),
        (
            "proxy http://user:pa%20ss@10.0.0.1:3128 refused",
            "proxy http://[redacted]@10.0.0.1:3128 refused",
        ),
        ("proxy http://us@er:p@ss@proxy/ refused", "proxy http://[redacted]@proxy/ refused"),
        ("key ASIAIOSFODNN7EXAMPLE is gone", "key [redacted] is gone"),
        (
            "the token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln-nature is old",
            "the token [redacted] is old",
        ),
        ("Signature\\u003d0a1b\\u0026x=1", "Signature\\u003d[redacted]\\u0026x=1"),
        (
            "X-Amz-Security-Token&#x3D;abcdef&amp;x=1",
            "X-Amz-Security-Token&#x3D;[redacted]&amp;x=1",
        ),
        ("WebIdentityToken=abc.def&Version=1", "WebIdentityToken=[redacted]&Version=1"),
        // Ordinary sentences.
        (
            "WebIdentityToken: the credential provider was not enabled",
            "WebIdentityToken: the credential provider was not enabled",
        ),
        (
            "The request signature we calculated does not match",
            "The request signature we calculated does not match",
        ),
        ("Invalid token: expired", "Invalid token: expired"),
        ("Credentials not found", "Credentials not found"),
        ("http://169.254.170.2/v4/a@b", "http://169.254.170.2/v4/a@b"),
    ] {
        assert_eq!(redacted(text, &[]), expected);
    }
}

#[test]
fn a_short_password_is_redacted_and_leaves_field_names_alone() {
    let line = r#"{"level":"WARN","error":"the level of the water"}"#;
    let mut hidden = is_hidden_in(line, ["level"].into_iter());
    redaction::show_field_names(line, &mut hidden);
    assert_eq!(shown(line, &hidden), r#"{"level":"WARN","error":"the [redacted] of the water"}"#);
    let line = "WARN it fails level=3 error=level";
    let mut hidden = is_hidden_in(line, ["level"].into_iter());
    redaction::show_field_names(line, &mut hidden);
    assert_eq!(shown(line, &hidden), "WARN it fails level=3 error=[redacted]");
    // Too short to be looked for.
    assert_eq!(redacted("a b c", &["a"]), "a b c");
}

#[test]
fn control_characters_are_escaped_and_lines_stay_lines() {
    assert_eq!(clean("one\ntwo\n"), "one\ntwo\n");
    assert_eq!(
        clean("\u{1b}[31mred\u{7}\r\u{9b}\u{202e}\n"),
        "\\u001b[31mred\\u0007\\u000d\\u009b\\u202e\n"
    );
    // Marks of direction, what nobody sees, and one above 16 bits.
    for c in ['\u{61c}', '\u{200b}', '\u{200f}', '\u{2060}', '\u{feff}', '\u{ad}'] {
        assert_eq!(clean(&format!("a{c}b")), format!("a\\u{:04x}b", u32::from(c)));
    }
    assert_eq!(clean("a\u{e0041}b"), "a\\udb40\\udc41b");
    assert_eq!(
        peer_text(" one\r\n\ttwo\u{0}\u{1b}]0;title\u{7} "),
        "one two\\u0000\\u001b]0;title\\u0007"
    );
}

#[test]
fn what_a_peer_sent_is_cut_after_secrets_are_taken_out() {
    assert_eq!(peer_text(&"é".repeat(601)), format!("{}…", "é".repeat(600)));
    assert_eq!(peer_text(&"é".repeat(600)), "é".repeat(600));
    let long = format!("{} x-amz-security-token:{}", "a".repeat(570), "s".repeat(2000));
    let shown = peer_text(&long);
    assert!(shown.ends_with("x-amz-security-token:[redacte…"), "{shown}");
    let _ = peer_text(&"é\u{1b}".repeat(100_000));
}

#[test]
fn secrets_of_requests_and_of_the_environment_are_kept() {
    keep_header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=KEYOFTHETEST1/20261127/r/monitoring/aws4_request, \
         SignedHeaders=host, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    );
    keep_header("x-amz-security-token", "TokenOfTheTest123");
    keep_header("authorization", "PlainTokenOfTheTest");
    keep_environment(|name| match name {
        "AWS_SECRET_ACCESS_KEY" => Some("SecretOfTheTest99".to_owned()),
        "SECRET_ACCESS_KEY" => Some("OtherNameOfTheTest99".to_owned()),
        "HTTPS_PROXY" => Some("http://user:pass#word/99@proxy:3128".to_owned()),
        "all_proxy" => Some("us%20er:q%40p%2Fs%25%c3%a9~%zz@proxy:3128".to_owned()),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT" => Some("http://a:MetadataPass9@x".to_owned()),
        _ => None,
    });
    keep_form("Action=AssumeRoleWithWebIdentity&WebIdentityToken=opaque%2FWeb%2BToken9&Version=1");
    keep_always("BaseSecretOfTheTest");
    // A peer is sent the password as it is, and the user and it in Base64.
    let text = "KEYOFTHETEST1, 5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7, \
                TokenOfTheTest123, PlainTokenOfTheTest, SecretOfTheTest99, pass#word/99, \
                OtherNameOfTheTest99, q%40p%2Fs%25%c3%a9~%zz, q@p/s%é~%zz, \
                dXMgZXI6cUBwL3Mlw6l+JXp6, MetadataPass9, opaque/Web+Token9, opaque%2FWeb%2BToken9, \
                BaseSecretOfTheTest";
    let expected = ["[redacted]"; 14].join(", ");
    assert_eq!(peer_text(text), expected);
    assert_eq!(clean(text), expected);
}

#[test]
fn only_the_last_secrets_are_kept() {
    let mut kept = VecDeque::new();
    for number in 0..20 {
        keep_in(&mut kept, &format!("secret-{number}"), 3);
        keep_in(&mut kept, "", 3);
        keep_in(&mut kept, &format!("secret-{number}"), 3);
    }
    assert_eq!(kept, ["secret-17", "secret-18", "secret-19"]);
}

#[test]
fn the_form_that_the_help_shows_is_no_secret() {
    let form = "expected [SCHEME://[USER:PASSWORD@]HOST[:PORT]";
    assert_eq!(redacted(form, &[]), form);
    let shown = redacted("expected http://hans:geheimnis@proxy:3128", &[]);
    assert!(!shown.contains("geheimnis"), "{shown}");
}
