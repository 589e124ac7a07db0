//! Columns for people.

/// Rows under a heading, each column as wide as its widest cell; the last is not padded.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = heading.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut heading.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// A text on one line, cut to a length.
pub(super) fn brief(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit { line } else { line.chars().take(limit.saturating_sub(1)).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "long cell".to_owned(), "x".to_owned()], vec!["bb".to_owned(), String::new(), "yy".to_owned()]];
        insta::assert_snapshot!(table(&["ID", "NAME", "Z"], &rows), @r"
        ID  NAME       Z
        a   long cell  x
        bb             yy
        ");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(brief("é é\né", 10), "é é é");
        assert_eq!(brief("ééééé", 3), "éé…");
    }
}
