//! A field of `/task` that was left out, in the words for a log line.

use std::fmt;

/// A field of `/task` that is not what the endpoint documents, and so was left out.
///
/// ```
/// use esp::endpoint::task::TaskDocument;
///
/// let mut body = br#"{"Family": "shop", "Containers": [{"RestartCount": -1}]}"#.to_vec();
/// let task = TaskDocument::parse(&mut body)?;
/// assert_eq!(task.family(), Some("shop"));
/// assert_eq!(
///     task.bad_fields()[0].to_string(),
///     "Containers[0].RestartCount is -1, not a whole number from 0 to 4294967295",
/// );
/// # Ok::<(), esp::endpoint::task::TaskError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField {
    pub(super) path: String,
    pub(super) value: String,
    pub(super) expected: &'static str,
}

impl BadField {
    /// Where it is: `Containers[2].RestartCount`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The path, the value, and what it should be.
impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, not {}", self.path, self.value, self.expected)
    }
}
