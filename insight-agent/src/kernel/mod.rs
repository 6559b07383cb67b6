//! The only place that names aya: loads the programs, attaches each by itself, and reads what they counted.

mod btf;
mod doctor;
mod doorbell;
mod fields;
mod load;
mod object;
mod probes;
mod readout;
mod system;

pub use doctor::{Diagnosis, diagnose};
pub use doorbell::Doorbell;
pub use load::{Kernel, LoadOptions};
pub use probes::Probe;
