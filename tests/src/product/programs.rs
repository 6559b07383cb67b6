//! Where the programs are.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// A program by its name. Looked for in `INSIGHT_BIN_DIR`; if that is not set, beside the running program and one folder
/// up, which is where cargo puts programs and tests; then in `$CARGO_TARGET_DIR/debug` and `target/debug`.
pub fn program(name: &str) -> Result<PathBuf> {
    let places = places();
    places
        .iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "no program {name} in {places:?}; build it with `cargo build --workspace`, \
                 or say in INSIGHT_BIN_DIR where it is"
            )
        })
}

fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = Vec::new();
    places.extend(env::var_os("INSIGHT_BIN_DIR").map(PathBuf::from));
    if let Ok(current) = env::current_exe() {
        places.extend(current.ancestors().skip(1).take(2).map(PathBuf::from));
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    places.push(target.join("debug"));
    places
}
