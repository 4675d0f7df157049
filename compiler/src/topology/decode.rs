//! The typed decoder: one macro that turns a node's description into a struct, its decoder and its reference page.
//!
//! Decoding never stops at the first problem: every unknown word, wrong type and missing argument of the whole tree is
//! reported in one pass, each with its span and, where one is near, the word that was meant.

use super::hints;
use super::tree::{Node, Value};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Arguments without a place that are reported one by one.
const EXTRA_ARGUMENTS_MAX: usize = 10;

/// A value together with where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> std::ops::Deref for Written<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// A property, argument or rest argument may have this type.
pub trait FromValue: Sized {
    /// What it is called in messages and in the reference: `a duration such as "15s"`.
    const EXPECTED: &'static str;
    /// Reads the value; on failure reports and returns `None`.
    fn from_value(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Self>;
}

/// A node may have this type.
pub trait Decode: Sized {
    /// Node name as written.
    const NAME: &'static str;
    /// Reads the node; on failure reports and returns `None`.
    fn decode(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Self>;
    /// The reference entry of this node and, through it, of all below.
    fn reference() -> Reference;
}

/// What the language reference says about one node.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Node name.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Arguments, properties: (name, type, doc, how).
    pub fields: Vec<FieldReference>,
    /// Child nodes and whether they may repeat.
    pub children: Vec<(Reference, bool)>,
}

/// One argument or property in the reference.
#[derive(Debug, Clone)]
pub struct FieldReference {
    /// Name.
    pub name: &'static str,
    /// Type in words.
    pub expected: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// Argument, property, …
    pub place: Place,
}

/// Where a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// First arguments, mandatory.
    Needed,
    /// Optional argument.
    Argument,
    /// All further arguments.
    Rest,
    /// `name=value`.
    Property,
    /// Any `name=value` that is not a property of the node.
    Open,
    /// Child nodes of any name.
    AnyChild,
}

/// Reads a value of type `T` and keeps its place.
pub fn read<T: FromValue>(value: &Value, diagnostics: &mut Vec<Diagnostic>) -> Option<Written<T>> {
    if value.unknown {
        return None;
    }
    if let Some(annotation) = &value.annotation {
        diagnostics.push(
            Diagnostic::error("KDL006", value.span, format!("unexpected type annotation `({annotation})`"))
                .help("declare `var X default=(env)\"X\"` and write \"${X}\" here"),
        );
        return None;
    }
    T::from_value(value, diagnostics).map(|read| Written { value: read, span: value.span })
}

/// Reports a value of the wrong type.
pub fn wrong_type(value: &Value, expected: &str, help: impl Into<String>, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.push(
        Diagnostic::error(
            "KDL006",
            value.span,
            format!("expected {expected}, found {}", value.scalar.describe()),
        )
        .help(help),
    );
}

/// Reports a node without arguments that it needs; `needs` are all of them, as (name, type in words).
pub fn missing_arguments(
    node: &Node,
    missing: &[&str],
    needs: &[(&str, &str)],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let message = match names.as_slice() {
        [one] => format!("`{}` lacks its argument {one}", node.name),
        many => format!("`{}` lacks its arguments {}", node.name, many.join(" and ")),
    };
    let usage: Vec<String> = needs.iter().map(|(name, _)| name.to_uppercase()).collect();
    let types: Vec<String> = needs
        .iter()
        .filter(|(name, _)| missing.contains(name))
        .map(|(name, expected)| format!("{} is {expected}", name.to_uppercase()))
        .collect();
    let help = format!("write `{} {}`: {}", node.name, usage.join(" "), types.join(", "));
    diagnostics.push(Diagnostic::error("KDL005", node.name_span, message).help(help));
}

/// Reports arguments past the last one that the node has.
pub fn extra_arguments(
    node: &Node,
    allowed: usize,
    props: &[&str],
    children: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut at = allowed;
    let mut said = 0;
    while at < node.args.len() {
        said += 1;
        if said > EXTRA_ARGUMENTS_MAX {
            let message =
                format!("`{}` has no place for {} further arguments", node.name, node.args.len() - at);
            let help = "properties are written name=value, one text with blanks between double quotes";
            diagnostics.push(Diagnostic::error("KDL007", node.args[at].span, message).help(help));
            return;
        }
        let (message, help, used) = hints::for_argument(node, at, allowed, props, children);
        let end = node.args.get(at + used - 1).map_or(node.args[at].span.end, |last| last.span.end);
        let span = Span { end, ..node.args[at].span };
        diagnostics.push(Diagnostic::error("KDL007", span, message).help(help));
        at += used.max(1);
    }
}

/// Reports a property that the node does not have.
pub fn unknown_property(
    node: &Node,
    name: &str,
    span: Span,
    props: &[&str],
    children: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) {
    diagnostics.push(
        Diagnostic::error("KDL003", span, format!("`{}` has no property `{name}`", node.name))
            .maybe_help(hints::for_property(node, name, props, children)),
    );
}

