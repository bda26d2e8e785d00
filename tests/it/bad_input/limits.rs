//! Input has bounds: devices, pipes and folders in the place of files, files that unpack to or
//! claim far more than they have, slips of the keyboard that would fill the disk. Each is answered
//! with a message, in little memory and time.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use prost::Message;
use tract_onnx::pb;

use crate::common::case::SMALL;
use crate::common::{Case, model_card, noise};

/// Largest peak memory of an answer.
const PEAK_MB: f64 = 600.0;

/// Longest time to an answer. An optimised program takes less than 5 s for each; here others use
/// the processor too, and the program may not be optimised.
const LIMIT: Duration = Duration::from_secs(60);

/// How a command answered.
#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    said: String,
    peak_mb: f64,
    wall: Duration,
}

/// Runs a command to its end, or for a minute.
#[track_caller]
fn answer(case: &Case, line: &str) -> Answer {
    let log = case.path("said");
    let file = std::fs::File::create(&log).unwrap();
    // What goes wrong fills neither memory nor disk, and ends.
    let guard =
        format!("ulimit -v 8000000; ulimit -f 2000000; exec timeout -s KILL {}", LIMIT.as_secs());
    let mut command = case.slidegrid(line).after(&format!("{guard} \"$0\" \"$@\"")).command();
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    let started = Instant::now();
    let pid = i32::try_from(command.spawn().unwrap().id()).unwrap();
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables; the child is ours and nobody
    // else waits for it.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid);
    Answer {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        said: String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned(),
        peak_mb: usage.ru_maxrss as f64 * 1024.0 / 1e6,
        wall: started.elapsed(),
    }
}

/// A command must be refused with `words`, soon and in little memory.
#[track_caller]
fn refused(case: &Case, line: &str, words: &[&str]) {
    let answer = answer(case, line);
    assert!(matches!(answer.code, Some(2..=5)), "{line}: {answer:#?}");
    for word in words {
        assert!(answer.said.contains(word), "{line}: no {word:?} in {answer:#?}");
    }
    assert!(!answer.said.contains("panicked"), "{line}: {answer:#?}");
    assert!(answer.peak_mb < PEAK_MB && answer.wall < LIMIT, "{line}: {answer:#?}");
    eprintln!("{:.0} MB, {:.2} s: {line}", answer.peak_mb, answer.wall.as_secs_f64());
}

/// The usual folder, with a heatmap of slide `a`.
fn case() -> Case {
    let case = Case::scored();
    case.slidegrid("stitch --run run --all").done();
    case
}

