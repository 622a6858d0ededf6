//! What nats-server and this library allow at most.

/// Bytes of the arguments of a client's control line, nats-server's default (`max_control_line`). Arguments only: the
/// verb, the blanks after it and the line end do not count. A server may be configured otherwise, and does not say so.
pub const MAX_CONTROL_LINE: usize = 4_096;

/// Bytes of the arguments of a server's control line, ours. `INFO` has no limit of its own, and grows with the cluster.
pub const MAX_SERVER_LINE: usize = 1 << 20;

/// Bytes of a control line beside its arguments: the verb, the blanks after it, the line end. Ours; nats-server lets
/// the blanks run on for ever.
pub const MAX_LINE_EXTRA: usize = 64;

/// Digits of a size or count (nats-server's `parseSize`), leading zeros among them.
pub const MAX_SIZE_DIGITS: usize = 9;

/// Bytes of headers and payload, nats-server's default (`max_payload`). `INFO` says what a server has.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Line end of a payload: CR LF.
pub const BODY_END: usize = 2;
