//! Megapixels per second of one core, method by method, for
//! benches/compare/colour.py: normalises a picture again and again.
//!
//!     normalize TEMPLATE IMAGE METHOD SCOPE SECONDS

use std::path::Path;
use std::time::{Duration, Instant};

use slidegrid::internal::normalize::{ColourMethod, ColourTransform};
use slidegrid::internal::{colour_template, process};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [template, image, method, scope, seconds] = args.as_slice() else {
        return Err("expected TEMPLATE IMAGE METHOD SCOPE SECONDS".into());
    };
    let method: ColourMethod = method.parse()?;
    let target = colour_template::read(Path::new(template), method, false)?;
    let picture = colour_template::whole_picture(Path::new(image), false)?.rgb;
    let known = method.estimate(&picture)?;
    let limit = Duration::from_secs_f64(seconds.parse()?);
    let transform = ColourTransform::new(&known, &target)?;
    let mut rgb = picture.clone();
    // Processor time: other programs do not count. Copies do: a hundredth.
    let (started, busy_s, mut count) = (Instant::now(), process::cpu_s(), 0u32);
    while started.elapsed() < limit {
        rgb.copy_from_slice(&picture);
        if scope == "slide" {
            transform.apply(&mut rgb);
        } else {
            ColourTransform::new(&method.estimate(&rgb)?, &target)?.apply(&mut rgb);
        }
        count += 1;
    }
    let megapixels = (picture.len() / 3) as f64 / 1e6;
    println!("{}", megapixels * f64::from(count) / (process::cpu_s() - busy_s));
    Ok(())
}
