//! The dense form of nodes that keep, divide or shuffle the channels of a map.

use super::builder::{AxisCut, int, integers_of};
use super::map::{FeatureMap, Form, Order, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten};

/// The axis of channels in the dense network, and in old networks with channels first.
const CHANNELS: i64 = 1;

impl<'a> Rewriter<'a> {
    /// Rewrites a node that keeps a range of channels.
    pub(super) fn slice(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let list = |name: &str, input: usize| -> Result<Option<Vec<i64>>, Problem> {
            let given = self.constant(node, input)?.and_then(|tensor| integers_of(&tensor));
            Ok(node.ints(name).map(<[i64]>::to_vec).or(given))
        };
        let (starts, ends) = (list("starts", 1)?, list("ends", 2)?);
        let (axes, steps) = (list("axes", 3)?, list("steps", 4)?);
        let refused = || Problem::node("it cuts something other than a range of channels");
        let (Some([start]), Some([end])) = (starts.as_deref(), ends.as_deref()) else {
            return Err(refused());
        };
        let along_channels = axes.as_deref() == Some(&[CHANNELS]) && has_channels(&map);
        if !along_channels || steps.is_some_and(|steps| steps != [1]) {
            return Err(refused());
        }
        let channels = map.channels as i64;
        let index = |at: i64| (if at < 0 { at + channels } else { at }).clamp(0, channels);
        let (first, end) = (index(*start), index(*end));
        if first >= end {
            return Err(Problem::node("it keeps no channel"));
        }
        Ok(self.range(node.hint(), &map, first, end))
    }

    /// Rewrites a node that divides the channels among several outputs.
    pub(super) fn split(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let axis = node.int("axis", 0);
        let axis = if axis < 0 { axis + map.shape().len() as i64 } else { axis };
        if axis != CHANNELS || !has_channels(&map) {
            return Err(Problem::node("it divides something other than channels"));
        }
        let given = self.constant(node, 1)?.and_then(|tensor| integers_of(&tensor));
        let sizes = node.ints("split").map(<[i64]>::to_vec).or(given).unwrap_or_else(|| {
            // Equal parts, of which the last may be smaller.
            let (parts, channels) = (node.proto.output.len() as i64, map.channels as i64);
            let size = (channels + parts - 1) / parts.max(1);
            (0..parts).map(|part| size.min(channels - part * size)).collect()
        });
        let fits = sizes.iter().all(|&size| size > 0)
            && sizes.iter().sum::<i64>() == map.channels as i64
            && sizes.len() == node.proto.output.len();
        if !fits {
            return Err(Problem::node(format!(
                "it divides {} channels into {sizes:?}",
                map.channels
            )));
        }
        let mut first = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        for (size, name) in sizes.iter().zip(&node.proto.output) {
            parts.push((name, self.range(name.clone(), &map, first, first + size)));
            first += size;
        }
        // Whoever asked gets the first part; the others are entered here.
        let mut parts = parts.into_iter();
        let value = parts.next().map(|(_, value)| value).ok_or(Problem::Unknown)?;
        self.values.extend(parts.map(|(name, value)| (name.as_str(), value)));
        Ok(value)
    }

    /// The channels `first` to `end` of a map.
    fn range(&mut self, hint: String, map: &FeatureMap, first: i64, end: i64) -> Value {
        let cut = AxisCut { axis: CHANNELS, start: first, end };
        let name = self.builder.slice(&hint, &map.name, &[cut], self.opset);
        let map = FeatureMap { channels: (end - first) as usize, ..map.clone() };
        Value::Map(self.renamed(&map, name))
    }

    /// Whether a node cuts a map along rows or columns, which no dense form does.
    pub(super) fn cuts_places(&self, node: Node<'a>) -> bool {
        let given = || self.constant(node, 3).ok().flatten().and_then(|axes| integers_of(&axes));
        let axes = node.ints("axes").map(<[i64]>::to_vec).or_else(given);
        node.operator() == "Slice" && axes.is_some_and(|axes| axes != [CHANNELS])
    }

    /// A map reshaped to groups of channels, or back from groups that have changed places
    /// with the channels in them; `None` for other reshapes.
    pub(super) fn regrouped(&mut self, map: &FeatureMap, target: &[i64]) -> Option<FeatureMap> {
        let [rows, cols] = map.extents();
        let channels = map.channels as i64;
        let spatial = Form::Spatial(Order::ChannelsFirst);
        match (map.form, target) {
            (form, &[1, groups, each, h, w])
                if form == spatial && groups * each == channels && [h, w] == [rows, cols] =>
            {
                let form = Form::Grouped { groups, swapped: false };
                Some(FeatureMap { form, ..map.clone() })
            }
            (Form::Grouped { groups, swapped }, &[1, all, h, w])
                if all == channels && [h, w] == [rows, cols] =>
            {
                if !swapped {
                    return Some(FeatureMap { form: spatial, ..map.clone() });
                }
                let each = channels / groups;
                let order: Vec<i64> =
                    (0..channels).map(|at| (at % groups) * each + at / groups).collect();
                let order = self.builder.integers("channel_order", &order);
                let hint = format!("{}/shuffled", map.name);
                let attributes = vec![int("axis", CHANNELS)];
                let name = self.builder.node("Gather", &hint, &[&map.name, &order], attributes);
                Some(self.renamed(&FeatureMap { form: spatial, ..map.clone() }, name))
            }
            _ => None,
        }
    }
}

/// Whether the channels of a map are on [`CHANNELS`] in the old network.
fn has_channels(map: &FeatureMap) -> bool {
    map.channel_axis() == Some(CHANNELS as usize)
}
