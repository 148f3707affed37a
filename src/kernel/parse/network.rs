//! `/proc/net/dev`, and MAC addresses.

use super::{lines, number, words};
use crate::reading::NetworkReading;

/// The counters of the interface `name` in `/proc/net/dev`.
#[must_use]
pub fn interface_bytes(bytes: &[u8], name: &[u8]) -> Option<NetworkReading> {
    lines(bytes).find_map(|line| {
        let line = line.trim_ascii_start();
        // An alias has a `:` in its name; nothing after the name does.
        let colon = line.iter().rposition(|byte| *byte == b':')?;
        if &line[..colon] != name {
            return None;
        }
        let mut numbers = words(&line[colon + 1..]).map(number);
        // Received: bytes and seven more. Then what was sent.
        Some(NetworkReading { rx_bytes: numbers.next()??, tx_bytes: numbers.nth(7)?? })
    })
}

/// The names of the interfaces in `/proc/net/dev`.
pub fn interface_names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(bytes).filter_map(|line| {
        let line = line.trim_ascii_start();
        Some(&line[..line.iter().rposition(|byte| *byte == b':')?])
    })
}

/// Whether this is a MAC address of an interface: six bytes in hexadecimal digits,
/// not all zero, as a loopback's are, and not all ones.
#[must_use]
pub fn is_mac_address(text: &[u8]) -> bool {
    let has_form = text.len() == 17
        && text.iter().enumerate().all(|(place, byte)| match place % 3 {
            2 => matches!(byte, b':' | b'-'),
            _ => byte.is_ascii_hexdigit(),
        });
    let are_all = |digit: u8| {
        text.iter()
            .enumerate()
            .all(|(place, byte)| place % 3 == 2 || byte.eq_ignore_ascii_case(&digit))
    };
    has_form && !are_all(b'0') && !are_all(b'f')
}

/// Whether both are the same MAC address, in letters of either case.
#[must_use]
pub fn same_mac(one: &[u8], other: &[u8]) -> bool {
    is_mac_address(one)
        && is_mac_address(other)
        && one
            .iter()
            .zip(other)
            .enumerate()
            .all(|(place, (one, other))| place % 3 == 2 || one.eq_ignore_ascii_case(other))
}
