//! Extended headers of tar archives.
