//! Numbers in the headers of an answer, bounded before anything calculates with
//! them. The SDK does so unchecked: a date in the year 9999 ends the program when the
//! next signature is made, a token that is good for 2^64 s when it is stored.

use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::date_time::{DateTime, Format};

/// How far an answer's date may be from the host's clock. A host without a battery
/// begins in 1970; a date that is further away says nothing about a clock.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_hours(100 * 365 * 24);

/// How long a token of the instance metadata is good, in seconds, in a header.
const TOKEN_TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// The longest that the instance metadata service gives: six hours.
const MAX_TOKEN_TTL_SECONDS: u64 = 21_600;

/// How long the SDK waits before it asks a source of credentials again, in milliseconds,
/// if the source says so in this header.
const RETRY_AFTER_HEADER: &str = "x-amz-retry-after";
const MAX_RETRY_AFTER_MS: u64 = 5000;

/// Removes a `date` that cannot be one, and shortens a token's life to the longest
/// that there is, and a wait to 5 s. `now` is the host's time.
pub(super) fn apply(response: &mut HttpResponse, now: SystemTime) {
    let headers = response.headers_mut();
    if headers.get("date").is_some_and(|date| !is_near(date, now)) {
        headers.remove("date");
    }
    for (name, most) in
        [(TOKEN_TTL_HEADER, MAX_TOKEN_TTL_SECONDS), (RETRY_AFTER_HEADER, MAX_RETRY_AFTER_MS)]
    {
        let is_more = |text: &str| text.parse::<u64>().is_ok_and(|number| number > most);
        if headers.get(name).is_some_and(is_more) {
            headers.insert(name, most.to_string());
        }
    }
}

fn is_near(date: &str, now: SystemTime) -> bool {
    let Ok(date) = DateTime::from_str(date, Format::HttpDate) else { return false };
    let Ok(date) = SystemTime::try_from(date) else { return false };
    let difference = date.duration_since(now).unwrap_or_else(|error| error.duration());
    difference <= MAX_CLOCK_DIFFERENCE
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn a_date_is_kept_if_a_clock_may_show_it() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        for (date, is_kept) in [
            ("Wed, 18 Nov 2026 11:06:40 GMT", true),
            ("Wed, 18 Nov 2026 11:06:40.123 GMT", true),
            ("Thu, 01 Jan 1970 00:00:00 GMT", true),
            ("Fri, 31 Dec 9999 23:59:59 GMT", false),
            ("Fri, 31 Dec 9999 23:59:60 GMT", false),
            ("Sat, 01 Jan 2200 00:00:00 GMT", false),
            ("Mon, 01 Jan 0001 00:00:00 GMT", false),
            ("Mon, 01 Jan -9999 00:00:00 GMT", false),
            ("Fri, 31 Dec 99999 23:59:59 GMT", false),
            ("Fri, 99 Dec 2026 99:99:99 GMT", false),
            ("", false),
            ("18446744073709551615", false),
        ] {
            let mut response = HttpResponse::new(403.try_into().unwrap(), SdkBody::empty());
            response.headers_mut().insert("date", date);
            apply(&mut response, now);
            assert_eq!(response.headers().contains_key("date"), is_kept, "{date}");
        }
    }

    #[test]
    fn a_token_is_good_for_six_hours_and_a_wait_takes_5_s_at_most() {
        for (header, most) in [(TOKEN_TTL_HEADER, "21600"), (RETRY_AFTER_HEADER, "5000")] {
            for (said, expected) in [
                (most, most),
                ("60", "60"),
                ("21601", most),
                ("18446744073709551615", most),
                ("18446744073709551616", "18446744073709551616"),
                ("-1", "-1"),
            ] {
                let mut response = HttpResponse::new(200.try_into().unwrap(), SdkBody::empty());
                response.headers_mut().insert(header, said);
                apply(&mut response, SystemTime::UNIX_EPOCH);
                // What is no number, the SDK refuses by itself.
                assert_eq!(response.headers().get(header), Some(expected));
            }
        }
    }
}
