//! What may happen to the disk, the file and the clock of a store: nothing acknowledged is lost, and each error is said.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![allow(clippy::print_stderr, reason = "a skipped test has to say so")]
#![cfg(feature = "store")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use wilco::model::{FakeClock, Timestamp};
use wilco::store::{Store, StoreError, StoreOptions};

#[path = "support/stored.rs"]
#[allow(dead_code)]
mod stored;

use stored::Told;

/// A file system of its own, of so many bytes. `None`, with a word on it, where this user may not mount one.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "wilco-test"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: no file system of {size} can be mounted here; run as root to test a full disk");
        }
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn big(number: u64) -> Told {
    Told::new(number, &format!("wf-{number}"), "a", "b").with("text", stored::noise(number, 4_000))
}

/// Inserts handoffs of `big` from a number on until one is refused, and says which.
fn fill(store: &Store, from: u64) -> (u64, StoreError) {
    for number in from..from + 100_000 {
        if let Err(error) = store.insert_blocking(big(number).spans().to_vec()) {
            return (number, error);
        }
    }
    panic!("the disk is never full");
}

#[test]
fn a_disk_that_is_full_is_said_and_survived_and_work_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_small) = Small::mount(folder.path(), "8m") else { return };
    let path = folder.path().join("wilco.db");
    // What takes up room at first, and is removed later.
    let ballast = folder.path().join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();

    let store = Store::open(&path, StoreOptions::default()).unwrap();
    let (kept, error) = fill(&store, 0);
    assert!(matches!(error, StoreError::Full) && error.is_retryable(), "{error:?}");
    assert!(error.to_string().starts_with("disk full"), "{error}");
    assert!(kept > 20, "only {kept} were kept");
    // It goes on answering, and refusing.
    assert_eq!(store.spans("wf-0").unwrap().len(), 2);
    assert!(store.insert_blocking(big(kept).spans().to_vec()).is_err());

    std::fs::remove_file(&ballast).unwrap();
    store.insert_blocking(big(kept).spans().to_vec()).unwrap();
    let (more, error) = fill(&store, kept + 1);
    assert!(matches!(error, StoreError::Full), "{error:?}");
    drop(store);

    // Also where the disk is still full, all that was acknowledged can be read.
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    for number in 0..more {
        assert_eq!(store.spans(&format!("wf-{number}")).unwrap().len(), 2, "{number} was acknowledged and is lost");
    }
}

#[test]
fn a_file_with_damage_in_its_middle_is_said_to_be_damaged_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let store = Store::open(&path, StoreOptions::default()).unwrap();
    for number in 0..200 {
        store.insert_blocking(big(number).spans().to_vec()).unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    // All but the first pages, which hold the schema: as a disk that lost them.
    let from = bytes.len() / 8;
    for page in bytes[from..].chunks_mut(8_192).step_by(2) {
        page.fill(0xa5);
    }
    std::fs::write(&path, bytes).unwrap();
    let said: Vec<String> = match Store::open(&path, StoreOptions::default()) {
        Err(error) => vec![error.to_string()],
        Ok(store) => (0..200)
            .filter_map(|number| store.spans(&format!("wf-{number}")).err())
            .chain((300..310).filter_map(|number| store.insert_blocking(big(number).spans().to_vec()).err()))
            .map(|error| error.to_string())
            .collect(),
    };
    assert!(!said.is_empty(), "nobody noticed");
    for error in said {
        assert!(error.contains("damaged") && error.contains("restore it from a copy"), "{error}");
    }
}

#[test]
fn a_clock_that_jumps_makes_nothing_old_and_one_that_is_set_back_makes_nothing_older() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wilco.db");
    let clock = FakeClock::at(Timestamp::now());
    let options = || {
        let hour = Duration::from_secs(3_600);
        StoreOptions::default().keep_for(hour).tidy_every(Duration::from_millis(5)).clock(clock.clone())
    };
    let store = Store::open(&path, options()).unwrap();
    store.insert_blocking(Told::new(1, "before", "a", "b").spans().to_vec()).unwrap();
    // Ten years on, in the midst of it: nothing came longer ago for that.
    clock.advance(Duration::from_secs(10 * 365 * 86_400));
    store.insert_blocking(Told::new(2, "after", "a", "b").spans().to_vec()).unwrap();
    tidied(&store);
    assert_eq!(store.workflows(10, 0, false).unwrap().len(), 2);
    drop(store);

    // Set back by a year before the next start: what comes then is still the newest.
    clock.set(Timestamp::from_unix_nanos(Timestamp::now().unix_nanos() - 365 * 86_400 * 1_000_000_000));
    let store = Store::open(&path, options()).unwrap();
    store.insert_blocking(Told::new(3, "back", "a", "b").spans().to_vec()).unwrap();
    let ids: Vec<String> = store.workflows(10, 0, false).unwrap().into_iter().map(|workflow| workflow.id).collect();
    assert_eq!(ids, ["back", "after", "before"]);
    tidied(&store);
    assert_eq!(store.workflows(10, 0, false).unwrap().len(), 3);
}

/// Gives the store its turns to forget: the thread that writes looks between two requests whether it is time to.
fn tidied(store: &Store) {
    let until = Instant::now() + Duration::from_millis(30);
    let mut number = 1_000;
    while Instant::now() < until {
        let told = Told::new(number, "after", "a", "b");
        store.insert_blocking(vec![told.sender()]).unwrap();
        number += 1;
    }
}
