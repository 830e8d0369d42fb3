//! Packs: frames sealed, collected, uploaded; fetched, opened, verified.
