//! Fields
