//! A disk that loses power: an ext4 file system in a file. What the server's machine would hold in its
//! page cache is held by the mounted file system, and is not in the file. The device itself is taken to
//! have no volatile cache, or to obey flushes, which the file system sends with each sync.

use std::fs::{self, File};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;

use crate::chance::Chance;
use crate::process::skip;

/// Size of a disk. Sparse: only what is written takes room.
const DISK_BYTES: u64 = 160 << 20;
/// The file system writes nothing by itself: its journal is committed when something is synced. Nor does it help a
/// program that renames a file before its content is synced.
const OPTIONS: &str = "loop,commit=3600,noatime,noauto_da_alloc";
const PAGE_BYTES: u64 = 4096;

/// A disk without power: a file.
pub(crate) struct Disk {
    home: TempDir,
}

/// A disk that is mounted; unmounted when dropped, also by a panic.
pub(crate) struct Mounted {
    disk: Disk,
    /// `/sys/block/loopN/stat`
    stat: PathBuf,
}

/// Whether disks can be made here; says so loudly if not.
pub(crate) fn can_run(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        skip(test, "mounting a disk needs root");
        return false;
    }
    for tool in ["mkfs.ext4", "mount", "umount", "losetup", "cp"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        if !found.status.success() {
            skip(test, &format!("there is no `{tool}`"));
            return false;
        }
    }
    if let Err(why) = Disk::try_new(DISK_BYTES).and_then(Disk::try_mount) {
        skip(test, &format!("no disk can be mounted: {why}"));
        return false;
    }
    true
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if ran.status.success() { Ok(out.trim().to_owned()) } else { Err(format!("{program} {arguments:?}: {}", err.trim())) }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Disk {
    /// A new, empty file system.
    pub(crate) fn new() -> Self {
        Self::of(DISK_BYTES)
    }

    /// One of this size.
    pub(crate) fn of(bytes: u64) -> Self {
        Self::try_new(bytes).unwrap()
    }

    fn try_new(bytes: u64) -> Result<Self, String> {
        let disk = Self { home: TempDir::new().map_err(|error| error.to_string())? };
        File::create(disk.image()).and_then(|file| file.set_len(bytes)).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0", "-J", "size=4", text(&disk.image())])?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    fn place(&self) -> PathBuf {
        self.home.path().join("mounted")
    }

    /// Power on.
    pub(crate) fn mount(self) -> Mounted {
        self.try_mount().unwrap()
    }

    fn try_mount(self) -> Result<Mounted, String> {
        fs::create_dir_all(self.place()).map_err(|error| error.to_string())?;
        run("mount", &["-o", OPTIONS, text(&self.image()), text(&self.place())])?;
        let mut mounted = Mounted { disk: self, stat: PathBuf::new() };
        let device = run("losetup", &["--noheadings", "--output", "NAME", "--associated", text(&mounted.disk.image())])?;
        let name = device.rsplit('/').next().unwrap_or_default();
        mounted.stat = PathBuf::from(format!("/sys/block/{name}/stat"));
        Ok(mounted)
    }
}

impl Mounted {
    /// The root of the file system.
    pub(crate) fn path(&self) -> PathBuf {
        self.disk.place()
    }

    /// What is on the disk at this moment. The writers must stand still.
    pub(crate) fn cut(&self) -> Disk {
        let copy = Disk { home: TempDir::new().unwrap() };
        loop {
            let before = self.quiet();
            run("cp", &["--sparse=always", text(&self.disk.image()), text(&copy.image())]).unwrap();
            // A copy made while the device took writes would be of no moment at all.
            if before == self.quiet() {
                return copy;
            }
        }
    }

    /// Lets the file system write its journal, as it does every few seconds unasked: names reach the disk, and what
    /// was not synced of the files' contents need not.
    pub(crate) fn commit(&self) {
        let other = File::create(self.path().join("other")).unwrap();
        other.sync_all().unwrap();
    }

