//! The tensors of a network while it is rewritten: feature maps and constants.

use std::collections::BTreeSet;
use std::rc::Rc;

use tract_onnx::pb;

use super::axis::Axis;

/// The order of axes in the old network. The dense network uses `[1, channel, row, col]`
/// throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    ChannelsFirst,
    ChannelsLast,
}

/// The arrangement of axes in the old network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Four axes.
    Spatial(Order),
    /// `[N, C * h * w]`, flattened in this order.
    Flat(Order),
    /// `[N, groups, C / groups, h, w]`, or with these two axes the other way round.
    Grouped {
        groups: i64,
        /// Whether the channels of a group come before the groups.
        swapped: bool,
    },
    /// `[N, h, w]`: one channel, without an axis for it.
    Plane,
}

/// Channels and axes of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MapSize {
    pub(super) channels: usize,
    /// Axes along rows and along columns.
    pub(super) axes: [Axis; 2],
}

impl MapSize {
    /// Whether the elements of both maps have the same positions.
    pub(super) fn aligned(&self, other: &Self) -> bool {
        let place = |axis: &Axis| (axis.extent, axis.jump_px, axis.step_px);
        self.axes.iter().zip(&other.axes).all(|(a, b)| place(a) == place(b))
    }
}

/// The last whole map of a window: what follows is one number per channel.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Name of the tensor in the dense network.
    pub(super) map: String,
    pub(super) size: MapSize,
}

/// A feature map.
#[derive(Debug, Clone)]
pub(super) struct FeatureMap {
    /// Name of the tensor in the dense network.
    pub(super) name: String,
    pub(super) channels: usize,
    /// Axes along rows and along columns.
    pub(super) axes: [Axis; 2],
    pub(super) form: Form,
    /// Whether the tensor stands for its mean over each window, which no node computes yet;
    /// `axes` are those before the mean.
    pub(super) pending: bool,
    /// Whether the tensor is one number per window in the old network, which scales a whole
    /// map; in the dense network it is a sliding mean at each position of that map.
    pub(super) gate: bool,
    /// Indices of the pooling nodes that reduced a whole map to this tensor.
    pub(super) pooled_by: BTreeSet<usize>,
    /// The map that a map of one place was made from; `None` for maps of several places.
    pub(super) source: Option<Rc<Source>>,
}

/// The value of a tensor.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// The value does not depend on the image.
    Constant(Rc<pb::TensorProto>),
    /// The value depends on the image.
    Map(FeatureMap),
    /// The value comes from a node that cannot be rewritten.
    Unknown,
}

impl FeatureMap {
    /// Number of rows and columns in the old network.
    pub(super) fn extents(&self) -> [i64; 2] {
        if self.pending || self.gate { [1, 1] } else { self.axes.map(|axis| axis.extent) }
    }

    /// The shape in the old network, for one window.
    pub(super) fn shape(&self) -> Vec<i64> {
        let ([rows, cols], channels) = (self.extents(), self.channels as i64);
        match self.form {
            Form::Spatial(Order::ChannelsFirst) => vec![1, channels, rows, cols],
            Form::Spatial(Order::ChannelsLast) => vec![1, rows, cols, channels],
            Form::Flat(_) => vec![1, channels * rows * cols],
            Form::Grouped { groups, swapped: false } => {
                vec![1, groups, channels / groups, rows, cols]
            }
            Form::Grouped { groups, swapped: true } => {
                vec![1, channels / groups, groups, rows, cols]
            }
            Form::Plane => vec![1, rows, cols],
        }
    }

    /// The channel axis in the old network, where there is one.
    pub(super) fn channel_axis(&self) -> Option<usize> {
        match self.form {
            Form::Spatial(Order::ChannelsFirst) => Some(1),
            Form::Spatial(Order::ChannelsLast) => Some(3),
            Form::Flat(_) => (self.extents() == [1, 1]).then_some(1),
            Form::Grouped { .. } | Form::Plane => None,
        }
    }

    /// The row and col axes in the old network.
    pub(super) fn spatial_axes(&self) -> Option<[i64; 2]> {
        match self.form {
            Form::Spatial(Order::ChannelsFirst) => Some([2, 3]),
            Form::Spatial(Order::ChannelsLast) => Some([1, 2]),
            Form::Flat(_) | Form::Grouped { .. } | Form::Plane => None,
        }
    }

    /// Order of the axes; for a flat map, before it was flattened.
    pub(super) fn order(&self) -> Order {
        match self.form {
            Form::Spatial(order) | Form::Flat(order) => order,
            Form::Grouped { .. } | Form::Plane => Order::ChannelsFirst,
        }
    }

    /// Its channels and axes.
    pub(super) fn size(&self) -> MapSize {
        MapSize { channels: self.channels, axes: self.axes }
    }

    /// Whether the elements of both maps have the same positions.
    pub(super) fn aligned(&self, other: &Self) -> bool {
        self.size().aligned(&other.size())
    }

    /// The axes of a map that depends on both.
    pub(super) fn joined_axes(&self, other: &Self) -> [Axis; 2] {
        let join = |a: Axis, b: Axis| Axis {
            from_px: a.from_px.min(b.from_px),
            to_px: a.to_px.max(b.to_px),
            ..a
        };
        [join(self.axes[0], other.axes[0]), join(self.axes[1], other.axes[1])]
    }
}