/// What is no regular file, as `kind.suffix`, and the word for it.
fn no_files(case: &Case, suffix: &str) -> Vec<(String, &'static str)> {
    let name = |kind: &str| format!("{kind}.{suffix}");
    symlink("/dev/zero", case.path(&name("zero"))).unwrap();
    std::fs::create_dir(case.path(&name("folder"))).unwrap();
    let pipe = case.path(&name("pipe"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    vec![(name("zero"), "a device"), (name("pipe"), "a pipe"), (name("folder"), "a folder")]
}

#[test]
fn only_regular_files_are_read() {
    let case = case();
    let run = "run --run r --config c.toml";
    let dice = "study dice run/heatmaps/a.h5 --truth";
    for (name, what) in no_files(&case, "toml") {
        refused(&case, &format!("run --run r --config {name} a.png"), &[&name, what]);
        refused(&case, &format!("{run} --set model.card={name} a.png"), &[&name, what]);
        let stains = format!("--set normalize.method=macenko --set normalize.template={name}");
        refused(&case, &format!("{run} {stains} a.png"), &[&name]);
    }
    let card = std::fs::read_to_string(model_card("centre32")).unwrap();
    for (name, what) in no_files(&case, "onnx") {
        case.write("card.toml", card.replace("centre32.onnx", &name));
        refused(&case, &format!("{run} --set model.card=card.toml a.png"), &[&name, what]);
    }
    for (name, what) in no_files(&case, "csv") {
        refused(&case, &format!("{run} --manifest {name}"), &[&name, what]);
    }
    for (name, what) in no_files(&case, "txt").into_iter().take(2) {
        refused(&case, &format!("{run} {name}"), &[&name, what]);
    }
    for suffix in ["xml", "geojson", "geojson.gz", "json", "png", "tif"] {
        for (name, what) in no_files(&case, suffix).into_iter().take(2) {
            refused(&case, &format!("{dice} {name}"), &[&name, what]);
        }
    }
    for name in ["zero.png", "pipe.png", "folder.png"] {
        let mask = format!("{run} --set tissue.method=mask --set tissue.mask={name} a.png");
        refused(&case, &mask, &[name]);
        let template = format!("--set normalize.method=macenko --set normalize.template={name}");
        refused(&case, &format!("{run} {template} a.png"), &[name]);
    }
    for (name, what) in no_files(&case, "h5") {
        refused(&case, &format!("export {name} --format geojson"), &[&name, what]);
        refused(&case, &format!("study dice {name} --truth zero.xml"), &[&name, what]);
    }
    case.config("padded.toml", "padded", SMALL);
    for (name, what) in no_files(&case, "fit") {
        let keys = format!("--set predict.method=dense --set predict.calibration={name}");
        let line = format!("run --run r --config padded.toml --mpp 0.5 {keys} a.png");
        refused(&case, &line, &[&name, what]);
    }
}

/// A terabyte with nothing in it.
#[test]
fn files_with_holes_are_not_read_whole() {
    let case = case();
    let hole = |name: &str| std::fs::File::create(case.path(name)).unwrap().set_len(1 << 40);
    for name in ["hole.toml", "hole.onnx", "hole.csv", "hole.txt", "hole.xml", "hole.geojson"] {
        hole(name).unwrap();
    }
    let run = "run --run r --config c.toml";
    let large = ["1099512 MB", "expected at most"];
    refused(&case, "run --run r --config hole.toml a.png", &large);
    refused(&case, &format!("{run} --set model.card=hole.toml a.png"), &large);
    let card = std::fs::read_to_string(model_card("centre32")).unwrap();
    case.write("card.toml", card.replace("centre32.onnx", "hole.onnx"));
    refused(&case, &format!("{run} --set model.card=card.toml a.png"), &large);
    refused(&case, &format!("{run} --manifest hole.csv"), &large);
    refused(&case, &format!("{run} hole.txt"), &large);
    for name in ["hole.xml", "hole.geojson"] {
        refused(&case, &format!("study dice run/heatmaps/a.h5 --truth {name}"), &large);
    }
    case.slidegrid("run --run run --set stitch.npy=true").run();
    std::fs::write(case.path("map.npy"), npy_head("(1000000, 1000000)")).unwrap();
    let array = std::fs::File::options().write(true).open(case.path("map.npy")).unwrap();
    array.set_len(1 << 40).unwrap();
    case.mask("truth.png", &ndarray::Array2::ones((10, 13)));
    let dice = "study dice map.npy --truth truth.png";
    refused(&case, dice, &["map.npy", "bytes of data"]);
}

fn npy_head(shape: &str) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes
}

/// Writes `block` so often that it is `bytes` long.
fn repeat(out: &mut impl Write, block: &[u8], bytes: usize) {
    let piece = block.repeat((1 << 20) / block.len());
    for _ in 0..bytes.div_ceil(piece.len()) {
        out.write_all(&piece).unwrap();
    }
}

fn gzip(head: &str, block: &[u8], bytes: usize) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(head.as_bytes()).unwrap();
    repeat(&mut out, block, bytes);
    out.finish().unwrap()
}

