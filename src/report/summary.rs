//! The log lines with ESP's own figures: one each minute, and the last one. Their
//! fields are the rows of [`own_figures::TABLE`], each a field of its own.

use tracing_core::{
    Event, Kind, Level, Metadata,
    callsite::{Callsite as _, DefaultCallsite},
    dispatcher,
    field::{Field, FieldSet, Value},
    identify_callsite,
};

use crate::{
    sample::own_figures::{self, OwnFigures, Scope},
    settings::Outputs,
    time::Timestamp,
};

/// The fields before the figures: those of the last line.
const FIRST: [&str; 4] = ["message", "unsent", "unwritten", "dropped"];
const FIELDS: usize = FIRST.len() + own_figures::COUNT;

/// The macros of `tracing` take field names from the source text alone, so what
/// they would make is made here, with the names in the table.
static NAMES: [&str; FIELDS] = {
    let mut names = [""; FIELDS];
    let mut place = 0;
    while place < FIELDS {
        names[place] = if place < FIRST.len() {
            FIRST[place]
        } else {
            own_figures::TABLE[place - FIRST.len()].log_name
        };
        place += 1;
    }
    names
};

macro_rules! callsite {
    ($name:ident, $level:expr) => {
        static $name: DefaultCallsite = {
            static METADATA: Metadata<'static> = Metadata::new(
                "summary",
                module_path!(),
                $level,
                None,
                None,
                Some(module_path!()),
                FieldSet::new(&NAMES, identify_callsite!(&$name)),
                Kind::EVENT,
            );
            DefaultCallsite::new(&METADATA)
        };
    };
}

callsite!(INFO, Level::INFO);
callsite!(WARN, Level::WARN);

/// The minute's line.
pub fn summary(figures: &OwnFigures, outputs: Outputs, wall: Timestamp) {
    log(&INFO, "summary: totals since start", [None; 3], figures, outputs, wall);
}

/// The last line: the figures, and how many samples are left behind.
pub fn stopped(figures: &OwnFigures, outputs: Outputs, wall: Timestamp) {
    let unsent = outputs.cloudwatch.then_some(figures.backlog);
    let unwritten = outputs.lines.map(|_| figures.stdout_pending);
    let dropped = figures.dropped(Scope::Cloudwatch) + figures.dropped(Scope::Stdout);
    let last = [unsent, unwritten, Some(dropped)];
    if unsent.unwrap_or(0) > 0 || unwritten.unwrap_or(0) > 0 {
        log(&WARN, "esp stops with unsent samples", last, figures, outputs, wall);
        return;
    }
    let gone = [(dropped, "dropped"), (figures.ambiguous, "never confirmed")];
    let gone = gone.iter().filter(|(count, _)| *count > 0);
    let gone: Vec<_> = gone.map(|(count, how)| format!("{count} {how}")).collect();
    let except = if gone.is_empty() { "" } else { " except " };
    let message = format!("esp stops; all samples were published{except}{}", gone.join(" and "));
    log(&INFO, &message, last, figures, outputs, wall);
}

/// One line. A field without a value is left out.
fn log(
    callsite: &'static DefaultCallsite,
    message: &str,
    last: [Option<u64>; 3],
    figures: &OwnFigures,
    outputs: Outputs,
    wall: Timestamp,
) {
    // Asking registers it, by which subscribers learn of it.
    if callsite.interest().is_never() {
        return;
    }
    let metadata = callsite.metadata();
    let of_table = own_figures::TABLE.iter().map(|figure| {
        let applies = figure.applies(outputs.cloudwatch, outputs.lines.is_some());
        applies.then(|| figure.value(figures, wall)).flatten()
    });
    let numbers: Vec<Option<u64>> = last.into_iter().chain(of_table).collect();
    let fields: Vec<Field> = metadata.fields().iter().collect();
    let values: [(&Field, Option<&dyn Value>); FIELDS] = std::array::from_fn(|place| {
        let value = match place.checked_sub(1) {
            None => Some(&message as &dyn Value),
            Some(place) => numbers[place].as_ref().map(|number| number as &dyn Value),
        };
        (&fields[place], value)
    });
    let values = metadata.fields().value_set(&values);
    dispatcher::get_default(|subscriber| {
        if subscriber.enabled(metadata) {
            subscriber.event(&Event::new(metadata, &values));
        }
    });
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::*;
    use crate::settings::LineFormat;

    const WALL: Timestamp = Timestamp::from_unix_ns(100_000_000_000);
    const BOTH: Outputs = Outputs { cloudwatch: true, lines: Some(LineFormat::Readable) };

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The one line that is logged, as an object.
    fn logged(says: impl FnOnce()) -> serde_json::Map<String, serde_json::Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .without_time()
            .with_target(false)
            .finish();
        tracing::subscriber::with_default(subscriber, says);
        let text = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn each_figure_of_the_run_is_a_field_of_its_own() {
        let figures = OwnFigures {
            polls: 7,
            requests_denied: 8,
            stdout_pending: 9,
            newest_published: Some(Timestamp::from_unix_ns(99_000_000_000)),
            ..OwnFigures::default()
        };
        let only_cloudwatch = Outputs { lines: None, ..BOTH };
        let only_lines = Outputs { cloudwatch: false, ..BOTH };
        for outputs in [BOTH, only_cloudwatch, only_lines] {
            let mut line = logged(|| summary(&figures, outputs, WALL));
            assert_eq!(line.remove("message").unwrap(), "summary: totals since start");
            assert_eq!(line.remove("level").unwrap(), "INFO");
            for figure in own_figures::TABLE {
                let applies = figure.applies(outputs.cloudwatch, outputs.lines.is_some());
                let value = figure.value(&figures, WALL).filter(|_| applies);
                let written = line.remove(figure.log_name).map(|value| value.as_u64().unwrap());
                assert_eq!(written, value, "{}", figure.log_name);
            }
            assert!(line.is_empty(), "{line:?}");
        }
    }

    #[test]
    fn the_last_line_says_what_was_not_published() {
        let nothing = OwnFigures::default();
        for (figures, level, message) in [
            (nothing, "INFO", "esp stops; all samples were published"),
            (
                OwnFigures { dropped_time: 2, stdout_dropped_full: 1, ..nothing },
                "INFO",
                "esp stops; all samples were published except 3 dropped",
            ),
            (
                OwnFigures { dropped_full: 2, ambiguous: 5, ..nothing },
                "INFO",
                "esp stops; all samples were published except 2 dropped and 5 never confirmed",
            ),
            (OwnFigures { backlog: 1, ..nothing }, "WARN", "esp stops with unsent samples"),
            (OwnFigures { stdout_pending: 1, ..nothing }, "WARN", "esp stops with unsent samples"),
        ] {
            let line = logged(|| stopped(&figures, BOTH, WALL));
            assert_eq!((&line["level"], &line["message"]), (&level.into(), &message.into()));
            assert_eq!(line["unsent"], figures.backlog);
            assert_eq!(line["unwritten"], figures.stdout_pending);
            assert_eq!(
                line["dropped"],
                figures.dropped_full + figures.dropped_time + figures.stdout_dropped_full
            );
        }
    }
}
