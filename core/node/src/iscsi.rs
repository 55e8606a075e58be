//! iSCSI targets of the machines beside the nodes: who may use which of their disks.
//!
//! Upstream: the Linux kernel's target (LIO) as `targetcli` sets it up.

use crate::disks::DiskId;
use std::collections::BTreeMap;

/// The port where targets listen.
pub const PORT: u16 = 3260;

/// Targets by the address where they listen.
#[derive(Clone, Debug, Default)]
pub struct IscsiTargets {
    portals: BTreeMap<String, BTreeMap<String, Target>>,
}

/// A user and a password. LIO's "mutual" credentials, by which a target shows who it is, are not here.
pub type Chap = (String, String);

/// A target: its name stands with the portal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its disks, by their numbers.
    pub luns: BTreeMap<u32, DiskId>,
    /// Who may use them: names of initiators, with a user and a password where these are set.
    pub acls: BTreeMap<String, Option<Chap>>,
    /// Whether whoever comes may use them: `generate_node_acls`.
    pub open: bool,
    /// Whether a user and a password are asked for: `authentication`.
    pub authenticates: bool,
    /// The user and the password of who comes without being named.
    pub chap: Option<Chap>,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub struct Initiator<'a> {
    /// `iqn.1993-08.org.debian:01:0a1b2c3d4e5f`
    pub name: &'a str,
    /// The user and the password that it shows.
    pub chap: Option<Chap>,
}

/// Why a disk cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// Nobody listens at the portal.
    NoPortal,
    /// The portal has no target of this name.
    NoTarget,
    /// The target does not take this initiator.
    Refused,
    /// The target has no disk of this number.
    NoLun,
}

impl Target {
    /// Upstream: `iscsi_target_locate_portal`, `chap_main_loop` of LIO.
    fn takes(&self, initiator: &Initiator<'_>) -> bool {
        let wanted = match self.acls.get(initiator.name) {
            Some(own) => own,
            None if self.open => &self.chap,
            None => return false,
        };
        !self.authenticates || wanted.is_some() && *wanted == initiator.chap
    }
}

impl IscsiTargets {
    /// The targets that listen at a portal.
    pub fn at(&self, portal: &str) -> Option<&BTreeMap<String, Target>> {
        self.portals.get(portal)
    }

    /// The targets that listen at a portal, to be changed.
    pub fn at_mut(&mut self, portal: &str) -> Option<&mut BTreeMap<String, Target>> {
        self.portals.get_mut(portal)
    }

    /// Begins to listen at a portal, if nobody does.
    pub fn open(&mut self, portal: &str) -> &mut BTreeMap<String, Target> {
        self.portals.entry(portal.to_owned()).or_default()
    }

    /// Nobody listens at the portal any more.
    pub fn close(&mut self, portal: &str) {
        self.portals.remove(portal);
    }

    /// The disk that an initiator finds at a portal by the target's name and the disk's number.
    pub fn login(
        &self,
        portal: &str,
        target: &str,
        lun: u32,
        initiator: &Initiator<'_>,
    ) -> Result<&DiskId, LoginError> {
        let targets = self.portals.get(portal).ok_or(LoginError::NoPortal)?;
        let target = targets.get(target).ok_or(LoginError::NoTarget)?;
        if !target.takes(initiator) {
            return Err(LoginError::Refused);
        }
        target.luns.get(&lun).ok_or(LoginError::NoLun)
    }
}

/// The name by which a machine logs in: `/etc/iscsi/initiatorname.iscsi` of open-iscsi on Debian,
/// where twelve digits are drawn when the package is installed. Here the machine's name gives them.
pub fn initiator_name(machine: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digits = format!("{:x}", Sha256::digest(machine));
    format!("iqn.1993-08.org.debian:01:{}", digits.get(..12).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_takes_whom_it_knows() {
        let chap = |user: &str, word: &str| Some((user.to_owned(), word.to_owned()));
        let named = |own: Option<Chap>| BTreeMap::from([("iqn.a".to_owned(), own)]);
        let target = |acls, open, authenticates, of_all| {
            let luns = BTreeMap::from([(0, DiskId::new("o", "n"))]);
            Target { luns, acls, open, authenticates, chap: of_all }
        };
        let mut targets = IscsiTargets::default();
        let cases = [
            (target(BTreeMap::new(), false, false, None), None, Err(LoginError::Refused)),
            (target(BTreeMap::new(), true, false, None), None, Ok(())),
            (target(named(None), false, false, None), None, Ok(())),
            (target(named(None), false, true, None), None, Err(LoginError::Refused)),
            (target(named(chap("u", "p")), false, true, None), chap("u", "p"), Ok(())),
            (
                target(named(chap("u", "p")), false, true, None),
                chap("u", "q"),
                Err(LoginError::Refused),
            ),
            (target(BTreeMap::new(), true, true, chap("u", "p")), chap("u", "p"), Ok(())),
        ];
        for (target, chap, expected) in cases {
            targets.open("1.2.3.4:3260").insert("iqn.t".to_owned(), target.clone());
            let initiator = Initiator { name: "iqn.a", chap };
            let found = targets.login("1.2.3.4:3260", "iqn.t", 0, &initiator).map(drop);
            assert_eq!(found, expected, "{target:?}");
        }
        let nobody = Initiator { name: "iqn.a", chap: None };
        let login = |portal, name, lun| targets.login(portal, name, lun, &nobody).map(drop);
        assert_eq!(login("1.2.3.5:3260", "iqn.t", 0), Err(LoginError::NoPortal));
        assert_eq!(login("1.2.3.4:3260", "iqn.x", 0), Err(LoginError::NoTarget));
        assert_eq!(initiator_name("worker").len(), "iqn.1993-08.org.debian:01:".len() + 12);
    }
}
