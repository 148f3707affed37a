//! Where the counters come from: the words of `SOURCE`. Which values of the kernel are
//! believed is decided in `proof`.

/// `SOURCE`: which sources of counters may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChoice {
    /// The kernel for each counter that it is proven for, else the endpoint.
    Auto,
    /// The endpoint alone. The kernel is never looked at.
    Endpoint,
    /// As [`Self::Auto`], with a warning if a measured container is left to the endpoint.
    Kernel,
}

impl SourceChoice {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        SOURCES.iter().find(|(_, choice)| *choice == self).map_or("", |(word, _)| word)
    }
}

/// The words of `SOURCE`.
pub(super) const SOURCES: [(&str, SourceChoice); 3] = [
    ("auto", SourceChoice::Auto),
    ("endpoint", SourceChoice::Endpoint),
    ("kernel", SourceChoice::Kernel),
];
