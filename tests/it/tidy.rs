//! Are the drawings true? Reads the sources as text.
