//! Where samples go, as `OUTPUT` and `EMF_RESOLUTION` say it. How lines are written
//! is in `output`.

use std::fmt;

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
pub const CLOUDWATCH: &str = "cloudwatch";
/// See [`CLOUDWATCH`].
pub const EMF: &str = "emf";
/// See [`CLOUDWATCH`].
pub const STDOUT: &str = "stdout";

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
