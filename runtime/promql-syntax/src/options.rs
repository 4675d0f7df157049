//! Which parts of the language that Prometheus keeps behind feature flags are switched on.

use crate::Feature;

/// The feature flags of a server, as far as they change what it parses. `default()` is Prometheus without flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ParseOptions {
    /// `promql-experimental-functions`
    pub experimental_functions: bool,
    /// `promql-duration-expr`
    pub duration_expr: bool,
    /// `promql-extended-range-selectors`
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`
    pub binop_fill_modifiers: bool,
}

impl ParseOptions {
    /// Everything is switched on.
    pub const ALL: ParseOptions = ParseOptions {
        experimental_functions: true,
        duration_expr: true,
        extended_range_selectors: true,
        binop_fill_modifiers: true,
    };

    /// Whether the part of the language is switched on.
    pub const fn allows(&self, feature: Feature) -> bool {
        match feature {
            Feature::ExperimentalFunctions => self.experimental_functions,
            Feature::DurationExpr => self.duration_expr,
            Feature::ExtendedRangeSelectors => self.extended_range_selectors,
            Feature::BinopFillModifiers => self.binop_fill_modifiers,
        }
    }

    /// The same with the part of the language switched on.
    #[must_use]
    pub const fn with(mut self, feature: Feature) -> Self {
        match feature {
            Feature::ExperimentalFunctions => self.experimental_functions = true,
            Feature::DurationExpr => self.duration_expr = true,
            Feature::ExtendedRangeSelectors => self.extended_range_selectors = true,
            Feature::BinopFillModifiers => self.binop_fill_modifiers = true,
        }
        self
    }
}