#[test]
fn packed_annotations_unpack_to_what_their_size_allows() {
    let case = case();
    let dice = |name: &str| format!("study dice run/heatmaps/a.h5 --truth {name}");
    case.write("spaces.geojson.gz", gzip("", b" ", 800 << 20));
    refused(&case, &dice("spaces.geojson.gz"), &["would unpack to 839 MB", "expected at most"]);
    let ring = r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":[["#;
    case.write("points.geojson.gz", gzip(ring, b"[0,0],", 100 << 20));
    refused(&case, &dice("points.geojson.gz"), &["would unpack to"]);
    // Its end does not say what it holds.
    let mut lying = gzip("", b" ", 800 << 20);
    let end = lying.len();
    lying[end - 4..].copy_from_slice(&1000_u32.to_le_bytes());
    case.write("lying.geojson.gz", &lying);
    refused(&case, &dice("lying.geojson.gz"), &["cannot unpack it", "more than its end says"]);
    case.write("short.geojson.gz", &lying[..end / 2]);
    refused(&case, &dice("short.geojson.gz"), &["short.geojson.gz"]);
    let many = format!("[{}{{}}]", "{},".repeat(2_000_000));
    case.write("many.geojson", many);
    refused(&case, &dice("many.geojson"), &["more than 1048576 features"]);
    case.write("deep.geojson", "[".repeat(5_000_000));
    refused(&case, &dice("deep.geojson"), &["not GeoJSON"]);
    case.write("deep.json", "{\"a\":".repeat(5_000_000));
    refused(&case, &dice("deep.json"), &["deep.json"]);
    // An honest one is read.
    let square = r#"{"type":"Feature","geometry":{"type":"Polygon","coordinates":
        [[[0,0],[90,0],[90,90],[0,90],[0,0]]]},"properties":{"classification":{"name":"Tumor"}}}"#;
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(square.as_bytes()).unwrap();
    case.write("square.geojson.gz", out.finish().unwrap());
    let read = answer(&case, &dice("square.geojson.gz"));
    assert_eq!(read.code, Some(0), "{read:#?}");
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

/// A grey PNG of a size that its pixels do not have, with a profile of so many bytes.
fn png(side_px: u32, profile_bytes: usize) -> Vec<u8> {
    let side = side_px.to_be_bytes();
    let head = [&side[..], &side, &[8, 0, 0, 0, 0]].concat();
    let mut profile = ZlibEncoder::new(b"p\0\0".to_vec(), Compression::fast());
    repeat(&mut profile, &[0], profile_bytes);
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::fast());
    pixels.write_all(&[&[0][..], &[255; 200]].concat().repeat(200)).unwrap();
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(chunk(b"IHDR", &head));
    if profile_bytes > 0 {
        bytes.extend(chunk(b"iCCP", &profile.finish().unwrap()));
    }
    bytes.extend(chunk(b"IDAT", &pixels.finish().unwrap()));
    bytes.extend(chunk(b"IEND", b""));
    bytes
}

#[test]
fn profiles_and_sizes_of_pictures_are_bounded() {
    let case = case();
    case.write("icc.png", png(200, 800 << 20));
    case.write("huge.png", png(60_000, 0));
    case.write("plain.png", png(200, 0));
    case.write("profile.png", png(200, 1 << 20));
    let run = "run --run r --config c.toml";
    let macenko = "--set normalize.method=macenko --set normalize.template";
    for (name, word) in [("icc.png", "colour profile unpacks to"), ("huge.png", "60000 x 60000 px")]
    {
        refused(&case, &format!("study dice run/heatmaps/a.h5 --truth {name}"), &[name, word]);
        refused(
            &case,
            &format!("{run} --set tissue.method=mask --set tissue.mask={name} a.png"),
            &[word],
        );
        refused(&case, &format!("{run} {name}"), &[name, word]);
        refused(&case, &format!("{run} {macenko}={name} a.png"), &[name, word]);
        std::fs::remove_dir_all(case.path("r")).unwrap();
    }
    // These are as they should be, or their profile is merely not understood.
    for name in ["plain.png", "profile.png"] {
        case.slidegrid(&format!("split --run {name}.run --config c.toml {name}")).done();
        let mask = format!("--set tissue.method=mask --set tissue.mask={name}");
        let split = format!("split --run {name}.mask --config c.toml {mask} plain.png");
        case.slidegrid(&split).done();
    }
}

/// The network `padded` with its first weights in another file.
fn external(case: &Case, entries: &[(&str, &str)]) {
    let onnx = std::fs::read(model_card("padded").with_extension("onnx")).unwrap();
    let mut model = pb::ModelProto::decode(onnx.as_slice()).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let tensor = graph.initializer.iter_mut().find(|tensor| tensor.raw_data.len() > 64).unwrap();
    case.write("good.bin", std::mem::take(&mut tensor.raw_data));
    tensor.data_location = Some(1);
    tensor.external_data = entries
        .iter()
        .map(|&(key, value)| pb::StringStringEntryProto { key: key.into(), value: value.into() })
        .collect();
    case.write("ext.onnx", model.encode_to_vec());
    let card = std::fs::read_to_string(model_card("padded")).unwrap();
    let card: Vec<&str> = card.lines().filter(|line| !line.starts_with("sha256")).collect();
    case.write("ext.toml", card.join("\n").replace("padded.onnx", "ext.onnx"));
    case.write("e.toml", format!("[model]\ncard = \"ext.toml\"\n{SMALL}"));
}

