//! What is recorded is what is read, in any order of events.

mod oracle;
mod recording;
mod world;
