//! What a run directory holds, but for times and the machine.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5::types::{FloatSize, IntSize, TypeDescriptor, VarLenUnicode};
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
            // What a stitch took is not known any more when that alone was not written.
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
        Some("h5") => hdf5(path).unwrap_or_else(|e| format!("damaged: {e}")),
        Some("json") => match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(mut value) => {
                if let Some(object) = value.as_object_mut() {
                    object.retain(|key, _| !is_of_the_try(key));
                }
                value.to_string()
            }
            Err(e) => format!("damaged: {e}"),
        },
        Some("csv") if path.ends_with("slides.csv") => table(&bytes),
        _ => format!("{bytes:?}"),
    }
}

/// Names of what differs from try to try.
fn is_of_the_try(name: &str) -> bool {
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

fn hdf5(path: &Path) -> hdf5::Result<String> {
    let file = File::with_options().with_fapl(|p| p.file_locking(false)).open(path)?;
    let mut told = String::new();
    group(&file, &mut told)?;
    Ok(told)
}

fn group(group: &Group, told: &mut String) -> hdf5::Result<()> {
    for name in group.attr_names()?.iter().filter(|name| !is_of_the_try(name)) {
        *told += &format!("{}@{name}: {}\n", group.name(), values(&*group.attr(name)?)?);
    }
    for dataset in group.datasets()? {
        *told += &format!("{}: {}\n", dataset.name(), values(&dataset)?);
        for name in dataset.attr_names()? {
            *told += &format!("{}@{name}: {}\n", dataset.name(), values(&*dataset.attr(&name)?)?);
        }
    }
    group.groups()?.iter().try_for_each(|below| self::group(below, told))
}

fn values(of: &Container) -> hdf5::Result<String> {
    let (kind, shape) = (of.dtype()?.to_descriptor()?, of.shape());
    if of.size() == 0 {
        return Ok(format!("{kind} {shape:?}"));
    }
    let values = match kind {
        TypeDescriptor::Unsigned(IntSize::U1) => format!("{:?}", of.read_raw::<u8>()?),
        TypeDescriptor::Integer(IntSize::U4) => format!("{:?}", of.read_raw::<i32>()?),
        TypeDescriptor::Integer(IntSize::U8) => format!("{:?}", of.read_raw::<i64>()?),
        TypeDescriptor::Float(FloatSize::U4) => format!("{:?}", of.read_raw::<f32>()?),
        TypeDescriptor::Float(FloatSize::U8) => format!("{:?}", of.read_raw::<f64>()?),
        TypeDescriptor::VarLenUnicode => format!("{:?}", of.read_raw::<VarLenUnicode>()?),
        other => return Err(format!("no test reads {other}").into()),
    };
    Ok(format!("{kind} {shape:?} {values}"))
}
