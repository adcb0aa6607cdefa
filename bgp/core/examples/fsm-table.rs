//! Prints `docs/fsm.md`. Knows nothing but the table; `cargo xtask fsm-table` writes the file.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::stdout().write_all(ringbolt_bgp::session::transition::render_table().as_bytes())
}