/// Reports a child node that the node does not have.
pub fn unknown_child(
    node: &Node,
    child: &Node,
    props: &[&str],
    children: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) {
    diagnostics.push(
        Diagnostic::error("KDL002", child.name_span, format!("`{}` has no node `{}`", node.name, child.name))
            .maybe_help(hints::for_child(node, child, props, children)),
    );
}

/// Reports a second node where one is allowed.
pub fn repeated_child(child: &Node, first: Span, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.push(
        Diagnostic::error("KDL008", child.name_span, format!("a second `{}`", child.name))
            .related(first, "the first one")
            .help("keep one of the two"),
    );
}

/// Describes a node kind: `needs` (mandatory arguments), `args` (optional ones), `rest`, `props`, `open` (any other
/// property), `one` and `many` (children), `any` (children of any name). Every field carries its doc.
#[macro_export]
macro_rules! node {
    (
        $(#[doc = $doc:literal])+
        $ty:ident $name:literal {
            $(needs { $($(#[doc = $ndoc:literal])+ $need:ident : $nty:ty,)* })?
            $(args { $($(#[doc = $adoc:literal])+ $arg:ident : $aty:ty,)* })?
            $(rest { $(#[doc = $rdoc:literal])+ $rest:ident : $rty:ty })?
            $(props { $($(#[doc = $pdoc:literal])+ $prop:ident : $pty:ty = $pname:literal,)* })?
            $(open { $(#[doc = $odoc:literal])+ $open:ident })?
            $(one { $($(#[doc = $cdoc:literal])+ $child:ident : $cty:ty,)* })?
            $(many { $($(#[doc = $mdoc:literal])+ $many:ident : $mty:ty,)* })?
            $(any { $(#[doc = $ydoc:literal])+ $any:ident })?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $ty {
            /// The whole node.
            pub span: $crate::source::Span,
            /// Where its name is written.
            pub name_span: $crate::source::Span,
            $($($(#[doc = $ndoc])+ pub $need: $crate::topology::decode::Written<$nty>,)*)?
            $($($(#[doc = $adoc])+ pub $arg: Option<$crate::topology::decode::Written<$aty>>,)*)?
            $($(#[doc = $rdoc])+ pub $rest: Vec<$crate::topology::decode::Written<$rty>>,)?
            $($($(#[doc = $pdoc])+ pub $prop: Option<$crate::topology::decode::Written<$pty>>,)*)?
            $($(#[doc = $odoc])+ pub $open: Vec<($crate::topology::decode::Written<String>, $crate::topology::decode::Written<String>)>,)?
            $($($(#[doc = $cdoc])+ pub $child: Option<$cty>,)*)?
            $($($(#[doc = $mdoc])+ pub $many: Vec<$mty>,)*)?
            $($(#[doc = $ydoc])+ pub $any: Vec<$crate::topology::tree::Node>,)?
        }

        impl $crate::topology::decode::Decode for $ty {
            const NAME: &'static str = $name;

            #[allow(unused_mut, unused_variables, unused_assignments, clippy::redundant_closure_call)]
            fn decode(node: &$crate::topology::tree::Node, diagnostics: &mut Vec<$crate::diagnostic::Diagnostic>) -> Option<Self> {
                use $crate::topology::decode as d;
                let props: &[&str] = &[$($($pname),*)?];
                let children: &[&str] = &[
                    $($(<$cty as d::Decode>::NAME,)*)?
                    $($(<$mty as d::Decode>::NAME,)*)?
                ];
                let mut failed = false;
                let mut at = 0usize;
                let mut missing: Vec<&str> = Vec::new();
                $($(
                    let $need = match node.args.get(at) {
                        Some(value) => d::read::<$nty>(value, diagnostics),
                        None => {
                            missing.push(stringify!($need));
                            None
                        }
                    };
                    failed |= $need.is_none();
                    at += 1;
                )*)?
                $($(
                    let $arg = node.args.get(at).and_then(|value| d::read::<$aty>(value, diagnostics));
                    at += 1;
                )*)?
                $(
                    let $rest: Vec<_> = node.args.iter().skip(at).filter_map(|value| d::read::<$rty>(value, diagnostics)).collect();
                    at = usize::MAX;
                )?
                if !missing.is_empty() {
                    let needs = [$($((stringify!($need), <$nty as d::FromValue>::EXPECTED),)*)?];
                    d::missing_arguments(node, &missing, &needs, diagnostics);
                }
                d::extra_arguments(node, at, props, children, diagnostics);
                $($(let mut $prop = None;)*)?
                $(let mut $open = Vec::new();)?
                for property in &node.props {
                    match property.name.as_str() {
                        $($($pname => $prop = d::read::<$pty>(&property.value, diagnostics),)*)?
                        name => {
                            let mut taken = false;
                            $(
                                // An open property that is almost a known one is a slip.
                                let near = $crate::diagnostic::nearest(name, props.iter().copied()).is_some();
                                if !near && !children.contains(&name) {
                                    taken = true;
                                    if let Some(value) = d::read::<$crate::topology::values::Text>(&property.value, diagnostics) {
                                        let key = d::Written { value: name.to_string(), span: property.name_span };
                                        $open.push((key, d::Written { value: value.value.0, span: value.span }));
                                    }
                                }
                            )?
                            if !taken {
                                d::unknown_property(node, name, property.name_span, props, children, diagnostics);
                            }
                        }
                    }
                }
                $($(let mut $child: Option<$cty> = None; )*)?
                $($(let mut $many: Vec<$mty> = Vec::new();)*)?
                $(let mut $any = Vec::new();)?
                for child in &node.children {
                    match child.name.as_str() {
                        $($(<$cty as d::Decode>::NAME => match &$child {
                            Some(first) => d::repeated_child(child, first.name_span, diagnostics),
                            None => $child = <$cty as d::Decode>::decode(child, diagnostics),
                        },)*)?
                        $($(<$mty as d::Decode>::NAME => $many.extend(<$mty as d::Decode>::decode(child, diagnostics)),)*)?
                        _ => {
                            let mut taken = false;
                            $(taken = true; $any.push(child.clone());)?
                            if !taken {
                                d::unknown_child(node, child, props, children, diagnostics);
                            }
                        }
                    }
                }
                if failed {
                    return None;
                }
                Some($ty {
                    span: node.span,
                    name_span: node.name_span,
                    $($($need: $need?,)*)?
                    $($($arg,)*)?
                    $($rest,)?
                    $($($prop,)*)?
                    $($open,)?
                    $($($child,)*)?
                    $($($many,)*)?
                    $($any,)?
                })
            }

            #[allow(unused_mut, clippy::vec_init_then_push)]
            fn reference() -> $crate::topology::decode::Reference {
                use $crate::topology::decode::{self as d, FieldReference, Place};
                let mut fields: Vec<FieldReference> = Vec::new();
                $($(fields.push(FieldReference { name: stringify!($need), expected: <$nty as d::FromValue>::EXPECTED, doc: concat!($($ndoc),+), place: Place::Needed });)*)?
                $($(fields.push(FieldReference { name: stringify!($arg), expected: <$aty as d::FromValue>::EXPECTED, doc: concat!($($adoc),+), place: Place::Argument });)*)?
                $(fields.push(FieldReference { name: stringify!($rest), expected: <$rty as d::FromValue>::EXPECTED, doc: concat!($($rdoc),+), place: Place::Rest });)?
                $($(fields.push(FieldReference { name: $pname, expected: <$pty as d::FromValue>::EXPECTED, doc: concat!($($pdoc),+), place: Place::Property });)*)?
                $(fields.push(FieldReference { name: stringify!($open), expected: "any text", doc: concat!($($odoc),+), place: Place::Open });)?
                $(fields.push(FieldReference { name: stringify!($any), expected: "", doc: concat!($($ydoc),+), place: Place::AnyChild });)?
                let mut children: Vec<(d::Reference, bool)> = Vec::new();
                $($(children.push((<$cty as d::Decode>::reference(), false));)*)?
                $($(children.push((<$mty as d::Decode>::reference(), true));)*)?
                d::Reference { name: $name, doc: concat!($($doc),+), fields, children }
            }
        }
    };
}
pub(crate) use node;

/// Describes a closed set of words.
#[macro_export]
macro_rules! words {
    ($(#[doc = $doc:literal])+ $ty:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $ty { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $ty {
            /// All words.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// The word as written.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::topology::decode::FromValue for $ty {
            const EXPECTED: &'static str = $crate::words!(@list $($word),+);
            fn from_value(value: &$crate::topology::tree::Value, diagnostics: &mut Vec<$crate::diagnostic::Diagnostic>) -> Option<Self> {
                match &value.scalar {
                    $($crate::topology::tree::Scalar::Str(text) if text == $word => Some(Self::$variant),)+
                    other => {
                        let help = match other {
                            $crate::topology::tree::Scalar::Str(text) => $crate::diagnostic::did_you_mean(text, Self::WORDS.iter().copied()),
                            _ => Some(format!("possible here: {}", Self::WORDS.join(", "))),
                        };
                        diagnostics.push(
                            $crate::diagnostic::Diagnostic::error("KDL007", value.span, format!("{} is not possible here", other.describe())).maybe_help(help),
                        );
                        None
                    }
                }
            }
        }
    };
    (@list $only:literal) => { concat!("`", $only, "`") };
    (@list $first:literal $(, $word:literal)*) => { concat!("one of `", $first, "`" $(, ", `", $word, "`")*) };
}
pub(crate) use words;
