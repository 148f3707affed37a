//! Where samples go. CloudWatch's own way is `publisher` and `cloudwatch`; here
//! is the other one, lines on stdout: documents of the embedded metric format,
//! which a log driver carries to CloudWatch, or lines for people.
//!
//! It is a state machine: samples and the time in, lines out, into a queue that the
//! sidecar empties as fast as stdout takes them. Nothing is answered and nothing is
//! retried.

pub mod emf;
mod readable;
pub mod stdio;
mod window;

use std::{
    io::{self, Write},
    time::Duration,
};

use self::window::{Window, Windows};
use crate::{
    output::stdio::LineQueue,
    sample::{
        dimension::ResolvedDimensions,
        drop_notices::{Dropping, DroppingSpell, NamedMetrics},
        limits::Refusal,
        metric::{Measured, Sample},
        own_figures::{OwnFigures, OwnMetric},
    },
    settings::{EmfResolution, LineFormat, Settings},
    time::Now,
};

/// What waits while stdout is blocked, bytes: about an hour of the documents of
/// two metrics.
const QUEUE_BYTES: usize = 256 * 1024;

/// Something to tell the operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LineEvent {
    /// Too many lines wait, or none waits any more.
    Dropping(Dropping),
    /// A sample that no document can have.
    SampleDropped {
        /// The sample.
        sample: Sample,
        /// Why.
        reason: &'static str,
    },
    /// Samples whose dimensions leave no room in a line.
    DimensionsTooLong,
}

#[derive(Debug)]
enum Format {
    Emf { formatter: emf::Formatter, windows: Windows },
    Readable(readable::Formatter),
}

/// The state machine.
#[derive(Debug)]
pub struct LineOutput {
    format: Format,
    dimensions: ResolvedDimensions,
    queue: LineQueue,
    /// What the queue does not count.
    figures: OwnFigures,
    spell: DroppingSpell,
    named: NamedMetrics,
    is_length_logged: bool,
    events: Vec<LineEvent>,
}

impl LineOutput {
    /// Lines in `format`, of what the settings say.
    #[must_use]
    pub fn new(format: LineFormat, settings: &Settings) -> Self {
        let format = match format {
            LineFormat::Emf(resolution) => Format::Emf {
                formatter: emf::Formatter::new(settings.namespace.clone()),
                windows: Windows::new(
                    resolution == EmfResolution::Second,
                    settings.sample_interval,
                ),
            },
            LineFormat::Readable => {
                let own = OwnMetric::all().filter(|_| settings.self_metrics).map(Measured::Own);
                let metrics = settings.metrics.iter().map(Measured::Metric).chain(own);
                Format::Readable(readable::Formatter::new(metrics))
            }
        };
        Self {
            format,
            dimensions: ResolvedDimensions::default(),
            queue: LineQueue::new(QUEUE_BYTES),
            figures: OwnFigures::default(),
            spell: DroppingSpell::default(),
            named: NamedMetrics::default(),
            is_length_logged: false,
            events: Vec::new(),
        }
    }

    /// Says what samples are written under, and what the containers are called,
    /// by place. `true`: the dimensions are new.
    pub fn set_dimensions(&mut self, dimensions: &ResolvedDimensions, names: &[String]) -> bool {
        if let Format::Readable(formatter) = &mut self.format {
            formatter.set_names(names);
        }
        let is_new = self.dimensions != *dimensions;
        if is_new {
            self.dimensions = dimensions.clone();
        }
        is_new
    }

    /// Says how often samples are renewed.
    pub fn set_cadence(&mut self, cadence: Option<Duration>) {
        if let Format::Emf { windows, .. } = &mut self.format {
            windows.set_cadence(cadence);
        }
    }

    /// Takes in a sample.
    pub fn push(&mut self, sample: Sample, now: Now) {
        self.figures.stdout_taken += 1;
        if let Some(refusal) = Refusal::of(sample.value, sample.read, now.wall) {
            self.figures.stdout_dropped_invalid += 1;
            if self.named.is_first(sample.metric) {
                let reason = refusal.reason();
                self.events.push(LineEvent::SampleDropped { sample, reason });
            }
            return;
        }
        match &mut self.format {
            Format::Emf { windows, .. } => windows.push(sample, now),
            Format::Readable(formatter) => {
                self.queue.push(formatter.line(&sample, &self.dimensions).as_bytes(), 1);
            }
        }
    }

    /// Makes lines of the samples whose time has come. To be called after each
    /// poll, whether or not it brought any, and some seconds after it.
    pub fn advance(&mut self, now: Now) {
        self.write_windows(|windows| windows.take_closed(now));
        self.note_dropping();
    }

    /// Whether samples wait for the end of their time.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        matches!(&self.format, Format::Emf { windows, .. } if windows.samples() > 0)
    }

    /// Makes lines of all samples. For the end.
    pub fn finish(&mut self) {
        self.write_windows(Windows::take_any);
        self.note_dropping();
    }

    fn write_windows(&mut self, mut next: impl FnMut(&mut Windows) -> Option<Window>) {
        let Format::Emf { formatter, windows } = &mut self.format else { return };
        while let Some(mut window) = next(windows) {
            let (unix_ms, samples) = (window.unix_ms, &mut window.samples);
            let emit = |line: &str, samples| self.queue.push(line.as_bytes(), samples);
            let unfit = formatter.documents(unix_ms, samples, &self.dimensions, emit);
            self.figures.stdout_dropped_invalid += unfit.samples;
            if unfit.is_too_long && !self.is_length_logged {
                self.is_length_logged = true;
                self.events.push(LineEvent::DimensionsTooLong);
            }
            windows.put_back(window);
        }
    }

    /// Writes what `stdout` takes at the moment. `true`: that was all.
    ///
    /// # Errors
    ///
    /// What the stream says. Of a reader that is gone it means that the lines
    /// are dropped; else they wait.
    pub fn write_to(&mut self, stdout: &mut dyn Write) -> io::Result<bool> {
        let result = self.queue.write_to(stdout);
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            self.queue.drop_all();
            // The error is logged, and says it.
            self.spell.pass_over(self.queue.figures().samples_dropped);
        }
        self.note_dropping();
        result.map(|()| self.queue.is_empty())
    }

    /// Whether lines wait to be written.
    #[must_use]
    pub fn has_lines(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Its part of ESP's own figures.
    #[must_use]
    pub fn figures(&self) -> OwnFigures {
        let queue = self.queue.figures();
        let in_windows = match &self.format {
            Format::Emf { windows, .. } => windows.samples() as u64,
            Format::Readable(_) => 0,
        };
        OwnFigures {
            stdout_written: queue.samples_written,
            stdout_lines: queue.lines_written,
            stdout_pending: self.queue.samples() + in_windows,
            stdout_dropped: queue.samples_dropped + self.figures.stdout_dropped_invalid,
            stdout_dropped_full: queue.samples_dropped,
            ..self.figures
        }
    }

    fn note_dropping(&mut self) {
        let dropped = self.queue.figures().samples_dropped;
        let change = self.spell.note(dropped, self.queue.is_empty());
        self.events.extend(change.map(LineEvent::Dropping));
    }

    /// What there is to tell since the last call.
    pub fn events(&mut self) -> impl Iterator<Item = LineEvent> {
        self.events.drain(..)
    }
}

#[cfg(test)]
mod tests;
