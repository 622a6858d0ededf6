//! Pure checks: what was sent, what arrived, and now, give mismatches.
