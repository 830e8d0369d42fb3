//! From what was asked to what the engine needs. Prints nothing.

pub(crate) mod jira;
pub(crate) mod open;
pub(crate) mod passphrase;
pub(crate) mod runtime;
pub(crate) mod selection;
pub(crate) mod settings;
pub(crate) mod snapshot_name;
pub(crate) mod source;
pub(crate) mod units;
