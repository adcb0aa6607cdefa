//! `docs/guide/first-steps.md` as a test reads it: what stands below a command in a console block.

use std::fs;
use std::path::Path;

/// Everything the page shows below the line `$ command`, up to the next command or the block's end.
pub(crate) fn shown(command: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/first-steps.md");
    let page = fs::read_to_string(page).expect("the page is part of the repository");
    let prompt = format!("$ {command}");
    let mut lines = page.lines().skip_while(|line| *line != prompt);
    assert!(lines.next().is_some(), "the page does not show `{command}`");
    let below: Vec<&str> = lines
        .take_while(|line| !line.starts_with("$ ") && *line != "```")
        .collect();
    let mut text = below.join("\n").trim_end().to_owned();
    text.push('\n');
    text
}

/// The cells of a table that the page shows, without the columns that differ from machine to machine.
pub(crate) fn rows(command: &str, differing: &[&str]) -> Vec<Vec<String>> {
    let text = shown(command);
    let table: Vec<Vec<String>> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(cells)
        .collect();
    let titles = table.first().expect("a table has titles");
    let kept = kept(titles, differing);
    table
        .iter()
        .map(|row| {
            kept.iter()
                .filter_map(|&index| row.get(index).cloned())
                .collect()
        })
        .collect()
}

/// The same columns of a line that the command printed, for a table with these titles.
pub(crate) fn columns<'a>(
    titles: &'a [&'a str],
    differing: &'a [&'a str],
) -> impl Fn(&str) -> Vec<String> + 'a {
    let owned: Vec<String> = titles.iter().map(|&title| title.to_owned()).collect();
    let kept = kept(&owned, differing);
    move |line| {
        let row = cells(line);
        kept.iter()
            .filter_map(|&index| row.get(index).cloned())
            .collect()
    }
}

fn kept(titles: &[String], differing: &[&str]) -> Vec<usize> {
    (0..titles.len())
        .filter(|&index| !differing.contains(&titles[index].as_str()))
        .collect()
}

fn cells(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
