//! The process of a target: it reads file after file until its time is over.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::mutator::Material;
use super::seed;
use super::targets::{TARGETS, Target};
use super::{Folder, MOST_FINDINGS, corpus_folder};
use crate::common::seed::Random;

/// Processor time for one file, seconds. This program is not optimised in tests.
const MOST_CPU_S: f64 = 10.0;

/// Memory that reading one file may take, bytes.
const MOST_BYTES: u64 = 600_000_000;

/// Address space of the process, bytes: an allocation without bounds fails.
const MOST_ADDRESSES: u64 = 8 << 30;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The files of a target's corpus, sorted by name.
pub(super) struct Corpus(Vec<Vec<u8>>);

impl Corpus {
    pub(super) fn read(target: &Target) -> Self {
        let mut paths: Vec<PathBuf> = fs::read_dir(corpus_folder(target))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        Self(paths.iter().map(|path| fs::read(path).unwrap()).collect())
    }

    /// File `number` of a run: first those of the corpus, then changed ones.
    pub(super) fn file(&self, target: &Target, number: u64) -> Vec<u8> {
        let own = usize::try_from(number).ok().and_then(|number| self.0.get(number));
        own.cloned().unwrap_or_else(|| {
            let name = target.name.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte));
            let mut random = Random::new(seed() ^ name.rotate_left(32) ^ number.rotate_left(17));
            // A few are dropped, since neighbouring seeds begin alike.
            for _ in 0..4 {
                random.below(2);
            }
            Material { files: &self.0, words: target.words }.changed(&mut random)
        })
    }
}

/// Runs this process as a worker if it was started as one.
pub(crate) fn run_as_worker() -> Option<ExitCode> {
    let name = std::env::var("SLIDEGRID_FUZZ_WORKER").ok()?;
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (from, time_ms) = (number("SLIDEGRID_FUZZ_FROM"), number("SLIDEGRID_FUZZ_MS"));
    let folder = Folder(std::env::var_os("SLIDEGRID_FUZZ_FOLDER").unwrap().into());
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    panic::set_hook(Box::new(|panic| PANIC.set(panic.to_string().replace('\n', " "))));
    limit(libc::RLIMIT_AS, MOST_ADDRESSES);
    work(target, &folder, from, Instant::now() + Duration::from_millis(time_ms));
    Some(ExitCode::SUCCESS)
}

fn work(target: &Target, folder: &Folder, from: u64, deadline: Instant) {
    let corpus = Corpus::read(target);
    let own = corpus.0.len() as u64;
    let input = folder.0.join("input");
    let progress = fs::File::create(folder.progress()).unwrap();
    let mut findings =
        fs::OpenOptions::new().create(true).append(true).open(folder.findings()).unwrap();
    let mut found = 0;
    for number in from.. {
        if (number >= own && Instant::now() > deadline) || found > MOST_FINDINGS {
            break;
        }
        progress.write_all_at(format!("{number:20}").as_bytes(), 0).unwrap();
        if let Err(what) = read_one(target, &input, &corpus.file(target, number)) {
            writeln!(findings, "{number}\t{what}").unwrap();
            found += 1;
        }
    }
}

/// Reads one file within limits; the error says what was found.
fn read_one(target: &Target, input: &Path, bytes: &[u8]) -> Result<(), String> {
    drop(fs::remove_dir_all(input));
    fs::create_dir(input).unwrap();
    let path = input.join(format!("{}.{}", target.stem, target.suffix));
    fs::write(&path, bytes).unwrap();
    if let Some(prepare) = target.prepare {
        prepare(&path, bytes);
    }
    let cpu_s = slidegrid::internal::process::cpu_s();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, above 0")]
    limit(libc::RLIMIT_CPU, (cpu_s + 3.0 * MOST_CPU_S).ceil() as u64);
    drop(fs::write("/proc/self/clear_refs", "5"));
    let before = peak_bytes();
    let read = panic::catch_unwind(AssertUnwindSafe(|| (target.read)(&path)));
    let spent_s = slidegrid::internal::process::cpu_s() - cpu_s;
    let bytes = peak_bytes().saturating_sub(before);
    match read {
        Err(_) => Err(format!("panic: {}", PANIC.take())),
        Ok(Err(inconsistent)) => Err(format!("inconsistent: {}", inconsistent.replace('\n', " "))),
        Ok(Ok(())) if spent_s > MOST_CPU_S => Err(format!("takes {spent_s:.1} s")),
        Ok(Ok(())) if bytes > MOST_BYTES => Err(format!("takes {} MB", bytes / 1_000_000)),
        Ok(Ok(())) => Ok(()),
    }
}

/// Largest resident memory since it was last reset.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Sets the soft limit of a resource of this process.
fn limit(resource: libc::__rlimit_resource_t, most: u64) {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write `limits`.
    unsafe {
        libc::getrlimit(resource, &raw mut limits);
        limits.rlim_cur = most.min(limits.rlim_max);
        libc::setrlimit(resource, &raw const limits);
    }
}
