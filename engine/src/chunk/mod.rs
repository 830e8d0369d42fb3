//! Cutting contents into chunks.
