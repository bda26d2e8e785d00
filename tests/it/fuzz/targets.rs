//! What is read, and what must hold of what is accepted.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use hdf5::types::TypeDescriptor;
use slidegrid::heatmap_h5::read_heatmap;
use slidegrid::internal::config::Config;
use slidegrid::internal::jobs::Lookup;
use slidegrid::internal::model::{Model, Side, TrunkHead, densify};
use slidegrid::internal::resolve::resolve;
use slidegrid::internal::run_dir::{RunDir, read_slides, write_slides};
use slidegrid::internal::scores::read_part;
use slidegrid::internal::slide_inputs::read_manifest;
use slidegrid::internal::truth::{AnnotationGroups, Truth};
use slidegrid::metrics::raster::SampleGrid;
use slidegrid::model::ModelCard;
use slidegrid::patches::PatchesFile;
use slidegrid::scores::read_scores;
use slidegrid::slide::Region;
use xxhash_rust::xxh3::xxh3_64;

use crate::common::repository;
use crate::common::seal;
use crate::common::seed::Random;

/// Something that is parsed.
pub(super) struct Target {
    /// Its test, and the folder of its corpus.
    pub(super) name: &'static str,
    /// Name of the file that is read, and its ending.
    pub(super) stem: &'static str,
    pub(super) suffix: &'static str,
    /// Words of the format.
    pub(super) words: &'static [&'static str],
    /// Writes what belongs to the file, or replaces it.
    pub(super) prepare: Option<fn(&Path, &[u8])>,
    /// Reads the file. The error says what is inconsistent in a file that was accepted; a file
    /// that is refused is none.
    pub(super) read: fn(&Path) -> Result<(), String>,
}

const fn text(
    name: &'static str,
    [stem, suffix]: [&'static str; 2],
    words: &'static [&'static str],
    read: fn(&Path) -> Result<(), String>,
) -> Target {
    Target { name, stem, suffix, words, prepare: None, read }
}

const TOML: &[&str] = &["[", "]", "=", "\"\"", "[]", "{}", "nan", "inf", "[[x]]", "'''", "\u{0}"];
const CSV: &[&str] = &[",", "\"", "\"\"", "\r\n", "\u{feff}", ";", "\t", "../", "/", "NaN"];
const JSON: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    "null",
    "1e999",
    "\"type\"",
    "\"Polygon\"",
    "\"GeometryCollection\"",
    "\"geometries\"",
    "[[[[0,0],[1,0],[1,1]]]]",
    "\\ud800",
    "-0",
];
const XML: &[&str] = &[
    "<!DOCTYPE a [<!ENTITY b \"bbbb\">]>",
    "&b;",
    "&#0;",
    "<![CDATA[",
    "-->",
    "X=\"nan\"",
    "Order=\"0\"",
    "PartOfGroup=\"_2\"",
    "Type=\"Dot\"",
    "encoding=\"UTF-16\"",
    "</Annotation>",
];

/// All targets.
pub(super) const TARGETS: &[Target] = &[
    text("config", ["c", "toml"], TOML, config),
    text("card", ["model", "toml"], TOML, card),
    text("lookup", ["lookup", "csv"], CSV, lookup),
    text("slides", ["slides", "csv"], CSV, slides),
    text("manifest", ["manifest", "csv"], CSV, manifest),
    text("asap", ["slide", "xml"], XML, outlines),
    text("imagescope", ["slide", "xml"], XML, outlines),
    text("geojson", ["slide", "geojson"], JSON, outlines),
    text("ncrf", ["slide", "json"], JSON, outlines),
    text("masks", ["slide", "png"], &[], outlines),
    text("tiff", ["slide", "tif"], &[], tiff),
    text("patches", ["slide", "h5"], &[], patches),
    text("scores", ["t1", "h5"], &[], scores),
    text("heatmap", ["slide", "h5"], &[], heatmap),
    Target { prepare: Some(other_values), ..text("values", ["slide", "h5"], &[], values) },
    Target { prepare: Some(with_card), ..text("onnx", ["model", "onnx"], &[], onnx) },
];

/// Whatever is written must be read as the same.
fn same<T: PartialEq + Debug, E: Debug>(first: &T, again: Result<T, E>) -> Result<(), String> {
    match again {
        Ok(again) if again == *first => Ok(()),
        other => Err(format!("{first:?} is written and read as {other:?}")),
    }
}

fn holds(what: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if what { Ok(()) } else { Err(problem()) }
}

