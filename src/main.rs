//! wilco
fn main() {}
