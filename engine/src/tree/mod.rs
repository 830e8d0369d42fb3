//! Prolly trees: ordered maps whose root does not depend on history.
