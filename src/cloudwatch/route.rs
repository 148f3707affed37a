//! Which of a host's addresses a request goes to. Pure: it is told the time, what
//! look-ups said and which connections came about.
//!
//! A connection that works is kept for as long as its address is one that the name
//! has. If the name has moved, the next request tries the new address, and goes to
//! the old one at once if there is no connection to the new one: the old connection
//! is still there. An address that did not answer comes last until it does, whether
//! there was a connection to it or not.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// How old an answer may be before the name is looked up again. A change is followed
/// after that time and a publish interval.
pub(super) const LIFETIME: Duration = Duration::from_mins(5);

/// How many addresses one request tries: each takes up to the connect timeout.
const MAX_TRIES: usize = 3;

/// What is known of a host.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// Of the last look-up that gave any: the ones to try first are first.
    addresses: Vec<SocketAddr>,
    /// Which of them did not answer when they were last asked: the last one is last.
    failed: Vec<SocketAddr>,
    /// Where the last request was answered.
    in_use: Option<SocketAddr>,
    /// The name does not lead to `in_use` any more, and the first of `addresses` has
    /// not been tried.
    has_moved: bool,
    /// When the last look-up ended, whatever it came to.
    looked_up: Option<Instant>,
    /// An address did not answer since then, or none could be connected to.
    is_doubted: bool,
}

impl Route {
    /// Whether there is an address at all.
    pub(super) fn is_known(&self) -> bool {
        self.in_use.is_some() || !self.addresses.is_empty()
    }

    /// Whether the name is to be looked up, if that is not under way.
    pub(super) fn is_lookup_due(&self, now: Instant, lifetime: Duration) -> bool {
        let is_old = |at| now.saturating_duration_since(at) >= lifetime;
        !self.is_known() || self.is_doubted || self.looked_up.is_none_or(is_old)
    }

    /// The addresses to try, in this order.
    pub(super) fn candidates(&self) -> Vec<SocketAddr> {
        let mut candidates = self.addresses.clone();
        if let Some(in_use) = self.in_use {
            candidates.retain(|address| *address != in_use);
            let place = usize::from(self.has_moved).min(candidates.len());
            candidates.insert(place, in_use);
        }
        candidates.truncate(MAX_TRIES);
        candidates
    }

    /// A look-up has ended at `now`: with these addresses, or without any.
    pub(super) fn on_lookup(&mut self, addresses: Option<Vec<SocketAddr>>, now: Instant) {
        self.looked_up = Some(now);
        self.is_doubted = false;
        if let Some(addresses) = addresses.filter(|addresses| !addresses.is_empty()) {
            self.has_moved = self.in_use.is_some_and(|in_use| !addresses.contains(&in_use));
            self.failed.retain(|address| addresses.contains(address));
            self.addresses = interleaved(&addresses);
            self.sort();
        }
    }

    /// A request was answered by `address`.
    pub(super) fn on_answered(&mut self, address: SocketAddr) {
        if self.in_use != Some(address) {
            self.has_moved = false;
            self.in_use = Some(address);
        }
        self.failed.retain(|failed| *failed != address);
    }

    /// There was no connection to `address`.
    pub(super) fn on_failed(&mut self, address: SocketAddr) {
        self.has_moved = false;
        if self.in_use == Some(address) {
            self.in_use = None;
        }
        self.failed.retain(|failed| *failed != address);
        if self.addresses.contains(&address) {
            self.failed.push(address);
        }
        self.sort();
    }

    /// A request was sent to `address` and not answered: there was nothing for long
    /// enough, or the connection ended.
    pub(super) fn on_unanswered(&mut self, address: SocketAddr) {
        self.on_failed(address);
        // The name may have moved.
        self.is_doubted = true;
    }

    /// Puts those that failed last.
    fn sort(&mut self) {
        let Self { addresses, failed, .. } = self;
        let place = |address: &SocketAddr| failed.iter().position(|failed| failed == address);
        // `None` is the least, and equals keep their order.
        addresses.sort_by_key(place);
    }

    /// None of the [`Route::candidates`] could be connected to.
    pub(super) fn on_all_failed(&mut self) {
        self.is_doubted = true;
    }
}

