//! Which field of which kind is read in this version, and which is refused by name.
