//! The folder of an embedded store: whose it is, and which version.
//!
//! `FORMAT` says what this is and its version, `LOCK` is locked while a process has it open, `rows/` is fjall's.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// Version of the folder's layout and of the keys in it. Values have versions of their own.
const VERSION: u32 = 1;

/// What `FORMAT` starts with.
const MAGIC: &str = "insight-store";

/// Names that may be in a folder without a store: what a start that was cut short left, and what a fresh ext4 volume has.
const IGNORED: [&str; 3] = [LOCK, FORMAT_NEW, "lost+found"];

const FORMAT: &str = "FORMAT";
const FORMAT_NEW: &str = "FORMAT.new";
const LOCK: &str = "LOCK";

/// A folder that is ours, and locked.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// Unlocked when it is closed, by a crash too.
    _lock: File,
}

impl Folder {
    /// Makes or finds the folder. Looks first and changes nothing unless it may.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| {
            format!(
                "making the store folder {}; name a folder that this user may write, or make it first",
                dir.display()
            )
        })?;
        let is_new = look(dir)?;
        let lock = lock(dir)?;
        if is_new {
            write_format(dir).with_context(|| format!("writing {FORMAT} in {}", dir.display()))?;
        }
        let folder = Self {
            dir: dir.to_owned(),
            _lock: lock,
        };
        folder.clear_unfinished()?;
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// fjall's part.
    pub(super) fn rows(&self) -> PathBuf {
        self.dir.join("rows")
    }

    /// A first start that was cut short leaves a log that fjall takes for its own and refuses. fjall writes `version` before
    /// it takes the first row, so without it, and without a tree, there is nothing to lose.
    fn clear_unfinished(&self) -> Result<()> {
        let rows = self.rows();
        if !rows.exists() || rows.join("version").exists() {
            return Ok(());
        }
        let trees = rows.join("keyspaces");
        let is_empty = !trees.exists() || fs::read_dir(&trees)?.next().is_none();
        ensure!(
            is_empty,
            "{} has rows but no version file; restore the folder from a backup, or name another one to start anew",
            rows.display()
        );
        fs::remove_dir_all(&rows).with_context(|| format!("clearing {}", rows.display()))
    }
}

/// Whether the folder is to be made a store; an error if it is not ours or newer.
fn look(dir: &Path) -> Result<bool> {
    let path = dir.join(FORMAT);
    match fs::read_to_string(&path) {
        Ok(format) => {
            let version = parse(&format).with_context(|| {
                format!(
                    "{} is not the mark of an Insight store; name another folder",
                    path.display()
                )
            })?;
            ensure!(
                version <= VERSION,
                "the store in {} has format {version}, made by a newer version; this one reads up to {VERSION}: \
                 start the newer version, or name another folder",
                dir.display()
            );
            Ok(false)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let entries = fs::read_dir(dir)
                .with_context(|| format!("reading the store folder {}", dir.display()))?;
            for entry in entries {
                let name = entry?.file_name();
                ensure!(
                    IGNORED.iter().any(|ignored| name == *ignored),
                    "{} is not empty ({} is in it) and holds no Insight store; name an empty folder, or one that \
                     does not exist yet",
                    dir.display(),
                    name.display()
                );
            }
            Ok(true)
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "reading {}; let this user read it, or name another folder",
                path.display()
            )
        }),
    }
}

/// The version that a `FORMAT` says.
fn parse(format: &str) -> Result<u32> {
    let Some((MAGIC, version)) = format.trim_end().split_once(' ') else {
        bail!("it does not say \"{MAGIC} VERSION\"");
    };
    version
        .parse()
        .with_context(|| format!("{version:?} is not a version"))
}

/// How often a lock is tried, and the pause between: half a second in all. A process that was just forked holds its parent's
/// descriptors until its exec, so a lock can outlive its holder for a moment.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            #[expect(clippy::disallowed_methods, reason = "before anything else runs")]
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            tried => return tried,
        }
    }
    file.try_lock()
}

/// Locks the folder against other processes. Opened for writing, so that a folder that cannot be written is met here.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| {
            format!(
                "writing in the store folder {}; let this user write it, or name another folder",
                dir.display()
            )
        })?;
    match try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "the store in {} is in use by process {}; stop it, or name another folder",
                dir.display(),
                holder.trim()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| {
                format!(
                    "locking {}; the folder must be on a file system with locks",
                    path.display()
                )
            });
        }
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// Marks the folder as ours, wholly or not at all.
fn write_format(dir: &Path) -> Result<()> {
    let new = dir.join(FORMAT_NEW);
    let mut file = File::create(&new)?;
    writeln!(file, "{MAGIC} {VERSION}")?;
    file.sync_all()?;
    fs::rename(&new, dir.join(FORMAT))?;
    File::open(dir)?.sync_all()?;
    Ok(())
}
