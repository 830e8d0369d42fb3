//! Where the last scan of a site ended. Stored in the commit, with the collection of issues.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the cursor; one of another version is not used, and all is read again.
const VERSION: u32 = 1;

/// What the next scan goes on from. All times are the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    version: u32,
    /// When the scan began: what was changed later is read by the next one.
    pub(super) started: Timestamp,
    /// The time zone of the account: stored times are written in it.
    pub(super) time_zone: String,
    /// Where the feeds of worklogs go on, in milliseconds since 1970.
    pub(super) worklogs: i64,
    /// Up to when the rotation has read again what was due.
    pub(super) rotation: Timestamp,
    /// When configuration, projects and people were read last.
    pub(super) configured: Timestamp,
    /// By project: how many of its issues the account cannot see.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) hidden: BTreeMap<String, u64>,
    /// Issues that could not be read whole, by id: tried again by every scan.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) retry: BTreeSet<u64>,
    /// Attachments that the server has lost, by path: listed by every scan, tried again by the rotation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) lost: BTreeMap<String, String>,
    /// True while the first scan goes on: the trees then hold only a part of the issues, read since `started`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unfinished: bool,
}

impl Cursor {
    /// The cursor of a scan that begins now and has no predecessor.
    pub(super) fn new(started: Timestamp, time_zone: &str) -> Self {
        Self {
            version: VERSION,
            started,
            time_zone: time_zone.into(),
            worklogs: started.as_millisecond(),
            rotation: started,
            configured: Timestamp::UNIX_EPOCH,
            hidden: BTreeMap::new(),
            retry: BTreeSet::new(),
            lost: BTreeMap::new(),
            unfinished: false,
        }
    }

    /// Reads one; `None` where it is none of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|it: &Self| it.version == VERSION)
    }

    /// Writes it.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data is written to memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_another_version_is_not_used() {
        let mut cursor = Cursor::new(Timestamp::UNIX_EPOCH, "Europe/Vienna");
        cursor.retry.insert(7);
        cursor.hidden.insert("ABC".into(), 2);
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor.clone()));
        cursor.version += 1;
        assert_eq!(Cursor::decode(&cursor.encode()), None);
        assert_eq!(Cursor::decode(b"{}"), None);
        assert_eq!(Cursor::decode(b"\xff"), None);
    }
}
