//! Whether an answer is CloudWatch's. Pure: status, headers and body in, a verdict
//! out. Between ESP and CloudWatch there are proxies, captive portals and addresses
//! that were mistyped, and they say 200 as well.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{body::CutBody, cbor};
use crate::secrets::without_secrets;

/// The header that each answer of the service carries, and its value.
pub(super) const PROTOCOL_HEADER: &str = "smithy-protocol";
const PROTOCOL: &str = "rpc-v2-cbor";

/// How much of a strange body is shown, characters.
const SHOWN_CHARS: usize = 120;

/// How much of it is looked at for secrets, bytes.
const SEEN_BYTES: usize = 4096;

/// Whether `response` says that the request was accepted: status 200, in CloudWatch's
/// protocol, with nothing or a CBOR map for a body that is no error's. A body that
/// broke off is judged by what there is of it, since the head came first.
pub(super) fn is_acceptance(response: &HttpResponse) -> bool {
    let is_cut = response.extension::<CutBody>().is_some();
    response.status().as_u16() == 200
        && speaks_protocol(response)
        && match cbor::check(response.body().bytes().unwrap_or_default()) {
            cbor::Checked::Nothing => true,
            cbor::Checked::Map { is_error } => !is_error,
            cbor::Checked::Short => is_cut,
            cbor::Checked::Other => false,
        }
}

/// Whether it is in CloudWatch's protocol, be it an acceptance or an error.
pub(super) fn speaks_protocol(response: &HttpResponse) -> bool {
    let header = response.headers().get(PROTOCOL_HEADER);
    header.is_some_and(|protocol| protocol.eq_ignore_ascii_case(PROTOCOL))
}

/// What came, for a person: `200 with "<html>…"`.
pub(super) fn describe(response: &HttpResponse) -> String {
    let status = response.status().as_u16();
    match response.body().bytes().unwrap_or_default() {
        [] => format!("{status} with an empty body"),
        body => format!("{status} with {}", quoted(body)),
    }
}

/// The beginning of what a peer sent, in quotation marks: control characters are
/// escaped, so that it can go to a terminal and stays on its line.
pub(super) fn quoted(bytes: &[u8]) -> String {
    // Before it is cut and escaped: in another form a secret could not be told any more.
    let text = without_secrets(&String::from_utf8_lossy(&bytes[..bytes.len().min(SEEN_BYTES)]));
    let shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    let is_cut = bytes.len() > SEEN_BYTES || text.chars().nth(SHOWN_CHARS).is_some();
    format!("\"{shown}{}\"", if is_cut { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn response(status: u16, protocol: Option<&'static str>, body: &[u8]) -> HttpResponse {
        let mut response =
            HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_vec()));
        if let Some(protocol) = protocol {
            response.headers_mut().insert(PROTOCOL_HEADER, protocol);
        }
        response
    }

    #[test]
    fn only_cloudwatchs_own_200_is_an_acceptance() {
        let ours = Some(PROTOCOL);
        let error = b"\xa1\x66__type\x6aThrottling";
        for (status, protocol, body, expected) in [
            (200, ours, &b""[..], true),
            (200, ours, b"\xa0", true),
            (200, ours, b"\xbf\xff", true),
            (200, Some("RPC-v2-CBOR"), b"\xa0", true),
            // A later version may say more.
            (200, ours, b"\xa1\x61a\x01", true),
            (200, None, b"\xa0", false),
            (200, Some("rpc-v2-json"), b"\xa0", false),
            (200, None, b"<html>Sign in</html>", false),
            (200, ours, b"<html>Sign in</html>", false),
            (200, ours, b"{}", false),
            (200, ours, error, false),
            (200, ours, b"\xa1\x67message\x61x", false),
            (200, ours, b"\xa1\x65Error\xa0", false),
            (200, ours, b"\xa1\x7f\x63__t\x63ype\xff\x61x", false),
            (200, ours, b"\xa1\x64code\x61x", false),
            (200, ours, b"\xbf", false),
            (200, ours, b"\xa0\xa0", false),
            (202, ours, b"", false),
            (204, None, b"", false),
            (403, ours, b"\xa0", false),
        ] {
            let response = response(status, protocol, body);
            assert_eq!(is_acceptance(&response), expected, "{status} {protocol:?} {body:?}");
        }
    }

    #[test]
    fn of_a_body_that_broke_off_the_beginning_counts() {
        for (body, expected) in [
            (&b""[..], true),
            (b"\xbf", true),
            (b"\xa1\x61", true),
            (b"<html", false),
            (b"\x00", false),
        ] {
            let mut response = response(200, Some(PROTOCOL), body);
            response.add_extension(CutBody);
            assert_eq!(is_acceptance(&response), expected, "{body:?}");
        }
    }

    #[test]
    fn what_came_is_cut_and_escaped() {
        assert_eq!(describe(&response(202, None, b"")), "202 with an empty body");
        let page = response(200, None, b"<html>\r\n\x1b[31mSign \"in\"\x07");
        assert_eq!(describe(&page), r#"200 with "<html>\r\n\u{1b}[31mSign \"in\"\u{7}""#);
        let long = quoted("ä".repeat(1000).as_bytes());
        assert_eq!(long, format!("\"{}…\"", "ä".repeat(SHOWN_CHARS)));
        assert!(quoted(&[0xff; 1000]).ends_with("…\""));
    }
}
