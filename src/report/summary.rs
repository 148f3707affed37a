//! The log lines with ESP's own figures: one each minute, and the last one.

use tracing::{info, warn};

use crate::{publisher::Outcome, report::figures::Figures, time::Now};

/// A line with all figures, after the fields that it has besides; without those
/// of outputs that there are none of.
macro_rules! line_of_figures {
    ($say:ident, $figures:expr, $now:expr, $($field:ident = $value:expr,)* $message:literal) => {{
        let Figures { sampler, polls, failed_polls, missed_ticks, publisher, lines, outputs, .. } =
            $figures;
        let sent = |figure: u64| outputs.cloudwatch.then_some(figure);
        let requests = |outcome| sent(publisher.requests_with(outcome));
        let written = |figure: u64| outputs.lines.map(|_| figure);
        $say!(
            $($field = $value,)*
            polls,
            failed_polls,
            missed_ticks,
            samples = sampler.samples,
            duplicates = sampler.duplicates,
            no_data = sampler.no_data,
            resets = sampler.resets,
            malformed = sampler.malformed,
            taken = sent(publisher.taken),
            published = sent(publisher.published),
            backlog = sent($figures.backlog),
            unconfirmed = sent($figures.unconfirmed),
            dropped_full = sent(publisher.dropped_full),
            dropped_invalid = sent(publisher.dropped_invalid),
            dropped_time = sent(publisher.dropped_time),
            dropped_refused = sent(publisher.dropped_refused),
            dropped_unaddressed = sent(publisher.dropped_unaddressed),
            ambiguous = sent(publisher.ambiguous),
            sent_again = sent(publisher.sent_again),
            requests_accepted = requests(Outcome::Accepted),
            requests_throttled = requests(Outcome::Throttled),
            requests_server_error = requests(Outcome::ServerError),
            requests_unreachable = requests(Outcome::Unreachable),
            requests_connection_lost = requests(Outcome::ConnectionLost),
            requests_no_answer = requests(Outcome::NoAnswer),
            requests_denied = requests(Outcome::Denied),
            requests_credentials = requests(Outcome::Credentials),
            requests_invalid = requests(Outcome::Invalid),
            requests_clock_skew = requests(Outcome::ClockSkew),
            newest_published_age_ms = $figures.newest_published_age_ms($now),
            stdout_taken = written(lines.taken),
            stdout_written = written(lines.written),
            stdout_pending = written(lines.pending),
            stdout_dropped_full = written(lines.dropped_full),
            stdout_dropped_invalid = written(lines.dropped_invalid),
            stdout_lines = written(lines.lines),
            $message
        );
    }};
}

/// The minute's line.
pub fn summary(figures: &Figures, now: Now) {
    line_of_figures!(info, figures, now, "since the start");
}

/// The last line: the figures, and how many samples are left behind.
pub fn stopped(figures: &Figures, now: Now) {
    let unsent = figures.outputs.cloudwatch.then_some(figures.backlog);
    let unwritten = figures.outputs.lines.map(|_| figures.lines.pending);
    let dropped = figures.publisher.dropped() + figures.lines.dropped();
    if unsent.unwrap_or(0) > 0 || unwritten.unwrap_or(0) > 0 {
        line_of_figures!(
            warn,
            figures,
            now,
            unsent = unsent,
            unwritten = unwritten,
            dropped = dropped,
            "esp stops with unsent samples"
        );
    } else {
        let rest = if dropped > 0 { "what was not dropped" } else { "everything" };
        line_of_figures!(info, figures, now, dropped = dropped, "esp stops; {rest} is published");
    }
}
