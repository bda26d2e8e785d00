//! A tensor of the network being rewritten.

use std::collections::BTreeSet;
use std::rc::Rc;

use tract_onnx::pb;

use super::axis::Axis;

/// Order of the axes the old network has in mind. The dense network computes
/// `[1, channel, row, col]` throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    ChannelsFirst,
    ChannelsLast,
}

/// The shape the old network has in mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Four axes.
    Spatial(Order),
    /// `[N, C * h * w]`, flattened in this order.
    Flat(Order),
    /// `[N, h, w]`: one channel, taken out.
    Plane,
}

/// A feature map.
#[derive(Debug, Clone)]
pub(super) struct FeatureMap {
    /// Its name in the dense network.
    pub(super) name: String,
    pub(super) channels: usize,
    /// Row, col.
    pub(super) axes: [Axis; 2],
    pub(super) form: Form,
    /// The mean over the window is still to be taken; `axes` are those of what
    /// it is taken of.
    pub(super) pending: bool,
    /// One number a window in the old network that scales a whole map there; a
    /// sliding mean at each place of that map here.
    pub(super) gate: bool,
    /// Pooling nodes it comes from since it was a map.
    pub(super) pooled_by: BTreeSet<usize>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Known before any image is.
    Constant(Rc<pb::TensorProto>),
    /// Depends on the image.
    Map(FeatureMap),
    /// Comes from a node that cannot be rewritten.
    Unknown,
}

impl FeatureMap {
    /// Rows and columns in the old network.
    pub(super) fn extents(&self) -> [i64; 2] {
        if self.pending || self.gate { [1, 1] } else { self.axes.map(|axis| axis.extent) }
    }

    /// Its shape in the old network, for one window.
    pub(super) fn shape(&self) -> Vec<i64> {
        let ([rows, cols], channels) = (self.extents(), self.channels as i64);
        match self.form {
            Form::Spatial(Order::ChannelsFirst) => vec![1, channels, rows, cols],
            Form::Spatial(Order::ChannelsLast) => vec![1, rows, cols, channels],
            Form::Flat(_) => vec![1, channels * rows * cols],
            Form::Plane => vec![1, rows, cols],
        }
    }

    /// The channel axis in the old network, where there is one.
    pub(super) fn channel_axis(&self) -> Option<usize> {
        match self.form {
            Form::Spatial(Order::ChannelsFirst) => Some(1),
            Form::Spatial(Order::ChannelsLast) => Some(3),
            Form::Flat(_) => (self.extents() == [1, 1]).then_some(1),
            Form::Plane => None,
        }
    }

    /// The row and col axes in the old network.
    pub(super) fn spatial_axes(&self) -> Option<[i64; 2]> {
        match self.form {
            Form::Spatial(Order::ChannelsFirst) => Some([2, 3]),
            Form::Spatial(Order::ChannelsLast) => Some([1, 2]),
            Form::Flat(_) | Form::Plane => None,
        }
    }

    /// Order of the axes, also of what was flattened.
    pub(super) fn order(&self) -> Order {
        match self.form {
            Form::Spatial(order) | Form::Flat(order) => order,
            Form::Plane => Order::ChannelsFirst,
        }
    }

    /// Whether both lie on the same grid.
    pub(super) fn aligned(&self, other: &Self) -> bool {
        let place = |axis: &Axis| (axis.extent, axis.jump_px, axis.step_px);
        self.axes.iter().zip(&other.axes).all(|(a, b)| place(a) == place(b))
    }

    /// The axes of what depends on both.
    pub(super) fn joined_axes(&self, other: &Self) -> [Axis; 2] {
        let join = |a: Axis, b: Axis| Axis {
            from_px: a.from_px.min(b.from_px),
            to_px: a.to_px.max(b.to_px),
            ..a
        };
        [join(self.axes[0], other.axes[0]), join(self.axes[1], other.axes[1])]
    }
}
