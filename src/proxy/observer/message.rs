use crate::model::ContentHash;
use crate::nats::HeaderBlock;

/// A message on its way from a client to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) reply: Option<&'a [u8]>,
    pub(crate) headers: Option<HeaderBlock<'a>>,
    /// `None`: it streams through.
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) size: u64,
    /// There if [`Observer::wants_hash_up`](super::Observer::wants_hash_up) said so, and the payload is.
    pub(crate) hash: Option<ContentHash>,
}

/// A message on its way from the server to a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered<'a> {
    pub(crate) sid: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) reply: Option<&'a [u8]>,
    pub(crate) headers: Option<HeaderBlock<'a>>,
    /// `None`: it streams through.
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) size: u64,
}
