//! A stream of definitions, split.

use super::documents;

#[test]
fn each_document_is_named_by_its_plural() {
    let stream = "---\nspec:\n  names:\n    plural: as\n---\nspec:\n  names:\n    plural: bs\n";
    let found: Vec<(&str, String)> = documents(stream);
    assert_eq!(
        found.iter().map(|(plural, _)| *plural).collect::<Vec<_>>(),
        ["as", "bs"]
    );
    assert_eq!(found[1].1, "spec:\n  names:\n    plural: bs\n");
}
