//! The check that a model card and an ONNX graph agree.

use thiserror::Error;

use super::card::{Activation, Layout, ModelCard};
use super::graph::{Dim, Dtype, GraphFacts, TensorFacts};

/// Card and graph contradict each other; the caller adds the files' names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// The graph has several inputs that are not weights, or none.
    #[error("the graph has {} inputs ({}), expected one image; export the network with the others fixed as constants", names.len(), names.join(", "))]
    Inputs {
        /// The inputs' names.
        names: Vec<String>,
    },
    /// The graph has several outputs and the card names none.
    #[error("the graph has {} outputs ({}); add `output = \"...\"` to the card to say which holds the class scores", names.len(), names.join(", "))]
    Outputs {
        /// The outputs' names.
        names: Vec<String>,
    },
    /// The card names an input or output that the graph does not have.
    #[error("the card says {key} = \"{found}\", the graph has {}", names.join(", "))]
    Name {
        /// `input` or `output`.
        key: &'static str,
        /// The card's name.
        found: String,
        /// The graph's names.
        names: Vec<String>,
    },
    /// An input or output has an element type that slidegrid does not support.
    #[error(
        "`{name}` is {found} in the graph, expected float32 or float16; export the network with a float input and output"
    )]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A shape in the graph contradicts the card.
    #[error("the card says {card}, the graph says `{name}` is {shape}; {advice}")]
    Shape {
        /// What the card says.
        card: String,
        /// The tensor.
        name: String,
        /// Its shape in the graph.
        shape: String,
        /// What to change.
        advice: String,
    },
}

/// Checks that card and graph agree, wherever the graph fixes a size.
///
/// # Errors
/// [`Mismatch`] with what the card says and what the graph says.
pub(crate) fn check_card(card: &ModelCard, graph: &GraphFacts) -> Result<(), Mismatch> {
    check_input(card, input_of(card, graph)?)?;
    check_output(card, output_of(card, graph)?)
}

/// The graph's one image input.
pub(crate) fn input_of<'g>(
    card: &ModelCard,
    graph: &'g GraphFacts,
) -> Result<&'g TensorFacts, Mismatch> {
    let [input] = graph.inputs.as_slice() else {
        return Err(Mismatch::Inputs { names: names(&graph.inputs) });
    };
    match &card.input {
        Some(name) if *name != input.name => {
            Err(Mismatch::Name { key: "input", found: name.clone(), names: names(&graph.inputs) })
        }
        _ => Ok(input),
    }
}

/// The graph's class output.
pub(crate) fn output_of<'g>(
    card: &ModelCard,
    graph: &'g GraphFacts,
) -> Result<&'g TensorFacts, Mismatch> {
    match (&card.output, graph.outputs.as_slice()) {
        (None, [only]) => Ok(only),
        (None, outputs) => Err(Mismatch::Outputs { names: names(outputs) }),
        (Some(name), outputs) => {
            outputs.iter().find(|output| output.name == *name).ok_or_else(|| Mismatch::Name {
                key: "output",
                found: name.clone(),
                names: names(outputs),
            })
        }
    }
}

fn names(tensors: &[TensorFacts]) -> Vec<String> {
    tensors.iter().map(|tensor| tensor.name.clone()).collect()
}

fn require_float(tensor: &TensorFacts) -> Result<(), Mismatch> {
    match tensor.dtype {
        Dtype::F32 | Dtype::F16 => Ok(()),
        Dtype::Other(_) => {
            Err(Mismatch::Dtype { name: tensor.name.clone(), found: tensor.dtype.to_string() })
        }
    }
}

fn check_input(card: &ModelCard, input: &TensorFacts) -> Result<(), Mismatch> {
    require_float(input)?;
    let Some(dims) = &input.dims else { return Ok(()) };
    let shape = |card: String, advice: String| {
        Err(Mismatch::Shape { card, name: input.name.clone(), shape: input.shape(), advice })
    };
    let (layout, other, channel, sides) = match card.layout {
        Layout::Nchw => ("nchw", "nhwc", 1, [2, 3]),
        Layout::Nhwc => ("nhwc", "nchw", 3, [1, 2]),
    };
    let says_layout = format!("layout = \"{layout}\"");
    if dims.len() != 4 {
        return shape(says_layout, "slidegrid needs a network over images: four axes".into());
    }
    if let Some(found) = dims[channel].fixed()
        && found != 3
    {
        let swapped = dims[4 - channel].fixed() == Some(3);
        let advice = if swapped {
            format!("write layout = \"{other}\"")
        } else {
            format!("slidegrid feeds three colour channels, not {found}")
        };
        return shape(says_layout, advice);
    }
    let window = card.window_px as usize;
    if sides.iter().any(|side| dims[*side].fixed().is_some_and(|found| found != window)) {
        let found: Vec<_> = sides.iter().map(|side| dims[*side].to_string()).collect();
        let advice = if found[0] == found[1] {
            format!("write window = {}", found[0])
        } else {
            "slidegrid needs a network with a square input".into()
        };
        return shape(format!("window = {window}"), advice);
    }
    Ok(())
}