#[test]
fn weights_in_other_files_lie_where_the_network_says() {
    let case = Case::new();
    case.slide("a.png", &noise(100, 130, 1));
    let run = "run --run r --config e.toml --mpp 0.5 a.png";
    external(&case, &[("location", "good.bin")]);
    let bytes = std::fs::metadata(case.path("good.bin")).unwrap().len();
    let (whole, more) = (bytes.to_string(), (bytes + 4).to_string());
    symlink("/dev/zero", case.path("zero.bin")).unwrap();
    std::fs::create_dir(case.path("inner")).unwrap();
    std::fs::copy(case.path("good.bin"), case.path("inner/good.bin")).unwrap();
    let outside = case.folder().parent().unwrap().join("weights.bin");
    let far = "99999999999999";
    for (entries, words) in [
        (vec![("location", "/dev/zero"), ("length", &whole)], ["/dev/zero", "own folder"]),
        (vec![("location", "../weights.bin")], ["../weights.bin", "own folder"]),
        (vec![("location", outside.to_str().unwrap())], ["weights.bin", "own folder"]),
        (vec![("location", "zero.bin"), ("length", &whole)], ["zero.bin", "a device"]),
        (vec![("location", "inner")], ["inner", "a folder"]),
        (vec![("location", "none.bin")], ["none.bin", "cannot read the network's weights"]),
        (vec![("location", "good.bin"), ("length", &more)], ["good.bin", "and the file has"]),
        (vec![("location", "good.bin"), ("offset", "4")], ["good.bin", "and the file has"]),
        (vec![("location", "good.bin"), ("offset", far)], ["good.bin", "and the file has"]),
        (vec![("location", "good.bin"), ("offset", "-4")], ["good.bin", "expected a number"]),
        (vec![("location", "good.bin"), ("length", "8")], ["good.bin", "its shape takes"]),
    ] {
        external(&case, &entries);
        refused(&case, run, &words);
        assert!(!case.path("r").exists());
    }
    for (name, location) in [("r1", "good.bin"), ("r2", "inner/good.bin")] {
        external(&case, &[("location", location), ("offset", "0"), ("length", &whole)]);
        case.slidegrid(&format!("run --run {name} --config e.toml --mpp 0.5 a.png")).done();
    }
    case.config("c.toml", "padded", SMALL);
    case.slidegrid("run --run own --config c.toml --mpp 0.5 a.png").done();
    assert_eq!(case.heatmap("r1", "a"), case.heatmap("own", "a"));
    assert_eq!(case.heatmap("r2", "a"), case.heatmap("own", "a"));
}

#[test]
fn a_slip_in_a_resolution_does_not_fill_the_disk() {
    let case = Case::usual();
    let split = "split --config c.toml --mpp 0.25";
    for (mpp, times) in
        [("0.0025", "100 times"), ("0.00025", "1000 times"), ("0.000001", "250000 times")]
    {
        let line = format!("{split} --run r{mpp} --set model.mpp={mpp} a.png");
        refused(&case, &line, &["0.25 um/px", mpp, times, "at most 8 times", "mpp_force"]);
        assert!(!case.path(&format!("r{mpp}/patches/a.h5")).exists());
    }
    // The slip may be in the slide's resolution.
    refused(
        &case,
        "split --run far --config c.toml --mpp 5 --set model.mpp=0.25 a.png",
        &["at most 8 times"],
    );
    refused(
        &case,
        "split --run near --config c.toml --mpp 0.00025 --set model.mpp=0.25 a.png",
        &["a.png"],
    );
    case.slidegrid(&format!("{split} --run eight --set model.mpp=0.03125 a.png")).done();
    let force = "--set model.mpp=0.025 --set model.mpp_force=true";
    case.slidegrid(&format!("{split} --run forced {force} a.png")).done();
    case.slidegrid("split --run forced").done();
}

