//! The kernel elsewhere than on Linux: nothing is found.

use std::{net::Ipv4Addr, path::Path};

use super::{Finding, KernelReading, MachineReading, NoInterface, Survey};
use crate::reading::NetworkReading;

/// Finds nothing here.
#[derive(Debug, Default)]
pub struct Kernel(());

#[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "as on Linux")]
impl Kernel {
    /// Finds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }

    /// Finds nothing.
    #[must_use]
    pub fn at(_proc: &Path, _sys: &Path) -> Self {
        Self(())
    }

    /// Finds nothing.
    pub fn look<'a>(&mut self, _docker_ids: impl Iterator<Item = &'a str> + Clone) {}

    /// Visits nothing.
    pub fn read(&mut self, _with_memory: bool, _visit: &mut dyn FnMut(&str, &KernelReading)) {}

    /// Nothing.
    pub fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        std::iter::empty()
    }

    /// Sees nothing.
    #[must_use]
    pub fn survey(&mut self, _macs: &[&str], _addresses: &[Ipv4Addr]) -> Survey {
        Survey::default()
    }

    /// No.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        false
    }

    /// Finds none.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn choose_interface<'a>(
        &mut self,
        _macs: impl Iterator<Item = &'a str>,
        _addresses: impl Iterator<Item = Ipv4Addr>,
    ) -> Result<&str, NoInterface> {
        Err(NoInterface::NoList)
    }

    /// Nothing.
    pub fn read_network(&mut self) -> Option<NetworkReading> {
        None
    }

    /// Nothing.
    pub fn read_machine(&mut self) -> Option<MachineReading> {
        None
    }
}
