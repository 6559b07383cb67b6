//! What agents report: decoded, checked, made durable, acknowledged.
