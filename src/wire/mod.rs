//! How facts ride on a message.
