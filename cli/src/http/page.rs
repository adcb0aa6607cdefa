//! The status document as a page for people: objects become definition lists, lists of objects
//! become tables. Owns the markup and its escaping; knows no field by name, so that whatever a
//! daemon adds to its status is shown.

use serde_json::{Map, Value};

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#1a2330;background:#fff}\
h1{font-size:1.3rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}\
table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #dfe4ea}\
th{font-weight:600;color:#52606d}.none{color:#9aa5b1}\
@media(prefers-color-scheme:dark){body{background:#14181d;color:#dfe4ea}th,td{border-color:#323a43}}";

/// The whole page.
pub(super) fn render(daemon: &str, document: &Value) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>ringbolt {daemon}</title><style>{STYLE}</style><h1>ringbolt {daemon}</h1>\
         <p>Machine-readable: <a href=/status>/status</a> · <a href=/metrics>/metrics</a>"
    );
    match document {
        Value::Object(sections) => {
            let plain = sections
                .iter()
                .filter(|(_, value)| !value.is_array() && !value.is_object());
            push_pairs(&mut page, plain);
            for (name, value) in sections
                .iter()
                .filter(|(_, value)| value.is_array() || value.is_object())
            {
                page.push_str(&format!("<h2>{}</h2>", escape(name)));
                push_value(&mut page, value);
            }
        }
        other => push_value(&mut page, other),
    }
    page
}

fn push_value(page: &mut String, value: &Value) {
    match value {
        Value::Null => page.push_str("<span class=none>none</span>"),
        Value::Array(rows) if rows.is_empty() => page.push_str("<span class=none>none</span>"),
        Value::Array(rows) if rows.iter().all(Value::is_object) => push_table(page, rows),
        Value::Array(rows) => {
            for (index, row) in rows.iter().enumerate() {
                if index > 0 {
                    page.push_str(", ");
                }
                push_value(page, row);
            }
        }
        Value::Object(fields) => push_pairs(page, fields.iter()),
        Value::String(text) => page.push_str(&escape(text)),
        Value::Bool(_) | Value::Number(_) => page.push_str(&value.to_string()),
    }
}

fn push_pairs<'a>(page: &mut String, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
    page.push_str("<table>");
    for (name, value) in fields {
        page.push_str(&format!("<tr><th>{}<td>", escape(name)));
        push_value(page, value);
    }
    page.push_str("</table>");
}

/// One row per object; the columns are the fields that any row has, in order of first sight.
fn push_table(page: &mut String, rows: &[Value]) {
    let mut columns: Vec<&String> = Vec::new();
    for field in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !columns.contains(&field) {
            columns.push(field);
        }
    }
    page.push_str("<table><tr>");
    for column in &columns {
        page.push_str(&format!("<th>{}", escape(column)));
    }
    for row in rows {
        page.push_str("<tr>");
        for column in &columns {
            page.push_str("<td>");
            push_value(page, row.get(column.as_str()).unwrap_or(&Value::Null));
        }
    }
    page.push_str("</table>");
}

/// Names and messages come from manifests and from peers: nothing of theirs is markup.
fn escape(text: &str) -> String {
    text.chars().fold(
        String::with_capacity(text.len()),
        |mut escaped, character| {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
            escaped
        },
    )
}
