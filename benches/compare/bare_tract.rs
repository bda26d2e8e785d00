//! The loop `slidegrid predict` with tract is compared with: tract itself on
//! windows already in memory, one at a time.
//!
//! `bare_tract MODEL.onnx WINDOWS.f32 COUNT` waits for a line on stdin, runs
//! COUNT windows of `[3, 224, 224]` and prints windows, wall and CPU seconds.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use tract_onnx::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHAPE: [usize; 4] = [1, 3, 224, 224];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, windows, count] = arguments.as_slice() else {
        return Err("expected MODEL.onnx WINDOWS.f32 COUNT".into());
    };
    let count: usize = count.parse()?;
    let plan = tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_shapes(true)
        .model_for_path(model)?
        .with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), SHAPE))?
        .into_optimized()?
        .into_runnable()?;
    let bytes = std::fs::read(windows)?;
    let values: Vec<f32> =
        bytes.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let windows: Vec<&[f32]> = values.chunks_exact(SHAPE.iter().product()).collect();
    let mut state = plan.spawn()?;
    state.run(tvec![Tensor::from_shape(&SHAPE, windows[0])?.into()])?;
    println!("ready");
    std::io::stdout().flush()?;
    std::io::stdin().read_line(&mut String::new())?;
    let (started, cpu_s) = (Instant::now(), slidegrid::internal::process::cpu_s());
    for window in windows.iter().cycle().take(count) {
        state.run(tvec![Tensor::from_shape(&SHAPE, window)?.into()])?;
    }
    let cpu_s = slidegrid::internal::process::cpu_s() - cpu_s;
    println!("{count} {} {cpu_s}", started.elapsed().as_secs_f64());
    Ok(())
}