fn check_output(card: &ModelCard, output: &TensorFacts) -> Result<(), Mismatch> {
    require_float(output)?;
    let Some(dims) = &output.dims else { return Ok(()) };
    let shape = |advice: String| {
        Err(Mismatch::Shape {
            card: format!("{} classes ({})", card.classes.len(), card.classes.join(", ")),
            name: output.name.clone(),
            shape: output.shape(),
            advice,
        })
    };
    // The first axis counts windows; at most one of the others may exceed 1.
    let per_window: Vec<Option<usize>> = dims.iter().skip(1).map(Dim::fixed).collect();
    if per_window.iter().flatten().filter(|size| **size > 1).count() > 1 {
        return shape("expected one score per class and window: [N, classes], [N, classes, 1, 1]; name another `output`, or pool the map in the export".into());
    }
    let Some(found) = per_window.iter().copied().product::<Option<usize>>() else { return Ok(()) };
    if found == card.classes.len() || pairs_single(card, found) {
        return Ok(());
    }
    shape(format!("list {found} class names, in the order of the output"))
}

/// Whether a single output p stands for the pair (1 - p, p).
///
/// Networks trained with binary cross-entropy have a single output, but their cards
/// often list two classes. Softmax is excluded, since the softmax of one number is 1.
pub(crate) fn pairs_single(card: &ModelCard, outputs: usize) -> bool {
    outputs == 1 && card.classes.len() == 2 && card.activation != Activation::Softmax
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const CARD: &str = r#"
file = "net.onnx"
window = 64
mpp = 0.5
layout = "nchw"
range = "unit"
mean = [0, 0, 0]
std = [1, 1, 1]
channels = "rgb"
classes = ["normal", "tumor"]
positive = "tumor"
activation = "softmax"
"#;

    fn tensor(name: &str, sizes: &[usize]) -> TensorFacts {
        // 0 stands for a free axis.
        let dim =
            |size: &usize| if *size == 0 { Dim::Symbolic("N".into()) } else { Dim::Fixed(*size) };
        TensorFacts {
            name: name.into(),
            dtype: Dtype::F32,
            dims: Some(sizes.iter().map(dim).collect()),
        }
    }

    fn check(card: &str, input: &[usize], output: &[usize]) -> Result<(), String> {
        let graph = GraphFacts {
            last_operators: BTreeMap::new(),
            inputs: vec![tensor("x", input)],
            outputs: vec![tensor("y", output)],
            nodes: vec![],
            opset: 13,
            external_files: Default::default(),
            external_tensors: Vec::new(),
        };
        check_card(&ModelCard::from_toml(card).unwrap(), &graph).map_err(|e| e.to_string())
    }

    #[test]
    fn a_card_that_agrees_with_its_graph_passes() {
        for (input, output) in [
            (&[0, 3, 64, 64], &[0, 2][..]),
            (&[4, 3, 64, 64], &[4, 2, 1, 1]),
            (&[0, 0, 0, 0], &[0, 0]),
            (&[0, 3, 64, 64], &[0, 1, 1, 2]),
        ] {
            check(CARD, input, output).unwrap();
        }
        let sigmoid = CARD.replace("softmax", "sigmoid");
        check(&sigmoid, &[0, 3, 64, 64], &[0, 1]).unwrap();
    }

    #[test]
    fn contradictions_name_both_sides() {
        let says = |input: &[usize], output: &[usize]| check(CARD, input, output).unwrap_err();
        let layout = says(&[0, 64, 64, 3], &[0, 2]);
        assert!(
            layout.contains("layout = \"nchw\"")
                && layout.contains("[N, 64, 64, 3]")
                && layout.ends_with("write layout = \"nhwc\""),
            "{layout}"
        );
        let window = says(&[0, 3, 224, 224], &[0, 2]);
        assert!(
            window.contains("window = 64") && window.ends_with("write window = 224"),
            "{window}"
        );
        assert!(says(&[0, 3, 64, 96], &[0, 2]).contains("square"));
        assert!(says(&[0, 1, 64, 64], &[0, 2]).contains("not 1"));
        assert!(says(&[0, 3], &[0, 2]).contains("four axes"));
        assert!(says(&[0, 3, 64, 64], &[0, 5]).contains("list 5 class names"));
        assert!(says(&[0, 3, 64, 64], &[0, 1]).contains("2 classes (normal, tumor)"));
        assert!(says(&[0, 3, 64, 64], &[0, 2, 8, 8]).contains("pool the map"));
    }

    #[test]
    fn one_of_several_outputs_must_be_named_and_several_inputs_are_refused() {
        let mut graph = GraphFacts {
            last_operators: BTreeMap::new(),
            inputs: vec![tensor("x", &[0, 3, 64, 64])],
            outputs: vec![tensor("features", &[0, 512]), tensor("y", &[0, 2])],
            nodes: vec![],
            opset: 13,
            external_files: Default::default(),
            external_tensors: Vec::new(),
        };
        let mut card = ModelCard::from_toml(CARD).unwrap();
        assert!(matches!(check_card(&card, &graph), Err(Mismatch::Outputs { .. })));
        card.output = Some("z".into());
        assert!(matches!(check_card(&card, &graph), Err(Mismatch::Name { key: "output", .. })));
        card.output = Some("y".into());
        check_card(&card, &graph).unwrap();
        graph.inputs[0].dtype = Dtype::Other(2);
        assert!(check_card(&card, &graph).unwrap_err().to_string().contains("uint8"));
        graph.inputs.push(tensor("age", &[0, 1]));
        assert!(check_card(&card, &graph).unwrap_err().to_string().contains("2 inputs (x, age)"));
    }
}
