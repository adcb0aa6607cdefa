//! Generated parts of pages are what the code says.

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- served:begin -->\n";
const END: &str = "<!-- served:end -->";

#[test]
fn the_table_of_served_fields_is_fresh() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/status.md");
    let text = fs::read_to_string(&page).expect("the page is part of the repository");
    let (head, rest) = text
        .split_once(BEGIN)
        .expect("the page has the first marker");
    let (table, tail) = rest
        .split_once(END)
        .expect("the page has the second marker");
    let fresh = ringbolt_config::served::render_markdown();
    if std::env::var_os("RINGBOLT_BLESS").is_some() {
        fs::write(&page, format!("{head}{BEGIN}{fresh}{END}{tail}"))
            .expect("the page can be written");
        return;
    }
    assert_eq!(table, fresh, "RINGBOLT_BLESS=1 writes the page anew");
}
