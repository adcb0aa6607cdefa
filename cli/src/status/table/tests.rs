//! How columns line up.

use super::*;

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

#[test]
fn columns_are_as_wide_as_their_widest_cell_and_lines_do_not_end_in_spaces() {
    let table = render(
        &["NAME", "STATE"],
        &[row(&["a", "up"]), row(&["longer", ""])],
    );
    assert_eq!(table, "NAME    STATE\na       up\nlonger  -\n");
}

#[test]
fn width_is_counted_in_characters() {
    assert_eq!(
        render(&["A", "B"], &[row(&["äöü", "x"])]),
        "A    B\näöü  x\n"
    );
}

#[test]
fn cells_beyond_the_titles_are_left_out() {
    assert_eq!(render(&["A"], &[row(&["x", "hidden"])]), "A\nx\n");
}

#[test]
fn no_rows_are_one_line_that_says_so() {
    assert_eq!(render(&["A"], &[]), "nothing found\n");
}
