//! The measured colours of a slide, stored as attributes `colour_<name>`.

use crate::hdf5_file::{Attributes, FormatError};
use crate::normalize::{ColourEstimate, ColourMethod, LabStatistics, Stains};

const METHOD: &str = "colour_method";
const FAILURE: &str = "colour_failure";
const LUMINOSITY: &str = "colour_luminosity";
const HAEMATOXYLIN: &str = "colour_haematoxylin";
const EOSIN: &str = "colour_eosin";
const STRENGTH: &str = "colour_strength";
const MEAN: &str = "colour_mean";
const STD: &str = "colour_std";

/// The measured colours of a slide.
#[derive(Debug, Clone, PartialEq)]
pub struct SlideColours {
    /// Method of the measurement.
    pub method: ColourMethod,
    /// The estimate, or the reason why there is none.
    pub estimate: Result<ColourEstimate, String>,
}

impl SlideColours {
    pub(super) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        attributes.put_str(METHOD, self.method.name())?;
        match &self.estimate {
            Err(reason) => attributes.put_str(FAILURE, &reason.replace('\0', "\u{fffd}")),
            Ok(ColourEstimate::Reinhard(LabStatistics { mean, std })) => {
                attributes.put_f64s(MEAN, mean)?;
                attributes.put_f64s(STD, std)
            }
            Ok(ColourEstimate::Macenko(stains)) => put_stains(stains, attributes),
            Ok(ColourEstimate::Vahadane { luminosity, stains }) => {
                attributes.put_f64(LUMINOSITY, *luminosity)?;
                put_stains(stains, attributes)
            }
        }
    }

    /// `None` in files made without `[normalize]`.
    pub(super) fn read_attributes(
        attributes: &Attributes<'_>,
    ) -> Result<Option<Self>, FormatError> {
        if !attributes.contains(METHOD)? {
            return Ok(None);
        }
        let invalid = |problem: String| FormatError::invalid(attributes.path(), problem);
        let method: ColourMethod = attributes
            .str(METHOD)?
            .parse()
            .map_err(|problem: String| invalid(format!("{METHOD} is {problem}")))?;
        if attributes.contains(FAILURE)? {
            return Ok(Some(Self { method, estimate: Err(attributes.str(FAILURE)?) }));
        }
        let estimate = match method {
            ColourMethod::Reinhard => ColourEstimate::Reinhard(LabStatistics {
                mean: numbers(attributes, MEAN)?,
                std: numbers(attributes, STD)?,
            }),
            ColourMethod::Macenko => ColourEstimate::Macenko(get_stains(attributes)?),
            ColourMethod::Vahadane => ColourEstimate::Vahadane {
                luminosity: attributes.f64(LUMINOSITY)?,
                stains: get_stains(attributes)?,
            },
        };
        if let Some(problem) = estimate.invalid_reason() {
            return Err(invalid(format!("colours: {problem}")));
        }
        Ok(Some(Self { method, estimate: Ok(estimate) }))
    }
}

fn put_stains(stains: &Stains, attributes: &Attributes<'_>) -> Result<(), FormatError> {
    attributes.put_f64s(HAEMATOXYLIN, &stains.haematoxylin)?;
    attributes.put_f64s(EOSIN, &stains.eosin)?;
    attributes.put_f64s(STRENGTH, &stains.strength)
}

fn get_stains(attributes: &Attributes<'_>) -> Result<Stains, FormatError> {
    Ok(Stains {
        haematoxylin: numbers(attributes, HAEMATOXYLIN)?,
        eosin: numbers(attributes, EOSIN)?,
        strength: numbers(attributes, STRENGTH)?,
    })
}

fn numbers<const N: usize>(
    attributes: &Attributes<'_>,
    name: &str,
) -> Result<[f64; N], FormatError> {
    let found = attributes.f64s(name)?;
    let count = found.len();
    found.try_into().map_err(|_| {
        let problem = format!("{name} has {count} numbers, expected {N}");
        FormatError::invalid(attributes.path(), problem)
    })
}
