//! Keeps a value for the slide that was scored last.

use std::sync::Arc;

/// A value that is made once per slide. One is kept, since the groups of a slide follow each
/// other.
pub(super) struct LastSlide<T> {
    last: Option<(String, Arc<T>)>,
}

impl<T> Default for LastSlide<T> {
    fn default() -> Self {
        Self { last: None }
    }
}

impl<T> LastSlide<T> {
    /// Returns the value of `slide`, made by `make` unless the last call had the same slide.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get<E>(
        &mut self,
        slide: &str,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        if let Some((last, value)) = &self.last
            && last == slide
        {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        self.last = Some((slide.to_owned(), Arc::clone(&value)));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_for_the_groups_of_a_slide_and_an_error_is_not_kept() {
        let (mut values, mut made) = (LastSlide::default(), 0);
        let mut get = |slide: &str| {
            let value = values.get(slide, || {
                made += 1;
                if made == 1 { Err("first try") } else { Ok(made) }
            });
            value.map(|value| *value)
        };
        assert_eq!(get("a"), Err("first try"));
        assert_eq!([get("a"), get("a"), get("b"), get("b"), get("a")], [2, 2, 3, 3, 4].map(Ok));
    }
}