/// The same addresses, those of IPv4 and of IPv6 in turns, in the order in which each
/// came: where one family leads nowhere, the other is among the first few tries.
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_ipv4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let mut first = addresses.iter().filter(|address| address.is_ipv4() == first_is_ipv4);
    let mut second = addresses.iter().filter(|address| address.is_ipv4() != first_is_ipv4);
    let mut interleaved = Vec::with_capacity(addresses.len());
    while interleaved.len() < addresses.len() {
        interleaved.extend(first.next().into_iter().chain(second.next()));
    }
    interleaved
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(host: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), 443))
    }

    /// A host with these addresses, looked up at `now`.
    fn known(hosts: &[u8], now: Instant) -> Route {
        let mut route = Route::default();
        assert!(route.is_lookup_due(now, LIFETIME) && !route.is_known());
        route.on_lookup(Some(hosts.iter().copied().map(at).collect()), now);
        route
    }

    #[test]
    fn address_in_use_stays_in_use_while_the_name_has_it() {
        let now = Instant::now();
        let mut route = known(&[1, 2], now);
        route.on_answered(at(1));
        for round in 1..5 {
            let later = now + LIFETIME * round;
            let almost = now + LIFETIME * (round - 1) + Duration::from_secs(299);
            assert!(!route.is_lookup_due(almost, LIFETIME));
            assert!(route.is_lookup_due(later, LIFETIME));
            route.on_lookup(Some(vec![at(9), at(2), at(1)]), later);
            assert_eq!(route.candidates(), [at(1), at(9), at(2)]);
        }
    }

    #[test]
    fn failed_lookup_changes_nothing_and_is_repeated_after_the_lifetime() {
        let now = Instant::now();
        let mut route = known(&[1, 2], now);
        route.on_answered(at(1));
        for answer in [None, Some(vec![])] {
            route.on_lookup(answer, now + LIFETIME);
            assert_eq!(route.candidates(), [at(1), at(2)]);
            assert!(!route.is_lookup_due(now + LIFETIME + Duration::from_secs(299), LIFETIME));
            assert!(route.is_lookup_due(now + LIFETIME * 2, LIFETIME));
        }
    }

    #[test]
    fn new_address_is_tried_first_once_and_then_the_old_one_is_used() {
        let now = Instant::now();
        let mut route = known(&[1], now);
        route.on_answered(at(1));
        for round in 1..3 {
            route.on_lookup(Some(vec![at(2)]), now + LIFETIME * round);
            assert_eq!(route.candidates(), [at(2), at(1)]);
            route.on_failed(at(2));
            route.on_answered(at(1));
            // Until the next look-up nothing else is tried.
            assert_eq!(route.candidates(), [at(1), at(2)]);
        }
        // The other new one before the one that failed.
        route.on_lookup(Some(vec![at(2), at(3)]), now + LIFETIME * 3);
        assert_eq!(route.candidates(), [at(3), at(1), at(2)]);
        route.on_answered(at(3));
        assert_eq!(route.candidates(), [at(3), at(2)]);
    }

    #[test]
    fn address_that_takes_requests_and_does_not_answer_comes_last_until_it_does() {
        let now = Instant::now();
        let mut route = known(&[1, 2], now);
        route.on_answered(at(1));
        route.on_unanswered(at(1));
        assert_eq!(route.candidates(), [at(2), at(1)]);
        // The name is looked up, and its answer does not bring it back.
        assert!(route.is_lookup_due(now, LIFETIME));
        route.on_lookup(Some(vec![at(1), at(2)]), now);
        assert!(!route.is_lookup_due(now, LIFETIME));
        assert_eq!(route.candidates(), [at(2), at(1)]);
        // Both are silent: in turns.
        route.on_unanswered(at(2));
        assert_eq!(route.candidates(), [at(1), at(2)]);
        route.on_answered(at(1));
        route.on_lookup(Some(vec![at(2), at(3), at(1)]), now);
        assert_eq!(route.candidates(), [at(1), at(3), at(2)]);
        // A lone one is asked again.
        let mut route = known(&[1], now);
        route.on_unanswered(at(1));
        assert_eq!(route.candidates(), [at(1)]);
    }

    #[test]
    fn new_address_that_does_not_answer_leaves_the_old_one_in_use() {
        let now = Instant::now();
        let mut route = known(&[1], now);
        route.on_answered(at(1));
        route.on_lookup(Some(vec![at(2)]), now);
        route.on_unanswered(at(2));
        assert_eq!(route.candidates(), [at(1), at(2)]);
    }

    #[test]
    fn families_of_addresses_take_turns() {
        let six = |host| SocketAddr::from(([0x2600, 0, 0, 0, 0, 0, 0, host], 443));
        let (four, now) = (at, Instant::now());
        for (found, expected) in [
            (vec![six(1), six(2), six(3), four(1), four(2)], [six(1), four(1), six(2)]),
            (vec![four(1), four(2), four(3), six(1)], [four(1), six(1), four(2)]),
            (vec![six(1), six(2), six(3), six(4)], [six(1), six(2), six(3)]),
        ] {
            let mut route = Route::default();
            route.on_lookup(Some(found.clone()), now);
            assert_eq!(route.candidates(), expected);
            assert_eq!(route.addresses.len(), found.len());
        }
    }

    #[test]
    fn what_cannot_be_connected_to_comes_last_and_is_doubted() {
        let now = Instant::now();
        let mut route = known(&[1, 2, 3, 4], now);
        assert_eq!(route.candidates(), [at(1), at(2), at(3)]);
        for host in [1, 2, 3] {
            route.on_failed(at(host));
        }
        assert!(!route.is_lookup_due(now, LIFETIME));
        route.on_all_failed();
        assert!(route.is_lookup_due(now, LIFETIME));
        assert_eq!(route.candidates(), [at(4), at(1), at(2)]);
        route.on_lookup(None, now);
        assert!(!route.is_lookup_due(now, LIFETIME));
        assert_eq!(route.candidates(), [at(4), at(1), at(2)]);
    }
}
