//! Reads and writes CSV files of results: detections in the format of the CAMELYON16
//! challenge, and named columns of scores.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::metrics::detect::Detection;
use crate::spelling::is_same;
use crate::staged::{self, StageError};
use crate::text_file::{delimiter, number, read_text};

/// A CSV file cannot be read or written.
#[derive(Debug, Error)]
pub enum CsvError {
    /// The file cannot be read, or does not have the expected content.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
}

fn content(path: &Path, problem: String) -> CsvError {
    CsvError::Content { path: path.to_owned(), problem }
}

/// Whether a cell is a word, which only the first line of a table has.
fn is_heading(cell: &str) -> bool {
    cell.chars().any(char::is_alphabetic) && cell.parse::<f64>().is_err()
}

/// A reader of a table, and the character that separates its cells.
fn reader(path: &Path, has_headers: bool) -> Result<(Table, u8), CsvError> {
    let text = read_text(path).map_err(|e| content(path, format!("cannot read the file: {e}")))?;
    let delimiter = delimiter(&text);
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(delimiter).has_headers(has_headers).flexible(true).trim(csv::Trim::All);
    Ok((reader.from_reader(io::Cursor::new(text.into_bytes())), delimiter))
}

type Table = csv::Reader<io::Cursor<Vec<u8>>>;

/// Reads the detections of one slide: rows of confidence, x, y in level-0 px, with or
/// without a header. An empty file means that there are no detections.
///
/// # Errors
/// [`CsvError`] that names the line.
pub(crate) fn read_detections(path: &Path) -> Result<Vec<Detection>, CsvError> {
    let mut detections = Vec::new();
    let (mut table, delimiter) = reader(path, false)?;
    for (index, row) in table.records().enumerate() {
        let row = row.map_err(|e| content(path, format!("not a CSV file: {e}")))?;
        let numbers: Option<Vec<f64>> = row.iter().map(|cell| number(cell, delimiter)).collect();
        match numbers.as_deref() {
            Some(&[score, x, y]) => detections.push(Detection { score, x, y }),
            None if index == 0 && row.iter().all(is_heading) => {}
            _ => {
                let problem = format!(
                    "line {}: found {:?}, expected three numbers: confidence, x, y in level-0 px",
                    index + 1,
                    row.iter().collect::<Vec<_>>().join(",")
                );
                return Err(content(path, problem));
            }
        }
    }
    Ok(detections)
}

/// Writes the detections of one slide: rows of confidence, x, y without a header. The
/// coordinates are rounded to whole level-0 px.
///
/// # Errors
/// [`CsvError::Write`] if the file cannot be written.
pub(crate) fn write_detections(path: &Path, detections: &[Detection]) -> Result<(), CsvError> {
    let mut text = String::new();
    for Detection { score, x, y } in detections {
        text += &format!("{score},{},{}\n", x.round(), y.round());
    }
    Ok(staged::write(path, text.as_bytes())?)
}

/// Reads the named columns of a CSV file with a header. Returns the cells of each column, in
/// the order of `columns`. A column `tumor` may be spelled `tumour`, and the reverse.
///
/// # Errors
/// [`CsvError`] that names a missing column and the columns that the file has.
pub(crate) fn read_columns(path: &Path, columns: &[&str]) -> Result<Vec<Vec<String>>, CsvError> {
    columns_of(path, columns).map(|(cells, _)| cells)
}

/// The cells of the named columns, and the character that separates cells.
fn columns_of(path: &Path, columns: &[&str]) -> Result<(Vec<Vec<String>>, u8), CsvError> {
    let (mut reader, delimiter) = reader(path, true)?;
    let headers = reader.headers().map_err(|e| content(path, format!("not a CSV file: {e}")))?;
    let position = |column: &&str| {
        let exact = headers.iter().position(|header| header == *column);
        exact.or_else(|| headers.iter().position(|header| is_same(header, column))).ok_or_else(
            || {
                let known = headers.iter().filter(|h| !h.is_empty()).collect::<Vec<_>>().join(", ");
                content(path, format!("no column {column:?}; the file has {known}"))
            },
        )
    };
    let positions = columns.iter().map(position).collect::<Result<Vec<_>, _>>()?;
    let mut cells = vec![Vec::new(); columns.len()];
    for row in reader.records() {
        let row = row.map_err(|e| content(path, format!("not a CSV file: {e}")))?;
        for (cells, &position) in cells.iter_mut().zip(&positions) {
            cells.push(row.get(position).unwrap_or_default().to_owned());
        }
    }
    Ok((cells, delimiter))
}

/// Reads the named columns of a CSV file as numbers, in the order of `columns`.
///
/// # Errors
/// As `read_columns`, and an error that names the line of a cell that is empty or not a
/// finite number.
pub fn read_numbers(path: &Path, columns: &[&str]) -> Result<Vec<Vec<f64>>, CsvError> {
    let (cells, delimiter) = columns_of(path, columns)?;
    let column = |(column, cells): (&&str, Vec<String>)| {
        let number = |(index, cell): (usize, String)| {
            number(&cell, delimiter).ok_or_else(|| {
                let line = index + 2;
                content(path, format!("line {line}, column {column}: {cell:?}, expected a number"))
            })
        };
        cells.into_iter().enumerate().map(number).collect()
    };
    columns.iter().zip(cells).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detections_survive_writing_and_reading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let detection = |score, x, y| Detection { score, x, y };
        write_detections(&path, &[detection(0.1 + 0.2, 12.4, 1e5), detection(1.0, 0.0, -0.2)])
            .unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "0.30000000000000004,12,100000\n1,0,-0\n"
        );
        let read = read_detections(&path).unwrap();
        assert_eq!(read, [detection(0.1 + 0.2, 12.0, 1e5), detection(1.0, 0.0, 0.0)]);
        write_detections(&path, &[]).unwrap();
        assert_eq!(read_detections(&path).unwrap(), []);
        std::fs::write(&path, "Confidence,X coordinate,Y coordinate\n0.5, 3, 4\n").unwrap();
        assert_eq!(read_detections(&path).unwrap(), [detection(0.5, 3.0, 4.0)]);
        std::fs::write(&path, "\u{feff}0,5;3;4\r\n").unwrap();
        assert_eq!(read_detections(&path).unwrap(), [detection(0.5, 3.0, 4.0)]);
        std::fs::write(&path, "confidence;x;y\n0.5;3;4").unwrap();
        assert_eq!(read_detections(&path).unwrap(), [detection(0.5, 3.0, 4.0)]);
        std::fs::write(&path, "0.5 3 4\n").unwrap();
        assert!(read_detections(&path).unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn errors_name_the_line_that_is_not_a_detection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        for text in ["0.5,1,2\n0.4,1\n", "0.5,1,2\nNaN,1,2\n", "0.5,1,2\nx,y,z\n"] {
            std::fs::write(&path, text).unwrap();
            let message = read_detections(&path).unwrap_err().to_string();
            assert!(message.contains("line 2") && message.contains("confidence"), "{message}");
        }
    }

    #[test]
    fn columns_are_read_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, ",truth,score,tumour\n0,1,0.5,yes\n1,0,,no\n").unwrap();
        assert_eq!(read_numbers(&path, &["truth"]).unwrap(), [[1.0, 0.0]]);
        assert_eq!(read_columns(&path, &["tumor"]).unwrap(), [["yes", "no"]]);
        let message = read_numbers(&path, &["score"]).unwrap_err().to_string();
        assert!(message.contains("line 3"), "{message}");
        let message = read_numbers(&path, &["scores"]).unwrap_err().to_string();
        assert!(message.contains("truth, score"), "{message}");
    }
}
