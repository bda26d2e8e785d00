use super::*;
use ndarray::{arr1, arr2, arr3};

/// A file written by NumPy (tests/reference/npy_reference.py).
fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/npy").join(name)
}

#[test]
fn files_written_by_numpy_are_read() {
    let expected = arr2(&[[0.0_f32, 0.5, -1.25], [f32::MAX, 1e-30, 1.0]]);
    assert_eq!(read_f32_2d(&reference("f4_2x3.npy")).unwrap(), expected);
    assert_eq!(read_f32_2d(&reference("f4_2x3_v2.npy")).unwrap(), expected);
    let dimensions = arr1(&[985_i64, 434, 3, 42, 424, 57, 927, 871, -383]);
    assert_eq!(read_i64_1d(&reference("i8_9.npy")).unwrap(), dimensions);
}

#[test]
fn written_files_equal_those_of_numpy_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a.npy");
    let same = |name: &str| {
        assert_eq!(
            std::fs::read(&target).unwrap(),
            std::fs::read(reference(name)).unwrap(),
            "{name}"
        );
    };
    write_f32(&target, read_f32_2d(&reference("f4_2x3.npy")).unwrap().view()).unwrap();
    same("f4_2x3.npy");
    write_f32(&target, arr3(&[[[0.0, 1.0]], [[2.0, 3.0]]]).view()).unwrap();
    same("f4_2x1x2.npy");
    write_i64(&target, read_i64_1d(&reference("i8_9.npy")).unwrap().view()).unwrap();
    same("i8_9.npy");
    // A transposed view is written in C order.
    let array = arr2(&[[1.0_f32, 2.0], [3.0, 4.0]]);
    write_f32(&target, array.t()).unwrap();
    assert_eq!(read_f32_2d(&target).unwrap(), array.t());
}

#[test]
fn arrays_of_other_types_are_refused_with_the_type_found() {
    let error = |name: &str| {
        let path = reference(name);
        let message = read_f32_2d(&path).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        message
    };
    assert!(error("f4_fortran.npy").contains("Fortran order"));
    assert!(error("f8_2x2.npy").contains("<f8"));
    assert!(error("big_endian.npy").contains(">f4"));
    assert!(error("f4_2x1x2.npy").contains("[2, 1, 2]"));
    assert!(error("i8_9.npy").contains("dtype=\"<f4\""));
    assert!(error("record.npy").contains("records"));
}

#[test]
fn truncated_files_and_newer_versions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("truncated.npy");
    let whole = std::fs::read(reference("f4_2x3.npy")).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = read_f32_2d(&path).unwrap_err();
        assert!(matches!(error, NpyError::Format { .. }), "{length}: {error}");
    }
    let mut newer = whole.clone();
    newer[6] = 3;
    std::fs::write(&path, &newer).unwrap();
    assert!(read_f32_2d(&path).unwrap_err().to_string().contains("version 3.0"));
    std::fs::write(&path, [whole.as_slice(), &[0; 4]].concat()).unwrap();
    assert!(read_f32_2d(&path).unwrap_err().to_string().contains("28 bytes"));
    assert!(matches!(read_f32_2d(&folder.path().join("none")), Err(NpyError::Read { .. })));
}
