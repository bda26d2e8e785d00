//! The contents of a run directory, without times and the machine.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5::types::{FixedUnicode, FloatSize, IntSize, TypeDescriptor, VarLenUnicode};
use hdf5::{Container, File, Group};

/// Files by their path within the folder, temporary ones left out; each as text that is
/// the same for the same results.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    gather(folder, "", &mut found);
    found
}

fn gather(folder: &Path, within: &str, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = entry.path();
        let place = format!("{within}{name}");
        if within == "logs/stitch/" && name.ends_with(".json") {
            // The cost of a stitch may be missing, if only its record could not be written.
            continue;
        }
        if name.ends_with(".part") {
            assert!(name.starts_with('.'), "{place} could be taken for a result");
        } else if path.is_dir() {
            gather(&path, &format!("{place}/"), found);
        } else {
            found.insert(place, content(&path));
        }
    }
}

fn content(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    match path.extension().and_then(|end| end.to_str()) {
        Some("h5") => {
            hdf5(path).map_or_else(|e| format!("damaged: {e}"), |entries| format!("{entries:?}"))
        }
        Some("json") => match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(mut value) => {
                if let Some(object) = value.as_object_mut() {
                    object.retain(|key, _| !is_of_the_try(key));
                    forget_hashes_of_hdf5(object);
                }
                value.to_string()
            }
            Err(e) => format!("damaged: {e}"),
        },
        Some("csv") if path.ends_with("slides.csv") => table(&bytes),
        _ => format!("{bytes:?}"),
    }
}

/// Removes the hashes that a record of files has of HDF5 files: HDF5 writes times into these, so
/// that the same content has other bytes.
fn forget_hashes_of_hdf5(record: &mut serde_json::Map<String, serde_json::Value>) {
    for (_, file) in record.iter_mut().filter(|(name, _)| name.ends_with(".h5")) {
        if let Some(file) = file.as_object_mut() {
            file.remove("xxh3");
        }
    }
}

/// Whether the value of this name differs between tries: times, the machine.
pub(crate) fn is_of_the_try(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.ends_with("_s") || ["peak_rss_bytes", "host", "resumed_windows"].contains(&name)
}

fn table(bytes: &[u8]) -> String {
    let mut reader = csv::Reader::from_reader(bytes);
    let headers = reader.headers().unwrap().clone();
    let kept = |row: &csv::StringRecord| {
        let columns = headers.iter().zip(row).filter(|(name, _)| !is_of_the_try(name));
        columns.map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    reader.records().map(|row| format!("{:?}\n", kept(&row.unwrap()))).collect()
}

/// The attributes (`/group@name`) and datasets (`/group/name`) of an HDF5 file.
pub(crate) fn hdf5(path: &Path) -> hdf5::Result<BTreeMap<String, Entry>> {
    let file = File::with_options().with_fapl(|p| p.file_locking(false)).open(path)?;
    let mut found = BTreeMap::new();
    group(&file, &mut found)?;
    Ok(found)
}

/// An attribute or a dataset.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Values {
    Floats(Vec<f64>),
    /// Integers and texts, as Rust shows them.
    Others(String),
}

fn group(group: &Group, found: &mut BTreeMap<String, Entry>) -> hdf5::Result<()> {
    for name in group.attr_names()?.iter().filter(|name| !is_of_the_try(name)) {
        found.insert(format!("{}@{name}", group.name()), entry(&*group.attr(name)?)?);
    }
    for dataset in group.datasets()? {
        found.insert(dataset.name(), entry(&dataset)?);
        for name in dataset.attr_names()? {
            found.insert(format!("{}@{name}", dataset.name()), entry(&*dataset.attr(&name)?)?);
        }
    }
    group.groups()?.iter().try_for_each(|below| self::group(below, found))
}

fn entry(of: &Container) -> hdf5::Result<Entry> {
    let (kind, shape) = (of.dtype()?.to_descriptor()?, of.shape());
    let values = match kind {
        TypeDescriptor::VarLenUnicode | TypeDescriptor::FixedUnicode(_) => {
            let texts = Values::Others(format!("{:?}", texts(of)?));
            return Ok(Entry { kind: "text".into(), shape, values: texts });
        }
        _ if of.size() == 0 => Values::Others(String::new()),
        TypeDescriptor::Float(FloatSize::U4) => {
            Values::Floats(of.read_raw::<f32>()?.into_iter().map(f64::from).collect())
        }
        TypeDescriptor::Float(FloatSize::U8) => Values::Floats(of.read_raw()?),
        TypeDescriptor::Unsigned(IntSize::U1) => others(of.read_raw::<u8>()?),
        TypeDescriptor::Integer(IntSize::U4) => others(of.read_raw::<i32>()?),
        TypeDescriptor::Integer(IntSize::U8) => others(of.read_raw::<i64>()?),
        TypeDescriptor::Unsigned(IntSize::U8) => others(of.read_raw::<u64>()?),
        other => return Err(format!("no test reads {other}").into()),
    };
    Ok(Entry { kind: kind.to_string(), shape, values })
}

/// The texts of an attribute or dataset, of variable length or shorter than 1000 bytes.
fn texts(of: &Container) -> hdf5::Result<Vec<String>> {
    if of.size() == 0 {
        return Ok(Vec::new());
    }
    Ok(match of.dtype()?.to_descriptor()? {
        TypeDescriptor::VarLenUnicode => {
            of.read_raw::<VarLenUnicode>()?.iter().map(ToString::to_string).collect()
        }
        _ => of.read_raw::<FixedUnicode<1000>>()?.iter().map(ToString::to_string).collect(),
    })
}

fn others<T: std::fmt::Debug>(values: Vec<T>) -> Values {
    Values::Others(format!("{values:?}"))
}
