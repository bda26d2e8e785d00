//! Parses the text of GeoJSON, keeping of it what outlines need.
//!
//! Features with measurements, as programs export cells, are mostly text that nothing here
//! needs. A point takes 24 bytes, where a tree of JSON values takes over a hundred.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

/// Largest number of features of a file.
const MOST_FEATURES: usize = 1 << 20;

/// The features of a file: a feature collection, a list of features, one feature, or one shape.
pub(super) struct FeatureList(pub(super) Vec<Feature>);

impl FeatureList {
    /// Parses a text.
    ///
    /// # Errors
    /// The parser's error, with line and column.
    pub(super) fn parse(text: &str) -> serde_json::Result<Self> {
        if text.trim_start().starts_with('[') {
            return serde_json::from_str(text);
        }
        let document: Document = serde_json::from_str(text)?;
        if let Some(features) = document.features {
            return Ok(features);
        }
        // A geometry may be a whole document, too. A feature has a type and no coordinates.
        let bare = || match serde_json::from_str::<Geometry>(text) {
            Ok(shape) if shape.kind != "Feature" && shape.kind != "FeatureCollection" => {
                Some(shape)
            }
            _ => None,
        };
        let geometry = document.geometry.or_else(bare);
        Ok(Self(vec![Feature { geometry, class: document.properties.0 }]))
    }
}

impl<'de> Deserialize<'de> for FeatureList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = FeatureList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of features")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FeatureList, A::Error> {
                let mut features = Vec::new();
                while let Some(feature) = list.next_element()? {
                    if features.len() == MOST_FEATURES {
                        return Err(A::Error::custom(format!(
                            "more than {MOST_FEATURES} features; export the annotations alone"
                        )));
                    }
                    features.push(feature);
                }
                Ok(FeatureList(features))
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// A document that is no list.
#[derive(Deserialize)]
struct Document {
    #[serde(default, deserialize_with = "some")]
    features: Option<FeatureList>,
    #[serde(default)]
    geometry: Option<Geometry>,
    #[serde(default)]
    properties: Class,
}

/// A value that is not null.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<FeatureList>, D::Error> {
    FeatureList::deserialize(deserializer).map(Some)
}

/// A feature.
pub(super) struct Feature {
    /// Absent or null for a feature without a shape.
    pub(super) geometry: Option<Geometry>,
    /// The name of the class; `None` without one.
    pub(super) class: Option<String>,
}

impl<'de> Deserialize<'de> for Feature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Given {
            #[serde(default)]
            geometry: Option<Geometry>,
            #[serde(default)]
            properties: Class,
        }
        let given = Given::deserialize(deserializer)?;
        Ok(Self { geometry: given.geometry, class: given.properties.0 })
    }
}

/// A shape.
#[derive(Deserialize)]
pub(super) struct Geometry {
    /// `Polygon`, `MultiPolygon`, `GeometryCollection`, or another.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The points.
    #[serde(default)]
    pub(super) coordinates: Coordinates,
    /// The members of a collection.
    #[serde(default)]
    pub(super) geometries: Vec<Geometry>,
}

/// The class in the properties of a feature. QuPath writes an object with `name`, or with
/// `names` from the general to the special; other programs write the name alone, or the object
/// as text.
#[derive(Default)]
struct Class(Option<String>);

impl<'de> Deserialize<'de> for Class {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Properties;

