//! What a user sees: output, errors and exit code of the real program.

mod basics;
mod copying;
mod damage;
mod demo;
mod disk_full;
mod history;
mod hostile;
mod interrupted;
mod jira;
mod json;
mod ledger;
mod marks;
mod pruning;
mod refused;
mod repairing;
mod restoring;
mod retention;
mod sources;
