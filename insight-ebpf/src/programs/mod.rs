//! One file a program, with what they share.

mod life;
mod maps;
mod readout;
mod socket;