fn config(path: &Path) -> Result<(), String> {
    let Ok(config) = Config::read(path, &[]) else { return Ok(()) };
    let text = toml::to_string(&config).map_err(|error| format!("cannot be written: {error}"))?;
    // Numbers that are no numbers equal nothing, not even themselves.
    if !text.contains("nan") {
        same(&config, Config::parse(&text, "again", Path::new("/"), &[]))?;
    }
    let Ok(run) = resolve(config, "fuzz") else { return Ok(()) };
    holds(run.tiling().block_px() > 0 && run.scores_sha256().len() == 64, || format!("{run:?}"))
}

fn card(path: &Path) -> Result<(), String> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(()) };
    let Ok(card) = ModelCard::from_toml(&text) else { return Ok(()) };
    let sound = card.window_px > 0
        && !card.classes.is_empty()
        && card.classes[card.positive_index()] == card.positive
        && card.levels().iter().flatten().all(|level| level.is_finite());
    holds(sound, || format!("{card:?}"))
}

fn lookup(path: &Path) -> Result<(), String> {
    let run = RunDir::new(path.parent().unwrap());
    let Ok(lookup) = Lookup::read(&run) else { return Ok(()) };
    let groups: u64 = lookup.rows().iter().map(|row| u64::from(row.groups)).sum();
    holds(groups == u64::from(lookup.tasks()), || format!("{groups} groups, {lookup:?}"))?;
    for row in lookup.rows() {
        for task in [row.start, row.end] {
            let found = lookup.find(task).map(|(name, _)| name);
            let first = lookup.rows().iter().find(|other| other.start <= task && task <= other.end);
            holds(found == first.map(|row| row.name.as_str()), || format!("{task} is {found:?}"))?;
        }
    }
    lookup.write(&run).map_err(|error| error.to_string())?;
    same(&lookup, Lookup::read(&run))
}

fn slides(path: &Path) -> Result<(), String> {
    let run = RunDir::new(path.parent().unwrap());
    let Ok(slides) = read_slides(&run) else { return Ok(()) };
    if format!("{slides:?}").contains("NaN") {
        return Ok(());
    }
    write_slides(&run, &slides).map_err(|error| format!("cannot be written: {error}"))?;
    same(&slides, read_slides(&run))
}

fn manifest(path: &Path) -> Result<(), String> {
    let Ok(slides) = read_manifest(path) else { return Ok(()) };
    let mut names: Vec<&String> = slides.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    holds(names.len() == slides.len() && !names.contains(&&String::new()), || format!("{slides:?}"))
}

fn outlines(path: &Path) -> Result<(), String> {
    let Ok(file) = Truth::read(path, &AnnotationGroups::default(), [0.0; 2]) else { return Ok(()) };
    if let Truth::Outlines(outlines) = &file.truth {
        let numbers = outlines.iter().flat_map(|outline| outline.rings.iter().flatten().flatten());
        holds(numbers.clone().all(|number| number.is_finite()), || format!("{outlines:?}"))?;
    }
    let Ok(truth) = file.truth.covering(path, 4000.0, 3000.0) else { return Ok(()) };
    truth.touches(4000.0, 3000.0);
    truth.extent();
    let grid = SampleGrid { rows: 30, cols: 40, origin: [0.0; 2], pitch: [100.0; 2] };
    truth.raster(&grid);
    Ok(())
}

fn tiff(path: &Path) -> Result<(), String> {
    let Ok(slide) = slidegrid::slide::open(path) else { return Ok(()) };
    let levels = slide.levels();
    holds(levels.first().is_some_and(|first| first.downsample == 1.0), || format!("{levels:?}"))?;
    for (index, level) in levels.iter().enumerate() {
        let sound = level.width_px > 0 && level.height_px > 0 && level.downsample.is_finite();
        holds(sound, || format!("{level:?}"))?;
        let (x, y) = (i64::from(level.width_px / 2), i64::from(level.height_px / 2));
        for (x, y) in [(0, 0), (x, y), (-8, 2 * y - 8)] {
            let mut rgb = vec![0; 16 * 16 * 3];
            drop(slide.read_region(index, Region::new(x, y, 16, 16), &mut rgb));
        }
    }
    slide.resolution();
    Ok(())
}

