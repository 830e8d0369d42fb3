//! The files source, as the engine meets it.

mod changes;
mod contents;
mod driver;
mod kinds;
mod names;
mod selection;
