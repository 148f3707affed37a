//! Whom a request to CloudWatch asked, in the words for a person.

use std::fmt;

/// Whom a request asked, for a person.
#[derive(Clone, Debug)]
pub(super) struct Subject<'cloudwatch> {
    /// `https://HOST[:PORT]`.
    pub(super) address: String,
    /// The variable that named the address; `None` if the Region's own was asked.
    pub(super) variable: Option<&'cloudwatch str>,
    /// The Region.
    pub(super) region: &'cloudwatch str,
    /// The variable that named it, or the task's ARN.
    pub(super) region_from: &'cloudwatch str,
    /// `NAMESPACE`.
    pub(super) namespace: &'cloudwatch str,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)?;
        match self.variable {
            Some(variable) => write!(f, " (from {variable})"),
            // The address is made of it.
            None => write!(f, " (Region {} from {})", self.region, self.region_from),
        }
    }
}
