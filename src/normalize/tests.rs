use proptest::prelude::*;

use super::mixture::{angle_deg, stains, tissue};
use super::*;

const PX: usize = 20_000;

#[test]
fn known_stains_are_found_within_two_degrees() {
    for seed in 0..20 {
        let known = stains(seed);
        for (method, light) in [(ColourMethod::Macenko, 240.0), (ColourMethod::Vahadane, 255.0)] {
            let estimate = method.estimate(&tissue(known, light, PX, seed)).unwrap();
            let found = estimate.stains().unwrap();
            for (known, found) in known.into_iter().zip(found.vectors()) {
                let angle = angle_deg(known, found);
                assert!(angle < 2.0, "{method} seed {seed}: {known:?} {found:?} {angle}");
            }
            assert!(found.strength[0] > 1.0 && found.strength[1] > 0.7, "{found:?}");
        }
    }
}

#[test]
fn normalising_the_template_hardly_changes_it() {
    for seed in 0..10 {
        for method in ColourMethod::ALL {
            let mut template = tissue(stains(seed), 245.0, PX, seed);
            if method == ColourMethod::Vahadane {
                // The method changes a template's brightness as well, so it is standardised
                // before the comparison.
                standardize_luminosity(&mut template).unwrap();
            }
            let target = method.estimate(&template).unwrap();
            let mut normalized = template.clone();
            normalize_patch(&mut normalized, &target).unwrap();
            let differences = template.iter().zip(&normalized).map(|(a, b)| a.abs_diff(*b));
            let (mut sum, mut visible) = (0, 0);
            for difference in differences {
                sum += usize::from(difference);
                visible += usize::from(difference > 8);
            }
            let mean = sum as f64 / template.len() as f64;
            assert!(mean < 2.5, "{method} seed {seed}: mean {mean}");
            assert!(visible * 100 < template.len(), "{method} seed {seed}: {visible} visible");
        }
    }
}

#[test]
fn pictures_of_two_scanners_become_more_alike() {
    let (a, b) = (tissue(stains(1), 240.0, PX, 1), tissue(stains(8), 225.0, PX, 1));
    let apart = |a: &[u8], b: &[u8]| {
        let sum: usize = a.iter().zip(b).map(|(a, b)| usize::from(a.abs_diff(*b))).sum();
        sum as f64 / a.len() as f64
    };
    for method in ColourMethod::ALL {
        let target = method.estimate(&a).unwrap();
        let (mut from_a, mut from_b) = (a.clone(), b.clone());
        normalize_patch(&mut from_a, &target).unwrap();
        normalize_patch(&mut from_b, &target).unwrap();
        let (before, after) = (apart(&a, &b), apart(&from_a, &from_b));
        assert!(after < before / 2.0, "{method}: {before} {after}");
    }
}

#[test]
fn pictures_without_two_stains_are_refused_with_a_reason() {
    let repeated = |pixel: [u8; 3], count: usize| pixel.repeat(count);
    let pictures = [
        ("white", repeated([255; 3], 4096)),
        ("black", repeated([0; 3], 4096)),
        ("pink", repeated([230, 120, 180], 4096)),
        ("one pixel", vec![120, 60, 140]),
        ("none", Vec::new()),
        (
            "one stain",
            (0..12_288).map(|at| [200u8, 150, 190][at % 3] - (at / 3 % 90) as u8).collect(),
        ),
    ];
    let target = tissue(stains(3), 240.0, PX, 3);
    for method in ColourMethod::ALL {
        let target = method.estimate(&target).unwrap();
        for (name, picture) in &pictures {
            let mut rgb = picture.clone();
            match normalize_patch(&mut rgb, &target) {
                Ok(()) => assert_eq!(*name, "one stain", "{method}"),
                Err(reason) => {
                    assert_eq!(rgb, *picture, "{method} {name}: refused and changed");
                    assert!(reason.to_string().len() > 10);
                }
            }
        }
    }
    let reason = ColourMethod::Macenko.estimate(&pictures[0].1).unwrap_err();
    assert_eq!(reason.to_string(), "too little tissue: 0 of 4096 pixels, expected at least 64");
}

