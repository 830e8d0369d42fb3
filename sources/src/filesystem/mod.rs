//! Folders: what a file system holds.
