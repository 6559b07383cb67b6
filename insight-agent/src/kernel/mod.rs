//! The only place that names aya: loads the programs, attaches each by itself, and reads what they counted.

mod attach;
mod births;
mod btf;
#[cfg(test)]
mod btf_encoder;
mod capabilities;
mod connects;
mod doctor;
mod doorbell;
mod evict;
mod fields;
mod kept;
mod load;
mod memory;
mod object;
mod pins;
mod probes;
#[cfg(test)]
mod properties;
mod ranges;
mod readout;
mod release;
mod system;
mod tasks;
mod threads;
mod turns;
mod udp;
mod wire;

pub use births::Births;
pub use capabilities::holds;
pub use connects::Dialing;
pub use doctor::{Diagnosis, diagnose};
pub use doorbell::Doorbell;
pub use fields::Form;
pub use load::{Kernel, LoadOptions};
pub use pins::{Found, NoBpfFs, Pins, remove as remove_pins};
pub use probes::Probe;
pub use release::Release;
pub use threads::Charges;
pub use udp::Udp;
