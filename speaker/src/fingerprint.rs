//! A word for the configuration in force: two speakers that show the same one serve the same configuration.
//!
//! It is made of what the configuration says of itself in `Debug`, which leaves secrets out, so it tells programs of
//! one version apart and is no protection against people.

use std::fmt::{self, Write};

use ringbolt_config::model::Config;

#[cfg(test)]
mod tests;

/// FNV-1a, 64 bits wide.
struct Hash(u64);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        Ok(())
    }
}

/// Sixteen hexadecimal digits.
pub(crate) fn fingerprint(config: &Config) -> String {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    // Neither side can fail.
    let _ = write!(hash, "{config:?}");
    format!("{:016x}", hash.0)
}
