//! The operators that have a dense form.

/// Operators on one feature map whose outputs depend on one element each.
const POINTWISE: [&str; 27] = [
    "Abs",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tanh",
    "ThresholdedRelu",
];

/// Whether the outputs of an operator on one feature map depend on one element each.
pub(in crate::model) fn is_pointwise(operator: &str) -> bool {
    POINTWISE.contains(&operator)
}

/// Whether ONNX defines an operator by others. Engines compute it step by step, with a map
/// for each step and one more for reordering the result.
pub(super) fn is_composite(operator: &str) -> bool {
    matches!(operator, "Celu" | "Gelu" | "HardSwish" | "Mish")
}

/// Operators that `Rewriter::rewrite` and `Rewriter::fold` know, besides the
/// pointwise ones.
const OPERATORS: [&str; 36] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Concat",
    "Constant",
    "Conv",
    "Div",
    "Dropout",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
    "PRelu",
    "Pad",
    "Pow",
    "ReduceMax",
    "ReduceMean",
    "Reshape",
    "Shape",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Sub",
    "Sum",
    "Transpose",
    "Unsqueeze",
];

/// Whether some nodes of this operator can be rewritten.
pub(super) fn has_dense_form(operator: &str) -> bool {
    OPERATORS.contains(&operator) || is_pointwise(operator)
}
