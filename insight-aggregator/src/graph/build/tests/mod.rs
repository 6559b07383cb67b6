mod focus;
mod gaps;
mod join;
mod levels;
mod shared;
mod sums;
mod traits;
mod translated;
