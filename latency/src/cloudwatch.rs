//! CloudWatch as a publisher meets it: how long it takes to accept, and how long after that
//! an evaluation sees a datum.

use crate::{
    dice::of_place,
    moment::{SECOND_NS, ns},
    sidecar::request_ns,
};

/// The delays of one run. They belong to the moment at which something is sent, to a tenth of
/// a second, so that two publishers that send at one moment are equally lucky.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloudWatch {
    pub(crate) seed: u64,
    /// From acceptance to an evaluation that sees it, seconds.
    pub(crate) ingest_s: (f64, f64),
}

impl CloudWatch {
    pub(crate) fn accepts_after(&self, at_ns: u64) -> u64 {
        request_ns(of_place(!self.seed, at_ns / (SECOND_NS / 10)))
    }

    pub(crate) fn sees_after(&self, at_ns: u64) -> u64 {
        let (least, most) = self.ingest_s;
        ns(least + (most - least) * of_place(self.seed, at_ns / (SECOND_NS / 10)))
    }
}
