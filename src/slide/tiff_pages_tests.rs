use super::*;

fn page_of(width_px: u64, height_px: u64) -> TiffPage {
    TiffPage {
        width_px,
        height_px,
        is_tiled: true,
        is_reduced: false,
        is_mask: false,
        bits: vec![8; 3],
        samples: 3,
        compression: 7,
        photometric: 6,
        is_planar: false,
        is_float: false,
        extra_samples: Vec::new(),
        tags: None,
    }
}

fn slide_page(pages: Vec<TiffPage>) -> Result<usize, NoSlidePage> {
    TiffPages { pages, ome: Vec::new(), imagej: None }.slide_page()
}

fn reduced(width_px: u64, height_px: u64) -> TiffPage {
    TiffPage { is_reduced: true, ..page_of(width_px, height_px) }
}

#[test]
fn the_slide_is_the_largest_full_picture() {
    assert_eq!(slide_page(vec![page_of(1600, 1200), reduced(800, 600)]), Ok(0));
    assert_eq!(slide_page(vec![reduced(200, 150), page_of(1600, 1200)]), Ok(1));
    let mask = TiffPage { is_mask: true, ..page_of(1600, 1200) };
    assert_eq!(slide_page(vec![mask, page_of(1600, 1200)]), Ok(1));
    // A writer that marks nothing: levels, rounded up or down, and a small label.
    let unmarked = [(16_001, 12_003), (4001, 3001), (1000, 750), (700, 900)];
    let pages = unmarked.map(|(width, height)| page_of(width, height));
    assert_eq!(slide_page(pages.to_vec()), Ok(0));
    assert_eq!(slide_page(vec![reduced(200, 150)]), Ok(0));
}

#[test]
fn several_pictures_that_could_be_the_slide_are_refused() {
    let channels = slide_page(vec![page_of(800, 600); 3]).unwrap_err().0;
    assert!(channels.contains("3 pictures of 800 x 600 px"), "{channels}");
    let scenes = slide_page(vec![page_of(800, 600), page_of(700, 900)]).unwrap_err().0;
    assert!(scenes.contains("700 x 900"), "{scenes}");
}

#[test]
fn ome_and_imagej_texts_name_channels_and_planes() {
    let ome = |pixels: &str| {
        let text = format!(
            "<OME><Image Name='a'><Pixels SizeX='8' SizeY='6' {pixels}</Pixels></Image></OME>"
        );
        let grey = TiffPage { samples: 1, ..page_of(8, 6) };
        TiffPages { pages: vec![grey], ome: ome::images(&text).unwrap(), imagej: None }
    };
    let planes = ome("SizeZ='5'>").slide_page().unwrap_err().0;
    assert!(planes.contains("5 focal planes"), "{planes}");
    let unreadable = ome("SizeZ='five'>").slide_page().unwrap_err().0;
    assert!(unreadable.contains("SizeZ = \"five\""), "{unreadable}");
    let channels = ome("SizeC='2'><Channel Name='DAPI'/><Channel Name='FITC'/>");
    assert!(
        channels
            .slide_page()
            .unwrap_err()
            .0
            .contains("2 channels are pages of their own (DAPI, FITC)")
    );
    assert_eq!(ome("SizeC='1'><Channel/>").slide_page(), Ok(0));

    let imagej = |text: &str| {
        let tags = ResolutionTags { x: 2.0, y: 2.0, unit: ResolutionUnit::None };
        let page = TiffPage { tags: Some(tags), ..page_of(8, 6) };
        TiffPages { pages: vec![page], ome: Vec::new(), imagej: Some(text.to_owned()) }
    };
    let stack = imagej("ImageJ=1.53\nslices=7\nunit=micron").slide_page().unwrap_err().0;
    assert!(stack.contains("7 focal planes"), "{stack}");
    let single = imagej("ImageJ=1.53\nunit=micron\n");
    assert_eq!((single.slide_page(), single.mpp()), (Ok(0), [Some(0.5); 2]));
}

#[test]
fn a_picture_is_described_by_what_may_not_be_readable() {
    let page = TiffPage {
        bits: vec![16; 3],
        photometric: 2,
        compression: 50_001,
        is_planar: true,
        ..page_of(8, 6)
    };
    assert_eq!(page.to_string(), "RGB, 3 samples of 16 bits, WebP compression (50001), planar");
}
