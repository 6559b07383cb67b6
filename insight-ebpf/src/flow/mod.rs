//! What is counted, and when. Pure: the kernel is behind two small traits, so that the host can try every case.

mod dialed;
mod kernel;
mod life;
mod place;
mod readout;
#[cfg(test)]
mod tests;
mod turns;
mod udp;
#[cfg(test)]
mod udp_tests;
mod update;

pub use dialed::{DialedMaps, on_syn_sent};
pub use kernel::{Found, Maps, Socket};
pub use life::{matters, on_state_change, state};
pub use readout::live_socket;
pub use turns::{Change, Turns};
pub use udp::{Count, Event, Talks, UdpSocket, on_message, on_refused, on_socket};
pub use update::Update;
