//! Rows as a table, as CSV and as TSV, as Thanos' users parse them.

/// A header and its rows, all of the same number of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Names of the columns.
    pub(crate) header: Vec<&'static str>,
    /// Cells, row by row.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// With lines between the columns: names centred, cells to the left.
    pub(crate) fn to_text(&self) -> String {
        let width = |text: &str| text.chars().count();
        let widths: Vec<usize> = self
            .header
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| width(cell)).chain([width(name)]).max().unwrap_or_default()
            })
            .collect();
        let mut out = String::new();
        for (name, size) in self.header.iter().zip(&widths) {
            let gap = size.saturating_sub(width(name));
            let left = gap / 2;
            out.push_str(&format!("| {}{name}{} ", " ".repeat(left), " ".repeat(gap - left)));
        }
        out.push_str("|\n");
        for size in &widths {
            out.push_str(&format!("|{}", "-".repeat(size + 2)));
        }
        out.push_str("|\n");
        for row in &self.rows {
            for (cell, size) in row.iter().zip(&widths) {
                out.push_str(&format!("| {cell}{} ", " ".repeat(size.saturating_sub(width(cell)))));
            }
            out.push_str("|\n");
        }
        out
    }

    /// With a separator between cells; quoted where it is needed.
    pub(crate) fn to_separated(&self, separator: char) -> String {
        let header = self.header.iter().map(|name| (*name).to_owned()).collect();
        let mut out = String::new();
        for row in std::iter::once(&header).chain(&self.rows) {
            let cells: Vec<String> = row.iter().map(|cell| quoted(cell, separator)).collect();
            out.push_str(&cells.join(&separator.to_string()));
            out.push('\n');
        }
        out
    }
}

fn quoted(cell: &str, separator: char) -> String {
    let special = |c: char| c == separator || matches!(c, '"' | '\r' | '\n');
    if cell.contains(special) || cell == "\\." || cell.starts_with(char::is_whitespace) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            header: vec!["ULID", "#SAMPLES"],
            rows: vec![
                vec!["01HK153X01GAJDH7ZAZ3C4NDAF".into(), "3,120".into()],
                vec!["b\t\"x\"".into(), " 1".into()],
            ],
        }
    }

    #[test]
    fn text_is_aligned() {
        assert_eq!(
            table().to_text(),
            "|            ULID            | #SAMPLES |\n\
             |----------------------------|----------|\n\
             | 01HK153X01GAJDH7ZAZ3C4NDAF | 3,120    |\n\
             | b\t\"x\"                      |  1       |\n"
        );
    }

    #[test]
    fn cells_are_quoted_where_it_is_needed() {
        assert_eq!(
            table().to_separated(','),
            "ULID,#SAMPLES\n01HK153X01GAJDH7ZAZ3C4NDAF,\"3,120\"\n\"b\t\"\"x\"\"\",\" 1\"\n"
        );
        assert_eq!(
            table().to_separated('\t'),
            "ULID\t#SAMPLES\n01HK153X01GAJDH7ZAZ3C4NDAF\t3,120\n\"b\t\"\"x\"\"\"\t\" 1\"\n"
        );
    }
}
