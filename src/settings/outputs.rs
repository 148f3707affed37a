//! Where samples go, as `OUTPUT` and `EMF_RESOLUTION` say it. How lines are written
//! is in `output`.

use std::{fmt, time::Duration};

/// `OUTPUT`: where samples go, at least one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// With `PutMetricData`.
    pub cloudwatch: bool,
    /// As lines on stdout.
    pub lines: Option<LineFormat>,
}

impl Default for Outputs {
    fn default() -> Self {
        Self { cloudwatch: true, lines: None }
    }
}

impl Outputs {
    /// The same with this resolution, if documents are written.
    #[must_use]
    pub(super) fn with_resolution(mut self, resolution: EmfResolution) -> Self {
        if self.has_emf() {
            self.lines = Some(LineFormat::Emf(resolution));
        }
        self
    }

    /// Whether documents of the embedded metric format are written.
    #[must_use]
    pub const fn has_emf(self) -> bool {
        matches!(self.lines, Some(LineFormat::Emf(_)))
    }
}

impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines.map(|format| match format {
            LineFormat::Emf(_) => EMF,
            LineFormat::Readable => STDOUT,
        });
        let names = self.cloudwatch.then_some(CLOUDWATCH).into_iter().chain(lines);
        for (position, name) in names.enumerate() {
            write!(f, "{}{name}", if position == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The outputs' names in `OUTPUT`.
const CLOUDWATCH: &str = "cloudwatch";
const EMF: &str = "emf";
const STDOUT: &str = "stdout";

/// All names that `OUTPUT` may hold.
pub(super) const OUTPUTS: [&str; 3] = [CLOUDWATCH, EMF, STDOUT];

/// Names with commas between them. The resolution of emf is the default one:
/// another variable sets it.
pub(super) fn parse_outputs(text: &str) -> Option<Outputs> {
    let mut outputs = Outputs { cloudwatch: false, lines: None };
    for name in text.split(',').map(str::trim) {
        let format = match name {
            CLOUDWATCH => {
                outputs.cloudwatch = true;
                continue;
            }
            EMF => LineFormat::Emf(EmfResolution::TenSeconds),
            STDOUT => LineFormat::Readable,
            _ => return None,
        };
        if outputs.lines.is_some_and(|other| other != format) {
            return None;
        }
        outputs.lines = Some(format);
    }
    Some(outputs)
}

/// What lines on stdout look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// CloudWatch's embedded metric format.
    Emf(EmfResolution),
    /// A sample a line, for people.
    Readable,
}

/// `EMF_RESOLUTION`: how fine the timestamps of documents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmfResolution {
    /// The samples of each 10 s of the wall clock share a timestamp.
    TenSeconds,
    /// Each sample has its own.
    Second,
}

/// What `EMF_RESOLUTION` may be.
pub(super) const EMF_RESOLUTIONS: [Duration; 2] =
    [EmfResolution::TenSeconds.duration(), EmfResolution::Second.duration()];

impl EmfResolution {
    /// The time that shares a timestamp.
    #[must_use]
    pub const fn duration(self) -> Duration {
        match self {
            Self::TenSeconds => Duration::from_secs(10),
            Self::Second => Duration::from_secs(1),
        }
    }

    /// The resolution of this duration.
    pub(super) fn of(duration: Duration) -> Option<Self> {
        [Self::TenSeconds, Self::Second].into_iter().find(|it| it.duration() == duration)
    }
}
