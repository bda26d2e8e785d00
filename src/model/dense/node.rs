//! Access to the name, the inputs and the attributes of a node.

use tract_onnx::pb;

/// A node of the old network.
#[derive(Clone, Copy)]
pub(in crate::model) struct Node<'g> {
    pub(in crate::model) proto: &'g pb::NodeProto,
    /// Index of the node in the graph.
    pub(in crate::model) index: usize,
}

impl<'g> Node<'g> {
    pub(in crate::model) fn operator(&self) -> &'g str {
        &self.proto.op_type
    }

    /// Name of the node, or of its first output if the node has none.
    pub(super) fn name(&self) -> &'g str {
        match (self.proto.name.as_str(), self.proto.output.first()) {
            ("", Some(output)) => output,
            (name, _) => name,
        }
    }

    /// The preferred name for the dense form of the node: that of its first output.
    pub(super) fn hint(&self) -> String {
        self.proto.output.first().cloned().unwrap_or_default()
    }

    /// Names of the inputs; those of absent inputs are empty.
    pub(in crate::model) fn inputs(&self) -> &'g [String] {
        &self.proto.input
    }

    fn attribute(&self, name: &str) -> Option<&'g pb::AttributeProto> {
        self.proto.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn has_attribute(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(in crate::model) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.f)
    }

    pub(in crate::model) fn ints(&self, name: &str) -> Option<&'g [i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    pub(in crate::model) fn text(&self, name: &str) -> Option<&'g str> {
        self.attribute(name).and_then(|attribute| std::str::from_utf8(&attribute.s).ok())
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&'g pb::TensorProto> {
        self.attribute(name).and_then(|attribute| attribute.t.as_ref())
    }
}
