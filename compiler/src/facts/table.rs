//! Reads the embedded tables: lines of TAB separated cells, `#` lines being comment.

use super::version::Version;

/// A line of a table that could not be read; a test keeps them from existing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Line number, from 1.
    pub(super) line: usize,
    /// The line itself.
    pub(super) text: &'static str,
}

/// A table in the order of its file, which is sorted.
#[derive(Debug)]
pub(super) struct Table<R> {
    pub(super) rows: Vec<R>,
    /// Lines left out; tests see to it that there are none.
    pub(super) faults: Vec<Fault>,
}

/// Reads a table whose lines have `N` cells, empty ones at the end left out.
pub(super) fn read<const N: usize, R>(
    text: &'static str,
    row: impl Fn([&'static str; N]) -> Option<R>,
) -> Table<R> {
    let mut table = Table { rows: Vec::new(), faults: Vec::new() };
    for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.starts_with('#')) {
        let mut cells: Vec<&'static str> = text.split('\t').collect();
        // Editors strip blanks at the end of a line, and with them empty cells.
        cells.resize(cells.len().max(N), "");
        match <[&'static str; N]>::try_from(cells).ok().and_then(&row) {
            Some(read) => table.rows.push(read),
            None => table.faults.push(Fault { line: index + 1, text }),
        }
    }
    table
}

/// Reads a cell with a version, `Some(None)` being an empty cell.
pub(super) fn optional_version(cell: &str) -> Option<Option<Version>> {
    if cell.is_empty() { Some(None) } else { cell.parse().ok().map(Some) }
}
