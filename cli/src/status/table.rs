//! Columns of text, two spaces apart. Knows nothing of what is in them.

/// A table with titles, or one line that says that there is nothing.
pub(super) fn render(titles: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return "nothing found\n".to_owned();
    }
    let mut widths: Vec<usize> = titles.iter().map(|title| title.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(shown(cell).chars().count());
        }
    }
    let mut text = String::new();
    push_line(&mut text, titles.iter().copied(), &widths);
    for row in rows {
        push_line(&mut text, row.iter().map(String::as_str), &widths);
    }
    text
}

fn push_line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>, widths: &[usize]) {
    let line: Vec<String> = cells
        .zip(widths)
        .map(|(cell, width)| format!("{:<width$}", shown(cell), width = *width))
        .collect();
    text.push_str(line.join("  ").trim_end());
    text.push('\n');
}

fn shown(cell: &str) -> &str {
    if cell.is_empty() { "-" } else { cell }
}

#[cfg(test)]
mod tests;
