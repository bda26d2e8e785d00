//! Runs the tests of this program: as Rust's own harness does, with the same arguments,
//! but that a test may end as ignored, with a reason, when something it needs is missing
//! ([`super::needs`]).
//!
//! What a test prints is not captured, so passing tests print nothing. A failure is
//! shown once, at the end.
//!
//! `SLIDEGRID_TEST_TIMES=FILE` appends a line of seconds and name for each test.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::io::Write;
use std::panic::{self, PanicHookInfo};
use std::process::ExitCode;
use std::time::Instant;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A function with the attribute `#[test]`.
pub(crate) struct Test {
    /// Its path in this program.
    pub(crate) name: &'static str,
    /// Why it runs only with `--ignored` or `--include-ignored`.
    pub(crate) ignored: Option<&'static str>,
    pub(crate) body: fn(),
}

inventory::collect!(Test);

/// The payload with which a test unwinds that cannot run on this machine.
struct Ignored(String);

/// Ends the test as ignored.
pub(crate) fn ignore(reason: impl Into<String>) -> ! {
    // Without the panic hook: this is no failure.
    panic::resume_unwind(Box::new(Ignored(reason.into())))
}

/// Runs the tests that the arguments name.
pub(crate) fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if let Some(threads) = std::env::var("RUST_TEST_THREADS").ok().and_then(|n| n.parse().ok()) {
        arguments.test_threads.get_or_insert(threads);
    }
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !keep_message(panic) {
            default_hook(panic);
        }
    }));
    let mut tests: Vec<&Test> = inventory::iter::<Test>().collect();
    tests.sort_by_key(|test| test.name);
    let with_ignored = arguments.ignored || arguments.include_ignored;
    let trials = tests.into_iter().map(|test| trial(test, with_ignored)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(test: &'static Test, with_ignored: bool) -> Trial {
    let name = test.name.split_once("::").map_or(test.name, |(_program, path)| path);
    match test.ignored {
        // `Trial::with_ignored_flag` would not show the reason.
        Some(reason) if !with_ignored => {
            Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
        }
        ignored => Trial::ignorable_test(name, move || timed(name, test.body))
            .with_ignored_flag(ignored.is_some()),
    }
}

fn timed(name: &str, body: fn()) -> Result<Completion, Failed> {
    let started = Instant::now();
    let completion = completion(body);
    if let Some(path) = std::env::var_os("SLIDEGRID_TEST_TIMES") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(format!("{:.2}\t{name}\n", started.elapsed().as_secs_f64()).as_bytes())?;
    }
    completion
}

thread_local! {
    /// In a thread that runs a test: the message of its last panic.
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn completion(body: fn()) -> Result<Completion, Failed> {
    MESSAGE.set(Some(String::new()));
    let result = panic::catch_unwind(body);
    let message = MESSAGE.take().unwrap_or_default();
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(payload) => match payload.downcast::<Ignored>() {
            Ok(ignored) => Ok(Completion::ignored_with(ignored.0)),
            Err(_) => Err(message.into()),
        },
    }
}

/// Keeps the message of a panic in a test's own thread; `false` in any other thread.
fn keep_message(panic: &PanicHookInfo<'_>) -> bool {
    MESSAGE.with_borrow_mut(|message| {
        let Some(message) = message else { return false };
        *message = panic.to_string();
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            *message += &format!("\n{backtrace}");
        }
        true
    })
}
