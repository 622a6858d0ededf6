use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// One server's hold on a database file, by a lock on a file beside it: with two, each would answer from numbers that the
/// other has changed. Commands that only read, and `import`, need none.
#[derive(Debug)]
pub(crate) struct Claim {
    // Released when it is closed, however the process ends. The file stays: to remove it would let two have one.
    _locked: File,
}

impl Claim {
    pub(crate) fn on(db: &Path) -> anyhow::Result<Self> {
        let mut path = db.as_os_str().to_owned();
        path.push("-lock");
        let path = PathBuf::from(path);
        let cannot = || format!("{}: cannot be opened, as {}", db.display(), path.display());
        let opened = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = opened.with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                file.read_to_string(&mut process)?;
                let (db, process) = (db.display(), process.trim());
                bail!("{db}: process {process} serves it already; stop that one, or name another file by --db");
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
        }
        // For the message above.
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _locked: file })
    }
}
