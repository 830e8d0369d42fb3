//! The state of the site.
