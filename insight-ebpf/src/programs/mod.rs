//! One file a program, with what they share.

mod births;
mod life;
mod maps;
mod readout;
mod retire;
mod socket;
mod threads;
mod victims;
mod waits;
