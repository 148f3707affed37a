//! The whole machine, and the network of this namespace.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    os::fd::OwnedFd,
    path::Path,
    time::Instant,
};

use nix::ifaddrs::getifaddrs;
use rustix::{
    fs::{CWD, OFlags},
    param::clock_ticks_per_second,
};

use super::files::{open_file, open_folder, read_again, read_all_again, read_once};
use crate::{
    kernel::{
        MachineReading, NoInterface,
        parse::{interface_bytes, is_mac_address, machine_ticks, same_mac},
    },
    reading::NetworkReading,
};

/// More interfaces than this are not looked at.
pub(super) const INTERFACES_MAX: usize = 1024;

/// An interface whose counters are read.
#[derive(Debug)]
pub(super) struct Interface {
    name: String,
    counters: File,
}

impl Interface {
    /// The interface that has one of these MAC addresses or, if none has, one of these
    /// IPv4 addresses. Of several with the MAC address, the one that has an IPv4
    /// address as well.
    pub(super) fn choose<'a>(
        proc: &OwnedFd,
        sys: &Path,
        macs: impl Iterator<Item = &'a str>,
        addresses: impl Iterator<Item = Ipv4Addr>,
    ) -> Result<Self, NoInterface> {
        let macs: Vec<&str> = macs.filter(|mac| is_mac_address(mac.as_bytes())).collect();
        let addresses: Vec<Ipv4Addr> = addresses
            .filter(|address| !address.is_loopback() && !address.is_unspecified())
            .collect();
        if macs.is_empty() && addresses.is_empty() {
            return Err(NoInterface::NothingGiven);
        }
        let by_mac = with_macs(sys, &macs);
        let by_address = with_addresses(&addresses);
        if by_mac.is_none() && by_address.is_none() {
            return Err(NoInterface::NoList);
        }
        let (mut by_mac, by_address) = (by_mac.unwrap_or_default(), by_address.unwrap_or_default());
        if by_mac.len() > 1 {
            by_mac.retain(|name| by_address.contains(name));
            if by_mac.is_empty() {
                return Err(NoInterface::Ambiguous);
            }
        }
        let found = if by_mac.is_empty() { by_address } else { by_mac };
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(name), None) => {
                let counters = open_file(proc, c"self/net/dev").map_err(|_| NoInterface::NoList)?;
                Ok(Self { name, counters })
            }
            (None, _) => Err(NoInterface::NoMatch),
            _ => Err(NoInterface::Ambiguous),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its counters.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Option<NetworkReading> {
        interface_bytes(read_all_again(&self.counters, buffer).ok()?, self.name.as_bytes())
    }
}

/// The interfaces with one of these MAC addresses.
pub(super) fn with_macs(sys: &Path, macs: &[&str]) -> Option<Vec<String>> {
    let folder = sys.join("class/net");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).ok()?.take(INTERFACES_MAX) {
        let Some(name) = entry.ok().and_then(|entry| entry.file_name().into_string().ok()) else {
            continue;
        };
        let mut buffer = [0; 64];
        let path = folder.join(&name);
        let address = open_folder(CWD, &path, OFlags::empty())
            .ok()
            .and_then(|folder| read_once(folder, c"address", &mut buffer).ok())
            .unwrap_or_default()
            .trim_ascii_end();
        if macs.iter().any(|mac| same_mac(mac.as_bytes(), address)) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Some(names)
}

/// The interfaces of this network namespace with one of these addresses.
pub(super) fn with_addresses(addresses: &[Ipv4Addr]) -> Option<Vec<String>> {
    if addresses.is_empty() {
        return Some(Vec::new());
    }
    let mut names: Vec<String> = getifaddrs()
        .ok()?
        .filter(|one| {
            let address = one.address.as_ref().and_then(|address| address.as_sockaddr_in());
            address.is_some_and(|address| addresses.contains(&address.ip()))
        })
        .map(|one| one.interface_name)
        .collect();
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// The whole machine's counters, kept open.
#[derive(Debug)]
pub(super) struct Machine {
    stat: File,
}

impl Machine {
    pub(super) fn open(proc: &OwnedFd) -> Option<Self> {
        Some(Self { stat: open_file(proc, c"stat").ok()? })
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> Option<MachineReading> {
        let before = Instant::now();
        let bytes = read_again(&self.stat, buffer).ok()?;
        let after = Instant::now();
        let ticks = machine_ticks(bytes)?;
        Some(MachineReading {
            before,
            after,
            cpus: ticks.cpus,
            idle_ticks: ticks.idle,
            iowait_ticks: ticks.iowait,
            ticks_per_second: clock_ticks_per_second(),
        })
    }
}
