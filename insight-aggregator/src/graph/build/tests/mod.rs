mod focus;
mod gaps;
mod join;
mod levels;
mod sums;
