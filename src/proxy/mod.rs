//! A proxy between agents and their NATS server.

mod correlate;
mod observer;
mod profile;
mod record;
