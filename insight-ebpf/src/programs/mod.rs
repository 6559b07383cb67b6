//! One file a program, with what they share.

mod births;
mod dialed;
mod interfaces;
mod life;
mod maps;
mod readout;
mod retire;
mod socket;
mod talks;
mod threads;
mod udp;
mod udp_socket;
mod victims;
mod waits;
