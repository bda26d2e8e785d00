//! Reads what OME-XML says about the pictures of an OME-TIFF.
//!
//! Source: the OME schema of 2016-06, elements `Image`, `Pixels` and `Channel`
//! (<https://docs.openmicroscopy.org/ome-model/6.3.1/>).

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// One `Image` of an OME-XML text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct OmeImage {
    /// The image's name; empty when it has none.
    pub(super) name: String,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    /// Number of focal planes.
    pub(super) planes: u32,
    /// Number of points in time.
    pub(super) times: u32,
    /// A size that the text states and that is not a number, such as `SizeZ = "many"`.
    pub(super) unreadable: Option<String>,
    /// Number of channels, where one of several samples counts as one.
    pub(super) channels: u32,
    /// Names of the channels, where they have any.
    pub(super) channel_names: Vec<String>,
    /// Micrometres per px along x and y, where they are stated in a known unit.
    pub(super) mpp: [Option<f64>; 2],
}

/// Name parts of pictures that accompany a slide, in lower case.
const ASSOCIATED: [&str; 6] = ["label", "macro", "overview", "thumbnail", "barcode", "preview"];

impl OmeImage {
    /// Whether the image is a label, macro photograph or thumbnail, by its name.
    pub(super) fn is_associated(&self) -> bool {
        let name = self.name.to_lowercase();
        ASSOCIATED.iter().any(|part| name.contains(part))
    }
}

/// The images of an OME-XML text, in the order of the text; `None` when the text is not OME-XML.
pub(super) fn images(description: &str) -> Option<Vec<OmeImage>> {
    if !description.contains("<OME") && !description.contains(":OME") {
        return None;
    }
    let mut reader = Reader::from_str(description);
    let mut images: Vec<OmeImage> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => match local_name(&tag).as_str() {
                "Image" => {
                    let name = attribute(&tag, "Name").unwrap_or_default();
                    images.push(OmeImage { name, ..OmeImage::default() });
                }
                "Pixels" => pixels(&tag, images.last_mut()?),
                "Channel" => {
                    let image = images.last_mut()?;
                    image.channels += 1;
                    image.channel_names.extend(attribute(&tag, "Name"));
                }
                _ => {}
            },
            _ => {}
        }
    }
    Some(images)
}

fn pixels(tag: &BytesStart<'_>, image: &mut OmeImage) {
    let mut unreadable = None;
    let mut count = |name| {
        let Some(text) = attribute(tag, name) else { return 1 };
        text.trim().parse().unwrap_or_else(|_| {
            unreadable = Some(format!("{name} = {text:?}"));
            1
        })
    };
    image.width_px = count("SizeX");
    image.height_px = count("SizeY");
    image.planes = count("SizeZ");
    image.times = count("SizeT");
    image.unreadable = unreadable;
    image.mpp = ["X", "Y"].map(|axis| {
        let size = attribute(tag, &format!("PhysicalSize{axis}"))?.trim().parse::<f64>().ok()?;
        let unit = attribute(tag, &format!("PhysicalSize{axis}Unit"));
        Some(size * micrometres(unit.as_deref())?)
    });
}

/// Micrometres of a unit of length; `None` for units without a length, such as "pixel". The
/// schema's default is the micrometre.
fn micrometres(unit: Option<&str>) -> Option<f64> {
    match unit.unwrap_or("\u{b5}m").trim() {
        // The micro sign, the Greek letter, and what writers without either use.
        "\u{b5}m" | "\u{3bc}m" | "um" | "micron" | "microns" | "micrometer" => Some(1.0),
        "nm" => Some(1e-3),
        "mm" => Some(1e3),
        "cm" => Some(1e4),
        "m" => Some(1e6),
        "in" => Some(25_400.0),
        _ => None,
    }
}

/// The name of an element without its namespace's prefix.
fn local_name(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok().flatten()?;
    found.normalized_value(XmlVersion::Explicit1_0).ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_channels_planes_and_sizes_are_read() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ome:OME xmlns:ome="http://www.openmicroscopy.org/Schemas/OME/2016-06">
            <ome:Image ID="Image:0" Name="scan"><ome:Pixels SizeX="800" SizeY="600" SizeZ="3" SizeC="3"
              SizeT="1" PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.25">
              <ome:Channel Name="R" SamplesPerPixel="1"/><ome:Channel Name="G"/><ome:Channel Name="B"/>
            </ome:Pixels></ome:Image>
            <ome:Image Name="Label image"><ome:Pixels SizeX="80" SizeY="60" PhysicalSizeX="1" PhysicalSizeXUnit="pixel"/>
            </ome:Image></ome:OME>"#;
        let images = images(text).unwrap();
        assert_eq!(images.len(), 2);
        let scan = &images[0];
        assert_eq!((scan.width_px, scan.height_px, scan.planes, scan.channels), (800, 600, 3, 3));
        assert_eq!(scan.channel_names, ["R", "G", "B"]);
        assert_eq!(scan.mpp, [Some(0.25), Some(0.25)]);
        assert!(!scan.is_associated() && images[1].is_associated());
        assert_eq!(images[1].mpp, [None, None]);
    }

    #[test]
    fn other_texts_are_not_ome() {
        assert_eq!(images("ImageJ=1.53\nchannels=3"), None);
        assert_eq!(images("<OME><Image Name=\"cut"), None);
    }
}
