//! What came of a request to a source of credentials.

/// What the EC2 instance's metadata are asked for. Their address may be any, by
/// `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
const INSTANCE_METADATA: [&str; 2] = ["/latest/api/token", "/latest/meta-data/"];

/// What came of a request to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Whom it asked, without the query.
    pub(super) address: String,
    /// It asked STS for the credentials of a role.
    pub(super) is_for_role: bool,
    /// The answer.
    pub(super) answer: SourceAnswer,
}

/// How a source answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SourceAnswer {
    /// With this status, and text unless that may hold credentials.
    Status {
        status: u16,
        /// The code of an error in STS's protocol.
        code: Option<String>,
        text: String,
    },
    /// Not at all: why.
    None { error: String, is_timeout: bool },
}

impl Heard {
    /// Whether it is an answer that a source gives if it has something.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.answer, SourceAnswer::Status { status: 200..=299, .. })
    }

    /// Whether the instance was asked, which is the last source: the task itself has
    /// none then.
    pub(super) fn is_of_instance(&self) -> bool {
        INSTANCE_METADATA.iter().any(|path| self.address.contains(path))
    }
}