fn patches(path: &Path) -> Result<(), String> {
    let Ok(file) = PatchesFile::open(path) else { return Ok(()) };
    drop((file.tissue(), file.texture(), file.failures(), file.thumbnail(), file.colours()));
    holds(file.meta().downsample > 0.0, || format!("{:?}", file.meta()))?;
    for group in file.group_numbers().take(3) {
        let Ok(reader) = file.group(group) else { continue };
        let counts = (reader.coords.len(), reader.tissue.dim().0, reader.failed.len());
        holds(counts == (reader.len(), reader.len(), reader.len()), || format!("{counts:?}"))?;
        holds(reader.patch_bytes() < 1 << 28, || format!("patches of {} px", reader.patch_px()))?;
        let mut pixels = vec![0; reader.patch_bytes()];
        for index in 0..reader.len().min(2) {
            drop(reader.read_patch(index, &mut pixels));
        }
    }
    drop(file.verify());
    Ok(())
}

fn scores(path: &Path) -> Result<(), String> {
    drop(read_part(path));
    let Ok(scores) = read_scores(path) else { return Ok(()) };
    let (points, meta) = (scores.row.len(), &scores.meta);
    let sound = scores.score.dim() == (points, meta.classes.len())
        && meta.windows == points as u64
        && scores.score.iter().all(|score| score.is_finite());
    holds(sound, || format!("{points} points, {meta:?}"))
}

fn heatmap(path: &Path) -> Result<(), String> {
    let Ok((meta, score)) = read_heatmap(path) else { return Ok(()) };
    meta.audit_failure();
    let sound = meta.shape() == score.dim()
        && meta.stride_px > 0
        && meta.downsample.is_finite()
        && meta.downsample > 0.0
        && (meta.positive as usize) < meta.classes.len()
        && !score.iter().any(|score| score.is_infinite());
    holds(sound, || format!("{:?} {meta:?}", score.dim()))
}

/// Replaces the file by a sealed one of the corpus, some of whose attributes have other values.
fn other_values(path: &Path, bytes: &[u8]) {
    let mut random = Random::new(xxh3_64(bytes));
    let mut pick = |count: usize| usize::try_from(random.below(count as u64)).unwrap();
    let kinds = ["patches", "scores", "heatmap"];
    let source = repository("tests/data/fuzz/values").join(format!("{}.h5", kinds[pick(3)]));
    fs::copy(source, path).unwrap();
    let integers = [0, 1, -1, 2, 255, 1 << 20, i64::from(u32::MAX), 1 << 40, i64::MAX, i64::MIN];
    let numbers = [0.0, -1.0, 1e-300, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.3, 2.0];
    seal::edit(path, |file| {
        let names = file.attr_names().unwrap();
        for _ in 0..=pick(4) {
            let attribute = file.attr(&names[pick(names.len())]).unwrap();
            if !attribute.shape().is_empty() {
                continue;
            }
            match attribute.dtype().unwrap().to_descriptor().unwrap() {
                TypeDescriptor::Integer(_) => {
                    attribute.write_scalar(&integers[pick(integers.len())]).unwrap();
                }
                TypeDescriptor::Float(_) => {
                    attribute.write_scalar(&numbers[pick(numbers.len())]).unwrap();
                }
                _ => {}
            }
        }
    });
}

fn values(path: &Path) -> Result<(), String> {
    patches(path)?;
    scores(path)?;
    heatmap(path)
}

const CARD: &str = "file = \"model.onnx\"\nwindow = 32\nmpp = 1.0\nlayout = \"nchw\"\nrange = \"unit\"\nmean = [0.5, 0.5, 0.5]\nstd = [0.2, 0.2, 0.2]\nchannels = \"rgb\"\nclasses = [\"normal\", \"tumor\"]\npositive = \"tumor\"\nactivation = \"softmax\"\n";

fn with_card(path: &Path, _: &[u8]) {
    fs::write(path.with_extension("toml"), CARD).unwrap();
}

fn onnx(path: &Path) -> Result<(), String> {
    let Ok(model) = Model::load(&path.with_extension("toml")) else { return Ok(()) };
    for stride_px in [4, 7] {
        let cost = TrunkHead::cut(&model, stride_px).map(|parts| parts.bytes(64));
        holds(cost != Some(0), || "maps of a trunk take no memory".to_owned())?;
        let Ok(network) = densify(&model, stride_px) else { continue };
        holds(network.map_bytes(9) > 0, || "maps take no memory".to_owned())?;
        holds(!network.to_onnx(Side::Any).is_empty(), || "an empty network".to_owned())?;
        holds(network.side_px(3) >= network.window_px, || format!("{} px", network.side_px(3)))?;
    }
    Ok(())
}
