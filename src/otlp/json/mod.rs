mod decode;
mod encode;
mod field;
mod value;

pub use decode::from_json;
pub use encode::to_json;

#[cfg(test)]
mod tests;
