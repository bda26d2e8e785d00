//! Reading and writing of attributes, with errors that name the file and the attribute.

use std::path::Path;
use std::str::FromStr;

use hdf5::types::VarLenUnicode;
use hdf5::{Attribute, H5Type, Location};

use super::FormatError;
use super::exists::attribute_exists;
use super::text::{self, PaddedTexts};

/// The attributes of one object in a file.
pub(crate) struct Attributes<'a> {
    path: &'a Path,
    location: &'a Location,
}

impl<'a> Attributes<'a> {
    /// The attributes of `location`. Errors name the file `path`.
    pub(crate) fn new(path: &'a Path, location: &'a Location) -> Self {
        Self { path, location }
    }

    pub(crate) fn path(&self) -> &Path {
        self.path
    }

    pub(crate) fn contains(&self, name: &str) -> Result<bool, FormatError> {
        let action = format!("read attribute {name}");
        attribute_exists(self.location, name).map_err(|e| FormatError::hdf5(self.path, &action, &e))
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, FormatError> {
        self.location.attr_names().map_err(|e| FormatError::hdf5(self.path, "read attributes", &e))
    }

    pub(crate) fn put_i64(&self, name: &str, value: i64) -> Result<(), FormatError> {
        self.put_scalar(name, &value)
    }

    pub(crate) fn put_usize(&self, name: &str, value: usize) -> Result<(), FormatError> {
        self.put_u64(name, value as u64)
    }

    pub(crate) fn put_u64(&self, name: &str, value: u64) -> Result<(), FormatError> {
        let value = i64::try_from(value).map_err(|_| {
            FormatError::invalid(self.path, format!("{name} is {value}, expected less than 2^63"))
        })?;
        self.put_i64(name, value)
    }

    pub(crate) fn put_f64(&self, name: &str, value: f64) -> Result<(), FormatError> {
        self.put_scalar(name, &value)
    }

    /// Stores `None` as NaN, so that the attribute always exists.
    pub(crate) fn put_f64_or_nan(&self, name: &str, value: Option<f64>) -> Result<(), FormatError> {
        self.put_f64(name, value.unwrap_or(f64::NAN))
    }

    pub(crate) fn put_str(&self, name: &str, value: &str) -> Result<(), FormatError> {
        self.put_texts(name, &[value], false)
    }

    pub(crate) fn put_strs(&self, name: &str, values: &[String]) -> Result<(), FormatError> {
        self.put_texts(name, values, true)
    }

    /// Stores a text of variable length, as files of other programs have them.
    pub(crate) fn put_variable_str(&self, name: &str, value: &str) -> Result<(), FormatError> {
        let value = VarLenUnicode::from_str(value).map_err(|_| self.nul_error(name, value))?;
        self.put_scalar(name, &value)
    }

    pub(crate) fn put_i64s(&self, name: &str, values: &[i64]) -> Result<(), FormatError> {
        self.put_array(name, values)
    }

    pub(crate) fn put_f64s(&self, name: &str, values: &[f64]) -> Result<(), FormatError> {
        self.put_array(name, values)
    }

    pub(crate) fn i64(&self, name: &str) -> Result<i64, FormatError> {
        self.scalar(name, "an integer")
    }

    /// Reads an integer of at least `least`.
    pub(crate) fn u32(&self, name: &str, least: u32) -> Result<u32, FormatError> {
        let value = self.i64(name)?;
        u32::try_from(value).ok().filter(|&v| v >= least).ok_or_else(|| {
            let expected =
                if least == 0 { "an integer from 0 to 2^32" } else { "an integer from 1 to 2^32" };
            self.value_error(name, value.to_string(), expected)
        })
    }

    pub(crate) fn u64(&self, name: &str) -> Result<u64, FormatError> {
        let value = self.i64(name)?;
        u64::try_from(value)
            .map_err(|_| self.value_error(name, value.to_string(), "an integer of at least 0"))
    }

    pub(crate) fn usize(&self, name: &str) -> Result<usize, FormatError> {
        let value = self.u64(name)?;
        usize::try_from(value)
            .map_err(|_| self.value_error(name, value.to_string(), "an integer that fits memory"))
    }

    pub(crate) fn f64(&self, name: &str) -> Result<f64, FormatError> {
        self.scalar(name, "a number")
    }

    /// Reads a number above 0.
    pub(crate) fn positive(&self, name: &str) -> Result<f64, FormatError> {
        let value = self.f64(name)?;
        if value.is_finite() && value > 0.0 {
            return Ok(value);
        }
        Err(self.value_error(name, value.to_string(), "a number above 0"))
    }

    pub(crate) fn f64_or_nan(&self, name: &str) -> Result<Option<f64>, FormatError> {
        let value = self.f64(name)?;
        Ok((!value.is_nan()).then_some(value))
    }

    pub(crate) fn str(&self, name: &str) -> Result<String, FormatError> {
        const EXPECTED: &str = "UTF-8 text";
        let attribute = self.open(name, EXPECTED)?;
        let mut texts =
            text::of_attribute(&attribute).map_err(|e| self.read_error(name, &e, EXPECTED))?;
        match (texts.pop(), texts.is_empty()) {
            (Some(text), true) => Ok(text),
            _ => Err(self.value_error(name, format!("{} texts", attribute.size()), EXPECTED)),
        }
    }

    pub(crate) fn strs(&self, name: &str) -> Result<Vec<String>, FormatError> {
        const EXPECTED: &str = "a list of UTF-8 texts";
        let attribute = self.open(name, EXPECTED)?;
        if attribute.ndim() != 1 {
            let found = format!("an array of {} dimensions", attribute.ndim());
            return Err(self.value_error(name, found, EXPECTED));
        }
        text::of_attribute(&attribute).map_err(|e| self.read_error(name, &e, EXPECTED))
    }

    pub(crate) fn i64s(&self, name: &str) -> Result<Vec<i64>, FormatError> {
        self.array(name, "a list of integers")
    }

    pub(crate) fn f64s(&self, name: &str) -> Result<Vec<f64>, FormatError> {
        self.array(name, "a list of numbers")
    }

    fn scalar<T: H5Type>(&self, name: &str, expected: &'static str) -> Result<T, FormatError> {
        let attribute = self.open(name, expected)?;
        attribute.read_scalar().map_err(|e| self.read_error(name, &e, expected))
    }

    fn array<T: H5Type>(&self, name: &str, expected: &'static str) -> Result<Vec<T>, FormatError> {
        let attribute = self.open(name, expected)?;
        if attribute.ndim() != 1 {
            let found = format!("an array of {} dimensions", attribute.ndim());
            return Err(self.value_error(name, found, expected));
        }
        if attribute.size() == 0 {
            return Ok(Vec::new());
        }
        attribute.read_raw().map_err(|e| self.read_error(name, &e, expected))
    }

    fn open(&self, name: &str, expected: &'static str) -> Result<Attribute, FormatError> {
        match self.contains(name)? {
            true => self.location.attr(name).map_err(|e| self.read_error(name, &e, expected)),
            false => Err(self.value_error(name, "missing".into(), expected)),
        }
    }

    fn put_scalar<T: H5Type>(&self, name: &str, value: &T) -> Result<(), FormatError> {
        self.location
            .new_attr::<T>()
            .create(name)
            .and_then(|attribute| attribute.write_scalar(value))
            .map_err(|e| FormatError::hdf5(self.path, &format!("write attribute {name}"), &e))
    }

    fn put_array<T: H5Type>(&self, name: &str, values: &[T]) -> Result<(), FormatError> {
        self.location
            .new_attr::<T>()
            .shape(values.len())
            .create(name)
            .and_then(|a| if values.is_empty() { Ok(()) } else { a.write_raw(values) })
            .map_err(|e| FormatError::hdf5(self.path, &format!("write attribute {name}"), &e))
    }

    fn put_texts<S: AsRef<str>>(
        &self,
        name: &str,
        values: &[S],
        is_list: bool,
    ) -> Result<(), FormatError> {
        let with_nul = || values.iter().map(AsRef::as_ref).find(|value| value.contains('\0'));
        let texts = PaddedTexts::new(values)
            .ok_or_else(|| self.nul_error(name, with_nul().unwrap_or_default()))?;
        texts
            .write_attribute(self.location, name, is_list)
            .map_err(|e| FormatError::hdf5(self.path, &format!("write attribute {name}"), &e))
    }

    fn nul_error(&self, name: &str, value: &str) -> FormatError {
        self.value_error(name, format!("{value:?}"), "text without NUL characters")
    }

    /// The system's error if there is one, or else an error that names the attribute.
    fn read_error(&self, name: &str, error: &hdf5::Error, expected: &'static str) -> FormatError {
        FormatError::system(self.path, error)
            .unwrap_or_else(|| self.value_error(name, error.to_string(), expected))
    }

    fn value_error(&self, name: &str, found: String, expected: &'static str) -> FormatError {
        FormatError::Attribute {
            path: self.path.to_owned(),
            name: name.to_owned(),
            found,
            expected,
        }
    }
}