#[test]
fn numbers_out_of_range_are_refused_before_anything_is_made() {
    let case = Case::usual();
    for (key, value) in [
        ("tiling.tile", "1"),
        ("tiling.tile", "100000"),
        ("tiling.block", "4294967295"),
        ("tiling.patches_per_group", "0"),
        ("tiling.patches_per_group", "4294967295"),
        ("predict.stride", "4294967295"),
        ("predict.batch", "1000000000000"),
        ("predict.threads", "1000000"),
        ("predict.checkpoint_min", "1e300"),
        ("tissue.closing", "1000001"),
        ("study.strides", "[16, 1000000]"),
    ] {
        let set = format!("{key}={}", value.replace(' ', ""));
        refused(
            &case,
            &format!("run --run r --config c.toml --set {set} a.png"),
            &[key, "at most"],
        );
        assert!(!case.path("r").exists(), "{key}");
    }
    case.config("by_memory.toml", "centre32", &SMALL.replace("patches_per_group = 4\n", ""));
    refused(
        &case,
        "run --run r --config by_memory.toml --set tiling.group_memory_mb=4294967295 a.png",
        &["tiling.group_memory_mb", "at most"],
    );
    refused(
        &case,
        "run --run r --config c.toml --batch 100000 a.png",
        &["--batch", "at most 4096"],
    );
}

/// Names that mean something to shells, to templates of scripts and to command lines, and the
/// longest one, go all the way: files, jobs, exports, report.
#[test]
fn slides_of_any_name_are_jobs_and_files() {
    let case = Case::new();
    let config = format!(
        "{}[stitch]\nnpy = true\nexport = [\"asap\", \"ome-tiff\", \"ome-zarr\", \"geojson\", \"csv\", \"deepzoom\"]\n",
        SMALL.replace("block = 1\n", "block = 1\ncoords = [\"clam\"]\n")
    );
    case.config("c.toml", "centre32", &config);
    let longest = "n".repeat(200);
    let names =
        ["{index}", "{{program}}", "--all", "-x", "a b", "it's $HOME `id`", "%A_%a", &longest];
    std::fs::create_dir(case.path("s")).unwrap();
    for (name, seed) in names.iter().zip(1..) {
        case.slide(&format!("s/{name}.png"), &noise(40, 50, seed));
    }
    case.slidegrid("split --run run --config c.toml s").done();
    case.slidegrid("master submit --run run --scheduler local").done();
    let status = case.slidegrid("status --run run").done();
    assert!(status.stdout.contains("8 of 8 slides done, 0 failed"), "{}", status.stdout);
    for name in names {
        assert!(case.path("run/heatmaps").join(format!("{name}.h5")).exists(), "{name}");
    }
    case.slidegrid("report --run run").done();
    for scheduler in ["slurm", "sge", "pbs", "lsf"] {
        std::fs::remove_dir_all(case.path("run/scores")).unwrap();
        std::fs::remove_dir_all(case.path("run/heatmaps")).unwrap();
        let submit = format!("master submit --run run --scheduler {scheduler} --dry-run");
        let shown = case.slidegrid(&submit).done().stdout;
        assert!(shown.contains("--slide '{index}'"), "{scheduler}: {shown}");
        assert!(shown.contains("--slide '{{program}}'"), "{scheduler}: {shown}");
        assert!(!shown.contains('\0'), "{scheduler}");
        case.slidegrid("run --run run").done();
    }
    let cut = Path::new("s").join(format!("{longest}n.png"));
    std::fs::copy(case.path("s/-x.png"), case.path(cut.to_str().unwrap())).unwrap();
    for (file, word) in [
        (cut.to_str().unwrap(), "201 bytes"),
        ("s/=1.png", "formula"),
        ("s/a\tb.png", "not seen"),
        ("s/a\nb.png", "not seen"),
        ("s/.png", "dot"),
    ] {
        if !case.path(file).exists() {
            std::fs::copy(case.path("s/-x.png"), case.path(file)).unwrap();
        }
        let split = case.slidegrid("split --run other --config c.toml").arg(file);
        split.exits(4).mentions(&[word, "rename it"]);
        assert!(!case.path("other/slides.csv").exists());
    }
}