    /// The device's counters, once nothing is on its way to it.
    fn quiet(&self) -> String {
        const IN_FLIGHT: usize = 8;
        loop {
            let stat = fs::read_to_string(&self.stat).unwrap();
            if stat.split_whitespace().nth(IN_FLIGHT) == Some("0") {
                return stat;
            }
            std::thread::yield_now();
        }
    }

    /// Lets some pages of the files in a folder reach the disk, unasked and in no order, as any system
    /// may do at any moment: so a write that was not synced yet is torn.
    pub(crate) fn tear(&self, folder: &Path, chance: &mut Chance) {
        const PIECES: u64 = 12;
        let Ok(files) = fs::read_dir(folder) else { return };
        for file in files.map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
            let file = File::open(&file).unwrap();
            let pages = file.metadata().unwrap().len().div_ceil(PAGE_BYTES);
            for _ in 0..chance.below(PIECES) {
                let (from, count) = (chance.below(pages), 1 + chance.below(1 + pages / PIECES));
                // Makes the system begin to write these pages; `cut` waits for the device.
                fadvise(&file, from * PAGE_BYTES, NonZeroU64::new(count * PAGE_BYTES), Advice::DontNeed).unwrap();
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let place = self.disk.place();
        if run("umount", &[text(&place)]).is_err() {
            // Something still has a file open: it goes as soon as that is closed.
            drop(run("umount", &["--lazy", text(&place)]));
        }
    }
}

#[test]
fn what_is_not_synced_is_lost_and_what_is_stays() {
    if !can_run("what_is_not_synced_is_lost_and_what_is_stays") {
        return;
    }
    let mounted = Disk::new().mount();
    let (kept, lost) = (mounted.path().join("kept"), mounted.path().join("lost"));
    fs::write(&kept, "synced").unwrap();
    File::open(&kept).unwrap().sync_all().unwrap();
    File::open(mounted.path()).unwrap().sync_all().unwrap();
    let overwritten = File::options().write(true).open(&kept).unwrap();
    overwritten.write_all_at(b"SYNCED", 0).unwrap();
    fs::write(&lost, "not synced").unwrap();
    let after = mounted.cut().mount();
    assert_eq!(fs::read_to_string(after.path().join("kept")).unwrap(), "synced");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "SYNCED", "the one with power has it");
    assert!(!after.path().join("lost").exists());
}

#[test]
fn a_name_may_be_there_before_its_content() {
    if !can_run("a_name_may_be_there_before_its_content") {
        return;
    }
    let mounted = Disk::new().mount();
    let (old, new) = (mounted.path().join("file"), mounted.path().join("file.new"));
    fs::write(&old, "old").unwrap();
    File::open(&old).unwrap().sync_all().unwrap();
    fs::write(&new, "new, and not synced").unwrap();
    fs::rename(&new, &old).unwrap();
    let before = mounted.cut().mount();
    assert_eq!(fs::read_to_string(before.path().join("file")).unwrap(), "old");
    mounted.commit();
    let after = mounted.cut().mount();
    assert_eq!(fs::read_to_string(after.path().join("file")).unwrap(), "");
}

#[test]
fn a_torn_write_is_there_in_part() {
    if !can_run("a_torn_write_is_there_in_part") {
        return;
    }
    let mounted = Disk::new().mount();
    let folder = mounted.path();
    let path = folder.join("file");
    let file = File::create(&path).unwrap();
    // Page by page, as a store writes: the system may keep what is written at once together.
    let fill = |byte: u8| (0..1000).for_each(|page| file.write_all_at(&[byte; 4096], page * PAGE_BYTES).unwrap());
    fill(b'a');
    file.sync_all().unwrap();
    File::open(&folder).unwrap().sync_all().unwrap();
    fill(b'b');
    let mut chance = Chance::new(7);
    mounted.tear(&folder, &mut chance);
    let content = fs::read(mounted.cut().mount().path().join("file")).unwrap();
    let written = content.iter().filter(|byte| **byte == b'b').count();
    assert!(0 < written && written < content.len(), "{written} of {} bytes reached the disk", content.len());
}
