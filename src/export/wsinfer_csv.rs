//! Writes `<slide>.csv`, a table with WSInfer's columns and one row per scored window.

use std::io;
use std::path::Path;

use super::error::{ExportError, write_error};
use super::heatmap_bands::Bands;
use super::notation::{probability_name, round_thousandth};
use super::slide_lattice::SlideLattice;
use crate::staged::StagedStream;

/// Writes the scored points of a heatmap file, column by column, each from top to bottom.
/// A row holds the window's `minx` and `miny` in level-0 px (negative where the window
/// reaches over the slide's edge), its `width` and `height`, and `prob_<class>` for each
/// class in the file.
pub(super) fn write(target: &Path, heatmap: &Path) -> Result<(), ExportError> {
    let bands = Bands::open(heatmap)?;
    let mut out = csv::Writer::from_writer(StagedStream::new(target)?);
    put(&bands, &mut out, &|e| write_error(target)(io_error(e)))?;
    let stream = out.into_inner().map_err(|e| write_error(target)(e.into_error()))?;
    Ok(stream.commit()?)
}

/// The system's error inside a CSV error; its message says what to do about a full disk.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn put(
    bands: &Bands,
    out: &mut csv::Writer<StagedStream>,
    failed: &dyn Fn(csv::Error) -> ExportError,
) -> Result<(), ExportError> {
    let (meta, classes) = (bands.meta(), bands.classes());
    let lattice = SlideLattice::new(meta);
    let header = ["minx", "miny", "width", "height"].map(str::to_owned);
    let names = classes.iter().map(|&class| probability_name(&meta.classes[class]));
    out.write_record(header.into_iter().chain(names)).map_err(failed)?;
    let shown = bands.positive();
    let side = round_thousandth(lattice.window_px).to_string();
    let corner = |index: usize| {
        round_thousandth(index as f64 * lattice.pitch_px - lattice.before_px).to_string()
    };
    for range in bands.ranges() {
        let first = range.start;
        let band = bands.read(range)?;
        let (rows, cols, _) = band.dim();
        for col in 0..cols {
            let x = corner(first + col);
            for row in 0..rows {
                if band[[row, col, shown]].is_nan() {
                    continue;
                }
                let scores = (0..classes.len()).map(|class| band[[row, col, class]].to_string());
                let window = [x.clone(), corner(row), side.clone(), side.clone()];
                out.write_record(window.into_iter().chain(scores)).map_err(failed)?;
            }
        }
    }
    Ok(())
}
