//! The log's files on a real disk.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::{File, Fs};
use crate::error::{Error, Result};

/// A file only for its owner: it says what units did, if not who they are.
const MODE: u32 = 0o600;
const LOCK: &str = "lock";

/// One directory of a real disk.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
}

/// A directory that no other process locks, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: fs::File,
}

#[derive(Debug)]
struct OnDisk(fs::File);

impl Disk {
    /// Makes the directory where it is missing, and locks it.
    ///
    /// # Errors
    /// `FailedPrecondition` when another process has locked it, `Unavailable` when it cannot be used.
    pub fn lock(path: &Path) -> Result<(Self, Lock)> {
        let unusable = |error: io::Error| {
            Error::Unavailable(format!(
                "log: {} cannot be used ({error}); check the state directory",
                path.display()
            ))
        };
        fs::create_dir_all(path).map_err(unusable)?;
        if let Some(parent) = path.parent() {
            sync_dir(parent).map_err(unusable)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(MODE)
            .open(path.join(LOCK))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok((Self::read_only(path), Lock { _file: lock })),
            Err(fs::TryLockError::WouldBlock) => Err(Error::FailedPrecondition(format!(
                "log: {} is in use by another process; stop it first",
                path.display()
            ))),
            Err(fs::TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Returns a directory that may be in use, to read it.
    pub fn read_only(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Returns the id of the running system's start; all zeros where it is not known.
    pub fn boot() -> [u8; 16] {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        u128::from_str_radix(&digits, 16)
            .unwrap_or_default()
            .to_be_bytes()
    }
}

impl Fs for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // What has no such name is no file of the log's.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(MODE);
        Ok(Arc::new(OnDisk(options.open(self.path.join(name))?)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = OpenOptions::new().append(true).open(self.path.join(name))?;
        Ok(Arc::new(OnDisk(file)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_dir(&self.path)
    }
}

impl File for OnDisk {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

/// Returns what tells a file from every copy of it: its inode and, where the file system knows it, when it was made.
///
/// Both stay when the file is renamed, when the file system is mounted again and when the system starts again; the number of its device
/// does not, and is left out.
///
/// # Errors
/// `Unavailable` when the file cannot be looked at.
pub fn file_identity(path: &Path) -> Result<String> {
    let metadata = fs::metadata(path).map_err(|error| {
        Error::Unavailable(format!("{} cannot be used ({error})", path.display()))
    })?;
    let made = metadata.created().ok();
    let made = made.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(format!(
        "{}:{}",
        metadata.ino(),
        made.map_or(0, |at| at.as_nanos())
    ))
}
