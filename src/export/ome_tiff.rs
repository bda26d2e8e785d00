//! Writes `<slide>.ome.tif`, the scores as OME-TIFF: one f32 per lattice point, with a
//! pyramid below the first directory (tag 330, SubIFDs).
//!
//! Pixel (row, col) is the score of the lattice point (row, col), NaN where not scored.
//! A TIFF pixel covers the area right of and below its position, while a lattice
//! point's cell is centred on the point. The image's top left corner therefore lies
//! half a pitch above and left of the slide's; `PositionX` and `PositionY` of the plane
//! state this offset.

use std::path::Path;

use ndarray::ArrayView2;
use quick_xml::escape::escape;

use super::error::ExportError;
use super::slide_lattice::SlideLattice;
use super::{pyramid, value_tiff};
use crate::bigtiff::{DeflateCode, DirectoryLinks, TILE_PX, Tags, TilePixels};
use crate::heatmap_h5::HeatmapMeta;

/// Writes the heatmap `score` `[row, col]`, NaN where not scored.
pub(super) fn write(
    target: &Path,
    meta: &HeatmapMeta,
    score: ArrayView2<'_, f32>,
) -> Result<(), ExportError> {
    let lattice = SlideLattice::new(meta);
    let (rows, cols) = score.dim();
    let side = |points: usize| {
        u32::try_from(points).expect("a lattice has fewer than 2^32 rows and columns")
    };
    let (width, height) = (side(cols), side(rows));
    let sizes = pyramid::sizes(width, height, TILE_PX);
    let description = ome_xml(meta, &lattice, width, height);
    let tags = Tags {
        pixels: TilePixels::DeflatedF32(DeflateCode::Adobe),
        links: DirectoryLinks::SubIfds,
        um_per_px: lattice.pitch_um(),
        description: &description,
        range: None,
    };
    let fill = |row: usize, out: &mut [f32]| {
        for (out, &value) in out.iter_mut().zip(score.row(row)) {
            *out = if value.is_nan() { f32::NAN } else { value };
        }
        Ok(())
    };
    value_tiff::write(target, &sizes, f32::NAN, fill, &tags)
}

/// The image's description in OME-XML, schema 2016-06. The text is ASCII, because
/// TIFF allows nothing else in tag 270.
fn ome_xml(meta: &HeatmapMeta, lattice: &SlideLattice, width: u32, height: u32) -> String {
    let class = &meta.classes[meta.positive as usize];
    let (mut size, mut plane) = (String::new(), String::new());
    if let Some([x, y]) = lattice.pitch_um() {
        size = format!(
            " PhysicalSizeX=\"{x}\" PhysicalSizeXUnit=\"&#181;m\" PhysicalSizeY=\"{y}\" PhysicalSizeYUnit=\"&#181;m\""
        );
        plane = format!(
            "<Plane TheC=\"0\" TheT=\"0\" TheZ=\"0\" PositionX=\"{}\" PositionXUnit=\"&#181;m\" PositionY=\"{}\" PositionYUnit=\"&#181;m\"/>",
            -x / 2.0,
            -y / 2.0
        );
    }
    let about = format!(
        "Score of class {class}, NaN where not scored. Pixel (row, col) is the window centred at level-0 pixel x = col * {pitch}, y = row * {pitch} of a slide of {} x {} px. Lower resolutions hold the largest of four.",
        lattice.width_px,
        lattice.height_px,
        pitch = lattice.pitch_px
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://www.openmicroscopy.org/Schemas/OME/2016-06 http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd\" Creator=\"{creator}\"><Image ID=\"Image:0\" Name=\"{name}\"><Description>{about}</Description><Pixels ID=\"Pixels:0\" DimensionOrder=\"XYCZT\" Type=\"float\" BigEndian=\"false\" SizeX=\"{width}\" SizeY=\"{height}\" SizeC=\"1\" SizeZ=\"1\" SizeT=\"1\"{size}><Channel ID=\"Channel:0:0\" Name=\"{channel}\" SamplesPerPixel=\"1\"/><TiffData IFD=\"0\" PlaneCount=\"1\"/>{plane}</Pixels></Image></OME>",
        creator = crate::version::WRITER,
        name = ascii(&meta.slide),
        about = ascii(&about),
        channel = ascii(class),
    )
}

/// `text` escaped for XML, with every character outside ASCII as a numeric reference.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for character in escape(text).chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            out += &format!("&#{};", u32::from(character));
        }
    }
    out
}
