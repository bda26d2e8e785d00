use super::*;
use crate::run_dir::SlideStatus;
use std::fs;

#[test]
fn rows_keep_their_numbers_and_outcomes_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(&folder.path().join("run"));
    let slide = |name: &str| folder.path().join(name);
    register_files(&run, &[slide("b.svs"), slide("a.svs")]).unwrap();
    let done = SlideRecord {
        name: "b".into(),
        path: slide("b.svs"),
        status: SlideStatus::Failed,
        reason: "broken, \"quite\"".into(),
        ..SlideRecord::default()
    };
    staged::write(&run.split_outcome("b"), &serde_json::to_vec(&done).unwrap()).unwrap();
    let records = register_files(&run, &[slide("a.svs"), slide("c.svs")]).unwrap();
    let names: Vec<_> = records.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c"]);
    let records = read_slides(&run).unwrap();
    assert_eq!(records[0], done);
    assert_eq!(records[2].status, SlideStatus::Waiting);
    assert!(fs::read_to_string(run.slides_csv()).unwrap().starts_with("name,path,status,reason,"));
}

#[test]
fn no_row_is_lost_when_several_commands_register_slides_at_once() {
    for _ in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for command in 0..4 {
                let (run, start) = (&run, &start);
                let slide = folder.path().join(format!("s{command}.svs"));
                scope.spawn(move || {
                    start.wait();
                    register_files(run, &[slide]).unwrap();
                    refresh_slides(run).unwrap();
                });
            }
        });
        assert_eq!(read_slides(&run).unwrap().len(), 4);
    }
}

#[test]
fn a_symbolic_link_keeps_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(&folder.path().join("run"));
    fs::write(folder.path().join("0a1b2c"), "x").unwrap();
    let link = folder.path().join("patient7.svs");
    std::os::unix::fs::symlink(folder.path().join("0a1b2c"), &link).unwrap();
    let records = register_files(&run, std::slice::from_ref(&link)).unwrap();
    assert_eq!((records[0].name.as_str(), &records[0].path), ("patient7", &link));
    let other = folder.path().join("run/../patient7.svs");
    assert_eq!(register_files(&run, &[other]).unwrap().len(), 1);
}

#[test]
fn two_slides_of_the_same_name_are_an_error_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(&folder.path().join("run"));
    let slides = [folder.path().join("x/s.svs"), folder.path().join("y/s.tif")];
    let message = register_files(&run, &slides).unwrap_err().to_string();
    assert!(message.contains("x/s.svs") && message.contains("y/s.tif"), "{message}");
    assert!(!run.slides_csv().exists());
}

#[test]
fn a_slide_that_was_moved_keeps_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(&folder.path().join("run"));
    let slide = |name: &str| folder.path().join(name);
    register_files(&run, &[slide("old/a.svs"), slide("b.svs")]).unwrap();
    let failed = SlideRecord { name: "a".into(), ..SlideRecord::default() };
    staged::write(&run.split_outcome("a"), &serde_json::to_vec(&failed).unwrap()).unwrap();
    fs::write(slide("a.svs"), "").unwrap();
    register_files(&run, &[slide("a.svs")]).unwrap();
    let records = read_slides(&run).unwrap();
    assert_eq!((records[0].path.clone(), records.len()), (slide("a.svs"), 2));
    // Now that the file exists, another file of the same name is an error.
    assert!(register_files(&run, &[slide("c/a.svs")]).is_err());
}

#[test]
fn a_missing_or_invalid_table_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    assert!(read_slides(&run).unwrap_err().to_string().contains("slidegrid split"));
    fs::write(run.slides_csv(), "name,path,status\nx,y,unheard-of\n").unwrap();
    assert!(read_slides(&run).unwrap_err().to_string().contains("not a table of slides"));
}

#[test]
fn names_that_cannot_be_files_jobs_or_cells_are_refused() {
    let name = |name: &str| NamedSlide::with_name(Path::new("a.svs"), name);
    let longest = "n".repeat(NAME_BYTES);
    for good in ["a", "-x", "--all", "{index}", "a b", "a.b", "\u{fc}\u{df}", "a=b", &longest] {
        assert_eq!(name(good).unwrap().name, good);
    }
    let too_long = format!("{longest}n");
    for (bad, word) in [
        ("", "empty"),
        ("a/b", "slash"),
        (".", "dot"),
        ("..", "dot"),
        (".a", "dot"),
        ("a\nb", "not seen"),
        ("a\u{1b}[31m", "not seen"),
        ("a\0b", "not seen"),
        ("a\u{202e}b", "not seen"),
        ("=1+1", "formula"),
        ("+1", "formula"),
        ("@sum", "formula"),
        (&too_long, "201 bytes"),
    ] {
        let error = name(bad).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("rename it"), "{error}");
    }
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xff.svs"));
    assert!(NamedSlide::by_stem(path).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn names_that_differ_by_case_are_one_where_the_file_system_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(&folder.path().join("run"));
    staged::write(&run.root().join("run.toml"), b"").unwrap();
    let slides = ["A.svs", "a.svs"].map(|name| folder.path().join(name));
    register_files(&run, &slides).unwrap();
    fs::remove_file(run.slides_csv()).unwrap();
    // As a file system that folds case has it.
    fs::hard_link(run.root().join("run.toml"), run.root().join("RUN.TOML")).unwrap();
    let error = register_files(&run, &slides).unwrap_err().to_string();
    assert!(error.contains("A.svs") && error.contains("a.svs"), "{error}");
    assert!(!run.slides_csv().exists());
}