        impl<'de> Visitor<'de> for Properties {
            type Value = Class;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the properties of a feature")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Class, A::Error> {
                let mut class = Class::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "classification" => class = Class(class_of(&map.next_value()?)),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(class)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Class, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Class::default())
            }

            fn visit_unit<E: de::Error>(self) -> Result<Class, E> {
                Ok(Class::default())
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Class, E> {
                Ok(Class::default())
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Class, E> {
                Ok(Class::default())
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Class, E> {
                Ok(Class::default())
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Class, E> {
                Ok(Class::default())
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Class, E> {
                Ok(Class::default())
            }
        }

        deserializer.deserialize_any(Properties)
    }
}

fn class_of(class: &Value) -> Option<String> {
    let parsed = class.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let class = parsed.as_ref().filter(|parsed| parsed.is_object()).unwrap_or(class);
    let general = || class["names"].as_array()?.first()?.as_str();
    let name = class["name"].as_str().or_else(general).or(class.as_str());
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Coordinates, of any depth.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Coordinates {
    /// Null, or none.
    #[default]
    None,
    /// A number, as the first of a point.
    Number(f64),
    /// The first two numbers of a point.
    Point([f64; 2]),
    /// A list of points or of lists.
    List(Vec<Coordinates>),
}

/// Deepest list of coordinates: the points of a `MultiPolygon` lie four deep.
const MOST_DEPTH: usize = 4;

impl<'de> Deserialize<'de> for Coordinates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        At { depth: 0 }.deserialize(deserializer)
    }
}

/// Coordinates within so many lists.
struct At {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for At {
    type Value = Coordinates;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Coordinates, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At {
    type Value = Coordinates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a list of coordinates")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Coordinates, E> {
        Ok(Coordinates::None)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Coordinates, E> {
        Ok(Coordinates::Number(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Coordinates, E> {
        Ok(Coordinates::Number(number as f64))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Coordinates, E> {
        Ok(Coordinates::Number(number as f64))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Coordinates, A::Error> {
        if self.depth == MOST_DEPTH {
            return Err(A::Error::custom("coordinates lie deeper than those of a MultiPolygon"));
        }
        let inner = || At { depth: self.depth + 1 };
        let mut items = match list.next_element_seed(inner())? {
            None => return Ok(Coordinates::List(Vec::new())),
            Some(Coordinates::Number(x)) => {
                let y = list.next_element()?;
                while list.next_element::<f64>()?.is_some() {}
                let y = y.ok_or_else(|| A::Error::custom("a point has fewer than two coordinates"));
                return Ok(Coordinates::Point([x, y?]));
            }
            Some(first) => vec![first],
        };
        while let Some(item) = list.next_element_seed(inner())? {
            items.push(item);
        }
        Ok(Coordinates::List(items))
    }
}

impl Coordinates {
    /// The rings of a polygon; an error says what there is instead.
    pub(super) fn polygon(self) -> Result<Vec<Vec<[f64; 2]>>, String> {
        self.list("a list of rings")?.into_iter().map(Self::ring).collect()
    }

    /// The rings of each of several polygons; an error says what there is instead.
    pub(super) fn polygons(self) -> Result<Vec<Vec<Vec<[f64; 2]>>>, String> {
        self.list("a list of polygons")?.into_iter().map(Self::polygon).collect()
    }

    fn ring(self) -> Result<Vec<[f64; 2]>, String> {
        let point = |point| match point {
            Self::Point(point) => Ok(point),
            other => Err(format!("{}, expected a point", other.describe())),
        };
        self.list("a ring of points")?.into_iter().map(point).collect()
    }

    fn list(self, expected: &str) -> Result<Vec<Self>, String> {
        match self {
            Self::List(items) => Ok(items),
            other => Err(format!("{}, expected {expected}", other.describe())),
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Number(_) => "a number",
            Self::Point(_) => "a point",
            Self::List(_) => "a list",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coordinates(text: &str) -> serde_json::Result<Coordinates> {
        serde_json::from_str(text)
    }

    #[test]
    fn points_keep_two_numbers() {
        assert!(size_of::<Coordinates>() <= 24);
        let square = coordinates("[[[0,0],[4.5,0,7],[4,-4]]]").unwrap();
        assert_eq!(square.polygon().unwrap(), [[[0.0, 0.0], [4.5, 0.0], [4.0, -4.0]]]);
        assert_eq!(coordinates("null").unwrap(), Coordinates::None);
        assert!(coordinates("[[[1]]]").unwrap_err().to_string().contains("fewer than two"));
        for text in ["[[1, \"a\"]]", "[[1, 2, null]]", "[[[[[1, 2]]]]]", "{}", "\"x\""] {
            assert!(coordinates(text).is_err(), "{text}");
        }
        for text in ["3", "[3, 4]", "[[3, 4]]", "[[3, [4, 5]]]", "[[[3, 4], []]]"] {
            let polygon = coordinates(text).map(Coordinates::polygon);
            assert!(!matches!(polygon, Ok(Ok(_))), "{text}");
        }
    }

    #[test]
    fn documents_are_collections_lists_or_features() {
        let feature = r#"{"geometry": {"type": "Point", "coordinates": [1, 2]}, "properties":
            {"measurements": [{"name": "area", "value": 1}], "classification": {"name": "Tumor"}}}"#;
        for text in [
            format!(" {{\"type\": \"FeatureCollection\", \"features\": [{feature}]}}"),
            format!("\n[{feature}]"),
            feature.to_owned(),
        ] {
            let found = FeatureList::parse(&text).unwrap().0;
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].class.as_deref(), Some("Tumor"));
            assert_eq!(found[0].geometry.as_ref().unwrap().kind, "Point");
        }
        for properties in ["null", "3", "\"x\"", "[1, {}]", "true", "-1.5", "{\"a\": null}"] {
            let text = format!("[{{\"geometry\": null, \"properties\": {properties}}}]");
            assert!(FeatureList::parse(&text).unwrap().0[0].class.is_none(), "{properties}");
        }
        assert!(FeatureList::parse(r#"{"features": null}"#).is_err());
        let many = format!("[{}{{}}]", "{},".repeat(MOST_FEATURES));
        let error = FeatureList::parse(&many).err().unwrap().to_string();
        assert!(error.contains("more than 1048576 features"), "{error}");
    }
}
