//! What the collector decides (FORMAT.md §11): bodies of sealed objects below `gc/`.

use serde::{Deserialize, Serialize};

use super::name::SessionName;
use crate::id::{PackId, WriterId};

/// The packs that a collector condemned, and the commits that it gives up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "condemned", rename_all = "kebab-case")]
pub struct Condemned {
    /// Format version of the body.
    pub version: u32,
    /// Who decided.
    pub by: WriterId,
    /// When: RFC 3339, UTC.
    pub time: String,
    /// The packs that are to go.
    pub packs: Vec<PackId>,
    /// The commits that are given up.
    pub dropped: Vec<SessionName>,
}

/// From now on it may be too late to bring back a dropped commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "closed", rename_all = "kebab-case")]
pub struct Closed {
    /// Format version of the body.
    pub version: u32,
    /// Who closed.
    pub by: WriterId,
    /// When: RFC 3339, UTC.
    pub time: String,
}

/// What goes and what stays, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "swept", rename_all = "kebab-case")]
pub struct Swept {
    /// Format version of the body.
    pub version: u32,
    /// Who decided.
    pub by: WriterId,
    /// When: RFC 3339, UTC.
    pub time: String,
    /// The packs that go.
    pub packs: Vec<PackId>,
    /// Of the commits with a session epoch below this one, those that stay.
    pub kept: Vec<SessionName>,
}
