//! simd-json's tape, walked node by node: a value is where it begins, and what is
//! not asked for is stepped over in a few instructions. simd-json's own view of
//! its tape does the same with more of them, and most keys of a sample are of no
//! use here. What the keys mean is read in `stats` and `task`.

#![expect(
    clippy::inline_always,
    reason = "built for size, these would be calls: a third more of ESP's own part of a sample"
)]

use std::fmt;

use simd_json::{Node, StaticNode};

/// How much of a string goes into an error's line.
const EXCERPT_CHARS: usize = 40;

/// A value: its node, and whatever follows on the tape.
#[derive(Clone, Copy)]
pub(super) struct Value<'tape, 'body>(&'tape [Node<'body>]);

/// What is left of an object.
pub(super) struct Fields<'tape, 'body> {
    nodes: &'tape [Node<'body>],
    wanted: Lengths,
}

/// Lengths that a key may have, a bit for each. Most keys differ in length from
/// all that are read, and so are passed over without a look at their letters.
#[derive(Clone, Copy)]
pub(super) struct Lengths(u64);

impl Lengths {
    const ANY: Self = Self(u64::MAX);

    /// Those of `keys`, each shorter than 64 bytes.
    pub(super) const fn of(keys: &[&str]) -> Self {
        let (mut bits, mut place) = (0, 0);
        while place < keys.len() {
            bits |= 1 << keys[place].len();
            place += 1;
        }
        Self(bits)
    }

    #[inline(always)]
    fn have(self, length: usize) -> bool {
        length >= 64 || self.0 >> length & 1 == 1
    }
}

/// What is left of an array.
pub(super) struct Items<'tape, 'body>(&'tape [Node<'body>]);

impl<'tape, 'body> Value<'tape, 'body> {
    /// The document of a filled tape.
    #[inline(always)]
    pub(super) fn document(tape: &'tape [Node<'body>]) -> Self {
        Self(tape)
    }

    #[inline(always)]
    pub(super) fn is_null(self) -> bool {
        matches!(self.0, [Node::Static(StaticNode::Null), ..])
    }

    #[inline(always)]
    pub(super) fn fields(self) -> Option<Fields<'tape, 'body>> {
        match self.0 {
            [Node::Object { count, .. }, nodes @ ..] => {
                nodes.get(..*count).map(|nodes| Fields { nodes, wanted: Lengths::ANY })
            }
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn items(self) -> Option<Items<'tape, 'body>> {
        match self.0 {
            [Node::Array { count, .. }, nodes @ ..] => nodes.get(..*count).map(Items),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn string(self) -> Option<&'body str> {
        match self.0 {
            [Node::String(string), ..] => Some(string),
            _ => None,
        }
    }

    #[inline(always)]
    pub(super) fn unsigned(self) -> Option<u64> {
        match self.0 {
            [Node::Static(StaticNode::U64(number)), ..] => Some(*number),
            [Node::Static(StaticNode::I64(number)), ..] => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn float(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a number as JSON means it")]
        match self.0 {
            [Node::Static(StaticNode::F64(number)), ..] => Some(*number),
            [Node::Static(StaticNode::U64(number)), ..] => Some(*number as f64),
            [Node::Static(StaticNode::I64(number)), ..] => Some(*number as f64),
            _ => None,
        }
    }

    /// What comes after it.
    #[inline(always)]
    fn rest(self) -> Option<&'tape [Node<'body>]> {
        match self.0 {
            [Node::Object { count, .. } | Node::Array { count, .. }, nodes @ ..] => {
                nodes.get(*count..)
            }
            [_, nodes @ ..] => Some(nodes),
            [] => None,
        }
    }
}

/// The value for an error's line: short, without control characters.
impl fmt::Display for Value<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // `Display` writes out 300 digits.
            [Node::Static(StaticNode::F64(number)), ..] => write!(f, "{number:?}"),
            [Node::Static(value), ..] => value.fmt(f),
            [Node::String(text), ..] => {
                let excerpt: String = text.chars().take(EXCERPT_CHARS).collect();
                let rest = if excerpt.len() < text.len() { "..." } else { "" };
                write!(f, "{excerpt:?}{rest}")
            }
            [Node::Array { .. }, ..] => f.write_str("an array"),
            [Node::Object { .. }, ..] => f.write_str("an object"),
            [] => f.write_str("nothing"),
        }
    }
}

impl Fields<'_, '_> {
    /// The fields whose keys have one of these lengths, or are very long.
    #[inline(always)]
    pub(super) fn of(self, wanted: Lengths) -> Self {
        Self { wanted, ..self }
    }
}

impl<'tape, 'body> Iterator for Fields<'tape, 'body> {
    type Item = (&'body str, Value<'tape, 'body>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let [Node::String(key), nodes @ ..] = self.nodes else { return None };
            let value = Value(nodes);
            self.nodes = value.rest()?;
            if self.wanted.have(key.len()) {
                return Some((key, value));
            }
        }
    }
}

impl<'tape, 'body> Iterator for Items<'tape, 'body> {
    type Item = Value<'tape, 'body>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let value = Value(self.0);
        self.0 = value.rest()?;
        Some(value)
    }
}
