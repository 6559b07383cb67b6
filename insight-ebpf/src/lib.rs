//! Insight's kernel side, the part that the host can test: what the maps hold ([`abi`]) and what is counted when ([`flow`],
//! [`thread`]).
#![no_std]

pub mod abi;
pub mod flow;
pub mod thread;