#[test]
fn estimates_of_two_methods_do_not_mix() {
    let picture = tissue(stains(3), 240.0, PX, 3);
    let [reinhard, macenko, _] = ColourMethod::ALL.map(|method| method.estimate(&picture).unwrap());
    assert!(matches!(
        ColourTransform::new(&reinhard, &macenko),
        Err(NormalizeError::OtherMethod {
            found: ColourMethod::Reinhard,
            expected: ColourMethod::Macenko
        })
    ));
}

#[test]
fn estimates_survive_toml_and_rounding() {
    let picture = tissue(stains(5), 240.0, PX, 5);
    for method in ColourMethod::ALL {
        let estimate = method.estimate(&picture).unwrap().rounded();
        let text = toml::to_string(&estimate).unwrap();
        assert!(text.contains(&format!("method = \"{method}\"")), "{text}");
        assert_eq!(toml::from_str::<ColourEstimate>(&text).unwrap(), estimate);
        assert_eq!(estimate.rounded(), estimate);
    }
}

#[test]
fn lab_converts_back_to_the_same_bytes() {
    for rgb in [[0, 0, 0], [255, 255, 255], [200, 80, 140], [12, 230, 3], [90, 40, 110]] {
        let back = lab_to_rgb(rgb_to_lab(rgb)).map(|value| (value * 255.0).round() as u8);
        assert_eq!(back, rgb);
    }
}

/// Pictures of several kinds: random, dark with bright spots like fluorescence, brown and blue
/// like immunohistochemistry.
fn any_picture() -> impl Strategy<Value = Vec<u8>> {
    let random = proptest::collection::vec(any::<u8>(), 0..6000);
    let spots = (any::<u64>(), 1usize..3000, any::<[u8; 3]>()).prop_map(|(seed, pixels, spot)| {
        let mut rng = mixture::UnitRng::new(seed);
        let lit = |unit: f64, c: usize| if unit < 0.1 { spot[c] } else { (unit * 6.0) as u8 };
        (0..pixels)
            .flat_map(|_| {
                let unit = rng.unit();
                [0, 1, 2].map(|c| lit(unit, c))
            })
            .collect()
    });
    let brown = (any::<u64>(), 1usize..3000).prop_map(|(seed, pixels)| {
        tissue([[0.27, 0.57, 0.78], [0.65, 0.70, 0.29]], 250.0, pixels, seed)
    });
    prop_oneof![random, spots, brown]
}

proptest! {
    #[test]
    fn no_picture_makes_normalisation_panic(picture in any_picture(), template in any_picture()) {
        let good = tissue(stains(3), 240.0, 4000, 3);
        let whole = picture.len() / 3 * 3;
        for method in ColourMethod::ALL {
            for target in [method.estimate(&good), method.estimate(&template[..template.len() / 3 * 3])] {
                let Ok(target) = target else { continue };
                let mut rgb = picture[..whole].to_vec();
                if normalize_patch(&mut rgb, &target).is_err() {
                    prop_assert_eq!(&rgb, &picture[..whole]);
                }
            }
        }
    }

    /// A pixel's result does not depend on its place in a chunk or a vector instruction.
    #[test]
    fn pixels_do_not_depend_on_their_neighbours(seed in 0u64..50, at in 0usize..1000) {
        let picture = tissue(stains(seed), 240.0, 1000, seed);
        let template = tissue(stains(seed + 1), 235.0, 4000, seed);
        for method in ColourMethod::ALL {
            let (source, target) = (method.estimate(&picture), method.estimate(&template));
            let transform = ColourTransform::new(&source.unwrap(), &target.unwrap()).unwrap();
            let (mut all, mut one) = (picture.clone(), picture[3 * at..3 * at + 3].to_vec());
            transform.apply(&mut all);
            transform.apply(&mut one);
            prop_assert_eq!(&all[3 * at..3 * at + 3], &one[..]);
        }
    }
}
